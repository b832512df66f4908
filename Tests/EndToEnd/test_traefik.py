"""Behind a real Traefik with the configuration that docs/deployment.md recommends: nobody spoofs an identity."""

import json
import threading

import pytest

from harness.http1 import Connection
from harness.traefik import TRAEFIK, Traefik, sign_in_service
from harness.upstream import ScriptedUpstream

SECRET = "0123456789abcdef0123"
PICKER = "code.example.com"
HOSTS = {"alice": "aaaaaaaaaaaa-oc.example.com", "bob": "bbbbbbbbbbbb-oc.example.com"}
ROOT_EMAIL = "root@example.com"
pytestmark = pytest.mark.skipif(TRAEFIK is None, reason="Traefik is not installed")


@pytest.fixture(scope="module")
def sign_in():
    server = sign_in_service()
    yield server
    server.close()


@pytest.fixture(scope="module")
def session():
    server = ScriptedUpstream()

    def script(peer):
        while (request := peer.read_request()) is not None:
            if request.fields.get("Upgrade"):
                peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello")
                peer.wait_closed()
                return
            peer.send(b"HTTP/1.1 200 OK\r\nSet-Cookie: _oauth2_proxy=evil; Domain=.example.com; Path=/\r\n"
                      b"Set-Cookie: own=1; Domain=.example.com\r\nContent-Length: 2\r\n\r\nok")

    server.script = script
    yield server
    server.close()


@pytest.fixture(scope="module")
def gateway(start_router, session):
    routes = [{"hash": host[:12], "email": f"{name}@example.com", "target": f"http://127.0.0.1:{session.port}"}
              for name, host in HOSTS.items()]
    return start_router(
        DEV_EMAIL=None, AUTH_SECRET=SECRET, ROUTER_DOMAIN="example.com", ROUTE_SUFFIX="-oc", ROUTER_PROTO="https",
        DEV_ROUTES=json.dumps(routes))


@pytest.fixture(scope="module")
def edge(tmp_path_factory, gateway, sign_in):
    """Traefik's port."""
    traefik = Traefik(tmp_path_factory.mktemp("traefik"), SECRET, sign_in.port, gateway.port)
    yield traefik.port
    traefik.stop()


def me(edge, cookie, lines=()):
    with Connection(edge) as connection:
        cookies = [("Cookie", f"_oauth2_proxy={cookie}")] if cookie else []
        connection.send(connection.head("GET", "/api/me", PICKER, cookies + list(lines)))
        return connection.read_response()


def spellings(name):
    """The name as clients may write it so that somebody takes it for the real one."""
    under = name.replace("-", "_")
    return [name, name.lower(), name.upper(), under, under.upper(), name.replace("-", "_", 1), name.replace("-", ".")]


FAMILIES = [
    "X-Auth-Request-Email", "X-Auth-Request-User", "X-Auth-Request-Preferred-Username", "X-Auth-Request-Groups",
    "X-Forwarded-Email", "X-Forwarded-User", "X-Forwarded-Preferred-Username", "GAP-Auth", "Remote-User",
    "X-Gateway-Key",
]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_spoofed_field_of_any_family_and_spelling_is_no_identity(edge, name):
    for spelling in spellings(name):
        for lines in ([(spelling, ROOT_EMAIL)], [(spelling, ROOT_EMAIL)] * 2,
                      [(spelling, ROOT_EMAIL), ("Connection", f"close, {spelling}")]):
            assert me(edge, None, lines).status == 401, lines
            # Signed in, but without an address: the client's own must not fill the gap.
            assert me(edge, "nameless", lines).status in (400, 401), lines
            answer = me(edge, "alice", lines)
            if answer.status == 200:
                assert answer.json()["email"] == "alice@example.com", lines
            else:
                assert answer.status in (400, 401), answer
            assert b"root" not in answer.body


def test_everything_spoofed_at_once_is_no_identity(edge):
    lines = [(spelling, ROOT_EMAIL) for name in FAMILIES for spelling in spellings(name) if "." not in spelling]
    assert me(edge, "nameless", lines).status == 401
    assert me(edge, "alice", lines).json()["email"] == "alice@example.com"


@pytest.mark.parametrize("names", [
    "X-Auth-Request-Email", "X-Gateway-Key", "Cookie", "X-Forwarded-For, X-Auth-Request-Email, X-Gateway-Key",
])
def test_a_client_cannot_have_the_ingress_s_own_fields_removed(edge, names):
    answer = me(edge, "alice", [("Connection", f"close, {names}")])
    assert answer.status == 401 or answer.json()["email"] == "alice@example.com", answer


def test_without_the_ingress_there_is_no_identity(gateway):
    for fields in ({"X-Auth-Request-Email": ROOT_EMAIL}, {"X-Auth-Request-Email": ROOT_EMAIL, "X-Gateway-Key": "guess"}):
        with gateway.connect() as connection:
            assert connection.request("GET", "/api/me", PICKER, fields).status == 401


def test_a_session_sees_neither_sign_in_nor_secret_nor_what_was_spoofed(edge, session):
    session.requests.clear()
    with Connection(edge) as connection:
        answer = connection.request("GET", "/page", HOSTS["alice"].upper(), {
            "Cookie": "own=1; _oauth2_proxy=alice; _oauth2_proxy_1=more", "Authorization": "Bearer stolen",
            "X-Forwarded-Email": ROOT_EMAIL, "X_Forwarded_User": ROOT_EMAIL, "X-Forwarded-For": "6.6.6.6",
            "X-Forwarded-Host": "evil.example", "Forwarded": "for=6.6.6.6", "X-Real-Ip": "6.6.6.6"})
    assert answer.status == 200, answer
    [request] = session.requests
    text = request.raw.decode("latin-1")
    for secret in ("_oauth2", "alice@", "token-of-the-user", "stolen", SECRET, ROOT_EMAIL, "6.6.6.6", "evil.example",
                   "staff", "12345"):
        assert secret not in text, text
    assert request.fields["Cookie"] == "own=1"
    assert request.fields["X-Forwarded-For"] == "127.0.0.1"
    assert request.fields["X-Forwarded-Proto"] == "https"
    assert request.fields["X-Forwarded-Host"].lower() == HOSTS["alice"]
    # And on the way back the session's own cookie stays on its host; the one that would be a sign-in is gone.
    assert answer.fields.all("Set-Cookie") == ["own=1"]


def test_people_of_one_edge_do_not_meet(edge):
    wrong = []

    def ask(name, other):
        with Connection(edge) as connection:
            cookie = {"Cookie": f"_oauth2_proxy={name}"}
            for _ in range(40):
                if connection.request("GET", "/api/me", PICKER, cookie).json()["email"] != f"{name}@example.com":
                    wrong.append((name, "me"))
                if connection.request("GET", "/", HOSTS[name], cookie).status != 200:
                    wrong.append((name, "own"))
                if connection.request("GET", "/", HOSTS[other], cookie).status != 404:
                    wrong.append((name, "foreign"))
                if connection.request("GET", "/", HOSTS[name]).status != 401:
                    wrong.append((name, "nobody"))

    threads = [threading.Thread(target=ask, args=pair) for pair in [("alice", "bob"), ("bob", "alice")] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("name, at, origin, status", [
    ("alice", "alice", "alice", 101), ("bob", "bob", "bob", 101), ("bob", "alice", "alice", 404),
    ("alice", "alice", "bob", 403), (None, "alice", "alice", 401),
])
def test_a_websocket_passes_for_its_owner_s_own_page_only(edge, name, at, origin, status):
    with Connection(edge) as connection:
        connection.send(connection.head("GET", "/pty/x/connect", HOSTS[at], [
            ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Origin", f"https://{HOSTS[origin]}"),
            *([("Cookie", f"_oauth2_proxy={name}")] if name else [])]))
        answer = connection.read_head()
        assert answer.status == status, answer
        if status == 101:
            assert connection.read_exactly(5) == b"hello"


@pytest.mark.parametrize("host", ["aaaaaaaaaaaa-oc.example.com.evil.org", "evil-aaaaaaaaaaaa-oc.example.com", "example.org"])
def test_no_other_host_leads_to_the_gateway(edge, host):
    with Connection(edge) as connection:
        answer = connection.request("GET", "/", host, {"Cookie": "_oauth2_proxy=alice"})
        assert answer.status == 404 and "X-Request-Id" not in answer.fields
