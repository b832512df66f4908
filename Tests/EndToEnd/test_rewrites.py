"""What passes between a browser and a session, byte for byte, and which pages may send what."""

import base64
import hashlib
import json
import re

import pytest

from harness.upstream import ScriptedUpstream

HASH = "aaaaaaaaaaaa"
ALICE = "alice@example.com"
SECRET = "0123456789abcdef0123"
PROOF = [f"X-Gateway-Key: {SECRET}", f"X-Auth-Request-Email: {ALICE}"]
REQUEST_ID = re.compile(rb"(?<=\r\nX-Request-Id: )[0-9a-zA-Z._-]+(?=\r\n)")
# What the gateway adds to every final answer of a session.
HARDENING = [
    "X-Content-Type-Options: nosniff", "Referrer-Policy: same-origin",
    "Content-Security-Policy: frame-ancestors <ANCESTORS>",
    "Cross-Origin-Opener-Policy: same-origin-allow-popups", "Origin-Agent-Cluster: ?1", "X-Request-Id: <ID>",
]
WEBSOCKET = [
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]


@pytest.fixture(scope="module")
def upstream():
    server = ScriptedUpstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def dev_server():
    """Listens on another port of the same session."""
    server = ScriptedUpstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def start_proxy(start_router, upstream):
    def start(**settings):
        routes = [{"hash": HASH, "email": ALICE, "target": f"http://127.0.0.1:{upstream.port}"}]
        return start_router(
            DEV_EMAIL=None, AUTH_SECRET=SECRET, ROUTER_DOMAIN="example.test", DEV_ROUTES=json.dumps(routes),
            WORKERS=1, **settings)

    return start


@pytest.fixture(scope="module")
def proxy(start_proxy):
    return start_proxy()


@pytest.fixture(scope="module")
def telling_proxy(start_proxy):
    return start_proxy(POD_IDENTITY="true", AUTH_COOKIE_PREFIXES="_oauth2,corp_sso")


def head(*lines):
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def ask(proxy, upstream, lines, answer=b"HTTP/1.1 204 No Content\r\n\r\n", request_line="GET / HTTP/1.1",
        host=f"{HASH}.example.test", body=b"", proof=PROOF):
    """Sends one request; returns what the session got (nothing if it got none) and what the browser got, raw."""
    upstream.requests.clear()
    upstream.script = lambda peer: peer.answer(answer)
    with proxy.connect() as connection:
        connection.send(head(request_line, f"Host: {host}", *proof, *lines) + body)
        while b"\r\n\r\n" not in connection.unread:
            connection._fill()
        received = connection.unread
    assert len(upstream.requests) <= 1
    arrived = upstream.requests[0].raw if upstream.requests else None
    return arrived, received


def without_id(data):
    """With the request's id masked; it is there exactly once."""
    masked, count = REQUEST_ID.subn(b"<ID>", data)
    assert count == 1, data
    return masked


def session_sees(kept, request_line="GET / HTTP/1.1", host=f"{HASH}.example.test", public=None, written=(),
                 client="127.0.0.1", user=()):
    """The head that a session must have got."""
    return head(
        request_line, f"Host: {host}", *kept, *written, f"X-Forwarded-For: {client}",
        f"X-Forwarded-Host: {public or host}", "X-Forwarded-Proto: http", *user, "X-Request-Id: <ID>",
        "Via: 1.1 opencode-router")


@pytest.mark.parametrize("line", [
    "Authorization: Bearer secret", "authorization: Basic c2VjcmV0", "Proxy-Authorization: Basic c2VjcmV0",
    "Proxy-Connection: keep-alive", "Proxy-Anything: 1", "Forwarded: for=6.6.6.6", "X-Real-Ip: 6.6.6.6",
    "X-Auth-Request-User: root", "X-Auth-Request-Groups: admins", "X-Auth-Request-Access-Token: secret",
    "X-Auth-Request-Preferred-Username: root", "x-auth-request-anything: 1",
    "X-Forwarded-User: root", "X-Forwarded-Email: root@example.com", "X-Forwarded-Groups: admins",
    "X-Forwarded-Preferred-Username: root", "X-Forwarded-Access-Token: secret", "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: gopher", "X-Forwarded-Port: 1", "X-Forwarded-Uri: /admin", "X-Forwarded-Prefix: /x",
    "X-FORWARDED-SERVER: x", "GAP-Auth: root@example.com", "GAP-Signature: sha256 x", "X-Admin-Secret: guess",
    "X-Pod-Secret: guess", "X-Attach-Password: guess",
    "Set-Cookie: _oauth2_proxy=renewed", "X_Custom: 1", "X_Forwarded_User: root", "Keep-Alive: timeout=5",
    "TE: trailers", "Trailer: X-Sum", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: x",
])
def test_a_field_that_is_not_the_session_s_to_see_is_dropped(proxy, upstream, line):
    arrived, _ = ask(proxy, upstream, ["Accept: */*", line, "X-After: 1"])
    assert without_id(arrived) == session_sees(["Accept: */*", "X-After: 1"])


@pytest.mark.parametrize("line", [
    "Accept: text/html;q=0.9, */*", "accept-LANGUAGE: de", "Accept-Encoding: gzip, br", "User-Agent: A/1 (B; C)",
    "Range: bytes=0-1", "If-None-Match: \"a\"", "Referer: http://aaaaaaaaaaaa.example.test/x", "Sec-Fetch-Site: none",
    "X-Opencode-Directory: %2Fhome", "X-Custom-Header: \xe4 \x80", "X-Empty:", "Via: 1.1 traefik", "DNT: 1",
    "Cache-Control: no-cache", "Content-Type: text/plain", "traceparent: 00-1-2-01", "X-ForwardedEmail: x",
])
def test_any_other_field_arrives_as_it_was_spelt(proxy, upstream, line):
    arrived, _ = ask(proxy, upstream, ["A: 1", line, "B: 2"])
    kept = line + " " if line.endswith(":") else line
    assert without_id(arrived) == session_sees(["A: 1", kept, "B: 2"])


def test_the_order_and_doubled_fields_stay(proxy, upstream):
    lines = ["B: 1", "A: 2", "b: 3", "Authorization: x", "C: 4", "A: 5"]
    arrived, _ = ask(proxy, upstream, lines, request_line="GET /a/b%2Fc/../d?x=1&y=%2F&&=;? HTTP/1.1")
    assert without_id(arrived) == session_sees(
        ["B: 1", "A: 2", "b: 3", "C: 4", "A: 5"], "GET /a/b%2Fc/../d?x=1&y=%2F&&=;? HTTP/1.1")


@pytest.mark.parametrize("sent, kept", [
    (["a=1"], ["a=1"]),
    (["_oauth2_proxy=s"], []),
    (["_oauth2_proxy=s; a=1"], ["a=1"]),
    (["a=1; _oauth2_proxy=s|1|x==; b=2"], ["a=1; b=2"]),
    (["_oauth2_proxy_0=s; _oauth2_proxy_1=t; _oauth2_proxy_AbCdEf12_csrf=u; a=1"], ["a=1"]),
    (["a=1; _OAuth2_Proxy=s"], ["a=1"]),
    (["a=1;_oauth2=s;b=2"], ["a=1;b=2"]),
    (["a=1; =_oauth2_proxy=s; _oauth2; b=2"], ["a=1; b=2"]),
    (['a="x; _oauth2_proxy=s; y"; b=2'], ['a="x; y"; b=2']),
    (["a=_oauth2_proxy; my_oauth2=1"], ["a=_oauth2_proxy; my_oauth2=1"]),
    (["a=1", "_oauth2_proxy=s", "b=2; _oauth2_group=t"], ["a=1", "b=2"]),
    ([""], []),
])
def test_sign_in_cookies_leave_every_cookie_line_and_others_stay(proxy, upstream, sent, kept):
    arrived, _ = ask(proxy, upstream, [f"Cookie: {value}" for value in sent] + ["Sec-Fetch-Site: same-origin"])
    assert without_id(arrived) == session_sees([f"Cookie: {value}" for value in kept] + ["Sec-Fetch-Site: same-origin"])


def test_the_prefixes_of_sign_in_cookies_are_a_setting(telling_proxy, upstream):
    arrived, _ = ask(telling_proxy, upstream, ["Cookie: corp_sso=s; a=1; CORP_SSO_2=t; _oauth2_x=u; corp=v"])
    assert without_id(arrived) == session_sees(["Cookie: a=1; corp=v"], user=[f"X-Forwarded-User: {ALICE}"])


@pytest.mark.parametrize("cookies", [["_oauth2_proxy=a; _oauth2_proxy=b"], ["_oauth2_proxy=a", "x=1; _oauth2_proxy=b"]])
def test_a_planted_second_sign_in_cookie_is_refused(proxy, upstream, cookies):
    arrived, received = ask(proxy, upstream, [f"Cookie: {value}" for value in cookies])
    assert arrived is None
    assert received.startswith(b"HTTP/1.1 400 ") and b"auth_cookie_duplicate" in received


def test_a_session_is_told_the_user_only_if_that_is_wanted(proxy, telling_proxy, upstream):
    lines = ["X-Forwarded-User: root", "x-forwarded-user: admin"]
    assert without_id(ask(proxy, upstream, lines)[0]) == session_sees([])
    told = without_id(ask(telling_proxy, upstream, lines)[0])
    assert told == session_sees([], user=[f"X-Forwarded-User: {ALICE}"])
    proof = [PROOF[0], "X-Auth-Request-Email:  Alice@EXAMPLE.com "]
    assert without_id(ask(telling_proxy, upstream, lines, proof=proof)[0]) == told


@pytest.mark.parametrize("lines, client", [
    ([], "127.0.0.1"),
    (["X-Forwarded-For: 203.0.113.7"], "203.0.113.7"),
    (["X-Forwarded-For: 6.6.6.6, 203.0.113.7"], "203.0.113.7"),
    (["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 2001:db8::1"], "2001:db8::1"),
    (["X-Forwarded-For: <script>"], "127.0.0.1"),
])
def test_the_client_s_address_is_the_one_that_the_ingress_wrote(proxy, upstream, lines, client):
    assert without_id(ask(proxy, upstream, lines)[0]) == session_sees([], client=client)


@pytest.mark.parametrize("sent, is_kept", [
    (["trace-1.a_B"], True), (["x" * 64], True), (["x" * 65], False), (["a b"], False), (["a<b"], False), ([""], False),
])
def test_a_request_s_id_is_the_ingress_s_if_it_is_a_plain_word(proxy, upstream, sent, is_kept):
    """And whatever a session says, the answer has the same id."""
    arrived, received = ask(proxy, upstream, [f"X-Request-Id: {value}" for value in sent],
                            answered("X-Request-Id: chosen-by-the-session"))
    [there], [back] = REQUEST_ID.findall(arrived), REQUEST_ID.findall(received)
    assert there == back
    assert (there.decode() in sent) == is_kept and (is_kept or len(there) == 32)


def test_a_port_s_host_is_localhost_and_the_public_name_goes_beside_it(proxy, dev_server):
    public = f"{dev_server.port}-{HASH}.example.test"
    arrived, _ = ask(proxy, dev_server, ["A: 1", "X-Forwarded-Host: evil.example"], host=public)
    assert without_id(arrived) == session_sees(["A: 1"], host=f"localhost:{dev_server.port}", public=public)


def test_a_body_arrives_under_one_length_or_as_chunks(proxy, upstream):
    line = "POST /session HTTP/1.1"
    origin = f"Origin: http://{HASH}.example.test"
    arrived, _ = ask(proxy, upstream, [origin, "Content-Length: 5", "B: 1"], request_line=line, body=b"hello")
    assert without_id(arrived) == session_sees([origin, "B: 1"], line, written=["Content-Length: 5"])
    assert upstream.requests[0].body == b"hello"
    chunks = b"3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n"
    arrived, _ = ask(proxy, upstream, [origin, "Transfer-Encoding: chunked"], request_line=line, body=chunks)
    assert without_id(arrived) == session_sees([origin], line, written=["Transfer-Encoding: chunked"])
    assert upstream.requests[0].body == b"hello"


def answered(*lines):
    return head("HTTP/1.1 200 OK", *lines, "Content-Length: 2") + b"ok"


def assert_browser_sees(proxy, received, kept, hardening=HARDENING):
    head_bytes, _, body = received.partition(b"\r\n\r\n")
    assert body == b"ok"[:len(body)]
    text = without_id(head_bytes + b"\r\n\r\n").decode("latin-1")
    # When it came, unless the session says when it was made.
    text, dated = re.subn(r"Date: \w{3}, [\w :]+ GMT\r\n", "", text)
    assert dated == (0 if any(line.startswith("Date: ") for line in kept) else 1), text
    ancestors = re.search(r"frame-ancestors ([^\r]*)\r\n", text)
    assert ancestors and ancestors.group(1).startswith("'self'") and "*" not in ancestors.group(1).split(), text
    expected = head("HTTP/1.1 200 OK", *kept, "Content-Length: 2", *hardening).decode("latin-1")
    assert text == expected.replace("<ANCESTORS>", ancestors.group(1))


@pytest.mark.parametrize("line", [
    "Set-Cookie: _oauth2_proxy=evil", "Set-Cookie: _oauth2_proxy=evil; Domain=.example.test; Path=/api",
    "set-cookie: _OAUTH2_PROXY_0=evil; Path=/", "Set-Cookie: =_oauth2_proxy=evil", "Set-Cookie: _oauth2_proxy",
    "X-Auth-Request-Email: root@example.com", "X-Auth-Request-Access-Token: x", "GAP-Auth: root@example.com",
    "X-Forwarded-Email: root@example.com", "Clear-Site-Data: \"*\"", "Alt-Svc: h2=\"evil.example:443\"",
    "Strict-Transport-Security: max-age=1; includeSubDomains", "Service-Worker-Allowed: /",
    "Public-Key-Pins: x", "NEL: {}", "Report-To: {}", "Access-Control-Allow-Credentials: true",
    "Keep-Alive: timeout=5", "Proxy-Authenticate: Basic", "Trailer: X-Sum",
    "Sec-WebSocket-Accept: x", "X-Request-Id: chosen-by-the-session", "X-Content-Type-Options: sniff",
    "Origin-Agent-Cluster: ?0", "Connection: keep-alive",
])
def test_an_answer_s_field_that_acts_beyond_the_session_is_dropped(proxy, upstream, line):
    _, received = ask(proxy, upstream, [], answered("A: 1", line, "B: 2"))
    assert_browser_sees(proxy, received, ["A: 1", "B: 2"])


@pytest.mark.parametrize("line", [
    "Set-Cookie: a=1; Path=/; HttpOnly; SameSite=Lax", "Set-Cookie: __Host-theirs=1; Secure; Path=/",
    "Content-Type: text/html", "ETag: \"a\"", "Location: http://elsewhere.example/", "Server: x", "Date: yesterday",
    "Content-Security-Policy: default-src 'none'", "Access-Control-Allow-Origin: *", "WWW-Authenticate: Basic",
    "Content-Encoding: gzip", "X-Frame-Options: DENY", "Content-Disposition: attachment",
])
def test_any_other_field_of_an_answer_stays(proxy, upstream, line):
    _, received = ask(proxy, upstream, [], answered("A: 1", line, "B: 2"))
    if line.startswith("Content-Security-Policy"):
        assert (line + "\r\n").encode() in received and b"\r\nContent-Security-Policy: frame-ancestors " in received
    else:
        assert_browser_sees(proxy, received, ["A: 1", line, "B: 2"])


@pytest.mark.parametrize("line", ["Referrer-Policy: no-referrer", "Cross-Origin-Opener-Policy: same-origin"])
def test_a_session_s_own_policy_stands_in_for_ours(proxy, upstream, line):
    _, received = ask(proxy, upstream, [], answered(line))
    name = line.partition(":")[0]
    assert_browser_sees(proxy, received, [line], [entry for entry in HARDENING if not entry.startswith(name)])


@pytest.mark.parametrize("sent, got", [
    ("a=1; Domain=.example.test; Path=/", "a=1; Path=/"),
    ("a=1; Path=/; domain = example.test", "a=1; Path=/"),
    ("a=1;DOMAIN=x;Domain=y;Secure", "a=1;Secure"),
    ("a=1; Domain", "a=1"),
    ("a=Domain=x; Path=/", "a=Domain=x; Path=/"),
])
def test_a_session_s_cookie_stays_on_its_own_host(proxy, upstream, sent, got):
    _, received = ask(proxy, upstream, [], answered(f"Set-Cookie: {sent}"))
    assert_browser_sees(proxy, received, [f"Set-Cookie: {got}"])


def test_a_websocket_s_heads_hold_only_what_belongs_to_it(proxy, dev_server):
    dev_server.requests.clear()
    accept = base64.b64encode(hashlib.sha1(
        b"dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()

    def script(peer):
        peer.read_head()
        peer.send(head(
            "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", "Server: x",
            f"Sec-WebSocket-Accept: {accept}", "Sec-WebSocket-Protocol: vite-hmr", "Set-Cookie: a=1",
            "Set-Cookie: _oauth2_proxy=evil; Domain=.example.test", "X-Auth-Request-Email: root@example.com",
            "Strict-Transport-Security: max-age=1") + b"first")
        peer.send(peer.read_exactly(4).upper())

    dev_server.script = script
    host = f"{dev_server.port}-{HASH}.example.test"
    origin = f"Origin: http://{host}"
    with proxy.connect() as connection:
        connection.send(head(
            "GET /hmr?token=1 HTTP/1.1", f"Host: {host}", *PROOF, *WEBSOCKET, "Sec-WebSocket-Protocol: vite-hmr",
            origin, "Cookie: _oauth2_proxy=s; a=1", "Authorization: Bearer secret", "Accept: */*"))
        while b"first" not in connection.unread:
            connection._fill()
        received, connection.unread = connection.unread, b""
        connection.send(b"ping")
        assert connection.read_exactly(4) == b"PING"
    assert without_id(received) == head(
        "HTTP/1.1 101 Switching Protocols", f"Sec-WebSocket-Accept: {accept}", "Sec-WebSocket-Protocol: vite-hmr",
        "Connection: Upgrade", "Upgrade: websocket", "X-Request-Id: <ID>") + b"first"
    assert without_id(dev_server.requests[0].raw) == session_sees(
        [*WEBSOCKET[2:], "Sec-WebSocket-Protocol: vite-hmr", origin, "Cookie: a=1", "Accept: */*"],
        "GET /hmr?token=1 HTTP/1.1", host=f"localhost:{dev_server.port}", public=host,
        written=["Connection: Upgrade", "Upgrade: websocket"])


@pytest.mark.parametrize("lines", [
    ["Connection: X-Auth-Request-Email"], ["Connection: keep-alive, X-Gateway-Key"], ["Connection: Cookie"],
])
def test_connection_cannot_take_fields_away(proxy, upstream, lines):
    arrived, received = ask(proxy, upstream, lines)
    assert received.startswith(b"HTTP/1.1 400 "), received
    assert arrived is None


@pytest.mark.parametrize("lines", [
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: x"],
    ["Upgrade: h2c", "Connection: Upgrade"], ["Upgrade: TLS/1.0", "Connection: Upgrade"],
])
def test_another_protocol_is_not_offered_to_the_session(proxy, upstream, lines):
    assert without_id(ask(proxy, upstream, lines)[0]) == session_sees([])


OWN = f"http://{HASH}.example.test"
SIBLING = "http://bbbbbbbbbbbb.example.test"
COOKIE = "Cookie: a=1"
NAVIGATION = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"]


def site(value):
    return f"Sec-Fetch-Site: {value}"


@pytest.mark.parametrize("method, lines, code", [
    # A browser reads.
    ("GET", [site("same-origin"), COOKIE], None),
    ("GET", [site("none"), COOKIE], None),
    ("GET", [site("same-site"), COOKIE], "fetch_cross_site"),
    ("GET", [site("cross-site"), COOKIE], "fetch_cross_site"),
    ("GET", [site("unheard-of"), COOKIE], "fetch_cross_site"),
    ("HEAD", [site("cross-site")], "fetch_cross_site"),
    ("GET", [site("same-site"), "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"], "fetch_cross_site"),
    ("GET", [site("same-site"), "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", f"Origin: {SIBLING}"],
     "origin_foreign"),
    # A link leads here; a frame, a worker or an upgrade is no link.
    ("GET", [site("same-site"), *NAVIGATION, COOKIE], None),
    ("GET", [site("cross-site"), *NAVIGATION, COOKIE], None),
    ("GET", [site("cross-site"), "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"], "fetch_cross_site"),
    ("POST", [site("cross-site"), *NAVIGATION, "Origin: http://evil.example"], "origin_foreign"),
    ("POST", [site("same-site"), *NAVIGATION, f"Origin: {SIBLING}", COOKIE], "origin_foreign"),
    # A browser changes something.
    ("POST", [site("same-origin"), f"Origin: {OWN}", COOKIE], None),
    ("POST", [site("same-origin"), f"Origin: {OWN.upper().replace('HTTP', 'http')}"], None),
    ("POST", [site("same-origin"), COOKIE], "origin_missing"),
    ("DELETE", [f"Origin: {SIBLING}"], "origin_foreign"),
    ("PUT", ["Origin: null"], "origin_foreign"),
    ("PATCH", [f"Origin: {OWN}.evil.example"], "origin_foreign"),
    ("POST", [f"Origin: {OWN}:8080"], "origin_foreign"),
    ("POST", [f"Origin: https://{HASH}.example.test"], "origin_foreign"),
    ("POST", [f"Origin: {OWN}", f"Origin: {OWN}"], "origin_ambiguous"),
    ("GET", [site("same-origin"), site("cross-site")], "origin_ambiguous"),
    # A browser without fetch metadata.
    ("GET", [COOKIE], None),
    ("GET", [f"Origin: {SIBLING}", COOKIE], "origin_foreign"),
    ("POST", [f"Origin: {OWN}", COOKIE], None),
    ("POST", [COOKIE], "origin_missing"),
    # A command line tool keeps no cookies and sends neither.
    ("GET", [], None), ("POST", [], None), ("DELETE", [], None),
    # Service workers would outlive the session.
    ("GET", ["Service-Worker: script"], "service_worker_refused"),
    ("GET", [site("same-origin"), "Sec-Fetch-Dest: serviceworker"], "service_worker_refused"),
    # WebSockets: the Origin decides, whatever the fetch metadata say.
    ("WS", [f"Origin: {OWN}", COOKIE], None),
    ("WS", [f"Origin: {OWN}", site("same-origin"), "Sec-Fetch-Mode: websocket"], None),
    ("WS", [f"Origin: {SIBLING}", COOKIE], "origin_foreign"),
    ("WS", [f"Origin: {SIBLING}", site("same-origin")], "origin_foreign"),
    ("WS", ["Origin: null"], "origin_foreign"),
    ("WS", [f"Origin: {SIBLING}", *NAVIGATION], "origin_foreign"),
    ("WS", [COOKIE], "origin_missing"),
    ("WS", [], None),
])
def test_a_session_hears_only_its_own_pages_links_and_tools(proxy, upstream, method, lines, code):
    if method == "WS":
        lines = [*WEBSOCKET, *lines]
    elif method not in ("GET", "HEAD"):
        lines = [*lines, "Content-Length: 0"]
    line = f"{'GET' if method == 'WS' else method} / HTTP/1.1"
    arrived, received = ask(proxy, upstream, lines, request_line=line)
    if code is None:
        assert arrived is not None and received.startswith(b"HTTP/1.1 204 "), received
    else:
        assert arrived is None and received.startswith(b"HTTP/1.1 403 "), received
        assert method == "HEAD" or f'"{code}"'.encode() in received


PICKER = "http://code.example.test"
JSON = "Content-Type: application/json"


@pytest.mark.parametrize("method, path, lines, status", [
    ("GET", "/api/me", [site("same-origin"), COOKIE], 200),
    ("GET", "/api/me", [site("same-site"), COOKIE], 403),
    ("GET", "/api/me", [site("same-site"), f"Origin: {OWN}", COOKIE], 403),
    ("GET", "/api/me", [site("cross-site"), *NAVIGATION], 403),
    ("GET", "/api/sessions/stream", [site("same-site"), COOKIE], 403),
    ("GET", "/", [site("cross-site"), *NAVIGATION], 200),
    ("GET", "/", [site("cross-site"), "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"], 403),
    ("GET", "/", [site("same-site"), "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"], 403),
    ("POST", "/api/sessions", [f"Origin: {PICKER}", "Content-Type: text/plain", COOKIE], 403),
    ("POST", "/api/sessions", [f"Origin: {PICKER}", COOKIE], 403),
    ("POST", "/api/sessions", [f"Origin: {PICKER}", "Content-Type: application/json-seq"], 403),
    ("POST", "/api/sessions", [f"Origin: {PICKER}", JSON, COOKIE], 400),
    ("POST", "/api/sessions", [f"Origin: {OWN}", JSON, COOKIE], 403),
    ("POST", "/api/sessions", [JSON, COOKIE], 403),
    ("POST", "/api/sessions", [JSON], 400),
])
def test_the_picker_and_its_api_hear_only_the_picker(proxy, upstream, method, path, lines, status):
    body = b"[]" if method == "POST" else b""
    lines = [*lines, f"Content-Length: {len(body)}"] if body else lines
    _, received = ask(
        proxy, upstream, lines, request_line=f"{method} {path} HTTP/1.1", host="code.example.test", body=body)
    assert received.startswith(f"HTTP/1.1 {status} ".encode()), received
    assert b"\r\nAccess-Control-" not in received
