"""The original's routes through the real binary: each row's method, path, status and shape, by who asks."""

import base64
import hashlib
import http.server
import json
import threading

import pytest

from harness.http1 import Connection, EventStream

OWNER = "owner@example.test"
STRANGER = "stranger@example.test"
KEY = {"X-Admin-Secret": "an-administrators-key"}


@pytest.fixture(scope="module")
def router(start_router):
    return start_router(ADMIN_SECRET=KEY["X-Admin-Secret"], TRUSTED_PROXIES="127.0.0.1", DEV_EMAIL=None)


@pytest.fixture(scope="module")
def session(router, repositories):
    return router.create(repositories.story, "main", email=OWNER)


def members(answer):
    found = answer.json()
    return set(found) if isinstance(found, dict) else {type(found)}


# Method, path, body, fields of the request; the owner's status and members; the stranger's status.
ROWS = [
    ("GET", "/sessions", None, {}, 200, {"email", "sessions"}, 200),
    ("GET", "/sessions/{hash}", None, {}, 200,
     {"hash", "email", "repoUrl", "branch", "sourceBranch", "state", "url", "lastActivity", "createdAt",
      "idleTimeoutMinutes"}, 404),
    ("GET", "/sessions/{hash}/ports", None, {}, 200, {"ports"}, 404),
    ("POST", "/sessions/{hash}/resume", {}, {}, 200, {"hash", "state", "url"}, 404),
    ("POST", "/sessions", b"not json", {"Content-Type": "application/json"}, 400, {"error", "code"}, 400),
    ("GET", "/sessions/suggest-branch", None, {}, 400, {"error", "code"}, 400),
    ("GET", "/user/secret", None, {}, 200, {"hasSecret", "keys"}, 200),
    ("POST", "/user/secret", {"secrets": {"A_KEY": "a value"}}, {}, 200, {"success", "keys"}, 200),
    ("POST", "/user/secret", {"secrets": ["A_KEY"]}, {}, 400, {"error", "code"}, 400),
    ("POST", "/user/secret", {"secrets": {"A_KEY": 1}}, {}, 400, {"error", "code"}, 400),
    ("POST", "/user/secret", {"secrets": {"": "x"}}, {}, 400, {"error", "code"}, 400),
    ("DELETE", "/user/secret", None, {}, 200, {"success"}, 200),
    ("GET", "/user/repos", None, {}, 401, {"error", "code"}, 401),
    ("GET", "/user/repos/branches?repo=o/r", None, {}, 401, {"error", "code"}, 401),
    ("GET", "/admin/sessions", None, KEY, 200, {"sessions"}, 200),
    ("GET", "/admin/sessions", None, {"X-Admin-Secret": "wrong"}, 403, {"error", "code"}, 403),
    # What it answers where sessions are pods: Tests/Kubernetes/test_pull_image.py.
    ("POST", "/admin/pull-image", {"image": "a:1"}, KEY, 501, {"error", "code"}, 501),
    ("POST", "/admin/pull-image", {"image": "a:1"}, {"X-Admin-Secret": "wrong"}, 403, {"error", "code"}, 403),
]


@pytest.mark.parametrize("who", ["owner", "stranger"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]} {row[4]}")
def test_a_route_answers_as_the_original_s(router, session, row, who):
    method, path, body, fields, status, shape, foreign = row
    answer = router.request(
        method, "/api" + path.format(hash=session["hash"]), fields=fields, body=body,
        email=STRANGER if who == "stranger" else OWNER)
    assert answer.status == (status if who == "owner" else foreign), answer
    if who == "stranger" and foreign == 404:
        shape = {"error", "code"}
    assert shape <= members(answer), answer


def test_only_its_owner_deletes_a_session(router, repositories):
    session = router.create(repositories.story, "feature/one", running=False, email=OWNER)
    target = f"/api/sessions/{session['hash']}"
    assert router.request("DELETE", target, email=STRANGER).status == 404
    answer = router.request("DELETE", target, email=OWNER)
    assert answer.status == 204 and answer.body == b""


def test_values_of_variables_never_come_out(router):
    router.api("POST", "/user/secret", {"secrets": {"A_KEY": "planted-value"}}, email=OWNER)
    answer = router.request("GET", "/api/user/secret", email=OWNER)
    assert answer.json()["keys"] == ["A_KEY"] and b"planted-value" not in answer.body


# Hosts, in the order in which the original looked at them (first label, then who asks).

def ask(router, host, email, target="/global/health", fields=None, port=None, method="GET", body=None):
    with Connection(port or router.port) as connection:
        return connection.request(
            method, target, host, {"Connection": "close", **router.identity(email), **(fields or {})}, body)


@pytest.mark.parametrize("kind, owner, stranger, nobody", [
    ("session", 200, 404, 401), ("port", 200, 404, 401), ("editor", 404, 404, 401), ("attach", 421, 421, 421),
    ("picker", 200, 200, 401), ("unknown", 404, 404, 401), ("foreign", 421, 421, 421)])
def test_a_host_leads_where_the_original_s_led_for_whom_it_may(router, session, listening, kind, owner, stranger, nobody):
    own = router.host_of(session["hash"])
    host = {
        "session": own, "port": f"{listening}-{own}", "editor": f"editor-{own}", "attach": f"attach-{own}",
        "picker": router.host, "unknown": router.host_of("0" * 12), "foreign": "elsewhere.test"}[kind]
    target = "/api/version" if kind == "picker" else "/global/health" if kind == "session" else "/"
    asked = [ask(router, host, email, target) for email in (OWNER, STRANGER, None)]
    assert [answer.status for answer in asked] == [owner, stranger, nobody], asked
    for answer in asked:
        assert answer.status in (200, 401) or "X-Content-Type-Options" in answer.fields, answer


@pytest.fixture(scope="module")
def listening():
    """A port on which something in the session serves pages."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_attaching_takes_the_password_in_each_of_the_three_places_and_nothing_else(router, session):
    info = router.api("GET", f"/sessions/{session['hash']}/attach-info", email=OWNER)
    assert set(info) == {"hash", "attachUrl", "attachPassword"} and len(info["attachPassword"]) == 32
    assert router.request("GET", f"/api/sessions/{session['hash']}/attach-info", email=STRANGER).status == 404
    host, password = info["attachUrl"].split("://")[1], info["attachPassword"]
    basic = base64.b64encode(f"opencode:{password}".encode()).decode()
    for target, fields in [
            ("/global/health", {"Authorization": f"Basic {basic}"}), ("/global/health", {"X-Attach-Password": password}),
            (f"/global/health?password={password}", {})]:
        assert ask(router, host, None, target, fields, router.attach_port).status == 200, (target, fields)
    answer = ask(router, host, OWNER, port=router.attach_port)
    assert answer.status == 401 and answer.json()["error"] == "Invalid or missing attach password"


# What streams tell.

def first_event(router, session, what, email):
    with router.connect() as connection:
        stream = EventStream(connection, f"/api/{what}", router.host, router.identity(email))
        if stream.response.status != 200:
            return stream.response.status, None
        assert stream.response.fields["Content-Type"].startswith("text/event-stream")
        name, data = next(event for event in stream.events(15) if event[0])
        return name, json.loads(data)


@pytest.mark.parametrize("what, event, shape, stranger", [
    ("sessions/stream", "sessions", {"email", "sessions"}, "sessions"),
    ("sessions/{hash}/events", "state_change", {"state"}, 404),
    ("sessions/{hash}/progress/stream", "snapshot", {"messages"}, 404)])
def test_a_stream_begins_as_the_original_s_for_its_owner_only(router, session, what, event, shape, stranger):
    what = what.format(hash=session["hash"])
    name, data = first_event(router, session, what, OWNER)
    assert name == event and shape <= set(data), (name, data)
    name, data = first_event(router, session, what, STRANGER)
    assert name == stranger
    assert not data or data == {**data, "email": STRANGER, "sessions": []}


def test_the_events_of_a_session_that_runs_end_with_its_address(router, session):
    with router.connect() as connection:
        stream = EventStream(
            connection, f"/api/sessions/{session['hash']}/events", router.host, router.identity(OWNER))
        told = [(name, json.loads(data)) for name, data in stream.events(15) if name]
    assert {name for name, _ in told} <= {"state_change", "progress", "complete"}
    assert told[-1][0] == "complete" and told[-1][1]["url"].startswith("http"), told


# What is made and ended.

def test_making_a_session_answers_as_the_original_did_again_and_again(router, repositories):
    wish = {"repoUrl": repositories.story, "branch": "calm-snails-dream", "sourceBranch": "main"}
    for _ in range(2):
        made = router.api("POST", "/sessions", wish, status=201, email=OWNER)
        key = f"{OWNER}:{repositories.story}:calm-snails-dream"
        assert made == {
            "hash": hashlib.sha256(key.encode()).hexdigest()[:12], "url": None, "state": "creating"}
    blank = router.api("POST", "/sessions", {"initialMessage": "Hello"}, status=201, email=OWNER)
    assert set(blank) == {"hash", "url", "state"} and blank["hash"] != made["hash"]
    assert router.session(blank["hash"], email=OWNER)["repoUrl"] == ""
    missing = {**wish, "sourceBranch": "no-such-branch", "branch": "another"}
    answer = router.request("POST", "/api/sessions", body=missing, email=OWNER)
    assert answer.status == 400 and "no-such-branch" in answer.json()["error"]
    suggested = router.api("GET", f"/sessions/suggest-branch?repoUrl={repositories.story}", email=OWNER)
    assert set(suggested) == {"branch"}
    for identifier in (made["hash"], blank["hash"]):
        assert router.request("DELETE", f"/api/sessions/{identifier}", email=OWNER).status == 204


# What pods and machines may: no identity counts, only their secret.

@pytest.mark.parametrize("what, body, shape", [
    ("ports", {"ports": [5173]}, {"ok": True}),
    ("progress", {"type": "session.title", "sessionID": "ses_1", "title": "T"}, {"ok": True}),
    ("progress", {"type": "message.user", "partID": "p", "messageID": "m", "sessionID": "ses_1", "text": "t", "time": 1},
     {"ok": True})])
def test_a_pod_reports_with_its_secret_only_and_on_its_own_listener(router, session, what, body, shape):
    identifier = session["hash"]
    answer = router.pod_call(identifier, what, body)
    assert answer.status == 200 and answer.json() == shape
    assert router.pod_call(identifier, what, body, secret="0" * 64).status == 401
    assert router.pod_call(identifier, what, b"no JSON").status == 400
    secret = router.pod_environment(identifier)["OPENCODE_POD_SECRET"]
    for email in (OWNER, None):
        answer = router.request(
            "POST", f"/api/sessions/{identifier}/{what}", fields={"X-Pod-Secret": secret}, body=body, email=email)
        assert answer.status in (401, 404, 405), answer


def test_a_machine_with_the_administrators_key_needs_no_address(router, session):
    path = f"/api/sessions/{session['hash']}/ports"
    assert set(router.request("GET", path, fields=KEY).json()) == {"ports"}
    assert router.request("GET", path, fields={"X-Admin-Secret": "wrong"}).status in (401, 403)
    assert router.request("POST", "/api/admin/pull-image", fields=KEY, body={"image": "a:1"}).status == 501
    assert router.request("GET", path).status == 401


def test_an_unknown_address_of_the_api_is_no_page(router):
    for path in ("/api/status", "/api/sessions/x", "/api/sessions/0/../..", "/api/"):
        answer = router.request("GET", path, email=OWNER)
        assert answer.status == 404 and answer.json()["code"] == "not_found", (path, answer)


def test_a_session_that_sleeps_answers_machines_503(router, session):
    router.api("POST", f"/sessions/{session['hash']}/stop", email=OWNER)
    router.wait_for_state(session["hash"], "stopped", email=OWNER)
    answer = router.request("GET", "/session", router.host_of(session["hash"]), email=OWNER)
    assert answer.status == 503 and answer.json()["code"] == "session_not_ready"
