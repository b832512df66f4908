"""What the stack consists of; __main__.py only calls it, so that tests can, too."""

import json
import re

import pulumi
import pulumi_cloudflare as cloudflare
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret

import manifests
from manifests import NAMESPACE

SUFFIX = "-oc"
METADATA = {"namespace": NAMESPACE}


def deploy():
    config = pulumi.Config()
    shared = pulumi.StackReference(config.require("baseStack"))
    domain = shared.require_output("domain")
    host = domain.apply(lambda name: f"code.{name}")

    objects = manifests.base()
    settle(objects, config, domain, shared)
    namespace = [create(each) for each in objects if each["kind"] == "Namespace"]
    inside = pulumi.ResourceOptions(depends_on=namespace)
    for each in objects:
        if each["kind"] != "Namespace":
            create(each, inside)

    secrets(config, inside)
    pull_secret(inside)
    edge(config, host, inside)
    operator_role(inside)
    cloudflare.DnsRecord(
        "picker", zone_id=shared.require_output("cloudflareZoneId"), name=host, type="CNAME",
        content=shared.require_output("tunnelCname"), proxied=True, ttl=1)
    pulumi.export("url", host.apply(lambda name: f"https://{name}"))


def create(document, options=None):
    """The object as a resource of its own kind, so that Pulumi shows and compares its fields."""
    group, _, version = document["apiVersion"].rpartition("/")
    module = getattr(getattr(kubernetes, group.partition(".")[0] or "core"), version)
    name = document["metadata"]["name"]
    fields = {
        re.sub("([A-Z])", r"_\1", key).lower(): value for key, value in document.items()
        if key not in ("apiVersion", "kind")}
    return getattr(module, document["kind"])(name, opts=options, **fields)


def settle(objects, config, domain, shared):
    """Puts this stack's values into the objects of the base."""
    registry = config.require("registry")
    image = f"{registry}/opencode-router:{config.require('imageTag')}"
    for each in objects:
        name = each["metadata"]["name"]
        if each["kind"] == "ConfigMap" and name == "code":
            each["data"].update({
                "OPENCODE_NAMESPACE": NAMESPACE, "ROUTER_DOMAIN": domain,
                "ROUTER_HOSTS": domain.apply(lambda text: f"code.{text}"), "ROUTE_SUFFIX": SUFFIX,
                "OPENCODE_IMAGE": f"{registry}/opencode-session:{config.require('sessionImageTag')}",
                "OPENCODE_ROUTER_URL": f"http://code-pods.{NAMESPACE}.svc:3001",
                "OPENCODE_ROUTER_EXTERNAL_DOMAIN": domain, "IMAGE_PULL_SECRET_NAME": "ghcr-pull-secret",
                "ADMIN_SECRET_FILE": "/etc/opencode-router/secrets/admin-secret", "STORAGE_SIZE": "10Gi",
            })
            for setting, key in [("STORAGE_CLASS", "storageClass"), ("ADMIN_EMAILS", "adminEmails")]:
                if value := config.get(key):
                    each["data"][setting] = value
        if each["kind"] == "Deployment":
            pod = each["spec"]["template"]["spec"]
            pod["imagePullSecrets"] = [{"name": "ghcr-pull-secret"}]
            pod["containers"][0]["image"] = image
            pod["containers"].append(operator(image, domain, shared, pod["containers"][0]["securityContext"]))


def operator(image, domain, shared, security):
    """The sidecar that makes DNS records, tunnel rules and routes follow the sessions; the router's own image."""
    values = {
        "DOMAIN": domain, "CF_ZONE_ID": shared.require_output("cloudflareZoneId"),
        "CF_TUNNEL_ID": shared.require_output("tunnelId"), "ROUTE_SUFFIX": SUFFIX, "WATCH_NAMESPACE": NAMESPACE,
        "INGRESSROUTE_NAMESPACE": NAMESPACE, "OAUTH2_CHAIN_MIDDLEWARE": "code-oauth2-chain",
        # Where the tunnel leads: the ingress, which asks who is there before the router is reached.
        "ROUTER_SERVICE_URL": "http://traefik.traefik.svc.cluster.local:80",
        "ROUTER_ADMIN_URL": f"http://code.{NAMESPACE}.svc.cluster.local:80", "ROUTER_SERVICE_NAME": "code",
        "ROUTER_ADMIN_HOST": domain.apply(lambda text: f"code.{text}"),
        "ATTACH_SERVICE_NAME": "code-attach", "ATTACH_SERVICE_PORT": "4096", "HEALTH_PORT": "8080",
    }
    secret = {"CF_API_TOKEN": ("code-cf-credentials", "api-token"), "ROUTER_ADMIN_SECRET": ("code-admin-secret", "secret")}
    return {
        "name": "operator", "image": image, "args": ["cloudflare-operator"],
        "env": [{"name": name, "value": value} for name, value in values.items()] + [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": place, "key": key}}}
            for name, (place, key) in secret.items()],
        "ports": [{"name": "operator", "containerPort": 8080}],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "operator"}, "failureThreshold": 6},
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": security,
    }


def secrets(config, options):
    """Secrets come from the stack's encrypted configuration, and nowhere else."""
    admin = config.require_secret("adminSecret")
    for name, data in {
        "code": {"auth-secret": config.require_secret("authSecret"), "admin-secret": admin},
        "code-admin-secret": {"secret": admin},
        "code-cf-credentials": {"api-token": config.require_secret("cloudflareApiToken")},
        "opencode-api-keys": config.require_secret("apiKeys").apply(json.loads),
    }.items():
        Secret(name, metadata={**METADATA, "name": name}, string_data=data, opts=options)


def pull_secret(options):
    """The registry's credentials, which the cluster keeps in its secret store."""
    CustomResource(
        "ghcr-pull-secret", api_version="external-secrets.io/v1", kind="ExternalSecret",
        metadata={**METADATA, "name": "ghcr-pull-secret"}, opts=options,
        spec={
            "refreshInterval": "1h", "secretStoreRef": {"kind": "ClusterSecretStore", "name": "cluster-secrets"},
            "target": {"name": "ghcr-pull-secret", "template": {"type": "kubernetes.io/dockerconfigjson"}},
            "data": [{"secretKey": ".dockerconfigjson", "remoteRef": {"key": "ghcr-pull-secret"}}],
        })


def edge(config, host, options):
    """Traefik's middlewares and the picker's route. Sessions' routes are made by the operator, through the same chain."""
    names = {"clean": "code-clean", "ask": "code-forward-auth", "sign-in": "code-oauth2-errors"}
    key = config.require_secret("authSecret")
    for each in manifests.documents("overlays/traefik-oauth2-proxy/middlewares.yaml"):
        name, spec = each["metadata"]["name"], each["spec"]
        if name == "clean":
            spec["headers"]["customRequestHeaders"]["X-Gateway-Key"] = key
        if name == "ask":
            spec["forwardAuth"]["address"] = config.get("oauth2Proxy") or "http://oauth2-proxy.oauth2-proxy.svc/oauth2/auth"
        if name == "sign-in":
            spec["errors"]["service"]["namespace"] = config.get("oauth2ProxyNamespace") or "oauth2-proxy"
        traefik("Middleware", names[name], spec, options)
    chain = [{"name": names[name]} for name in ["clean", "sign-in", "ask"]]
    traefik("Middleware", "code-oauth2-chain", {"chain": {"middlewares": chain}}, options)
    service = [{"name": "code", "port": 80}]
    traefik("IngressRoute", "code", {
        "entryPoints": ["web"],
        "routes": [
            # The picker understands a 401; a redirection it could not follow.
            {"kind": "Rule", "match": host.apply(lambda name: f"Host(`{name}`) && PathPrefix(`/api/`)"),
             "middlewares": [chain[0], chain[2]], "services": service},
            {"kind": "Rule", "match": host.apply(lambda name: f"Host(`{name}`)"),
             "middlewares": [{"name": "code-oauth2-chain"}], "services": service},
        ]}, options)
    kubernetes.networking.v1.NetworkPolicy(
        "router-from-ingress", metadata={**METADATA, "name": "router-from-ingress"}, opts=options,
        spec={
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "opencode-router"}}, "policyTypes": ["Ingress"],
            "ingress": [{
                "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}}}],
                "ports": [{"port": "http"}, {"port": "attach"}]}],
        })


def traefik(kind, name, spec, options):
    CustomResource(
        f"{name}-{kind.lower()}", api_version="traefik.io/v1alpha1", kind=kind, metadata={**METADATA, "name": name},
        spec=spec, opts=options)


def operator_role(options):
    """What the operator may do beyond the router: routes of Traefik, in this namespace."""
    metadata = {**METADATA, "name": "code-operator"}
    kubernetes.rbac.v1.Role("code-operator", metadata=metadata, opts=options, rules=[{
        "apiGroups": ["traefik.io"], "resources": ["ingressroutes"],
        "verbs": ["list", "create", "update", "delete"]}])
    kubernetes.rbac.v1.RoleBinding(
        "code-operator", metadata=metadata, opts=options,
        role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "code-operator"},
        subjects=[{"kind": "ServiceAccount", "name": "code", "namespace": NAMESPACE}])
