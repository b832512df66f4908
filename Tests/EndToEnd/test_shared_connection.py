"""The ingress puts many requests of many users on one connection; each is answered for itself."""

import time

import pytest


@pytest.fixture
def wire(router):
    with router.connect() as connection:
        yield connection


def test_one_connection_serves_picker_api_and_two_sessions_in_turn(router, session, second_session, wire):
    one, other = router.session_host(session), router.session_host(second_session)

    def branch_of(host):
        return [entry["name"] for entry in wire.request("GET", "/file?path=.", host).json()]

    refused = [
        lambda: wire.request("GET", "/api/sessions/000000000000", router.host),
        lambda: wire.request("GET", "/", f"000000000000.{router.domain}"),
        lambda: wire.request("GET", "/", "elsewhere.example.org"),
        lambda: wire.request("POST", "/api/sessions", router.host, {"Origin": "https://evil.example"}, {"branch": "x"}),
        lambda: wire.request("POST", "/session", one, {"Origin": f"http://{other}"}, b""),
        lambda: wire.request("GET", "/no-such-page", router.host),
        lambda: wire.request("GET", "/pty/none/connect", one, {
            "Connection": "Upgrade", "Upgrade": "websocket", "Origin": f"http://{one}",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}),
    ]
    expected = [{404}, {404}, {421}, {403}, {403}, {404}, {400, 404}]
    for refusal, statuses in zip(refused, expected):
        assert wire.request("GET", "/", router.host).fields["Content-Type"].startswith("text/html")
        assert "branch.txt" not in branch_of(one)
        answer = refusal()
        assert answer.status in statuses, answer
        assert "branch.txt" in branch_of(other)
        assert wire.request("GET", "/api/me", router.host).json()["email"] == router.EMAIL
        assert "branch.txt" not in branch_of(one)
        head = wire.request("HEAD", "/", router.host)
        assert head.status == 200 and head.body == b""


def test_pipelined_requests_are_answered_in_order(router, session, second_session, wire):
    one, other = router.session_host(session), router.session_host(second_session)
    asked = [
        ("/api/version", router.host), ("/demo/request?n=1", one), ("/", f"000000000000.{router.domain}"),
        ("/demo/request?n=2", other), ("/api/me", router.host), ("/demo/request?n=3", one),
    ]
    wire.send(b"".join(wire.head("GET", target, host) for target, host in asked))
    answers = [wire.read_response() for _ in asked]
    assert [answer.status for answer in answers] == [200, 200, 404, 200, 200, 200]
    assert answers[1].json()["target"] == "/demo/request?n=1"
    assert answers[3].json()["target"] == "/demo/request?n=2"
    assert answers[4].json()["email"] == router.EMAIL
    assert answers[5].json()["target"] == "/demo/request?n=3"


def test_a_request_sent_byte_by_byte_is_one_request(router, session, wire):
    body = b'{"a":1}'
    data = wire.head(
        "POST", "/demo/upload/slow", router.session_host(session),
        {"Origin": f"http://{router.session_host(session)}", "Content-Length": len(body)}) + body
    for byte in data:
        wire.send(bytes([byte]))
    assert wire.read_response("POST").json()["bytes"] == len(body)
    assert wire.request("GET", "/api/me", router.host).status == 200


def test_expect_continue_is_answered_before_the_body(router, session, wire):
    host = router.session_host(session)
    wire.send(wire.head("PUT", "/demo/upload/expected", host, {
        "Origin": f"http://{host}", "Expect": "100-continue", "Content-Length": 5}))
    assert wire.read_head().status == 100
    wire.send(b"hello")
    assert wire.read_response("PUT").json()["bytes"] == 5


def test_the_session_sees_neither_cookies_of_the_ingress_nor_its_fields(router, session, wire):
    host = router.session_host(session)
    seen = wire.request("GET", "/demo/request", host, {
        "Cookie": "a=1; _oauth2_proxy=secret; _oauth2_proxy_0=more; b=2", "Authorization": "Bearer secret",
        "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Access-Token": "secret", "X-Auth-Request-Access-Token": "secret",
        "X-Real-Ip": "1.2.3.4", "Forwarded": "for=1.2.3.4", "X-Admin-Secret": "secret", "GAP-Auth": "secret",
    })
    assert seen.status == 200, seen
    fields = [(name.lower(), value) for name, value in seen.json()["fields"]]
    assert "secret" not in str(fields), fields
    names = [name for name, _ in fields]
    assert not {"authorization", "forwarded", "x-real-ip", "x-admin-secret", "gap-auth"} & {
        name for name, value in fields if value != "(not shown)"}, fields
    assert names.count("host") == 1
    assert dict(fields)["host"] == host
    assert "1.2.3.4" not in str(fields)


def test_a_connection_that_was_idle_for_a_while_goes_on(router, session, wire):
    """Idle connections are parked without a task after a second; the next request finds them."""
    for _ in range(2):
        assert wire.request("GET", "/api/version", router.host).status == 200
        time.sleep(1.3)
    assert wire.request("GET", "/global/health", router.session_host(session)).status == 200


def test_a_connection_that_is_idle_too_long_is_closed(start_router):
    router = start_router(IDLE_CONNECTION_SECONDS=2)
    with router.connect() as connection:
        assert connection.request("GET", "/api/version", router.host).status == 200
        assert connection.at_end()
