"""The manifests: kubectl builds them, the API's schemas accept them, and they promise what the guide says."""

import ipaddress
import json
import re
import subprocess

import jsonschema
import kubernetes_validate
import pytest
import yaml

from harness.checkers import KUBERNETES, ROOT, run, tool
from harness.router import binary, clean_environment

OVERLAYS = sorted(f"overlays/{folder.name}" for folder in (KUBERNETES / "overlays").iterdir())
VERSION = "1.31"
# The fields of foreign kinds that we use; more is a spelling mistake.
CUSTOM = yaml.safe_load((ROOT / "Tests/Deployment/custom-kinds.yaml").read_text())


def find(objects, kind, name=None):
    found = [each for each in objects if each["kind"] == kind and name in (None, each["metadata"]["name"])]
    assert found, f"no {kind} {name or ''}"
    return found[0] if name else found


def with_monitoring(tmp_path_factory):
    """A folder as operators write one: an overlay with the monitoring component."""
    folder = tmp_path_factory.mktemp("kustomize")
    run("cp", "-r", KUBERNETES, folder / "kubernetes")
    mine = folder / "kubernetes" / "overlays" / "mine"
    mine.mkdir()
    components = sorted(each.name for each in (KUBERNETES / "components").iterdir() if each.name != "edge")
    (mine / "kustomization.yaml").write_text(yaml.safe_dump({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": "opencode",
        "resources": ["../traefik-oauth2-proxy"], "components": [f"../../components/{name}" for name in components]}))
    done = run(tool("kubectl"), "kustomize", mine)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    return with_monitoring(tmp_path_factory)


def check(each):
    """Raises if the object is not what its kind's schema asks for."""
    key = f"{each['apiVersion']}/{each['kind']}"
    if key in CUSTOM:
        jsonschema.validate(each, CUSTOM[key])
    else:
        kubernetes_validate.validate(each, VERSION, strict=True)


@pytest.mark.parametrize("folder", ["base", *OVERLAYS])
def test_the_schemas_accept_every_object(built, folder):
    for each in built(folder):
        check(each)


def test_the_schemas_accept_every_component_and_every_example(everything):
    for each in everything:
        check(each)
    for each in yaml.safe_load_all((KUBERNETES / "base" / "secrets.example.yaml").read_text()):
        check(each)


def test_a_misspelt_field_would_be_noticed(built):
    wrong = json.loads(json.dumps(find(built("base"), "Deployment", "opencode-router")))
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        check(wrong)
    route = json.loads(json.dumps(find(built("overlays/traefik-oauth2-proxy"), "IngressRoute", "picker")))
    route["spec"]["routes"][0]["middleware"] = []
    with pytest.raises(jsonschema.ValidationError):
        check(route)


@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_pod_meets_the_restricted_standard_and_has_limits(built, folder):
    labels = find(built(folder), "Namespace", "opencode")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for deployment in find(built(folder), "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))
        assert {next(iter(set(volume) - {"name"})) for volume in pod.get("volumes", [])} <= {"secret", "configMap", "emptyDir"}
        for container in pod["containers"] + pod.get("initContainers", []):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"]


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_router_accepts_the_settings_of_its_config_map(built, folder, tmp_path):
    settings = dict(find(built(folder), "ConfigMap", "opencode-router")["data"])
    secret = tmp_path / "auth-secret"
    secret.write_text("0123456789abcdef0123456789abcdef")
    assert settings["AUTH_SECRET_FILE"].startswith("/etc/opencode-router/secrets/")
    settings["AUTH_SECRET_FILE"] = secret
    # `auto` needs no cluster to be checked; the rest is as deployed.
    done = subprocess.run(
        [binary(), "check-config"], env=clean_environment(**settings), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for name in settings:
        assert f"\n{name}=" in f"\n{done.stdout}", f"{name} is no setting"


def test_two_replicas_that_survive_a_drain_and_have_the_time_for_it(built):
    objects = built("base")
    deployment = find(objects, "Deployment", "opencode-router")["spec"]
    assert deployment["replicas"] == 2 and deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert find(objects, "PodDisruptionBudget", "opencode-router")["spec"]["minAvailable"] == 1
    done = subprocess.run([binary(), "check-config"], env=clean_environment(ROUTER_DOMAIN="a.example", AUTH_SECRET="0" * 32),
                          capture_output=True, text=True, timeout=60)
    seconds = {name: float(value) for name, value in re.findall(r"^(DRAIN\w*_SECONDS)=(\S+)", done.stdout, re.M)}
    pod = deployment["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= sum(seconds.values()) + 10, seconds
    # Load balancers hear of it before it stops accepting.
    probe = pod["containers"][0]["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < seconds["DRAIN_DELAY_SECONDS"]


def test_services_lead_to_listeners_that_exist(built):
    objects = built("base")
    deployment = find(objects, "Deployment", "opencode-router")["spec"]["template"]
    ports = {port["name"]: port["containerPort"] for port in deployment["spec"]["containers"][0]["ports"]}
    done = subprocess.run([binary(), "check-config"], env=clean_environment(ROUTER_DOMAIN="a.example", AUTH_SECRET="0" * 32),
                          capture_output=True, text=True, timeout=60)
    own = dict(re.findall(r"^((?:ATTACH_|POD_|METRICS_)?PORT)=(\d+)", done.stdout, re.M))
    assert ports == {"http": int(own["PORT"]), "pods": int(own["POD_PORT"]), "attach": int(own["ATTACH_PORT"]),
                     "metrics": int(own["METRICS_PORT"])}
    names = set()
    for service in find(objects, "Service"):
        assert service["spec"]["selector"].items() <= deployment["metadata"]["labels"].items()
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports
            names.add(port["targetPort"])
    assert names == set(ports)


def allows(policies, pod, peer=None, address=None, port=None, direction="ingress"):
    """Whether the policies let traffic through; ports by name or number, peers by (namespace, labels)."""
    side = {"ingress": "from", "egress": "to"}[direction]
    chosen = [policy["spec"] for policy in policies
              if policy["spec"]["podSelector"].get("matchLabels", {}).items() <= pod.items()
              and direction.capitalize() in policy["spec"]["policyTypes"]]
    assert chosen, "no policy selects the pod, so everything is allowed"
    for rule in [rule for policy in chosen for rule in policy.get(direction, [])]:
        if port is not None and rule.get("ports") and port not in [each.get("port") for each in rule["ports"]]:
            continue
        if side not in rule:
            return True
        for other in rule[side]:
            if "ipBlock" in other:
                if address is None:
                    continue
                block = ipaddress.ip_network(other["ipBlock"]["cidr"])
                ip = ipaddress.ip_address(address)
                if ip.version == block.version and ip in block and not any(
                        ip in ipaddress.ip_network(hole) for hole in other["ipBlock"].get("except", [])):
                    return True
            elif peer is not None:
                namespace, labels = peer
                wanted = other.get("namespaceSelector", {}).get("matchLabels", {"kubernetes.io/metadata.name": "opencode"})
                if wanted.get("kubernetes.io/metadata.name") == namespace and (
                        other.get("podSelector", {}).get("matchLabels", {}).items() <= labels.items()):
                    return True
    return False


SESSION = {"app.kubernetes.io/managed-by": "opencode-router", "opencode.ai/session-hash": "0123456789ab"}
ROUTER = {"app.kubernetes.io/name": "opencode-router"}


@pytest.mark.parametrize("folder,ingress", [
    ("overlays/traefik-oauth2-proxy", ("traefik", {"app.kubernetes.io/name": "traefik"})),
    ("overlays/nginx-ingress", ("ingress-nginx", {"app.kubernetes.io/name": "ingress-nginx"})),
])
def test_who_reaches_whom(built, folder, ingress):
    policies = find(built(folder), "NetworkPolicy")
    router, session = ("opencode", ROUTER), ("opencode", SESSION)
    # Browsers' requests come by the ingress, and from nobody else; a session could forge its user's name there.
    assert allows(policies, ROUTER, ingress, port="http") and allows(policies, ROUTER, ingress, port="attach")
    for stranger in [session, ("default", {}), ("monitoring", {}), ("kube-system", {"k8s-app": "kube-dns"})]:
        assert not allows(policies, ROUTER, stranger, port="http"), stranger
    assert allows(policies, ROUTER, session, port="pods")
    assert not allows(policies, ROUTER, session, port="metrics")
    assert allows(policies, ROUTER, ("monitoring", {}), port="metrics")
    operator = {"app.kubernetes.io/name": "opencode-cloudflare-operator"}
    assert allows(policies, ROUTER, ("opencode", operator), port="http")
    assert allows(policies, operator, router, port="http", direction="egress")
    assert allows(policies, operator, address="104.16.0.1", port=443, direction="egress")
    assert not allows(policies, SESSION, ("opencode", operator))
    assert not allows(policies, operator, session, port="operations")
    # Sessions are reached by the router, not by each other.
    assert allows(policies, SESSION, router) and not allows(policies, SESSION, session)
    assert not allows(policies, SESSION, ingress)
    assert allows(policies, SESSION, router, port="pods", direction="egress")
    assert not allows(policies, SESSION, router, port="http", direction="egress")
    assert not allows(policies, SESSION, session, direction="egress")
    for address in ["169.254.169.254", "10.96.0.1", "192.168.1.1", "172.20.0.1", "100.64.0.1", "fd00::1", "fe80::1"]:
        assert not allows(policies, SESSION, address=address, port=443, direction="egress"), address
    for address in ["140.82.121.4", "2606:50c0::1"]:
        assert allows(policies, SESSION, address=address, port=443, direction="egress"), address
    dns = ("kube-system", {"k8s-app": "kube-dns"})
    assert allows(policies, SESSION, dns, port=53, direction="egress")
    assert allows(policies, ROUTER, session, port=4096, direction="egress")


def test_the_role_names_no_wildcard_and_nobody_may_exec(built):
    for role in find(built("base"), "Role"):
        for rule in role["rules"]:
            for key in ("apiGroups", "resources", "verbs"):
                assert "*" not in rule[key]
            assert not {"pods/exec", "pods/attach", "pods/portforward"} & set(rule["resources"])
    assert not [each for each in built("base") if each["kind"].startswith("ClusterRole")]


def test_the_edge_removes_every_name_of_an_identity_before_it_asks(built):
    documented = re.search(r"customRequestHeaders:\n(.*?)\n    ask:", (ROOT / "docs/deployment.md").read_text(), re.S)[1]
    names = set(re.findall(r"^ +([\w-]+):", documented, re.M))
    objects = built("overlays/traefik-oauth2-proxy")
    clean = find(objects, "Middleware", "clean")["spec"]["headers"]["customRequestHeaders"]
    assert set(clean) == names
    for route in find(objects, "IngressRoute"):
        for rule in route["spec"]["routes"]:
            middlewares = [each["name"] for each in rule.get("middlewares", [])]
            if rule["services"][0]["name"] == "opencode-router":
                assert middlewares[0] == "clean" and middlewares[-1] == "ask"
    snippet = find(built("overlays/nginx-ingress"), "Ingress", "router")["metadata"]["annotations"]
    removed = set(re.findall(r"^proxy_set_header (\S+) ", snippet["nginx.ingress.kubernetes.io/configuration-snippet"], re.M))
    replaced = set(snippet["nginx.ingress.kubernetes.io/auth-response-headers"].split(","))
    assert removed | replaced == names


def test_signing_in_and_out_is_on_one_host_only(built):
    for route in find(built("overlays/traefik-oauth2-proxy"), "IngressRoute"):
        for rule in route["spec"]["routes"]:
            if rule["services"][0]["name"] == "oauth2-proxy":
                assert rule["match"].startswith("Host(`auth.example.com`) && ")
    for ingress in find(built("overlays/nginx-ingress"), "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                if path["backend"]["service"]["name"] == "oauth2-proxy":
                    assert rule["host"] == "auth.example.com"


def test_no_secret_is_in_the_base_and_examples_hold_none(built):
    assert [each for each in built("base") if each["kind"] == "Secret"] == []
    for each in yaml.safe_load_all((KUBERNETES / "base" / "secrets.example.yaml").read_text()):
        assert all(value.startswith("REPLACE-WITH-") for value in each["stringData"].values())
