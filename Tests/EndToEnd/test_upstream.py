"""The answer side: a session may answer anything, at any time, and hurts only its own user."""

import fcntl
import socket
import struct
import termios
import threading
import time

import pytest

from harness.http1 import Connection, Truncated
from harness.ports import reserve_port
from harness.waiting import eventually

HASH = "aaaaaaaaaaaa"
OTHER = "bbbbbbbbbbbb"


@pytest.fixture(scope="module")
def proxy(start_router, shared):
    return start_router(DEV_ROUTES=shared.routes(HASH, OTHER), WORKERS=1)


def host(proxy, hash=HASH):
    return f"{hash}.{proxy.domain}"


def get(proxy, target="/", **fields):
    with proxy.connect() as connection:
        return connection.request("GET", target, host(proxy), fields)


def still_in_step(proxy, connection):
    """The connection goes on with the right answers."""
    response = connection.request("GET", "/api/version", proxy.host)
    assert response.status == 200 and response.json()["name"] == "opencode-router"


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"ICY 200 OK\r\n\r\n",
    b"hello\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX" + b"x" * 300_000 + b": y\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n" * 17 + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
])
def test_an_answer_that_is_no_http_is_a_502_and_the_connection_goes_on(proxy, shared, answer):
    shared.script = lambda peer: (peer.read_request(), peer.send(answer))
    with proxy.connect() as connection:
        response = connection.request("GET", "/", host(proxy))
        assert response.status == 502, response
        assert response.json()["code"] == "session_answer_invalid"
        still_in_step(proxy, connection)


def test_a_session_that_closes_without_a_word_is_a_502(proxy, shared):
    shared.script = lambda peer: peer.read_request()
    with proxy.connect() as connection:
        assert connection.request("GET", "/", host(proxy)).status == 502
        still_in_step(proxy, connection)


def test_a_session_that_nobody_listens_for_is_a_502(start_router):
    port = reserve_port()
    proxy = start_router(
        DEV_ROUTES=f'[{{"hash":"{HASH}","email":"dev@example.com","target":"http://127.0.0.1:{port}"}}]')
    with proxy.connect() as connection:
        response = connection.request("GET", "/", host(proxy))
        assert response.status == 502 and response.json()["code"] == "session_unreachable"
        still_in_step(proxy, connection)


@pytest.mark.parametrize("head,body", [
    (b"Content-Length: 10\r\n", b"hello"),
    (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n"),
    (b"Transfer-Encoding: chunked\r\n", b"5\r\nhel"),
    (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\nzz\r\n"),
    (b"Transfer-Encoding: chunked\r\n", b"5\r\nhelloXX0\r\n\r\n"),
])
def test_a_truncated_answer_never_ends_cleanly(proxy, shared, head, body):
    shared.script = lambda peer: (
        peer.read_request(), peer.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body))
    with proxy.connect() as connection:
        try:
            answer = connection.request("GET", "/", host(proxy))
        except (Truncated, ConnectionError):
            return
        # As long as not a byte of it has left, it can be unsaid.
        assert answer.status == 502 and answer.json()["code"] in ("session_answer_invalid", "session_unreachable")


def test_an_answer_of_which_nothing_has_left_is_a_502_and_the_connection_goes_on(proxy, shared):
    """The end is there together with the head."""
    answer = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    shared.script = lambda peer: (peer.read_request(), peer.send(answer))
    with proxy.connect() as connection:
        response = connection.request("GET", "/", host(proxy))
        assert response.status == 502 and response.json()["code"] == "session_answer_invalid"
        still_in_step(proxy, connection)


def test_an_answer_that_began_to_leave_is_broken_off(proxy, shared):
    begun = threading.Event()

    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        begun.wait(30)

    shared.script = script
    with proxy.connect() as connection:
        connection.send_request("GET", "/", host(proxy))
        head = connection.read_head()
        assert head.status == 200
        begun.set()
        with pytest.raises((Truncated, ConnectionError)):
            list(connection.body(head))


def test_bytes_beyond_an_answer_reach_nobody(proxy, shared):
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    shared.script = lambda peer: (
        peer.read_request(), peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + poison), peer.wait_closed())
    with proxy.connect() as connection:
        for _ in range(3):
            assert connection.request("GET", "/", host(proxy)).body == b"ok"
    assert shared.connections >= 3, "a connection with unread bytes was used again"


def test_bytes_that_come_later_reach_nobody(proxy, shared):
    """What a session says between two requests is nobody's answer."""
    released, sent = threading.Event(), threading.Event()

    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if shared.connections > 1:
            return
        released.wait(30)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        sent.set()
        peer.wait_closed()

    shared.script = script
    with proxy.connect() as connection:
        assert connection.request("GET", "/", host(proxy)).body == b"ok"
        released.set()
        assert sent.wait(20)
        assert connection.request("GET", "/", host(proxy)).body == b"ok"
    assert shared.connections == 2


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_answers_without_body_have_none(proxy, shared, status):
    shared.script = lambda peer: (
        peer.read_request(), peer.send(b"HTTP/1.1 " + status + b"\r\nETag: \"a\"\r\n\r\n"), peer.read_request(),
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"))
    with proxy.connect() as connection:
        assert connection.request("GET", "/", host(proxy)).body == b""
        assert connection.request("GET", "/", host(proxy)).body == b"next"


def test_a_head_answer_keeps_its_length_and_has_no_body(proxy, shared):
    shared.script = lambda peer: (
        peer.read_request(), peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"), peer.read_request(),
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"))
    with proxy.connect() as connection:
        response = connection.request("HEAD", "/", host(proxy))
        assert response.fields["Content-Length"] == "4000" and response.body == b""
        assert connection.request("GET", "/", host(proxy)).body == b"next"


def test_an_answer_up_to_the_close_arrives_whole(proxy, shared):
    data = bytes(range(256)) * 2000
    shared.script = lambda peer: (peer.read_request(), peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + data))
    with proxy.connect() as connection:
        response = connection.request("GET", "/", host(proxy))
        assert response.body == data and response.fields.get("Transfer-Encoding") == "chunked"
        still_in_step(proxy, connection)


def test_an_http_1_0_client_gets_no_chunks(proxy, shared):
    shared.script = lambda peer: (
        peer.read_request(), peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
    with proxy.connect() as connection:
        connection.send(b"GET / HTTP/1.0\r\nHost: " + host(proxy).encode() + b"\r\n\r\n")
        response = connection.read_response()
        assert "Transfer-Encoding" not in response.fields and response.body == b"hello"


def test_interim_answers_are_relayed_and_counted_out(proxy, shared):
    shared.script = lambda peer: (
        peer.read_request(),
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
                  b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    with proxy.connect() as connection:
        connection.send_request("GET", "/", host(proxy))
        assert connection.read_head().status == 103
        response = connection.read_head()
        assert response.status == 200
        assert b"".join(connection.body(response)) == b"ok"


def test_a_stale_connection_is_replaced_for_get_and_never_for_post(proxy, shared):
    """The session closes its idle connection at the moment the next request comes."""
    seen = []

    def script(peer):
        while (request := peer.read_request()) is not None:
            seen.append(request.method)
            if peer.served == 1:
                return
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            peer.served += 1

    shared.script = script
    with proxy.connect() as connection:
        assert connection.request("GET", "/", host(proxy)).status == 200
        assert connection.request("GET", "/", host(proxy)).status == 200
        assert seen == ["GET", "GET", "GET"]
        seen.clear()
        assert connection.request("POST", "/", host(proxy), body=b"x").status == 502
        assert seen == ["POST"]


def test_a_reused_connection_that_ends_behind_an_interim_answer_is_a_502(proxy, shared):
    """Somebody has seen the request, so that it is not sent again."""
    seen = []

    def script(peer):
        while (request := peer.read_request()) is not None:
            seen.append(request.method)
            if peer.served == 1:
                return peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n")
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            peer.served += 1

    shared.script = script
    with proxy.connect() as connection:
        assert connection.request("GET", "/", host(proxy)).status == 200
        connection.send_request("GET", "/", host(proxy))
        assert [connection.read_head().status, connection.read_response().status] == [103, 502]
        assert seen == ["GET", "GET"]
        still_in_step(proxy, connection)


@pytest.mark.parametrize("fields", [{}, {"Connection": "close"}])
def test_an_early_answer_ends_the_request_and_the_connection(proxy, shared, fields):
    """But not under a client that still sends: a reset would take the answer from it (RFC 9112 §9.6)."""
    shared.script = lambda peer: (
        peer.read_head(), peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"),
        peer.wait_closed())
    with proxy.connect() as connection:
        connection.send(Connection.head("POST", "/", host(proxy), {"Content-Length": 1000000, **fields}) + b"abc")
        response = connection.read_response()
        assert response.status == 413 and response.body == b"big"
        assert connection.at_end()
        connection.send(b"def")
        assert connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def test_a_client_that_leaves_takes_the_upstream_connection_along(proxy, shared):
    gone = threading.Event()

    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"9\r\ndata: 1\n\n\r\n")
        peer.wait_closed()
        gone.set()

    shared.script = script
    connection = proxy.connect()
    connection.send_request("GET", "/event", host(proxy))
    response = connection.read_head()
    assert next(connection.body(response)) == b"data: 1\n\n"
    connection.close()
    # Sooner than a peer that says nothing any more is given up (30 s).
    assert gone.wait(10), "the upstream connection is still open though the client has left"


def test_a_request_is_rewritten_and_nothing_that_identifies_reaches_the_session(proxy, shared):
    shared.script = lambda peer: peer.serve(b"ok")
    with proxy.connect() as connection:
        response = connection.request("GET", "/path?q=1", host(proxy), {
            "Cookie": "_oauth2_proxy=secret; theme=dark; _oauth2_proxy_0=more", "Authorization": "Bearer secret",
            "X-Auth-Request-Access-Token": "secret", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Email": "secret@x.y",
            "Forwarded": "for=secret", "X-Real-Ip": "9.9.9.9", "X-Admin-Secret": "secret", "Accept": "text/plain",
            "Connection": "keep-alive, Drop-Me", "Drop-Me": "secret", "Proxy-Authorization": "secret", "TE": "trailers",
        })
    request = shared.requests[-1]
    assert request.line == "GET /path?q=1 HTTP/1.1"
    assert b"secret" not in request.raw
    assert request.fields["Host"] == host(proxy)
    assert request.fields["Cookie"] == "theme=dark"
    assert request.fields["Accept"] == "text/plain"
    assert request.fields["X-Forwarded-Proto"] == "http"
    assert request.fields["X-Forwarded-Host"] == host(proxy)
    assert len(request.fields.all("X-Forwarded-For")) == 1
    for name in ("Connection", "TE", "Proxy-Authorization", "Drop-Me", "Authorization", "Forwarded", "X-Real-Ip"):
        assert name not in request.fields, name


def test_an_answer_is_rewritten_and_cannot_act_beyond_its_host(proxy, shared):
    shared.script = lambda peer: (
        peer.read_request(),
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                  b"Set-Cookie: _oauth2_proxy=evil; Domain=.example.com; Path=/\r\n"
                  b"Set-Cookie: theme=dark; Domain=.localhost; Path=/; HttpOnly\r\n"
                  b"Clear-Site-Data: \"*\"\r\nAlt-Svc: h3=\":443\"\r\nStrict-Transport-Security: max-age=1\r\n"
                  b"X-Auth-Request-Email: evil@x.y\r\nService-Worker-Allowed: /\r\nKeep-Alive: timeout=5\r\n"
                  b"Connection: X-Gone\r\nX-Gone: 1\r\nX-Kept: 1\r\n\r\nok"))
    response = get(proxy)
    assert response.fields.all("Set-Cookie") == ["theme=dark; Path=/; HttpOnly"]
    assert response.fields["X-Kept"] == "1"
    assert response.fields["X-Content-Type-Options"] == "nosniff"
    for name in ("Clear-Site-Data", "Alt-Svc", "Strict-Transport-Security", "X-Auth-Request-Email",
                 "Service-Worker-Allowed", "Keep-Alive", "X-Gone"):
        assert name not in response.fields, name


def test_interim_answers_that_nobody_reads_harm_nobody(start_router, shared):
    """Sixteen heads of the largest size: the session waits for its client, and the gateway keeps none but one."""
    fields = b"".join(b"X-%d: %b\r\n" % (number, b"a" * 7000) for number in range(36))
    interim = b"HTTP/1.1 103 Early Hints\r\n" + fields + b"\r\n"
    shared.script = lambda peer: (
        peer.read_head(), [peer.send(interim) for _ in range(16)],
        peer.send(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 2\r\n\r\nok"), peer.wait_closed())
    proxy = start_router(DEV_ROUTES=shared.routes(HASH), WORKERS=1)
    clients = [socket.socket() for _ in range(4)]
    for client in clients:
        client.settimeout(60)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", proxy.port))
        client.sendall(Connection.head("GET", "/", host(proxy), {"Connection": "close"}))
    # As long as it takes until no session can send any more.
    eventually(lambda: shared.connections == len(clients))
    time.sleep(2)
    with proxy.connect() as connection:
        still_in_step(proxy, connection)
    for client in clients:
        received = b"".join(iter(lambda: client.recv(1 << 20), b""))
        assert received.count(b"HTTP/1.1 103 ") == 16 and received.count(b"HTTP/1.1 200 ") == 1
        assert received.endswith(b"\r\n\r\nok")
        client.close()
    assert proxy.stop() == 0


def test_an_answer_behind_an_interim_one_may_begin_while_the_body_still_comes(proxy, shared):
    """And is told from it where bytes are counted."""
    begun, read = threading.Event(), threading.Event()

    def script(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 1000 + b"\r\n\r\n")
        begun.wait(30)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
        read.wait(30)
        peer.send(peer.read_exactly(3))
        peer.wait_closed()

    shared.script = script
    with proxy.connect() as connection:
        fields = {"Content-Length": 3, "Origin": f"http://{host(proxy)}"}
        connection.send(Connection.head("POST", "/", host(proxy), fields))
        assert connection.read_head().status == 103
        begun.set()
        assert connection.read_head().status == 200
        assert connection.read_exactly(2) == b"he"
        read.set()
        connection.send(b"llo")
        assert connection.read_exactly(3) == b"llo"
        still_in_step(proxy, connection)


def test_heads_as_large_as_the_settings_allow_pass(start_router, shared):
    """Both ways, the whole of what the settings' ranges have."""
    def lines(size):
        return [(f"X-{number}", "a" * 40_000) for number in range(size // 40_000)]

    answered = "".join(f"{name}: {value}\r\n" for name, value in lines(4_100_000)).encode()
    shared.requests.clear()
    shared.script = lambda peer: peer.answer(b"HTTP/1.1 200 OK\r\n" + answered + b"Content-Length: 2\r\n\r\nok")
    proxy = start_router(
        DEV_ROUTES=shared.routes(HASH), WORKERS=1, MAX_RESPONSE_HEAD_BYTES=4_194_304, MAX_REQUEST_HEAD_BYTES=1_048_576)
    with proxy.connect() as connection:
        for _ in range(2):
            answer = connection.request("GET", "/", host(proxy), dict(lines(1_000_000)))
            assert answer.status == 200 and answer.body == b"ok" and len(answer.fields.all("X-101")[0]) == 40_000
            assert shared.requests[-1].fields["X-24"] == "a" * 40_000
        still_in_step(proxy, connection)
    assert proxy.stop() == 0


def websocket(host):
    return {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13", "Origin": f"http://{host}"}


def test_a_tunnel_opens_only_after_this_request_s_own_101(proxy, shared):
    """A refused upgrade is an ordinary answer, and the connection goes on."""
    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        peer.read_request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nfirst")
        peer.send(peer.read_exactly(5)[::-1])
        peer.wait_closed()

    shared.script = script
    with proxy.connect() as connection:
        response = connection.request("GET", "/ws", host(proxy), websocket(host(proxy)))
        assert response.status == 403 and response.body == b"no"
        still_in_step(proxy, connection)
        connection.send_request("GET", "/ws", host(proxy), websocket(host(proxy)))
        assert connection.read_head().status == 101
        assert connection.read_exactly(5) == b"first"
        connection.send(b"12345")
        assert connection.read_exactly(5) == b"54321"


def test_bytes_sent_ahead_of_the_101_go_into_the_tunnel_and_nowhere_else(proxy, shared):
    def script(peer):
        peer.read_head()
        assert not peer.has_bytes(0.2), "tunnel bytes before the 101"
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        peer.send(peer.read_exactly(5))
        peer.wait_closed()

    shared.script = script
    with proxy.connect() as connection:
        head = Connection.head("GET", "/ws", host(proxy), websocket(host(proxy)))
        connection.send(head + b"early")
        assert connection.read_head().status == 101
        assert connection.read_exactly(5) == b"early"


SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def read_to_end(connection):
    """What comes up to the peer's end of its side; nothing may break off."""
    data = connection.unread
    while piece := connection.socket.recv(1 << 20):
        data += piece
    return data


@pytest.mark.parametrize("size", [4, 4 << 20])
def test_a_side_of_a_tunnel_that_has_ended_still_hears_the_other(proxy, shared, size):
    """As with a close frame that answers one: its sender may have ended its side behind it."""
    heard = []
    last = bytes(range(256)) * (size // 256) or b"last"

    def client_first(peer):
        peer.read_head()
        peer.send(SWITCHED)
        peer.send(read_to_end(peer)[::-1] + last)

    def session_first(peer):
        peer.read_head()
        peer.send(SWITCHED + b"begun" + last)
        peer.socket.shutdown(socket.SHUT_WR)
        heard.append(read_to_end(peer))

    for script in (client_first, session_first):
        shared.script = script
        with proxy.connect() as connection:
            connection.send_request("GET", "/ws", host(proxy), websocket(host(proxy)))
            assert connection.read_head().status == 101
            if script is client_first:
                connection.send(b"begun")
                connection.socket.shutdown(socket.SHUT_WR)
                assert read_to_end(connection) == b"nugeb" + last
            else:
                assert read_to_end(connection) == b"begun" + last
                connection.send(last)
                connection.socket.shutdown(socket.SHUT_WR)
                eventually(lambda: heard)
                assert heard == [last]


def unsent(sock):
    """Bytes that the peer's kernel has not taken yet (tcp(7), SIOCOUTQ)."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]


def test_what_a_session_says_before_it_leaves_arrives_though_its_client_speaks_on(proxy, shared):
    """The session answers to what it is sent then with a reset; its last words are on their way already."""
    is_full, is_gone = threading.Event(), threading.Event()
    said = []

    def script(peer):
        peer.read_head()
        peer.send(SWITCHED)
        quiet = 0
        while quiet < 10:
            quiet += 1
            time.sleep(0.02)
            if unsent(peer.socket) == 0:
                said.append(bytes([len(said) % 251]) * 4000)
                peer.send(said[-1])
                quiet = 0
        is_full.set()
        eventually(lambda: unsent(peer.socket) == 0)
        peer.socket.close()
        is_gone.set()

    shared.script = script
    with socket.socket() as client:
        client.settimeout(60)
        # Small buffers on both sides, so that much is left with the gateway.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        client.connect(("127.0.0.1", proxy.port))
        client.sendall(Connection.head("GET", "/ws", host(proxy), websocket(host(proxy))))
        assert is_full.wait(60)
        heard = b""
        while not is_gone.wait(0.01):
            heard += client.recv(1000)
        for _ in range(10):
            client.sendall(b"?")
            time.sleep(0.02)
        while piece := client.recv(1 << 20):
            heard += piece
    assert heard.partition(b"\r\n\r\n")[2] == b"".join(said)


@pytest.mark.parametrize("first", ["client", "session"])
def test_a_tunnel_is_over_when_one_side_has_ended_and_the_other_says_nothing(proxy, shared, first):
    heard = []

    def script(peer):
        peer.read_head()
        peer.send(SWITCHED)
        if first == "session":
            peer.socket.shutdown(socket.SHUT_WR)
        heard.append(read_to_end(peer))
        # The gateway's end is there; ours is not.
        peer.server.released.wait(60)

    shared.script = script
    shared.released = threading.Event()
    with proxy.connect() as connection:
        connection.send_request("GET", "/ws", host(proxy), websocket(host(proxy)))
        assert connection.read_head().status == 101
        if first == "client":
            connection.socket.shutdown(socket.SHUT_WR)
        assert read_to_end(connection) == b""
        eventually(lambda: heard == [b""])
        eventually(lambda: "opencode_router_tunnels 0\n" in proxy.operations("/metrics").text)
    shared.released.set()


@pytest.mark.parametrize("target,is_session", [("/", True), ("/api/version", False), ("/", False)])
def test_a_client_that_ended_its_side_still_gets_its_answer(proxy, shared, target, is_session):
    def script(peer):
        while peer.read_request() is not None:
            # Not at once: the gateway has seen the client's end by then, and has to wait all the same.
            time.sleep(0.1)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    shared.script = script
    while True:
        with proxy.connect() as connection:
            connection.send_request("GET", target, host(proxy) if is_session else proxy.host)
            ended = time.monotonic()
            connection.socket.shutdown(socket.SHUT_WR)
            try:
                assert connection.read_response().status == 200
                return
            except Truncated:
                # The gateway waits for a second; that the machine stood still for longer proves nothing.
                assert time.monotonic() - ended > 0.9, "it was not waited for"
