"""Messages that two readers could see differently are refused, and nothing after them is served."""

import pytest

GOOD = b"GET /api/me HTTP/1.1\r\nHost: %(host)s\r\n\r\n"


def ask(router, data, host=None):
    """Sends bytes followed by a good request; returns the statuses of all answers until the connection ends."""
    host = (host or router.host).encode()
    data = data.replace(b"%(host)s", host)
    statuses = []
    with router.connect(timeout=20) as connection:
        connection.send(data + GOOD.replace(b"%(host)s", host))
        try:
            while True:
                statuses.append(connection.read_response().status)
        except (EOFError, OSError, TimeoutError) as _:
            return statuses
        except Exception as error:
            if type(error).__name__ != "Truncated":
                raise
            return statuses


CLOSING = {
    "length and coding": b"POST /x HTTP/1.1\r\nHost: %(host)s\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST /x HTTP/1.1\r\nHost: %(host)s\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "two equal lengths": b"POST /x HTTP/1.1\r\nHost: %(host)s\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "signed length": b"POST /x HTTP/1.1\r\nHost: %(host)s\r\nContent-Length: +5\r\n\r\nhello",
    "list of lengths": b"POST /x HTTP/1.1\r\nHost: %(host)s\r\nContent-Length: 5, 5\r\n\r\nhello",
    "other coding": b"POST /x HTTP/1.1\r\nHost: %(host)s\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding twice": b"POST /x HTTP/1.1\r\nHost: %(host)s\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding with a tab": b"POST /x HTTP/1.1\r\nHost: %(host)s\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "coding in 1.0": b"POST /x HTTP/1.0\r\nHost: %(host)s\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost : %(host)s\r\n\r\n",
    "folded field": b"GET / HTTP/1.1\r\nHost: %(host)s\r\nX: a\r\n b\r\n\r\n",
    "bare line feed": b"GET / HTTP/1.1\nHost: %(host)s\n\n",
    "bare carriage return": b"GET / HTTP/1.1\r\nHost: %(host)s\r\nX: a\rb\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\nHost: %(host)s\r\nX: a\x00b\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\nHost: %(host)s\r\n: x\r\n\r\n",
    "fragment": b"GET /#x HTTP/1.1\r\nHost: %(host)s\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: %(host)s\r\nHost: %(host)s\r\n\r\n",
    "empty host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "junk port": b"GET / HTTP/1.1\r\nHost: localhost:80x\r\n\r\n",
    "user in host": b"GET / HTTP/1.1\r\nHost: a@%(host)s\r\n\r\n",
    "absolute form that disagrees": b"GET http://other.example/ HTTP/1.1\r\nHost: %(host)s\r\n\r\n",
    "bad chunk size": b"POST /api/sessions HTTP/1.1\r\nHost: %(host)s\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "CONNECT": b"CONNECT %(host)s HTTP/1.1\r\nHost: %(host)s\r\n\r\n",
    "TRACE": b"TRACE / HTTP/1.1\r\nHost: %(host)s\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "CONNECT with a body": b"CONNECT %(host)s HTTP/1.1\r\nHost: %(host)s\r\nContent-Length: 3\r\n\r\nabc",
    "CONNECT to a path": b"CONNECT / HTTP/1.1\r\nHost: %(host)s\r\n\r\n",
    "CONNECT elsewhere": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    "TRACE with a body": b"TRACE / HTTP/1.1\r\nHost: %(host)s\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/2 preface with a host": b"PRI * HTTP/2.0\r\nHost: %(host)s\r\n\r\nSM\r\n\r\n",
    "version 1.2": b"GET / HTTP/1.2\r\nHost: %(host)s\r\n\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("name", CLOSING)
@pytest.mark.parametrize("place", ["picker", "session"])
def test_it_is_refused_and_nothing_after_it_is_served(router, session, name, place):
    host = router.host if place == "picker" else router.session_host(session)
    statuses = ask(router, CLOSING[name], host)
    assert len(statuses) == 1, statuses
    assert 400 <= statuses[0] < 600, statuses


@pytest.mark.parametrize("line,status", [
    (b"GET /\r\n", 400), (b"GET / \r\n", 400), (b"\r\nGET /\r\n", 400), (b"hello\r\n", 400), (b"get / HTTP/1.1\r\n", 400),
    (b"GET / HTTP/1.2\r\n", 505), (b"PRI * HTTP/2.0\r\n", 505), (b"CONNECT a:1 HTTP/1.1\r\n", 405),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400), (b"GET / HTTP/1.1\n", 400),
])
def test_a_first_line_that_is_no_request_is_refused_without_waiting_for_more(router, line, status):
    with router.connect(timeout=20) as connection:
        connection.send(line)
        assert connection.read_response().status == status
        assert connection.at_end()


def test_a_head_beyond_the_limit_is_431(router):
    data = b"GET / HTTP/1.1\r\nHost: %(host)s\r\n" + b"".join(
        b"X-%d: %b\r\n" % (n, b"x" * 1000) for n in range(70)) + b"\r\n"
    assert ask(router, data) == [431]


def test_a_target_beyond_the_limit_is_414(router):
    assert ask(router, b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: %(host)s\r\n\r\n") == [414]


def test_upgrades_other_than_websocket_never_pass(router, session):
    host = router.session_host(session)
    with router.connect() as connection:
        answer = connection.request("GET", "/demo/request", host, {
            "Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"})
        assert answer.status != 101
        if answer.status == 200:
            names = {name.lower() for name, _ in answer.json()["fields"]}
            assert not names & {"upgrade", "http2-settings"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_keeps_the_connection_in_step(router, session, method):
    host = router.session_host(session)
    with router.connect() as connection:
        for _ in range(3):
            connection.request(method, "/demo/upload/none", host, {"Origin": f"http://{host}"},
                               b"x" if method in ("POST", "PUT", "PATCH") else None)
            assert connection.request("GET", "/api/me", router.host).json()["email"] == router.EMAIL
