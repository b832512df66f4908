"""Who is asking: only the ingress may say, and nobody gets what is another's."""

import statistics
import subprocess
import time

import pytest

from harness.router import binary, clean_environment
from harness.waiting import eventually

ALICE, BOB = "alice@example.com", "bob@example.com"
SECRET = "0123456789abcdef0123"


@pytest.fixture(scope="module")
def router(start_router):
    """As in production: an ingress that proves itself by a secret, and a domain of its own."""
    router = start_router(
        DEVELOPMENT=None, DEV_EMAIL=None, ROUTER_DOMAIN="example.test", ROUTER_PROTO="http", BIND_ADDRESS="127.0.0.1",
        PICKER_HOST="code.example.test", ROUTE_SUFFIX="-oc", AUTH_SECRET=SECRET, ADMIN_SECRET="admin-secret-0123456789")
    router.identity = lambda email=None: (
        {"X-Gateway-Key": SECRET, "X-Auth-Request-Email": email or ALICE})
    yield router
    router.stop()


@pytest.fixture(scope="module")
def hers(router, repositories):
    return router.create(repositories.story, "main", email=ALICE)


def test_somebody_else_s_session_is_not_there(router, hers):
    identifier, host = hers["hash"], router.session_host(hers)
    assert host == f"{identifier}-oc.example.test"
    assert router.request("GET", "/global/health", host, email=ALICE).status == 200
    foreign = router.request("GET", "/global/health", host, email=BOB)
    unknown = router.request("GET", "/global/health", "000000000000-oc.example.test", email=BOB)
    assert foreign.status == unknown.status == 404
    assert foreign.body == unknown.body
    for method, path in [
        ("GET", ""), ("DELETE", ""), ("POST", "/stop"), ("POST", "/resume"), ("GET", "/log"), ("GET", "/events"),
        ("GET", "/attach-info"),
    ]:
        mine = router.request(method, f"/api/sessions/{identifier}{path}", email=BOB)
        none = router.request(method, f"/api/sessions/000000000000{path}", email=BOB)
        assert mine.status == none.status == 404, (method, path, mine, none)
        assert mine.body == none.body.replace(b"000000000000", identifier.encode())
    assert router.api("GET", "/sessions", email=BOB)["sessions"] == []
    assert router.session(identifier, email=ALICE)["state"] == "running"


def test_an_address_is_the_same_in_any_case(router, hers):
    host = router.session_host(hers)
    assert router.request("GET", "/global/health", host, email="Alice@Example.COM").status == 200


@pytest.mark.parametrize("fields", [
    {},
    {"X-Auth-Request-Email": ALICE},
    {"X-Auth-Request-Email": ALICE, "X-Gateway-Key": "wrong"},
    {"X-Auth-Request-Email": ALICE, "X-Gateway-Key": ""},
    {"X-Gateway-Key": SECRET},
    {"X-Gateway-Key": SECRET, "X-Auth-Request-Email": ""},
    {"X-Gateway-Key": SECRET, "X-Auth-Request-Email": "a@b@c"},
    {"X-Gateway-Key": SECRET, "X-Auth-Request-Email": "nobody"},
    {"X-Gateway-Key": SECRET, "X-Forwarded-Email": ALICE},
])
def test_without_proof_and_exactly_one_address_nobody_is_anybody(router, hers, fields):
    for host, path in [(router.host, "/api/me"), (router.host, "/"), (router.session_host(hers), "/global/health")]:
        with router.connect() as connection:
            answer = connection.request("GET", path, host, fields)
            assert answer.status in (400, 401, 404), (host, path, answer)
            assert ALICE not in answer.text


@pytest.mark.parametrize("name", [
    "X_Auth_Request_Email", "X-Auth_Request-Email", "x.auth.request.email", "X-Gateway_Key",
])
def test_a_name_that_others_fold_into_the_identity_is_refused(router, hers, name):
    with router.connect() as connection:
        answer = connection.request("GET", "/api/me", router.host, {
            "X-Gateway-Key": SECRET, "X-Auth-Request-Email": ALICE, name: BOB})
        assert answer.status in (400, 401), answer
        assert answer.json()["code"] == "identity_look_alike"


def test_two_identities_are_none(router):
    with router.connect() as connection:
        connection.send(connection.head("GET", "/api/me", router.host, [
            ("X-Gateway-Key", SECRET), ("X-Auth-Request-Email", ALICE), ("X-Auth-Request-Email", BOB)]))
        assert connection.read_response().status in (400, 401)


def test_users_of_one_connection_do_not_meet(router, hers, repositories):
    his = router.create(repositories.story, "feature/one", email=BOB)
    host_a, host_b = router.session_host(hers), router.session_host(his)
    with router.connect() as connection:
        for _ in range(10):
            for email, own, other in [(ALICE, host_a, host_b), (BOB, host_b, host_a)]:
                identity = router.identity(email)
                assert connection.request("GET", "/global/health", own, identity).status == 200
                assert connection.request("GET", "/global/health", other, identity).status == 404
                assert connection.request("GET", "/api/me", router.host, identity).json()["email"] == email
                assert connection.request("GET", "/global/health", own).status in (401, 404)


@pytest.mark.parametrize("fields", [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://0123456789ab-oc.example.test"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
])
def test_another_site_s_page_cannot_give_orders(router, hers, fields):
    identity = router.identity(ALICE)
    for host, path in [(router.host, f"/api/sessions/{hers['hash']}/stop"), (router.session_host(hers), "/session")]:
        with router.connect() as connection:
            answer = connection.request("POST", path, host, {
                **identity, "Content-Type": "application/json", **fields}, b"{}")
            assert answer.status == 403, (host, answer)
    assert router.session(hers["hash"], email=ALICE)["state"] == "running"


def test_another_session_s_page_cannot_open_a_websocket(router, hers):
    host = router.session_host(hers)
    for origin in ["http://evil.example", "null", f"http://{router.host}"]:
        with router.connect() as connection:
            answer = connection.request("GET", "/pty/x/connect", host, {
                **router.identity(ALICE), "Connection": "Upgrade", "Upgrade": "websocket", "Origin": origin,
                "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
            assert answer.status == 403, (origin, answer)


@pytest.mark.parametrize("host", [
    "example.org", "a.b.example.test", "example.test.evil.org", "xn.0123456789ab-oc.example.test", "127.0.0.1",
])
def test_a_host_that_is_not_ours_is_misdirected(router, host):
    with router.connect() as connection:
        answer = connection.request("GET", "/", host, router.identity(ALICE))
        assert answer.status == 421, answer
        assert answer.fields["Content-Type"].startswith("text/plain")


def test_no_secret_is_in_the_log(router, hers):
    text = router.log_path.read_text()
    for secret in (SECRET, "admin-secret-0123456789"):
        assert secret not in text


@pytest.mark.parametrize("host, fields, why", [
    ("000000000000-oc.example.test", {}, "session_not_found"),
    ("code.example.test", {"Origin": "http://evil.example"}, "origin_foreign"),
    ("code.example.test", {"X-Auth-Request-Email": "a@b@c"}, None),
    ("code.example.test", {"X-Gateway-Key": "wrong"}, None),
    ("code.example.test", {"Cookie": "_oauth2_a=1; _oauth2_a=2"}, "auth_cookie_duplicate"),
])
def test_a_refusal_leaves_an_audit_line_with_the_answer_s_request_id(router, host, fields, why):
    answer = router.request("GET", "/api/me", host, fields, email=BOB)
    assert answer.status >= 400
    [line] = eventually(lambda: [line for line in router.lines() if line.get("message") == "access denied"
                                 and line.get("request") == answer.fields["X-Request-Id"]])
    assert line["logger"] == "audit" and line["why"] == (why or answer.json()["code"]), line


@pytest.mark.parametrize("settings, names", [
    ({}, "TRUSTED_PROXIES"),
    ({"DEV_EMAIL": "dev@example.com", "AUTH_SECRET": SECRET}, "DEV_EMAIL"),
    ({"DEVELOPMENT": "true", "DEV_EMAIL": "dev@example.com", "BIND_ADDRESS": "0.0.0.0"}, "DEV_EMAIL"),
    ({"TRUSTED_PROXIES": "10.0.0.1/8"}, "TRUSTED_PROXIES"),
    ({"AUTH_SECRET": "short"}, "AUTH_SECRET"),
    ({"AUTH_SECRET": SECRET, "DEV_ROUTES": "[]"}, "DEV_ROUTES"),
])
def test_a_router_that_would_believe_too_much_does_not_start(tmp_path, settings, names):
    told = subprocess.run(
        [binary(), "serve"], capture_output=True, text=True, timeout=60, env=clean_environment(**{
            "ROUTER_DOMAIN": "example.test", "PORT": 0, "ATTACH_PORT": 0, "POD_PORT": 0, "METRICS_PORT": 0,
            "SESSION_RUNTIME": "local", "STATE_DIR": tmp_path, **settings}))
    assert told.returncode != 0
    assert names in told.stderr + told.stdout
    assert SECRET not in told.stderr + told.stdout


def test_a_foreign_session_takes_no_other_time_than_one_that_is_not_there(router, hers):
    """Medians of requests in turn on one connection: whatever else the machine does falls on both alike."""
    hosts = {"foreign": router.session_host(hers), "unknown": "000000000000-oc.example.test"}
    taken = {name: [] for name in hosts}
    fields = router.identity(BOB)
    with router.connect() as connection:
        for number in range(1000):
            for name in sorted(hosts, reverse=number % 2):
                began = time.perf_counter()
                assert connection.request("GET", "/", hosts[name], fields).status == 404
                taken[name].append(time.perf_counter() - began)
    foreign, unknown = (statistics.median(taken[name]) for name in ("foreign", "unknown"))
    # Asking anybody else about the session, the control side even, would cost more than half as much again.
    assert max(foreign, unknown) < 1.5 * min(foreign, unknown), (foreign, unknown)


def test_the_ingress_changes_its_key_without_a_gap(start_router, tmp_path):
    keys = ["first-key-0123456789", "second-key-0123456789", "third-key-0123456789"]
    file = tmp_path / "key"

    def admitted(*held):
        file.write_text("\n".join(held) + "\n")
        router = start_router(DEV_EMAIL=None, AUTH_SECRET_FILE=file, ROUTER_DOMAIN="example.test")
        statuses = [
            router.request("GET", "/api/me", fields={"X-Gateway-Key": key, "X-Auth-Request-Email": ALICE}).status
            for key in keys]
        text = router.log_path.read_text()
        router.stop()
        assert not any(key in text for key in keys)
        return [status == 200 for status in statuses]

    assert admitted(keys[0]) == [True, False, False]
    assert admitted(keys[0], keys[1]) == [True, True, False]
    assert admitted(keys[1]) == [False, True, False]


def test_what_somebody_does_to_a_session_is_an_audit_line_with_the_answer_s_request_id(router, repositories):
    made = router.create(repositories.story, "feature/audited", email=ALICE)
    path = f"/api/sessions/{made['hash']}"

    def line_of(answer):
        assert answer.status < 300, answer
        [line] = eventually(lambda: [line for line in router.lines() if line.get("logger") == "audit"
                                     and line.get("request") == answer.fields["X-Request-Id"]])
        return line

    created = [line for line in router.lines() if line.get("message") == "session created"
               and line.get("session") == made["hash"]]
    assert len(created) == 1 and created[0]["email"] == ALICE and created[0]["request"]
    for method, what, message in [("POST", "/stop", "session stopped"), ("POST", "/resume", "session resumed"),
                                  ("DELETE", "", "session deleted")]:
        line = line_of(router.request(method, path + what, email=ALICE))
        assert (line["message"], line["email"], line["session"]) == (message, ALICE, made["hash"])
        if message == "session stopped":
            router.wait_for_state(made["hash"], "stopped", email=ALICE)
    fields = {"X-Gateway-Key": SECRET, "X-Admin-Secret": "admin-secret-0123456789"}
    with router.connect() as connection:
        everything = connection.request("GET", "/api/admin/sessions", router.host, fields)
    assert line_of(everything)["message"] == "sessions of everybody listed"
