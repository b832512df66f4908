"""What the operator keeps for a session's life, through the real binary."""

import json
import re
import signal

import pytest

from fake_cloudflare import MARK, TOKEN, Refused
from harness.router import ROOT
from harness.waiting import eventually
from operator_world import ADMIN_SECRET, SERVICE, TARGET

ONE, TWO, THREE = "a1b2c3d4e5f6", "0000000000aa", "123456789012"


def test_a_session_is_reachable_while_it_runs_and_its_name_stays_until_it_is_deleted(world, settles):
    operator = world.operator()
    world.start(ONE)
    world.start(TWO)
    settles(operator)
    world.check_others()
    record = next(record for record in world.cloudflare.records.values() if record["name"] == f"{ONE}-oc.example.com")
    assert (record["type"], record["content"], record["proxied"], record["comment"]) == ("CNAME", TARGET, True, MARK)

    world.stop(ONE)
    settles(operator)
    assert {f"{ONE}-oc.example.com", f"attach-{ONE}-oc.example.com"} <= world.own_records()

    world.start(ONE)
    settles(operator)
    world.vanish(ONE)
    settles(operator)
    assert not any(ONE in name for name in world.own_records())
    world.check_others()
    eventually(lambda: operator.get("/readyz").status == 200)
    assert operator.get("/healthz").status == 200
    eventually(lambda: operator.metric("opencode_router_operator_hosts") == 2)
    assert operator.metric("opencode_router_operator_leads") == 1
    eventually(lambda: operator.metric("opencode_router_operator_changes_total") > 10)


def test_its_routes_are_the_original_s(world, settles):
    world.ports.ports[ONE] = [5173]
    world.start(ONE)
    assert world.run("--once", OAUTH2_CHAIN_MIDDLEWARE="code-oauth2-chain", ROUTER_SERVICE_NAME="code",
                     ATTACH_SERVICE_NAME="code-attach")[0] == 0
    settles()

    def spec(name):
        route = world.cluster.store.get("ingressroutes", f"opencode-session-{name}")
        assert route["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "opencode-cloudflare-operator"}
        assert route["spec"]["entryPoints"] == ["web"]
        (rule,) = route["spec"]["routes"]
        return rule

    for label in (f"{ONE}-oc", f"5173-{ONE}-oc"):
        assert spec(f"{label}-app") == {
            "kind": "Rule", "match": f"Host(`{label}.example.com`)", "priority": 1,
            "middlewares": [{"name": "code-oauth2-chain", "namespace": "opencode"}],
            "services": [{"name": "code", "namespace": "opencode", "port": 80}]}
        assert spec(f"{label}-signin") == {
            "kind": "Rule", "match": f"Host(`{label}.example.com`) && PathPrefix(`/oauth2/`)",
            "services": [{"name": "oauth2-proxy-users", "namespace": "oauth2-proxy", "port": 80}]}
    attach = f"attach-{ONE}-oc"
    assert spec(f"{attach}-attach") == {
        "kind": "Rule", "match": f"Host(`{attach}.example.com`)",
        "services": [{"name": "code-attach", "namespace": "opencode", "port": 4096}]}


def test_editors_have_hosts_where_the_router_has_them(world):
    world.start(ONE)
    assert world.run("--once", EDITOR_ROUTE_PREFIX="editor-")[0] == 0
    assert f"editor-{ONE}-oc.example.com" in world.own_records() & world.cloudflare.rules_of(SERVICE)
    assert f"opencode-session-editor-{ONE}-oc-app" in world.routes()


def test_the_component_sets_only_what_there_is(world):
    """The manifests are valid, and give an operator everything that it needs."""
    import kubernetes_validate
    import yaml
    folder = ROOT / "deployment/kubernetes/components/cloudflare-operator"
    documents = [document for name in ("deployment.yaml", "rbac.yaml")
                 for document in yaml.safe_load_all((folder / name).read_text())]
    for document in documents:
        kubernetes_validate.validate(document, "1.36", strict=True)
    given = dict(line.split("=", 1) for line in (folder / "settings.env").read_text().splitlines())
    (container,) = documents[0]["spec"]["template"]["spec"]["containers"]
    given |= {entry["name"]: entry["value"] for entry in container["env"]}
    known = (ROOT / "docs/configuration.md").read_text().partition("# The Cloudflare operator")[2]
    assert all(f"| `{name}` |" in known for name in given), given
    assert {"CF_ZONE_ID", "CF_TUNNEL_ID", "DOMAIN", "ROUTER_SERVICE_URL", "ROUTER_ADMIN_URL"} <= set(given)


def test_with_a_central_sign_in_no_session_host_has_sign_in_paths(world):
    world.start(ONE)
    assert world.run("--once")[0] == 0
    assert world.run("--once", CENTRAL_SIGN_IN="true")[0] == 0
    assert world.routes() == {f"opencode-session-{ONE}-oc-app", f"opencode-session-attach-{ONE}-oc-attach"}
    (rule,) = world.cluster.store.get("ingressroutes", f"opencode-session-{ONE}-oc-app")["spec"]["routes"]
    assert rule["match"] == f"Host(`{ONE}-oc.example.com`) && !PathPrefix(`/oauth2/`)"


def test_ports_get_hosts_while_something_listens_on_them(world, settles):
    operator = world.operator()
    world.start(ONE)
    settles(operator)
    # 6666 is not allowed, 4096 is the agent's own.
    world.ports.ports[ONE] = [5173, 6666, 4096, 22, -1]
    settles(operator)
    assert f"5173-{ONE}-oc.example.com" in world.cloudflare.rules_of(SERVICE)
    # A router that restarts takes no host away.
    world.ports.status = 503
    operator.wait_for_line("the router does not tell ports")
    assert f"5173-{ONE}-oc.example.com" in world.cloudflare.rules_of(SERVICE)
    world.ports.status = 200
    world.ports.ports[ONE] = []
    settles(operator)
    # The name stays, as the session's own does: a server that restarts must not meet "no such name".
    assert f"5173-{ONE}-oc.example.com" in world.own_records()
    world.vanish(ONE)
    settles(operator)
    assert not world.own_records()


def test_the_router_itself_is_asked_by_a_name_that_it_answers_to(world, start_router):
    """It knows no such session, but it takes the question: neither the host nor the secret is refused."""
    router = start_router(
        DEVELOPMENT=None, DEV_EMAIL=None, ROUTER_DOMAIN="example.com", AUTH_TRUST_ANY_PEER="true",
        BIND_ADDRESS="127.0.0.1", ADMIN_SECRET=ADMIN_SECRET)
    world.start(ONE)
    code, _, log = world.run("--once", ROUTER_ADMIN_URL=f"http://127.0.0.1:{router.port}")
    assert code == 0
    assert f"/api/sessions/{ONE}/ports as example.com: 404" in log.replace("\\/", "/"), log


def test_only_well_formed_names_of_sessions_become_hosts(world, settles):
    operator = world.operator()
    for number, label in enumerate(["A1B2C3D4E5F6", "a1b2c3d4e5f", "../../secrets", "a1b2c3d4e5f6`) || Host(`x", "*"]):
        world.put("pods", f"opencode-session-bad-{number}", label, "ADDED")
        world.put("persistentvolumeclaims", f"opencode-pvc-bad-{number}", label, "ADDED")
    world.put("pods", f"opencode-session-{THREE}-export", THREE, "ADDED", **{"opencode.ai/export-pod": "true"})
    world.start(ONE)
    settles(operator)
    world.check_others()


def test_what_somebody_else_has_is_left_alone_and_told(world, settles):
    """One session's host has a record, another's a rule and a route, of somebody else."""
    operator = world.operator(RESYNC_SECONDS=1)
    for session in ("eeeeeeeeeeee", "ffffffffffff", "0123456789ab", ONE):
        world.start(session)
    eventually(lambda: {f"{ONE}-oc.example.com", "attach-eeeeeeeeeeee-oc.example.com"} <= world.own_records()
         and f"opencode-session-{ONE}-oc-app" in world.routes()
         and f"{ONE}-oc.example.com" in world.cloudflare.rules_of(SERVICE))
    operator.wait_for_line("a host is taken")
    # The record is the very one that would be made, so that only its comment tells whose it is.
    eventually(lambda: "81057 The record already exists." in operator.get("/readyz").text)
    eventually(lambda: operator.metric("opencode_router_operator_conflicts") == 1)
    world.check_others()


def test_dry_run_prints_the_difference_and_once_makes_it(world):
    world.start(ONE)
    code, output, _ = world.run("--dry-run")
    assert code == 2
    assert sorted(output.splitlines()) == sorted(
        [f"+ dns record     {host}.example.com -> {TARGET}" for host in (f"{ONE}-oc", f"attach-{ONE}-oc")]
        + [f"+ tunnel rule    {host}.example.com -> {SERVICE}" for host in (f"{ONE}-oc", f"attach-{ONE}-oc")]
        + [f"+ ingress route  opencode-session-{name}"
           for name in (f"{ONE}-oc-app", f"{ONE}-oc-signin", f"attach-{ONE}-oc-attach")])
    assert not world.own_records() and not world.routes() and world.cloudflare.puts == 0

    code, output, _ = world.run("--once")
    assert code == 0 and output == "2 hosts, 7 changes, 0 failures\n"
    assert not world.differences()
    assert world.run("--dry-run")[:2] == (0, "")
    # Nothing to do costs no write.
    assert world.run("--once")[:2] == (0, "2 hosts, 0 changes, 0 failures\n")
    assert world.cloudflare.puts == 1

    world.stop(ONE)
    code, output, _ = world.run("--dry-run")
    assert code == 2 and len(output.splitlines()) == 5 and all(line.startswith("- ") for line in output.splitlines())


def test_an_operator_that_fails_says_why_and_goes_on_with_the_rest(world):
    world.start(ONE)
    world.start(TWO)

    def refuse(method, path):
        if method == "POST":
            raise Refused(400, 9999, "not on a Sunday")
    world.cloudflare.faults = refuse
    code, output, log = world.run("--once")
    assert code == 1 and output == "4 hosts, 10 changes, 4 failures\n"
    assert "POST /zones/" in log and "400: 9999 not on a Sunday" in log
    assert world.cloudflare.rules_of(SERVICE) >= world.wanted() and world.routes() == world.wanted_routes()
    world.cloudflare.faults = None
    assert world.run("--once")[0] == 0
    assert not world.differences()


def test_a_token_that_is_refused_is_told_and_never_shown(world):
    operator = world.operator(CF_API_TOKEN="another-token-0123456789")
    world.start(ONE)
    eventually(lambda: operator.get("/readyz").status == 503 and "9109" in operator.get("/readyz").text)
    assert "Invalid access token (is CF_API_TOKEN valid, and may it do this?)" in operator.get("/readyz").text
    assert operator.get("/healthz").status == 200
    assert "another-token" not in operator.end()


def test_an_api_that_asks_to_wait_is_not_asked_before(world):
    import time
    world.start(ONE)
    times, until = [], []

    def slow_down(method, path):
        times.append(time.monotonic())
        if len(times) == 3:
            until.append(time.monotonic() + 2)
            raise Refused(429, 971, "Please wait and consider throttling your request speed", 2)
    world.cloudflare.faults = slow_down
    assert world.run("--once")[0] == 0
    assert min(times[3:]) >= until[0]
    assert not world.differences()


def test_wildcard_keeps_one_record_and_one_rule(world):
    world.start(ONE)
    world.start(TWO)
    assert world.run("--once")[0] == 0
    world.cloudflare.edit_rules(lambda rules: [rule for rule in rules if rule.get("hostname") != "*.example.com"])
    code, output, _ = world.run("--once", WILDCARD="true", ROUTER_ADMIN_URL=None, ROUTER_ADMIN_SECRET=None)
    assert code == 0, output
    assert world.own_records() == {"*.example.com"} and not world.routes()
    rules = [(rule.get("hostname"), rule["service"]) for rule in world.cloudflare.rules]
    assert rules[-2:] == [("*.example.com", SERVICE), (None, "http_status:404")]
    assert f"{ONE}-oc.example.com" not in dict(rules)
    assert world.run("--dry-run", WILDCARD="true")[:2] == (0, "")
    # And back.
    assert world.run("--once")[0] == 0
    assert world.own_records() == world.wanted()


def test_wildcard_removes_nothing_before_its_own_record_is_there(world):
    world.start(ONE)
    assert world.run("--once")[0] == 0
    before = world.own_records(), world.routes()

    def refuse(method, path):
        if method == "POST":
            raise Refused(400, 9999, "no")
    world.cloudflare.faults = refuse
    world.cloudflare.edit_rules(lambda rules: [rule for rule in rules if rule.get("hostname") != "*.example.com"])
    assert world.run("--once", WILDCARD="true")[0] == 1
    assert (world.own_records(), world.routes()) == before


def test_an_edit_before_the_write_is_planned_anew(world):
    """Somebody adds a rule after the operator has read the document, and before it writes."""
    added = '{"hostname":"new.example.com","service":"http://10.9.9.9"}'

    def edit(version, told):
        if version == 1 and told == 1:
            text = world.cloudflare.configuration
            world.cloudflare.write_configuration(text.replace('"ingress":[', f'"ingress":[{added},', 1))
    world.cloudflare.edits = edit
    world.start(ONE)
    assert world.run("--once")[0] == 0
    assert not world.differences()
    world.check_others(more=[added])
    assert world.cloudflare.puts == 1


def test_an_edit_at_the_very_moment_of_the_write_is_reported(world, settles):
    """Cloudflare has no conditional write: what cannot be prevented is at least told."""
    def edit(version, told):
        if version == 1 and told == 2:
            world.cloudflare.edit_rules(lambda rules: rules[:-1] + [
                {"hostname": "lost.example.com", "service": "http://10.9.9.9"}] + rules[-1:])
    world.cloudflare.edits = edit
    operator = world.operator()
    world.start(ONE)
    line = operator.wait_for_line("somebody else changed the tunnel's rules at the same moment")
    assert (line["read"], line["written"]) == ("1", "3")
    settles(operator)
    eventually(lambda: operator.metric("opencode_router_operator_tunnel_overwrites_total") == 1)


def test_rules_that_somebody_took_away_come_back(world, settles):
    operator = world.operator(RESYNC_SECONDS=1)
    world.start(ONE)
    settles(operator)
    world.cloudflare.edit_rules(lambda rules: [rule for rule in rules if ONE not in rule.get("hostname", "")])
    with world.cloudflare.lock:
        for key in [key for key, record in world.cloudflare.records.items() if ONE in record["name"]]:
            del world.cloudflare.records[key]
    for route in world.routes():
        world.cluster.store.put("ingressroutes", world.cluster.store.get("ingressroutes", route), "DELETED")
    assert world.differences()
    settles(operator)


@pytest.mark.parametrize("settings, line", [
    ({"CF_API_TOKEN": None}, "CF_API_TOKEN: not set; expected an API token of Cloudflare, here or in CF_API_TOKEN_FILE"),
    ({"CF_ZONE_ID": "a/../b"}, "CF_ZONE_ID=a/../b: expected the zone's id, 32 hexadecimal digits"),
    ({"DOMAIN": None}, "DOMAIN: not set; expected the base domain of the session hosts"),
    ({"DEV_PORT_ALLOWLIST": "80"}, "DEV_PORT_ALLOWLIST=80: expected ports from 1024 to 65535 separated by commas"),
    ({"ATTACH_ROUTE_PREFIX": "5173-"},
     "ATTACH_ROUTE_PREFIX=5173-: expected a prefix that starts with a letter, such as attach-"),
    ({"CF_API_URL": "http://api.test"}, "CF_API_URL=http://api.test: expected https://, or http:// to a loopback address"),
    ({"OAUTH2_PROXY_SERVICE": "proxy"}, "OAUTH2_PROXY_SERVICE=proxy: expected namespace/name:port"),
    ({"ROUTER_ADMIN_SECRET": None},
     "ROUTER_ADMIN_SECRET: not set; expected the router's ADMIN_SECRET, here or in ROUTER_ADMIN_SECRET_FILE, or "
     "WILDCARD=true"),
    ({"WILDCARD": "perhaps"}, "WILDCARD=perhaps: expected true or false"),
])
def test_a_wrong_setting_stops_the_start_with_one_line(world, settings, line):
    code, _, log = world.run(**settings)
    assert (code, log) == (78, f"opencode-router: {line}\n")


def test_secrets_come_from_files(world, tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "secret").write_text(ADMIN_SECRET + "\n")
    world.start(ONE)
    assert world.run(
        "--once", CF_API_TOKEN=None, CF_API_TOKEN_FILE=tmp_path / "token", ROUTER_ADMIN_SECRET=None,
        ROUTER_ADMIN_SECRET_FILE=tmp_path / "secret")[0] == 0


def test_metrics_are_well_formed(world, settles):
    operator = world.operator()
    world.start(ONE)
    settles(operator)
    # What it has done is seen before the answer to it is counted.
    written = 'opencode_router_operator_cloudflare_requests_total{operation="tunnel.write",status="200"} 1'
    eventually(lambda: written in operator.get("/metrics").text)
    text = operator.get("/metrics").text
    names = set(re.findall(r"^# TYPE (opencode_router_operator_\w+) ", text, re.M))
    assert {"opencode_router_operator_cloudflare_requests_total", "opencode_router_operator_changes_total",
            "opencode_router_operator_reconcile_duration_seconds"} <= names
    assert json.dumps(TOKEN) not in text and TOKEN not in text


def test_a_signal_right_behind_its_first_line_ends_it_in_order(world):
    for number in (signal.SIGTERM, signal.SIGINT):
        # It is returned as soon as it says that it listens.
        operator = world.operator()
        operator.end(number)
        assert operator.process.returncode == 0
        assert operator.find("stopped")
