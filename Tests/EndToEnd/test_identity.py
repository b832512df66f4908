"""Who is asking: only the ingress may say, and nobody gets what is another's."""

import pytest

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
