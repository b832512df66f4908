"""What RFC 9110 and 9112 ask of a gateway, clause by clause, where no other file has it."""

import queue
import re
import socket
import time

import pytest

from harness.http1 import Truncated

HASH = "aaaaaaaaaaaa"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
KEY = ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]


@pytest.fixture(scope="module")
def proxy(start_router, shared):
    return start_router(DEV_ROUTES=shared.routes(HASH), ROUTER_DOMAIN="example.test", WORKERS=1)


def message(line, host, *fields):
    return "\r\n".join([line, f"Host: {host}", *fields, "", ""]).encode("latin-1")


def ask(proxy, shared, line, *fields, host=f"{HASH}.example.test", body=b"", answer=OK):
    """Sends one request; returns the session's view of it (nothing if it got none) and everything the client got."""
    shared.requests.clear()
    shared.script = lambda peer: peer.answer(answer)
    with proxy.connect() as connection:
        connection.send(message(line, host, "Connection: close", f"Origin: http://{host}", *fields) + body)
        received = b""
        try:
            while piece := connection.socket.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
    return (shared.requests[0] if shared.requests else None), received


def status(received):
    return int(received.split(b" ", 2)[1])


def values(received, name):
    head = received.partition(b"\r\n\r\n")[0].decode("latin-1")
    return re.findall(rf"^{name}: *(.*?)\r?$", head, re.MULTILINE | re.IGNORECASE)


@pytest.mark.parametrize("answer", [OK, b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\n\r\n"])
def test_an_answer_without_a_date_gets_the_time_it_came(proxy, shared, answer):
    """RFC 9110, 6.6.1."""
    [date] = values(ask(proxy, shared, "GET / HTTP/1.1", answer=answer)[1], "Date")
    assert DATE.fullmatch(date)


def test_an_answer_s_own_date_stays_and_an_interim_answer_gets_none(proxy, shared):
    dated = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n"
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + dated
    received = ask(proxy, shared, "GET / HTTP/1.1", answer=answer)[1]
    interim, _, final = received.partition(b"\r\n\r\n")
    assert interim.startswith(b"HTTP/1.1 103 ") and not values(interim, "Date")
    assert values(final, "Date") == ["Sun, 06 Nov 1994 08:49:37 GMT"]


@pytest.mark.parametrize("version,sent,seen", [
    ("1.1", [], ["1.1 opencode-router"]), ("1.0", [], ["1.0 opencode-router"]),
    ("1.0", ["Via: 1.0 fred, 1.1 edge"], ["1.0 fred, 1.1 edge", "1.0 opencode-router"]),
])
def test_via_tells_the_version_that_was_received(proxy, shared, version, sent, seen):
    """RFC 9110, 7.6.3."""
    assert ask(proxy, shared, f"GET / HTTP/{version}", *sent)[0].fields.all("Via") == seen


@pytest.mark.parametrize("value,expected", [
    ("gzip, chunked", 501), ("gzip,deflate , chunked", 501), ("gzip", 400), ("identity", 400), ("chunked, gzip", 400),
    ("chunked, chunked", 400), ("chunked, identity", 400), ("xchunked", 400), ("chunked;q=1", 400), ("", 400),
    (", chunked", 400), ("gzip;x=y, chunked", 400), ("chunked, gzip, chunked", 400),
])
def test_a_body_whose_end_nobody_knows_is_400_and_one_in_an_unknown_coding_501(proxy, shared, value, expected):
    """RFC 9112, 6.1 and 6.3."""
    arrived, received = ask(
        proxy, shared, "POST / HTTP/1.1", f"Transfer-Encoding: {value}", body=b"0\r\n\r\n")
    assert arrived is None and status(received) == expected
    assert values(received, "Connection") == ["close"]


@pytest.mark.parametrize("line,fields", [
    ("HEAD / HTTP/1.1", ["Bad Name: x"]), ("HEAD / HTTP/1.1", ["Transfer-Encoding: gzip"]),
    ("HEAD /api/nothing HTTP/1.1", []), ("HEAD /x.js HTTP/1.1", []),
])
def test_no_answer_to_head_has_a_body(proxy, shared, line, fields):
    """RFC 9110, 9.3.2: refusals included."""
    received = ask(proxy, shared, line, *fields, host="example.test")[1]
    assert status(received) >= 400 and int(values(received, "Content-Length")[0]) > 0
    assert received.endswith(b"\r\n\r\n") and received.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize("version,fields", [("1.1", []), ("1.0", []), ("1.0", ["Connection: keep-alive"])])
def test_the_answer_to_head_tells_no_length_where_that_to_get_would_not(proxy, version, fields):
    """RFC 9110, 8.6: a stream of events has none."""
    with proxy.connect() as connection:
        connection.send(message(f"HEAD /api/sessions/stream HTTP/{version}", "example.test", *fields))
        answer = connection.read_response("HEAD")
        assert answer.status == 200 and answer.fields["Content-Type"] == "text/event-stream"
        assert "Content-Length" not in answer.fields
        if version == "1.1":
            assert connection.request("GET", "/api/version", "example.test").status == 200
        else:
            # To HTTP/1.0 its end would be that of the connection.
            assert answer.fields["Connection"] == "close" and connection.at_end()


def test_a_refusal_behind_an_answer_to_head_has_its_body(proxy):
    with proxy.connect() as connection:
        assert connection.request("HEAD", "/", "example.test").status == 200
        connection.send(b"\x00 / HTTP/1.1\r\n\r\n")
        refusal = connection.read_response()
        assert refusal.status == 400 and len(refusal.body) > 10


def test_a_426_says_to_what_and_which_versions_the_session_knows(proxy, shared):
    """RFC 9110, 15.5.22, and RFC 6455, 4.4."""
    answer = b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n"
    upgrade = ["Connection: Upgrade", "Upgrade: websocket", KEY[0], "Sec-WebSocket-Version: 8"]
    arrived, received = ask(proxy, shared, "GET /pty HTTP/1.1", *upgrade, answer=answer)
    assert arrived.fields["Sec-WebSocket-Version"] == "8"
    assert status(received) == 426 and values(received, "Sec-WebSocket-Version") == ["13"]
    assert values(received, "Upgrade") == ["websocket"] and "Upgrade" in values(received, "Connection")


def test_http_1_0_is_not_heard_on_upgrades(proxy, shared):
    """RFC 9110, 7.8."""
    arrived, received = ask(
        proxy, shared, "GET /pty HTTP/1.0", "Connection: Upgrade", "Upgrade: websocket", *KEY)
    assert status(received) == 200
    assert not {"Upgrade", "Sec-WebSocket-Key", "Connection"} & {name for name, _ in arrived.fields.lines}


@pytest.mark.parametrize("method,sent,seen", [
    ("OPTIONS", "5", "4"), ("OPTIONS", "1", "0"), ("OPTIONS", "010", "9"), ("OPTIONS", "9" * 40, "999"),
    ("OPTIONS", "-1", None), ("GET", "0", "0"), ("GET", "5", "5"),
])
def test_max_forwards_counts_down_for_options(proxy, shared, method, sent, seen):
    """RFC 9110, 7.6.2."""
    arrived, received = ask(proxy, shared, f"{method} /x HTTP/1.1", f"Max-Forwards: {sent}")
    assert status(received) == 200 and arrived.fields.get("Max-Forwards") == seen


def test_an_options_that_may_go_no_further_is_answered_here(proxy, shared):
    arrived, received = ask(proxy, shared, "OPTIONS /x HTTP/1.1", "Max-Forwards: 0")
    assert arrived is None and status(received) == 204
    assert "OPTIONS" in values(received, "Allow")[0] and not values(received, "Content-Length")


def test_options_about_the_server_is_answered_for_the_server(proxy, shared):
    """RFC 9110, 9.3.7; to a session's host it is about the session."""
    arrived, received = ask(proxy, shared, "OPTIONS * HTTP/1.1", host="example.test")
    assert arrived is None and status(received) == 204
    assert {"GET", "DELETE", "OPTIONS"} <= set(values(received, "Allow")[0].split(", "))
    assert status(ask(proxy, shared, "OPTIONS / HTTP/1.1", host="example.test")[1]) == 405
    arrived, received = ask(proxy, shared, "OPTIONS * HTTP/1.1")
    assert arrived.line == "OPTIONS * HTTP/1.1" and status(received) == 200


def test_every_401_says_what_it_asks_for(start_router):
    """RFC 9110, 11.6.1."""
    router = start_router(DEV_EMAIL=None, ROUTER_DOMAIN="example.test", WORKERS=1)
    for host, path in [("example.test", "/"), ("example.test", "/api/me"), (f"{HASH}.example.test", "/")]:
        answer = router.request("GET", path, host)
        assert answer.status == 401 and answer.fields["WWW-Authenticate"].startswith("Forward-Auth ")
    router.stop()


def test_fields_that_connection_names_end_here(proxy, shared):
    """RFC 9110, 7.6.1."""
    arrived, received = ask(
        proxy, shared, "GET / HTTP/1.1", "Connection: X-Hop, Foo", "x-hop: 1", "Foo: 2", "X-End: 3",
        answer=b"HTTP/1.1 200 OK\r\nX-Hop: 1\r\nConnection: x-hop, keep-alive\r\nContent-Length: 0\r\n\r\n")
    assert status(received) == 200 and not values(received, "X-Hop")
    names = {name.lower() for name, _ in arrived.fields.lines}
    assert "x-end" in names and not names & {"x-hop", "foo", "connection"}


@pytest.mark.parametrize("path", ["/", "/api/me", "/nothing.js"])
@pytest.mark.parametrize("method,expected", [("FOO", 501), ("PROPFIND", 501), ("M-SEARCH", 501), ("PATCH", 405)])
def test_methods_that_nobody_knows_are_501_and_others_405_with_a_list(proxy, shared, path, method, expected):
    """RFC 9110, 9.1, 15.5.6 and 15.6.2; a session's own methods are its business."""
    received = ask(proxy, shared, f"{method} {path} HTTP/1.1", host="example.test")[1]
    assert status(received) == expected
    assert bool(values(received, "Allow")) == (expected == 405)
    arrived, received = ask(proxy, shared, f"{method} {path} HTTP/1.1")
    assert arrived.method == method and status(received) == 200


@pytest.mark.parametrize("host,path,expected", [
    ("example.test", "/api/sessions", 413), ("bbbbbbbbbbbb.example.test", "/", 404), (f"{HASH}.example.test", "/", 200)])
def test_an_early_answer_reaches_a_client_that_reads_only_when_it_has_sent_all(proxy, shared, host, path, expected):
    """RFC 9112, 9.6: closing must not make the answer be lost."""

    def script(peer):
        peer.read_head()
        peer.send(OK)
        peer.wait_closed()

    shared.script = script
    size = 24 << 20
    with proxy.connect(timeout=30) as connection:
        connection.send(message(
            f"POST {path} HTTP/1.1", host, f"Origin: http://{host}", "Content-Type: application/json", f"Content-Length: {size}"))
        for _ in range(24):
            connection.send(bytes(1 << 20))
        assert connection.read_response().status == expected
        assert connection.at_end()


def test_a_client_that_never_stops_sending_is_let_go_in_the_end(proxy):
    with proxy.connect(timeout=30) as connection:
        connection.send(message("POST /api/sessions HTTP/1.1", "example.test", "Content-Length: 99999999"))
        with pytest.raises(OSError):
            while True:
                connection.send(bytes(1000))
                time.sleep(0.01)


@pytest.mark.parametrize("line,expected", [
    ("GET /" + "x" * 100_000 + " HTTP/1.1", 414), ("GET /" + "x" * 8_180 + " HTTP/1.1", 414), ("X" * 100_000 + " / HTTP/1.1", 400),
    ("X" * 9_000, 400), ("GET / HTTP/1.1" + "1" * 9_000, 400), ("GET /" + "x" * 7_986 + " HTTP/1.1", 200),
])
def test_a_first_line_of_8000_bytes_passes_and_beyond_the_limit_only_a_target_is_a_414(proxy, shared, line, expected):
    """RFC 9112, 3."""
    arrived, received = ask(proxy, shared, line)
    assert status(received) == expected and (arrived is not None) == (expected == 200)


@pytest.mark.parametrize("extension,expected", [
    (";a", 200), (";a=b", 200), (';a="b;c"', 200), (";a=b;c", 200), ("; a = b", 200), (";", 400), (";;", 400), (";a=", 400),
    (";a[=b", 400), (";a=b c", 400), (';a="b', 400), (';a="\r\n"', 400), (" ;a", 400),
])
def test_chunk_extensions_are_dropped_and_what_is_none_is_refused(proxy, shared, extension, expected):
    """RFC 9112, 7.1.1."""
    arrived, received = ask(
        proxy, shared, "POST / HTTP/1.1", "Transfer-Encoding: chunked", body=f"2{extension}\r\nok\r\n0\r\n\r\n".encode())
    assert status(received) == expected
    if expected == 200:
        assert arrived.body == b"ok"


def test_a_file_that_is_not_the_one_asked_for_is_a_412(proxy, shared):
    """RFC 9110, 13.1.1 and 13.2.2."""
    tag = values(ask(proxy, shared, "GET / HTTP/1.1", host="example.test")[1], "ETag")[0]
    for sent, expected in [(tag, 200), ("*", 200), ('"other"', 412), ("W/" + tag, 412)]:
        received = ask(proxy, shared, "GET / HTTP/1.1", f"If-Match: {sent}", host="example.test")[1]
        assert status(received) == expected


LENGTH, CHUNKS = "Content-Length: 200000", "Transfer-Encoding: chunked"


@pytest.mark.parametrize("host,path", [(f"{HASH}.example.test", "/"), ("example.test", "/api/sessions")])
@pytest.mark.parametrize("fields,body", [
    ([LENGTH], b""), ([LENGTH], b"abc"), ([LENGTH], bytes(150000)), ([LENGTH, "Expect: 100-continue"], b""),
    ([CHUNKS], b""), ([CHUNKS], b"5"), ([CHUNKS], b"5\r\nabc"), ([CHUNKS], b"3\r\nabc\r\n"), ([CHUNKS], b"3\r\nabc\r\n0\r\n"),
    ([CHUNKS], b"30000\r\n" + bytes(150000)),
])
def test_a_body_that_its_client_ends_too_early_is_a_400_and_no_request_for_the_session(proxy, shared, host, path, fields, body):
    """RFC 9112, 6.3 and 8: the client may have ended no more than its own side."""
    seen = queue.Queue()

    def script(peer):
        try:
            seen.put(peer.read_request())
        except EOFError:
            seen.put(None)
        peer.wait_closed()
        seen.put("closed")

    shared.script = script
    with proxy.connect(timeout=30) as connection:
        connection.send(message(
            f"POST {path} HTTP/1.1", host, f"Origin: http://{host}", "Content-Type: application/json", *fields) + body)
        connection.socket.shutdown(socket.SHUT_WR)
        answer = connection.read_response()
        assert answer.status == 400, answer
        assert answer.json()["code"] == "incomplete_body"
        assert answer.fields["Connection"] == "close" and connection.at_end()
    if host != "example.test":
        assert seen.get(timeout=30) is None
        assert seen.get(timeout=30) == "closed", "a connection with half a request on it was kept"


def test_an_answer_that_has_begun_breaks_off_when_its_client_ends_the_body_too_early(proxy, shared):
    """What is behind it would be taken for the rest of the body."""

    def script(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello")
        peer.wait_closed()

    shared.script = script
    with proxy.connect(timeout=30) as connection:
        host = f"{HASH}.example.test"
        connection.send(message("POST / HTTP/1.1", host, f"Origin: http://{host}", LENGTH) + b"abc")
        assert connection.read_head().status == 200
        assert connection.read_exactly(5) == b"hello"
        connection.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(Truncated):
            connection.read_exactly(1)
