"""What the original's pods, plug-in and page read and send, through the real binary against a cluster."""

import json
import re
import subprocess

import pytest

from harness.http1 import EventStream
from harness.ports import reserve_port
from harness.router import binary, clean_environment
from harness.service import Service, ServiceHandler
from harness.waiting import eventually

OWNER = "owner@example.test"
STRANGER = "stranger@example.test"
TOKEN = {"X-Auth-Request-Access-Token": "gho_of-the-owner"}


class GitHub:
    """The two lists of GitHub's REST API that the router asks for, in pages, for one token."""

    REPOSITORIES = [
        {"name": f"r{number}", "full_name": f"o/r{number}", "html_url": f"https://github.com/o/r{number}",
         "private": number % 2 == 0, "default_branch": "main", "id": number, "fork": False} for number in range(3)]

    def __init__(self):
        github = self
        self.asked = []

        class Handler(ServiceHandler):
            def do_GET(self):
                github.asked.append(self.path)
                path, _, query = self.path.partition("?")
                if self.headers["Authorization"] != f"Bearer {TOKEN['X-Auth-Request-Access-Token']}":
                    return self.send(401, {"message": "Bad credentials"})
                if path == "/api/v3/user/repos":
                    page = 2 if "page=2" in query.split("&") else 1
                    return self.send(
                        200, github.REPOSITORIES[:2] if page == 1 else github.REPOSITORIES[2:],
                        {"Link": f'<{github.url}/user/repos?page=2>; rel="next"'} if page == 1 else {})
                if path == "/api/v3/repos/o/r1/branches":
                    return self.send(200, [{"name": "main", "protected": True}, {"name": "feature/one"}])
                return self.send(404, {"message": "Not Found"})

            def send(self, status, value, fields=None):
                body = json.dumps(value).encode()
                self.send_response(status)
                for name, text in {"Content-Type": "application/json", **(fields or {})}.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = Service(Handler)
        self.url = f"{self.server.url}/api/v3"


@pytest.fixture(scope="module")
def github():
    github = GitHub()
    yield github
    github.server.close()


@pytest.fixture(scope="module")
def router(start_in, cluster, github):
    port = reserve_port()
    return start_in(
        cluster, TRUSTED_PROXIES="127.0.0.1", DEV_EMAIL=None, GITHUB_API_URL=github.url, POD_PORT=port,
        OPENCODE_ROUTER_URL=f"http://127.0.0.1:{port}", OPENCODE_ROUTER_EXTERNAL_DOMAIN="example.test",
        VICTORIA_METRICS_URL="http://metrics.test:8428")


@pytest.fixture(scope="module")
def session(router, repositories):
    made = router.api(
        "POST", "/sessions", {"repoUrl": repositories.story, "branch": "main", "sourceBranch": "main"}, email=OWNER,
        fields=TOKEN)
    assert made == {"hash": made["hash"], "url": None, "state": "creating"}
    return router.wait_for_state(made["hash"], "running", email=OWNER)


@pytest.fixture(scope="module")
def identifier(session):
    return session["hash"]


def follow(router, path, email=OWNER):
    """The status and the events, with their data read, of one of the API's streams."""
    stream = EventStream(router.connect(timeout=40), f"/api/sessions{path}", router.host, router.identity(email))
    return stream.response, ((name, json.loads(data)) for name, data in stream.events(40) if name)


# What a pod is, and is told


def test_a_pod_is_told_what_the_original_s_plug_in_reads(router, identifier):
    told = router.pod_environment(identifier)
    assert re.fullmatch("[0-9a-f]{64}", told["OPENCODE_POD_SECRET"])
    assert told.items() >= {
        "OPENCODE_SESSION_HASH": identifier, "OPENCODE_ROUTER_URL": f"http://127.0.0.1:{router.pod_port}",
        "OPENCODE_ROUTER_EXTERNAL_DOMAIN": "example.test", "OPENCODE_USER_EMAIL": OWNER,
        "PLAYWRIGHT_MCP_CDP_ENDPOINT": "http://localhost:9222", "VICTORIA_METRICS_URL": "http://metrics.test:8428",
        "GITHUB_TOKEN": TOKEN["X-Auth-Request-Access-Token"]}.items()


def test_the_token_is_where_the_original_keeps_it(cluster, identifier):
    secret = cluster.store.get("secrets", f"opencode-github-{identifier}")
    assert secret["type"] == "Opaque" and list(secret["data"]) == ["GITHUB_TOKEN"]
    assert secret["metadata"]["labels"] == {
        "opencode.ai/session-hash": identifier, "app.kubernetes.io/managed-by": "opencode-router"}
    # The claim owns it: the cluster itself sees to it that it does not outlive the session.
    claim = cluster.store.get("persistentvolumeclaims", f"opencode-pvc-{identifier}")
    assert [owner["uid"] for owner in secret["metadata"]["ownerReferences"]] == [claim["metadata"]["uid"]]


# What a pod sends


@pytest.mark.parametrize("what, body, status, answer", [
    ("ports", {"ports": [3000, 3001, 4096, 65536, 80]}, 200, {"ok": True}),
    ("ports", {"ports": "3000"}, 400, None), ("ports", b"{", 400, None),
    ("progress", {"type": "session.title", "sessionID": "ses_1", "title": "A title"}, 200, {"ok": True}),
    ("progress", {"type": "message.user", "partID": "p1", "messageID": "m1", "sessionID": "ses_1", "text": "Hello",
                  "time": 1767323045000}, 200, {"ok": True}),
    ("progress", {"type": "message.assistant", "partID": "p2", "messageID": "m2", "sessionID": "ses_1", "text": "Hi",
                  "time": 1767323046000, "more": 1}, 200, {"ok": True}),
    ("progress", {"type": "message.system"}, 400, None), ("progress", b"no JSON", 400, None),
])
def test_a_pod_s_call_is_answered_as_by_the_original(router, identifier, what, body, status, answer):
    answered = router.pod_call(identifier, what, body)
    assert answered.status == status, answered
    assert answered.json() == answer if answer else answered.json().keys() >= {"error", "code"}


@pytest.mark.parametrize("what", ["ports", "progress"])
def test_a_call_without_the_pod_s_secret_is_refused(router, identifier, what):
    assert router.pod_call(identifier, what, {}, secret="0" * 64).status == 401
    assert router.pod_call(identifier, what, {}, secret="").status == 401


def test_what_a_pod_sent_is_read_by_its_owner_as_from_the_original(router, identifier):
    router.pod_call(identifier, "ports", {"ports": [3001, 5173]})
    # The pod's annotation comes back by the watch.
    eventually(lambda: router.api("GET", f"/sessions/{identifier}/ports", email=OWNER)["ports"] == [3001, 5173])
    message = {"type": "message.user", "partID": "p7", "messageID": "m7", "sessionID": "ses_1", "text": "Seven",
               "time": 1767323045000}
    router.pod_call(identifier, "progress", {"type": "session.title", "sessionID": "ses_1", "title": "The title"})
    response, events = follow(router, f"/{identifier}/progress/stream")
    assert response.status == 200 and response.fields.get("Content-Type").startswith("text/event-stream")
    name, told = next(events)
    assert name == "snapshot" and told["title"] == "The title" and type(told["messages"]) is list
    router.pod_call(identifier, "progress", message)
    assert next(event for event in events if event[0] == "message")[1] == {**message, "role": "user"}
    eventually(lambda: router.session(identifier, email=OWNER).get("title") == "The title")
    # The original said 403 and so told that the session exists.
    assert follow(router, f"/{identifier}/progress/stream", STRANGER)[0].status == 404


# Streams


def test_the_stream_of_sessions_begins_with_all_and_tells_every_change(router, session, repositories):
    _, events = follow(router, "/stream")
    name, told = next(events)
    assert name == "sessions" and told["email"] == OWNER
    assert session["hash"] in [each["hash"] for each in told["sessions"]]
    assert session.keys() >= {
        "hash", "email", "repoUrl", "branch", "sourceBranch", "state", "url", "lastActivity", "createdAt",
        "idleTimeoutMinutes", "attachUrl"}
    made = router.create(repositories.story, "feature/one", running=False, email=OWNER)
    assert next(
        name for name, told in events if made["hash"] in [each["hash"] for each in told["sessions"]]) == "sessions"
    _, strange = follow(router, "/stream", STRANGER)
    name, told = next(strange)
    assert (name, told["email"], told["sessions"]) == ("sessions", STRANGER, [])


def test_the_events_of_a_start_end_with_the_session_s_address(router, repositories):
    made = router.create(repositories.story, "events", running=False, email=OWNER)
    assert follow(router, f"/{made['hash']}/events", STRANGER)[0].status == 404
    _, events = follow(router, f"/{made['hash']}/events")
    events = list(events)
    stages = ["initializing", "configuring", "preparing", "starting", "readying"]
    for name, told in events[:-1]:
        assert name == "state_change" and told["state"] in ("creating", "running") or (
            name == "progress" and told["stage"] in stages and told["message"]), (name, told)
    name, told = events[-1]
    assert name == "complete" and told["url"].startswith(router.session(made["hash"], email=OWNER)["url"])


# GitHub


def test_the_caller_s_repositories_are_all_pages_of_github_s(router, github):
    listed = router.api("GET", "/user/repos", email=OWNER, fields=TOKEN)
    assert listed == [
        {"name": each["name"], "fullName": each["full_name"], "url": each["html_url"], "isPrivate": each["private"],
         "defaultBranch": "main"} for each in github.REPOSITORIES]


def test_the_branches_of_a_repository_are_github_s(router):
    listed = router.api("GET", "/user/repos/branches?repo=o/r1", email=OWNER, fields=TOKEN)
    assert listed == [{"name": "main"}, {"name": "feature/one"}]


@pytest.mark.parametrize("path, fields, status", [
    ("", {}, 401), ("", {"X-Auth-Request-Access-Token": "expired"}, 401), ("/branches?repo=o/none", TOKEN, 404),
    ("/branches?repo=o/../r1", TOKEN, 400), ("/branches", TOKEN, 400), ("/branches?repo=o/r1", {}, 401),
])
def test_what_github_refuses_is_refused_with_its_status(router, path, fields, status):
    answer = router.request("GET", "/api/user/repos" + path, email=OWNER, fields=fields)
    assert answer.status == status and answer.json().keys() >= {"error", "code"}, answer


@pytest.mark.parametrize("first, second, wins", [
    ("X-Auth-Request-Access-Token", "X-Auth-Request-Token", True), ("X-Auth-Request-Token", "X-Forwarded-Access-Token", True),
    ("X-Forwarded-Access-Token", "X-Auth-Request-Token", False),
])
def test_of_two_fields_the_original_s_order_counts(router, first, second, wins):
    fields = {first: TOKEN["X-Auth-Request-Access-Token"], second: "another"}
    assert router.request("GET", "/api/user/repos", email=OWNER, fields=fields).status == (200 if wins else 401)


# Moving


def test_an_address_of_the_original_s_port_is_warned_of(start_in, cluster):
    settings = {
        "SESSION_RUNTIME": "kubernetes", "KUBECONFIG": cluster.kubeconfig(), "OPENCODE_IMAGE": "x", "DEVELOPMENT": "true",
        "OPENCODE_ROUTER_URL": "http://code.code.svc:3000"}
    checked = subprocess.run(
        [binary(), "check-config"], env=clean_environment(**settings), capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0
    assert "OPENCODE_ROUTER_URL is http://code.code.svc:3000, whose port is that of PORT" in checked.stderr
    assert "port 3001" in checked.stderr
    for url in ("http://pods.code.svc:3001", "http://pods.code.svc", "http://3000.code.svc"):
        checked = subprocess.run(
            [binary(), "check-config"], env=clean_environment(**{**settings, "OPENCODE_ROUTER_URL": url}),
            capture_output=True, text=True, timeout=60)
        assert checked.returncode == 0 and "OPENCODE_ROUTER_URL is" not in checked.stderr
    port = reserve_port()
    router = start_in(cluster, PORT=port, OPENCODE_ROUTER_URL=f"http://code.code.svc:{port}")
    assert any("whose port is that of PORT" in line["message"] for line in router.lines())
    router.stop()
