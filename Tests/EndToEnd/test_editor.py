"""The editor beside a session's agent: on a host of its own, its owner's alone, and optional."""

import http.server
import json
import threading

import pytest

GATEWAY = "gateway-key-0123456789abcdef"
OWNER, OTHER = "alice@example.com", "bob@example.com"
PORT = 7777
NAVIGATION = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def behind_an_ingress(start, *arguments, **settings):
    router = start(*arguments, **{**dict(
        DEVELOPMENT=None, DEV_EMAIL=None, ROUTER_DOMAIN="example.test", ROUTER_PROTO="http", BIND_ADDRESS="127.0.0.1",
        PICKER_HOST="code.example.test", ROUTE_SUFFIX="-oc", AUTH_SECRET=GATEWAY), **settings})
    router.identity = lambda email=None: (
        {} if email == "" else {"X-Gateway-Key": GATEWAY, "X-Auth-Request-Email": email or OWNER})
    return router


@pytest.fixture(scope="module")
def router(start_in, cluster):
    """Its sessions are pods, and pods have an editor, at a port that is not the usual one."""
    router = behind_an_ingress(start_in, cluster, EDITOR_IMAGE="registry.test/editor:1", EDITOR_PORT=PORT)
    yield router
    router.stop()


@pytest.fixture(scope="module")
def pod(cluster, session):
    return cluster.store.get("pods", f"opencode-session-{session['hash']}")


class Editor(http.server.BaseHTTPRequestHandler):
    """Tells what it is asked."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        taken = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"target": self.path, "fields": list(self.headers.items()), "body": taken.decode()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "_oauth2_proxy=stolen; Domain=example.test")
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = do_GET


@pytest.fixture(scope="module", autouse=True)
def editor(pod):
    """What listens where the pod's editor would."""
    server = http.server.ThreadingHTTPServer((pod["status"]["podIP"], PORT), Editor)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


@pytest.fixture
def host(router, session):
    return f"editor-{router.host_of(session['hash'])}"


def test_its_owner_is_told_where_it_is_and_reaches_it(router, session, host):
    assert router.session(session["hash"])["editorUrl"] == f"http://{host}"
    answer = router.request("PUT", "/api/files/repo/a.txt?x=1", host, body=b"text", fields={
        "Cookie": "_oauth2_proxy=theirs; theme=dark", "Authorization": "Bearer theirs"})
    assert answer.status == 200, answer
    asked = answer.json()
    assert (asked["target"], asked["body"]) == ("/api/files/repo/a.txt?x=1", "text")
    fields = {name.lower(): value for name, value in asked["fields"]}
    # As for the agent: the public host, and nothing by which somebody could act as the visitor.
    assert fields["host"] == host and fields.get("cookie", "theme=dark") == "theme=dark"
    assert not [name for name in fields if name.startswith(("x-auth-", "x-gateway", "authorization"))], fields
    # Nor does an answer leave a sign-in behind.
    assert "Set-Cookie" not in answer.fields


def test_nobody_else_reaches_it_nor_learns_of_it(router, session, host):
    unknown = f"editor-{router.host_of('0123456789ab')}"
    answers = [router.request("GET", "/", where, email=OTHER) for where in (host, unknown)]
    assert answers[0].status == 404 and answers[0].body == answers[1].body
    assert router.request("GET", "/", host, email="").status == 401
    with router.connect() as connection:
        assert connection.request("GET", "/", host, {
            **router.identity(OTHER), "Connection": "Upgrade", "Upgrade": "websocket", "Origin": f"http://{host}",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}).status == 404
    # A page of the session, or of its editor, acts on neither side of the other.
    for page, target in (router.host_of(session["hash"]), host), (host, router.host_of(session["hash"])):
        assert router.request("POST", "/", target, {"Origin": f"http://{page}"}, b"{}").status == 403


def test_no_port_host_leads_to_a_sidecar(router, session):
    for port in (PORT, 7681, 9222, 4096):
        answer = router.request("GET", "/", f"{port}-{router.host_of(session['hash'])}")
        assert answer.status == 404 and answer.json()["code"] == "session_not_found", (port, answer)
        answer = router.api("PUT", f"/sessions/{session['hash']}/ports/{port}", {"visibility": "public"}, status=400)
        assert answer["code"] == "invalid_port"


def test_it_has_the_session_s_files_and_none_of_its_secrets(cluster, pod):
    editor = next(each for each in pod["spec"]["containers"] if each["name"] == "editor")
    assert editor["image"] == "registry.test/editor:1"
    assert editor["resources"] == {
        "requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"cpu": "200m", "memory": "128Mi"}}
    assert editor["volumeMounts"] == [{"name": "home", "mountPath": "/home/opencode"}]
    assert {each["name"]: each["value"] for each in editor["env"]} == {
        "HOME": "/home/opencode", "EDITOR_PORT": str(PORT)}
    assert "envFrom" not in editor


def test_opening_it_wakes_a_session_that_sleeps(router, session, host):
    router.api("POST", f"/sessions/{session['hash']}/stop")
    stopped = router.wait_for_state(session["hash"], "stopped")
    assert "editorUrl" not in stopped
    assert router.request("GET", "/", host).json()["code"] == "session_not_ready"
    page = router.request("GET", "/", host, NAVIGATION)
    assert page.status == 503 and page.fields["Content-Type"].startswith("text/html")
    assert router.wait_for_state(session["hash"], "running")["editorUrl"] == f"http://{host}"


@pytest.mark.parametrize("runtime", ["local", "kubernetes"])
def test_without_one_its_host_says_so_and_wakes_nobody(runtime, start_router, start_in, make_cluster, repositories):
    if runtime == "local":
        router = behind_an_ingress(start_router)
    else:
        router = behind_an_ingress(start_in, make_cluster())
    session = router.create(repositories.story)
    host = f"editor-{router.host_of(session['hash'])}"
    assert "editorUrl" not in session

    def asked():
        answer = router.request("GET", "/", host, NAVIGATION)
        assert answer.status == 404 and answer.fields["Content-Type"].startswith("text/plain"), answer
        assert "EDITOR_IMAGE" in answer.text
        # To anybody else it is a session that does not exist.
        assert router.request("GET", "/", host, email=OTHER).json()["code"] == "session_not_found"

    asked()
    router.api("POST", f"/sessions/{session['hash']}/stop")
    router.wait_for_state(session["hash"], "stopped")
    asked()
    assert router.session(session["hash"])["state"] == "stopped"
    router.stop()
