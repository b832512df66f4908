"""Many people's requests on few connections, as an ingress sends them: every answer belongs to whoever asked."""

import hashlib
import json
import random
import re
import threading

import pytest

from harness.http1 import Connection, Truncated
from harness.upstream import ScriptedUpstream

SECRET = "0123456789abcdef0123"
USERS = 50
REQUESTS = 10_000
CONNECTIONS = 8
WEBSOCKET = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def email(user):
    return f"user{user}@example.com"


def host(user):
    return f"{hashlib.sha256(email(user).encode()).hexdigest()[:12]}-oc.example.test"


def session(user):
    """A session that says whose it is, and what it was asked, with every answer."""

    def script(peer):
        while (request := peer.read_head()) is not None:
            if request.fields.get("Upgrade"):
                peer.send(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          f"Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n".encode())
                peer.send(f"user {user} ".encode() + peer.read_exactly(8))
                return
            if request.fields.get("Transfer-Encoding"):
                body = b""
                while size := int(peer._line(), 16):
                    body += peer.read_exactly(size)
                    peer._line()
                peer._line()
            else:
                body = peer.read_exactly(int(request.fields.get("Content-Length", 0)))
            answer = f"user {user} {request.line} {hashlib.sha256(body).hexdigest()}".encode()
            if "/empty" in request.line:
                peer.send(f"HTTP/1.1 204 No Content\r\nX-User: {user}\r\n\r\n".encode())
            elif "/chunks" in request.line:
                half = len(answer) // 2
                peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
                    b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (answer[:half], answer[half:])) + b"0\r\n\r\n")
            elif request.method == "HEAD":
                peer.send(f"HTTP/1.1 200 OK\r\nX-User: {user}\r\nContent-Length: 1234\r\n\r\n".encode())
            else:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)

    upstream = ScriptedUpstream()
    upstream.script = script
    return upstream


@pytest.fixture(scope="module")
def sessions():
    upstreams = [session(user) for user in range(USERS)]
    yield upstreams
    for upstream in upstreams:
        upstream.close()


@pytest.fixture(scope="module")
def proxy(start_router, sessions):
    routes = [{"hash": host(user)[:12], "email": email(user), "target": f"http://127.0.0.1:{upstream.port}"}
              for user, upstream in enumerate(sessions)]
    return start_router(
        DEV_EMAIL=None, AUTH_SECRET=SECRET, ROUTER_DOMAIN="example.test", ROUTE_SUFFIX="-oc", WORKERS=2,
        MAX_REQUESTS_PER_SECOND_PER_USER=1_000_000, LOG_LEVEL="info", DEV_ROUTES=json.dumps(routes))


def identity(user):
    return {"X-Gateway-Key": SECRET, "X-Auth-Request-Email": email(user)}


class Asker:
    """One connection of the ingress, on which people take turns."""

    def __init__(self, proxy, seed, count):
        self.proxy = proxy
        self.random = random.Random(seed)
        self.count = count
        self.number = 0
        self.wrong = []
        self.asked = {}
        self.reconnects = 0
        self.connection = None

    def run(self):
        kinds = {
            self.own: 40, self.post: 12, self.chunks: 8, self.pipelined: 5, self.head: 4, self.empty: 4, self.me: 6,
            self.foreign: 8, self.unknown: 3, self.nobody: 3, self.look_alike: 2, self.other_origin: 2,
            self.refused_upgrade: 3, self.malformed_body: 1, self.upgrade: 1,
        }
        try:
            while self.number < self.count:
                if self.connection is None:
                    self.connection = Connection(self.proxy.port, timeout=50)
                kind = self.random.choices(list(kinds), list(kinds.values()))[0]
                self.asked[kind.__name__] = self.asked.get(kind.__name__, 0) + 1
                user = self.random.randrange(USERS)
                self.number += 1
                goes_on = kind(user, f"{self.random.getrandbits(64):016x}")
                if goes_on is False:
                    self.connection.close()
                    self.connection = None
                    self.reconnects += 1
        except Exception as error:
            self.wrong.append((kind.__name__, repr(error)))

    def expect(self, is_right, *what):
        if not is_right:
            self.wrong.append(what)

    def ask(self, method, path, host, fields, body=None):
        self.connection.send_request(method, path, host, fields, body)
        return self.connection.read_response(method)

    @staticmethod
    def told(user, line, body=b""):
        return f"user {user} {line} {hashlib.sha256(body).hexdigest()}".encode()

    def own(self, user, nonce):
        answer = self.ask("GET", f"/{nonce}", host(user), identity(user))
        self.expect(answer.status == 200 and answer.body == self.told(user, f"GET /{nonce} HTTP/1.1"), user, answer)

    def chunks(self, user, nonce):
        answer = self.ask("GET", f"/chunks/{nonce}", host(user), identity(user))
        self.expect(answer.body == self.told(user, f"GET /chunks/{nonce} HTTP/1.1"), user, answer)

    def post(self, user, nonce):
        body = nonce.encode() * self.random.choice([0, 1, 10, 3000])
        fields = {**identity(user), "Origin": f"http://{host(user)}"}
        if self.random.random() < 0.5:
            fields["Transfer-Encoding"] = "chunked"
            sent = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        else:
            sent = body
        answer = self.ask("POST", f"/{nonce}", host(user), fields, sent)
        self.expect(answer.body == self.told(user, f"POST /{nonce} HTTP/1.1", body), user, answer)

    def pipelined(self, user, nonce):
        users = [user, (user + 7) % USERS, (user + 31) % USERS]
        self.number += 2
        self.connection.send(b"".join(
            self.connection.head("GET", f"/{nonce}", host(each), identity(each)) for each in users))
        for each in users:
            answer = self.connection.read_response()
            self.expect(answer.body == self.told(each, f"GET /{nonce} HTTP/1.1"), users, answer)

    def head(self, user, nonce):
        answer = self.ask("HEAD", f"/{nonce}", host(user), identity(user))
        self.expect(answer.status == 200 and answer.fields.get("X-User") == str(user), user, answer)

    def empty(self, user, nonce):
        answer = self.ask("GET", f"/empty/{nonce}", host(user), identity(user))
        self.expect(answer.status == 204 and answer.fields.get("X-User") == str(user), user, answer)

    def me(self, user, nonce):
        answer = self.ask("GET", "/api/me", "code.example.test", identity(user))
        self.expect(answer.status == 200 and answer.json()["email"] == email(user), user, answer)

    def foreign(self, user, nonce):
        answer = self.ask("GET", f"/stolen/{nonce}", host((user + 1 + self.random.randrange(USERS - 1)) % USERS),
                          identity(user))
        self.expect(answer.status == 404 and b"user " not in answer.body, user, answer)

    def unknown(self, user, nonce):
        answer = self.ask("GET", f"/{nonce}", f"{nonce[:12]}-oc.example.test", identity(user))
        self.expect(answer.status == 404, user, answer)

    def nobody(self, user, nonce):
        answer = self.ask("GET", f"/stolen/{nonce}", host(user), {"X-Gateway-Key": SECRET})
        self.expect(answer.status == 401, user, answer)

    def look_alike(self, user, nonce):
        answer = self.ask("GET", f"/stolen/{nonce}", host(user), {
            **identity(user), "X_Auth_Request_Email": email((user + 1) % USERS)})
        self.expect(answer.status == 401, user, answer)
        return "Connection" not in answer.fields

    def other_origin(self, user, nonce):
        answer = self.ask("POST", f"/stolen/{nonce}", host(user), {
            **identity(user), "Origin": f"http://{host((user + 1) % USERS)}"}, nonce.encode())
        self.expect(answer.status == 403, user, answer)
        return answer.fields.get("Connection") != "close"

    def refused_upgrade(self, user, nonce):
        other = (user + 1) % USERS
        answer = self.ask("GET", f"/stolen/{nonce}", host(other), {
            **identity(user), **WEBSOCKET, "Origin": f"http://{host(other)}"})
        self.expect(answer.status == 404, user, answer)

    def malformed_body(self, user, nonce):
        """The session may have begun to answer; whatever comes, this connection serves nothing after it."""
        self.connection.send(self.connection.head("POST", f"/{nonce}", host(user), {
            **identity(user), "Origin": f"http://{host(user)}", "Transfer-Encoding": "chunked"}) + b"zz\r\nhello"
            + self.connection.head("GET", "/stolen", host(user), identity(user)))
        try:
            answer = self.connection.read_response()
            self.expect(answer.status == 400, user, answer)
            self.expect(self.connection.at_end(), user, "the connection goes on")
        except Truncated:
            pass
        return False

    def upgrade(self, user, nonce):
        self.connection.send(self.connection.head("GET", f"/{nonce}", host(user), {
            **identity(user), **WEBSOCKET, "Origin": f"http://{host(user)}"}))
        answer = self.connection.read_head()
        self.expect(answer.status == 101, user, answer)
        self.connection.send(nonce[:8].encode())
        expected = f"user {user} {nonce[:8]}".encode()
        told = self.connection.read_exactly(len(expected))
        self.expect(told == expected, user, told)
        return False


def test_ten_thousand_requests_of_fifty_people_on_eight_connections(proxy, sessions):
    askers = [Asker(proxy, seed, REQUESTS // CONNECTIONS) for seed in range(CONNECTIONS)]
    threads = [threading.Thread(target=asker.run) for asker in askers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wrong = [entry for asker in askers for entry in asker.wrong]
    assert not wrong, (len(wrong), wrong[:5])
    assert sum(asker.number for asker in askers) >= REQUESTS
    assert all(len(asker.asked) == 15 for asker in askers), [asker.asked for asker in askers]
    # And nothing reached a session that was not its owner's own request.
    for user, upstream in enumerate(sessions):
        for request in upstream.requests:
            assert request.fields["Host"] == host(user), request.raw
            assert "/stolen" not in request.line, request.raw


def masked(raw):
    """An answer's bytes without what differs between any two: the request's id and the time."""
    return re.sub(rb"\r\n(X-Request-Id|Date): [^\r]*", rb"\r\n\1: -", raw)


def raw_answer(connection, data):
    connection.send(data)
    while b"\r\n\r\n" not in connection.unread:
        connection._fill()
    head, _, rest = connection.unread.partition(b"\r\n\r\n")
    length = int((re.search(rb"\r\nContent-Length: (\d+)", head) or [0, 0])[1])
    while len(rest) < length:
        connection._fill()
        rest = connection.unread.partition(b"\r\n\r\n")[2]
    assert len(rest) == length, "more than one answer"
    connection.unread = b""
    return head + b"\r\n\r\n" + rest


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_of_twenty_people_and_twenty_sessions_only_the_owners_pairs_pass(proxy, sessions, kind):
    refusals, passed = set(), []
    connection = proxy.connect()

    def ask(user, at):
        fields = identity(user)
        if kind == "websocket":
            fields = {**fields, **WEBSOCKET, "Origin": f"http://{at}"}
        return raw_answer(connection, connection.head("GET", "/matrix", at, fields))

    for owner in range(20):
        for user in range(20):
            answer = ask(user, host(owner))
            if answer.startswith(b"HTTP/1.1 404 "):
                refusals.add(masked(answer))
                continue
            passed.append((user, owner))
            if kind == "websocket":
                assert answer.startswith(b"HTTP/1.1 101 "), answer
                connection.close()
                connection = proxy.connect()
            else:
                assert answer.startswith(b"HTTP/1.1 200 ") and b"user %d GET" % owner in answer
    assert passed == [(user, user) for user in range(20)]
    # What is another's is told in the same bytes as what is not there.
    refusals.add(masked(ask(0, "000000000000-oc.example.test")))
    assert len(refusals) == 1, refusals
    connection.close()
