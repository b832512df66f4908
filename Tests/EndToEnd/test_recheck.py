"""AUTH_RECHECK_URL: the gateway asks oauth2-proxy itself whether a sign-in still holds, before a request and while it lasts."""

import json
import threading

import pytest

from harness.http1 import Truncated
from harness.upstream import ScriptedUpstream
from harness.waiting import eventually

HASH = "aaaaaaaaaaaa"
HOST = f"{HASH}.example.test"
ALICE, BOB = "alice@example.com", "bob@example.com"
SECRET = "0123456789abcdef0123"
STREAM = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
          b"6\r\ndata:\n\r\n")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
ENDED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"


def holds(email=ALICE):
    return (f"HTTP/1.1 202 Accepted\r\nX-Auth-Request-Email: {email}\r\nGAP-Auth: {email}\r\n"
            "Content-Length: 0\r\n\r\n").encode()


class SignInService:
    """Stands in for oauth2-proxy: what it says of the cookie in question is the test's to decide."""

    def __init__(self):
        self.server = ScriptedUpstream()
        self.answer = holds()
        self.gate = threading.Event()
        self.gate.set()
        self.server.script = self.script

    def script(self, peer):
        while peer.read_request() is not None:
            self.gate.wait(60)
            if self.answer is None:
                return
            peer.send(self.answer)

    @property
    def questions(self):
        return self.server.requests


@pytest.fixture()
def service():
    service = SignInService()
    yield service
    service.server.close()


@pytest.fixture()
def upstream():
    server = ScriptedUpstream()
    server.script = lambda peer: peer.serve(b"session")
    yield server
    server.close()


@pytest.fixture()
def start(start_router, upstream, service):
    started = []

    def start(fresh, stream=86400):
        router = start_router(
            DEV_EMAIL=None, AUTH_SECRET=SECRET, ROUTER_DOMAIN="example.test",
            DEV_ROUTES=upstream.routes(HASH, email=ALICE), WORKERS=1,
            AUTH_RECHECK_URL=f"http://127.0.0.1:{service.server.port}/oauth2/auth", AUTH_RECHECK_SECONDS=fresh,
            AUTH_RECHECK_STREAM_SECONDS=stream)
        started.append(router)
        return router

    yield start
    for router in started:
        router.stop()


def signed_in(cookie="_oauth2_proxy=one", email=ALICE, **more):
    return {"X-Gateway-Key": SECRET, "X-Auth-Request-Email": email, "Cookie": f"theme=dark; {cookie}", **more}


def ask(router, host=HOST, path="/", **fields):
    return router.request("GET", path, host, signed_in(**fields))


def test_a_sign_in_that_holds_is_asked_about_once_and_with_nothing_but_its_own_cookies(start, service, upstream):
    router = start(fresh=3600)
    split = "_oauth2_proxy_0=a|b=; lang=en; _oauth2_proxy_1=c"
    for _ in range(5):
        assert ask(router, cookie=split).body == b"session"
        assert ask(router, "example.test", "/api/me", cookie=split).status == 200
    [question] = service.questions
    assert question.line == "GET /oauth2/auth HTTP/1.1"
    assert sorted(name for name, _ in question.fields.lines) == ["Cookie", "Host", "User-Agent"]
    assert question.fields.all("Cookie") == ["_oauth2_proxy_0=a|b=; _oauth2_proxy_1=c"]
    # Another cookie, or the same with another address, is another sign-in.
    assert ask(router, cookie="_oauth2_proxy=two").status == 200
    service.answer = ENDED
    assert ask(router, "example.test", "/api/me", cookie="_oauth2_proxy=two", email=BOB).status == 401
    assert len(service.questions) == 3


@pytest.mark.parametrize("answer, cookie", [
    (ENDED, "_oauth2_proxy=one"),
    (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "_oauth2_proxy=one"),
    (holds(BOB), "_oauth2_proxy=one"),
    (holds(ALICE + "," + BOB), "_oauth2_proxy=one"),
    (holds(), "other=1"),
], ids=["401", "403", "another's", "two", "no cookie"])
def test_whoever_is_not_signed_in_any_more_gets_nowhere(start, service, upstream, answer, cookie):
    router = start(fresh=3600)
    service.answer = answer
    for host, path in [(HOST, "/"), ("example.test", "/"), ("example.test", "/api/me")]:
        refused = ask(router, host, path, cookie=cookie)
        assert refused.status == 401, refused
        assert ALICE not in refused.text
    assert upstream.requests == []
    lines = eventually(lambda: [line for line in router.lines() if line.get("why") == "sign_in_ended"], 40)
    assert lines[0]["message"] == "access denied" and lines[0]["email"] == ALICE
    assert "one" not in json.dumps(lines)


@pytest.mark.parametrize("answer", [
    None,
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: /sign_in\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
    b"nonsense\r\n\r\n",
], ids=["closed", "500", "200", "302", "202 without a name", "no HTTP"])
def test_who_was_never_confirmed_waits_while_nobody_can_be_asked(start, service, upstream, answer):
    router = start(fresh=3600)
    service.answer = answer
    refused = ask(router, "example.test", "/api/me")
    assert refused.status == 503 and refused.json()["code"] == "sign_in_unconfirmed"
    assert refused.fields["Retry-After"] == "2"
    assert ask(router).status == 503 and upstream.requests == []
    service.answer = holds()
    eventually(lambda: ask(router).status == 200, 40)


def test_who_was_confirmed_goes_on_while_nobody_can_be_asked(start, service):
    router = start(fresh=1)
    assert ask(router).status == 200
    service.answer = None
    asked = len(service.questions)
    eventually(lambda: ask(router).status == 200 and len(service.questions) > asked, 40)
    assert ask(router).status == 200
    # An answer is an answer, whatever was known before.
    service.answer = ENDED
    eventually(lambda: ask(router).status == 401, 40)


def test_many_requests_of_one_sign_in_are_one_question(start, service):
    router = start(fresh=3600)
    service.gate.clear()
    connections = [router.connect() for _ in range(8)]
    for connection in connections:
        connection.send_request("GET", "/", HOST, signed_in())
    eventually(lambda: service.questions, 40)
    # Others, who are known, do not wait for the answer: nor does the worker.
    assert router.operations("/healthz").status == 200
    service.gate.set()
    assert [connection.read_response().status for connection in connections] == [200] * 8
    assert len(service.questions) == 1
    for connection in connections:
        connection.close()


def test_a_client_that_leaves_while_its_sign_in_is_asked_about_harms_nobody(start, service, upstream):
    router = start(fresh=3600)
    service.gate.clear()
    with router.connect() as connection:
        connection.send_request("GET", "/", HOST, signed_in())
        eventually(lambda: service.questions, 40)
    service.gate.set()
    assert ask(router).status == 200


def test_a_stream_ends_when_the_sign_in_does(start, service, upstream):
    router = start(fresh=1, stream=1)

    def script(peer):
        while peer.read_request() is not None:
            peer.send(STREAM)
            peer.wait_closed()

    upstream.script = script
    for host, path in [(HOST, "/event"), ("example.test", "/api/sessions/stream")]:
        service.answer = holds()
        with router.connect() as connection:
            connection.send_request("GET", path, host, signed_in(cookie=f"_oauth2_proxy={host}"))
            answer = connection.read_head()
            assert answer.status == 200, answer
            pieces = connection.body(answer)
            assert next(pieces)
            # As long as it holds it stays, however often that is asked.
            asked = len(service.questions)
            eventually(lambda: len(service.questions) >= asked + 2, 40)
            service.answer = ENDED
            with pytest.raises((Truncated, ConnectionError)):
                for _ in pieces:
                    pass
    eventually(lambda: len([line for line in router.lines() if line.get("why") == "sign_in_ended"]) == 2, 40)


def test_a_websocket_is_closed_with_1008_when_the_sign_in_ends(start, service, upstream):
    router = start(fresh=1, stream=1)

    def script(peer):
        while (request := peer.read_head()) is not None:
            assert request.fields["Upgrade"] == "websocket"
            peer.send(SWITCH + b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi")
            peer.wait_closed()

    upstream.script = script
    with router.connect() as connection:
        connection.send_request("GET", "/pty", HOST, signed_in(
            Connection="Upgrade", Upgrade="websocket", Origin=f"{router.scheme}://{HOST}",
            **{"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}))
        assert connection.read_head().status == 101
        received = connection.unread
        asked = len(service.questions)
        eventually(lambda: len(service.questions) >= asked + 2, 40)
        service.answer = ENDED
        while data := connection.socket.recv(4096):
            received += data
    assert received == b"\x81\x02hi" + b"\x88\x02\x03\xf0"


def test_a_stream_outlives_a_service_that_cannot_be_asked(start, service, upstream):
    router = start(fresh=1, stream=1)
    second = threading.Event()

    def script(peer):
        while peer.read_request() is not None:
            peer.send(STREAM)
            second.wait(30)
            peer.send(b"6\r\nlater\n\r\n0\r\n\r\n")

    upstream.script = script
    with router.connect() as connection:
        connection.send_request("GET", "/event", HOST, signed_in())
        answer = connection.read_head()
        service.answer = None
        asked = len(service.questions)
        eventually(lambda: len(service.questions) >= asked + 2, 40)
        second.set()
        assert b"".join(connection.body(answer)) == b"data:\nlater\n"
