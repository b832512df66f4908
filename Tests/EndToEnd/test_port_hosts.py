"""Ports of a session: reached on hosts of their own, by whom its owner lets."""

import http.server
import json
import socket
import threading
import time

import pytest

from harness.http1 import Connection, Truncated
from harness.waiting import eventually

GATEWAY = "gateway-key-0123456789abcdef"
OWNER, OTHER = "alice@example.com", "bob@example.com"


@pytest.fixture(scope="module", params=["local", "kubernetes"])
def router(request, start_router, start_in):
    """A router behind an ingress that signs people in."""
    settings = dict(
        DEVELOPMENT=None, DEV_EMAIL=None, ROUTER_DOMAIN="example.test", ROUTER_PROTO="http", BIND_ADDRESS="127.0.0.1",
        PICKER_HOST="code.example.test", ROUTE_SUFFIX="-oc", AUTH_SECRET=GATEWAY, POD_IDENTITY="true")
    if request.param == "local":
        router = start_router(**settings)
    else:
        router = start_in(request.getfixturevalue("cluster"), **settings)
    router.runtime = request.param
    router.identity = lambda email=None: (
        {} if email == "" else {"X-Gateway-Key": GATEWAY, "X-Auth-Request-Email": email or OWNER})
    yield router
    router.stop()


class Preview(http.server.BaseHTTPRequestHandler):
    """Tells what it is asked; `/events` goes on until somebody ends it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        body = json.dumps({"target": self.path, "fields": list(self.headers.items())}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if self.path == "/events":
            self.end_headers()
            try:
                while not self.server.is_over.wait(0.05):
                    self.wfile.write(b": tick\n\n")
            except OSError:
                pass
            self.close_connection = True
            return
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "_oauth2_proxy=stolen; Domain=example.test")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


@pytest.fixture(scope="module")
def address(router, session):
    """Where a session's own processes listen."""
    if router.runtime == "local":
        return "127.0.0.1"
    return router.cluster_pod(session["hash"])["status"]["podIP"]


@pytest.fixture(scope="module")
def session(router, repositories, request):
    if router.runtime == "kubernetes":
        cluster = request.getfixturevalue("cluster")
        router.cluster_pod = lambda identifier: cluster.store.get("pods", f"opencode-session-{identifier}")
    return router.create(repositories.story)


@pytest.fixture(scope="module")
def port(address):
    """A preview that something in the session serves."""
    server = http.server.ThreadingHTTPServer((address, 0), Preview)
    server.daemon_threads = True
    server.is_over = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.is_over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def host(router, session, port):
    """The port's host; the port is its owner's alone."""
    router.api("DELETE", f"/sessions/{session['hash']}/ports/{port}")
    return f"{port}-{router.host_of(session['hash'])}"


def share(router, session, port, visibility, **more):
    return router.api("PUT", f"/sessions/{session['hash']}/ports/{port}", {"visibility": visibility, **more})


def ask(router, host, email, target="/", fields=None, method="GET"):
    with router.connect() as connection:
        return connection.request(
            method, target, host, {"Connection": "close", **router.identity(email), **(fields or {})},
            b"" if method == "POST" else None)


def test_a_port_is_its_owner_s_alone_until_the_owner_says_otherwise(router, host):
    assert ask(router, host, OWNER).status == 200
    assert ask(router, host, OTHER).status == 404
    assert ask(router, host, "").status == 401


@pytest.mark.parametrize("visibility, statuses", [
    ("signed-in", (200, 200, 401)), ("public", (200, 200, 200)), ("owner", (200, 404, 401))])
def test_the_owner_decides_who_else_may_reach_it(router, session, host, port, visibility, statuses):
    told = share(router, session, port, visibility)
    assert told["visibility"] == visibility and told["expiresAt"] is None and told["port"] == port
    assert tuple(ask(router, host, email).status for email in (OWNER, OTHER, "")) == statuses
    listed = router.api("GET", f"/sessions/{session['hash']}/ports")["details"]
    assert [entry["visibility"] for entry in listed if entry["port"] == port] == (
        [] if visibility == "owner" else [visibility])
    # The session itself and its other ports are as closed as before.
    assert ask(router, router.host_of(session["hash"]), OTHER).status == 404
    assert ask(router, router.host_of(session["hash"]), "").status == 401
    assert ask(router, host.replace(str(port), str(port - 1)), "").status == 401


def test_taking_it_back_closes_it_at_once(router, session, host, port):
    share(router, session, port, "public")
    assert ask(router, host, "").status == 200
    assert router.api("DELETE", f"/sessions/{session['hash']}/ports/{port}")["visibility"] == "owner"
    assert ask(router, host, "").status == 401
    assert ask(router, host, OTHER).status == 404


def stream(router, host, email):
    connection = router.connect(timeout=30)
    connection.send_request("GET", "/events", host, router.identity(email))
    answer = connection.read_head()
    assert answer.status == 200
    assert next(connection.body(answer))
    return connection, connection.body(answer)


def reads_to_its_end(connection):
    """Whether somebody breaks the connection off; what is sent meanwhile is passed over."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if not connection.socket.recv(65536):
                return True
        except (ConnectionError, Truncated):
            return True
    return False


@pytest.mark.parametrize("email", [OTHER, ""])
def test_taking_it_back_cuts_whoever_is_inside(router, session, host, port, email):
    share(router, session, port, "public" if email == "" else "signed-in")
    connection, _ = stream(router, host, email)
    router.api("DELETE", f"/sessions/{session['hash']}/ports/{port}")
    assert reads_to_its_end(connection)


def test_a_share_ends_by_itself_for_those_inside_too(router, session, host, port):
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6))
    told = share(router, session, port, "public", expiresAt=end)
    assert told["expiresAt"].startswith(end[:19])
    connection, _ = stream(router, host, "")
    assert reads_to_its_end(connection)
    assert ask(router, host, "").status == 401
    listed = router.api("GET", f"/sessions/{session['hash']}/ports")["details"]
    assert port not in [entry["port"] for entry in listed]


def test_what_a_stranger_sends_names_nobody_to_the_session(router, session, host, port):
    share(router, session, port, "public")
    seen = ask(router, host, "", "/x?a=1", {
        "X-Auth-Request-Email": OWNER, "X-Forwarded-User": OWNER, "X-Auth-Request-Access-Token": "planted",
        "Authorization": "Bearer planted", "Cookie": "_oauth2_proxy=planted; app=1", "X-Forwarded-For": "8.8.8.8",
        "X-Admin-Secret": "planted", "Forwarded": "for=planted"})
    assert seen.status == 200
    told = seen.json()
    assert told["target"] == "/x?a=1"
    assert "planted" not in seen.text and OWNER not in seen.text and "8.8.8.8" not in seen.text
    assert dict(told["fields"])["Cookie"] == "app=1"
    # The owner, too, is nobody there: whoever's page asks could make the owner's browser ask.
    assert OWNER not in ask(router, host, OWNER).text
    # And what comes back is held to the same rules as everywhere.
    assert "Set-Cookie" not in seen.fields
    assert "frame-ancestors" in seen.fields["Content-Security-Policy"]


def test_a_signed_in_visitor_is_not_named_to_somebody_else_s_session(router, session, host, port):
    share(router, session, port, "signed-in")
    assert OTHER not in ask(router, host, OTHER).text
    # Its owner is, as POD_IDENTITY says.
    assert dict(ask(router, host, OWNER).json()["fields"])["X-Forwarded-User"] == OWNER


def test_a_page_elsewhere_may_use_what_is_public_and_nothing_that_needs_a_name(router, session, host, port):
    foreign = {"Origin": "http://elsewhere.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    assert ask(router, host, OWNER, "/", foreign, "POST").status == 403
    share(router, session, port, "signed-in")
    assert ask(router, host, OTHER, "/", foreign, "POST").status == 403
    share(router, session, port, "public")
    assert ask(router, host, "", "/", foreign, "POST").status == 200


@pytest.mark.parametrize("text, code", [
    ("4096", "invalid_port"), ("9222", "invalid_port"), ("7681", "invalid_port"), ("80", "invalid_port"),
    ("65536", "invalid_port"), ("05173", "invalid_port"), ("x", "invalid_port")])
def test_ports_of_the_session_itself_cannot_be_shared(router, session, text, code):
    answer = router.request(
        "PUT", f"/api/sessions/{session['hash']}/ports/{text}", body={"visibility": "public"})
    assert answer.status == 400 and answer.json()["code"] == code
    host = f"{text}-{router.host_of(session['hash'])}"
    assert ask(router, host, OTHER).status in (404, 421)
    assert ask(router, host, "").status in (401, 421)


@pytest.mark.parametrize("body", [
    {}, {"visibility": "everybody"}, {"visibility": "public", "expiresAt": "tomorrow"},
    {"visibility": "public", "expiresAt": "2020-01-01T00:00:00Z"},
    {"visibility": "public", "expiresAt": f"2020-01-01T00:00:00.{'9' * 40}Z"},
    {"visibility": "public", "expiresInMinutes": 0}, {"visibility": "public", "expiresInMinutes": 1.5},
    {"visibility": "public", "expiresInMinutes": 5, "expiresAt": "2999-01-01T00:00:00Z"}])
def test_a_wish_that_cannot_be_granted_says_why(router, session, port, body):
    answer = router.request("PUT", f"/api/sessions/{session['hash']}/ports/{port}", body=body)
    assert answer.status == 400 and answer.json()["error"]


def test_only_the_owner_shares(router, session, port):
    path = f"/sessions/{session['hash']}/ports/{port}"
    router.api("PUT", path, {"visibility": "public"}, email=OTHER, status=404)
    router.api("DELETE", path, email=OTHER, status=404)


def test_sharing_leaves_an_audit_line(router, session, host, port):
    share(router, session, port, "public", expiresInMinutes=5)
    # Lines are written behind the answers.
    lines = eventually(lambda: [line for line in router.lines() if line.get("message") == "port shared"
                                and line["until"] != "withdrawn" and line["port"] == str(port)])
    assert lines[-1]["email"] == OWNER and lines[-1]["visibility"] == "public"
    assert lines[-1]["session"] == session["hash"]


def test_a_stopped_session_s_public_port_wakes_nobody(router, session, host, port):
    share(router, session, port, "public")
    router.api("POST", f"/sessions/{session['hash']}/stop")
    router.wait_for_state(session["hash"], "stopped")
    navigation = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for email in ("", OTHER):
        answer = ask(router, host, email, "/", navigation)
        assert answer.status == 503 and answer.json()["code"] == "session_not_ready"
    time.sleep(0.5)
    assert router.session(session["hash"])["state"] == "stopped"


def test_a_restart_of_the_router_forgets_nothing_that_was_said(router, session, host, port):
    share(router, session, port, "public", expiresInMinutes=60)
    router.stop()
    router.start()
    details = router.api("GET", f"/sessions/{session['hash']}/ports")["details"]
    assert [(entry["port"], entry["visibility"]) for entry in details] == [(port, "public")]
    assert details[0]["expiresAt"]
    assert ask(router, host, "").status == 503
