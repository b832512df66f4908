"""The Pulumi program makes the objects that it should, with Pulumi's own mocks in the place of cluster and cloud."""

import asyncio
import json
import re
import sys

import pulumi
import pytest

from harness.checkers import ROOT, run

HOMELAB = ROOT / "deployment" / "homelab"
CONFIG = {
    "baseStack": "someone/homelab/production", "registry": "ghcr.io/someone", "imageTag": "0.1.0-abc",
    "sessionImageTag": "0.1.0-def", "authSecret": "auth-secret-value", "adminSecret": "admin-secret-value",
    "cloudflareApiToken": "cloudflare-token-value", "apiKeys": json.dumps({"ANTHROPIC_API_KEY": "key-value"}),
}
BASE = {"domain": "example.org", "tunnelCname": "tunnel.example.net", "cloudflareZoneId": "zone", "tunnelId": "tunnel-id"}


class Recorder(pulumi.runtime.Mocks):
    def __init__(self):
        self.made = []

    def new_resource(self, args):
        if args.typ == "pulumi:pulumi:StackReference":
            return [args.name, {"outputs": BASE}]
        self.made.append((args.typ, args.inputs))
        return [f"{args.name}-id", args.inputs]

    def call(self, args):
        return {}


@pytest.fixture(scope="module")
def made():
    """Every resource of the stack: (type, inputs)."""
    recorder = Recorder()
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(recorder, project="opencode-router", stack="test", preview=False)
    secret = [f"opencode-router:{name}" for name in ("authSecret", "adminSecret", "cloudflareApiToken", "apiKeys")]
    pulumi.runtime.set_all_config({f"opencode-router:{name}": value for name, value in CONFIG.items()}, secret)
    sys.path.insert(0, str(HOMELAB))
    try:
        import stack

        @pulumi.runtime.test
        def deployed():
            stack.deploy()

        deployed()
    finally:
        sys.path.remove(str(HOMELAB))
    return recorder.made


def plain(value):
    """Inputs without the envelopes in which Pulumi keeps secrets."""
    if isinstance(value, dict):
        if "4dabf18193072939515e22adb298388d" in value:
            return plain(value["value"])
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def find(made, kind, name):
    found = [plain(inputs) for typ, inputs in made
             if typ.split(":")[-1] == kind and inputs.get("metadata", {}).get("name", name) == name]
    assert len(found) == 1, f"{kind} {name}: {len(found)} of {sorted({typ for typ, _ in made})}"
    return found[0]


@pytest.mark.parametrize("kind,names", [
    ("Namespace", ["code"]), ("ServiceAccount", ["code"]), ("Role", ["code", "code-operator"]),
    ("RoleBinding", ["code", "code-operator"]), ("Deployment", ["code"]),
    ("Service", ["code", "code-attach", "code-pods", "code-metrics"]), ("PodDisruptionBudget", ["code"]),
    ("Secret", ["code", "code-admin-secret", "code-cf-credentials", "opencode-api-keys"]),
    ("ConfigMap", ["code", "opencode-config-dir"]), ("ExternalSecret", ["ghcr-pull-secret"]),
    ("Middleware", ["code-clean", "code-forward-auth", "code-oauth2-errors", "code-oauth2-chain"]),
    ("IngressRoute", ["code"]), ("ResourceQuota", ["opencode"]), ("LimitRange", ["opencode"]),
    ("NetworkPolicy", ["default-deny", "router", "sessions", "router-from-ingress"]),
])
def test_the_stack_has_the_objects_that_it_always_had_and_those_of_the_base(made, kind, names):
    for name in names:
        found = find(made, kind, name)
        assert found["metadata"].get("namespace", "code") == "code"


def test_everything_that_an_object_names_exists(made):
    deployment = find(made, "Deployment", "code")["spec"]["template"]["spec"]
    assert deployment["serviceAccountName"] == "code"
    assert deployment["containers"][0]["envFrom"] == [{"configMapRef": {"name": "code"}}]
    assert deployment["volumes"][0]["secret"]["secretName"] == "code"
    for container in deployment["containers"]:
        for variable in container.get("env", []):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                assert reference["key"] in find(made, "Secret", reference["name"])["stringData"]
    service = find(made, "Service", "code")
    assert service["spec"]["ports"][0]["port"] == 80 and service["spec"]["ports"][0]["targetPort"] == "http"
    assert find(made, "RoleBinding", "code")["roleRef"]["name"] == "code"
    for route in find(made, "IngressRoute", "code")["spec"]["routes"]:
        for middleware in route["middlewares"]:
            find(made, "Middleware", middleware["name"])


def test_router_and_operator_are_one_image_under_the_same_restrictions(made):
    router, operator = find(made, "Deployment", "code")["spec"]["template"]["spec"]["containers"]
    assert router["image"] == operator["image"] == "ghcr.io/someone/opencode-router:0.1.0-abc"
    assert operator["args"] == ["cloudflare-operator"]
    assert operator["securityContext"] == router["securityContext"]
    values = {each["name"]: each.get("value") for each in operator["env"]}
    assert (values["DOMAIN"], values["CF_ZONE_ID"], values["CF_TUNNEL_ID"]) == ("example.org", "zone", "tunnel-id")


def test_the_base_stack_s_outputs_reach_settings_and_names(made):
    settings = find(made, "ConfigMap", "code")["data"]
    assert settings["ROUTER_DOMAIN"] == "example.org" and settings["ROUTER_HOSTS"] == "code.example.org"
    assert settings["OPENCODE_IMAGE"] == "ghcr.io/someone/opencode-session:0.1.0-def"
    assert settings["OPENCODE_NAMESPACE"] == "code" and settings["ROUTE_SUFFIX"] == "-oc"
    record = [plain(inputs) for typ, inputs in made if typ.endswith(":DnsRecord")]
    assert [(each["name"], each["content"], each["zoneId"]) for each in record] == [
        ("code.example.org", "tunnel.example.net", "zone")]


def test_secrets_stay_where_they_belong_and_are_marked(made):
    for typ, inputs in made:
        text = json.dumps(plain(inputs))
        for value in ["admin-secret-value", "cloudflare-token-value", "key-value"]:
            assert value not in text or typ.endswith(":Secret"), typ
        # Traefik has no other place for it.
        assert "auth-secret-value" not in text or typ.split(":")[-1] in {"Secret", "Middleware"}, typ
        if typ.endswith(":Secret"):
            assert "4dabf18193072939515e22adb298388d" in json.dumps(inputs), "not marked as secret"


def test_tags_tell_version_commit_and_whether_the_tree_was_clean():
    tag = run("make", "-s", "-C", HOMELAB, "tag").stdout.strip().splitlines()[-1]
    assert re.fullmatch(r"\d+\.\d+\.\d+-[0-9a-f]{12}(\.dirty)?", tag), tag
    status = run("git", "-C", ROOT, "status", "--porcelain").stdout
    assert tag.endswith(".dirty") == bool(status)


def test_make_help_lists_every_target():
    text = run("make", "-s", "-C", HOMELAB, "help").stdout
    for target in ["build", "push", "deploy", "preview", "destroy", "release", "logs", "help"]:
        assert re.search(rf"^  make {target} ", text, re.M), target
