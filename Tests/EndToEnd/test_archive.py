"""What was said in a session is kept when it is deleted: where, for whom, and what happens if it cannot be."""

import http.server
import json
import os
import subprocess
import threading

import pytest

from harness.waiting import eventually

GATEWAY = "gateway-key-0123456789abcdef"
OWNER, OTHER = "alice@example.com", "bob@example.com"


@pytest.fixture(scope="module", params=["local", "kubernetes"])
def runtime(request):
    return request.param


@pytest.fixture
def start(runtime, start_router, start_in, request):
    """Starts a router that keeps sessions; ends it with the test."""
    started = []

    def start(**settings):
        settings = {**dict(
            DEVELOPMENT=None, DEV_EMAIL=None, ROUTER_DOMAIN="example.test", ROUTER_PROTO="http",
            BIND_ADDRESS="127.0.0.1", PICKER_HOST="code.example.test", AUTH_SECRET=GATEWAY), **settings}
        if runtime == "local":
            router = start_router(**settings)
        else:
            router = start_in(request.getfixturevalue("cluster"), **settings)
        router.identity = lambda email=None: {"X-Gateway-Key": GATEWAY, "X-Auth-Request-Email": email or OWNER}
        started.append(router)
        return router

    yield start
    for router in started:
        router.stop()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "archive"


def talk(router, session, *texts):
    """Says something to the session's agent in a conversation of its own, and waits for its answers."""
    host = router.session_host(session)
    made = router.request("POST", "/session", host, {"Content-Type": "application/json"}, b"{}").json()["id"]
    for text in texts:
        body = json.dumps({"parts": [{"type": "text", "text": text}]}).encode()
        answer = router.request("POST", f"/session/{made}/message", host, {"Content-Type": "application/json"}, body)
        assert answer.status == 200, answer
    return made


def delete(router, session, status=204):
    answer = router.request("DELETE", f"/api/sessions/{session['hash']}")
    assert answer.status == status, answer
    return answer


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def said(document):
    return [part["text"] for conversation in document["conversations"] for message in conversation["messages"]
            for part in message["parts"] if message["info"]["role"] == "user"]


@pytest.mark.parametrize("sleeps", [False, True], ids=["running", "asleep"])
def test_what_was_said_is_its_owner_s_to_list_and_to_take_away(start, repositories, folder, sleeps, runtime, request):
    router = start(ARCHIVE_DIR=folder)
    session = router.create(repositories.story)
    first = talk(router, session, "What is a \"lease\"?\n", "And ]}, a reflector?")
    second = talk(router, session, "Once more.")
    if sleeps:
        if runtime == "local":
            pytest.skip("the demo agent keeps what was said in memory only")
        router.api("POST", f"/sessions/{session['hash']}/stop")
        router.wait_for_state(session["hash"], "stopped")
    assert router.api("GET", "/archives") == {"archives": []}
    delete(router, session)
    listed = router.api("GET", "/archives")["archives"]
    assert [(kept["hash"], kept["repoUrl"], kept["branch"]) for kept in listed] == [
        (session["hash"], repositories.story, "main")]
    kept = listed[0]
    answer = router.request("GET", f"/api/archives/{kept['id']}")
    assert answer.status == 200 and answer.fields["X-Content-Type-Options"] == "nosniff"
    assert answer.fields["Content-Disposition"] == f'attachment; filename="opencode-{kept["id"]}.json"'
    assert len(answer.body) == kept["sizeBytes"]
    document = answer.json()
    assert document["version"] == 1 and document["complete"] is True and document["api"] == "v1"
    assert document["session"]["hash"] == session["hash"] and document["session"]["email"] == OWNER
    if not sleeps:
        # The double's agent of a sleeping session has a memory of its own.
        assert {each["info"]["id"] for each in document["conversations"]} == {first, second}
        assert sorted(said(document)) == ["And ]}, a reflector?", "Once more.", "What is a \"lease\"?\n"]
    # Nobody else's, not by its id, and not by any other name.
    assert router.api("GET", "/archives", email=OTHER) == {"archives": []}
    for name in (kept["id"], "..", "%2e%2e", kept["id"] + ".json", f"{session['hash']}-1"):
        email = OTHER if name == kept["id"] else OWNER
        assert router.request("GET", f"/api/archives/{name}", email=email).status == 404, name
    # On the disk: for nobody else either, and no address in a name.
    (file,) = files(folder)
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    assert "alice" not in str(file.relative_to(folder))
    assert 'opencode_router_archives_total{result="kept"} 1' in router.operations("/metrics").text
    if runtime == "kubernetes":
        cluster = request.getfixturevalue("cluster")
        assert not [pod for pod in cluster.pods() if session["hash"] in pod["metadata"]["name"]]


def test_a_sleeping_pod_session_is_read_by_a_pod_without_keys(start, repositories, folder, runtime, request):
    if runtime == "local":
        pytest.skip("local sessions are started themselves")
    cluster = request.getfixturevalue("cluster")
    router = start(ARCHIVE_DIR=folder)
    session = router.create(repositories.story, "main")
    router.api("POST", f"/sessions/{session['hash']}/stop")
    router.wait_for_state(session["hash"], "stopped")
    seen = []

    def admission(kind, value):
        if kind == "pods":
            seen.append(value)

    cluster.admission = admission
    try:
        delete(router, session)
    finally:
        cluster.admission = None
    (pod,) = seen
    assert pod["metadata"]["name"] == f"opencode-session-{session['hash']}-export"
    assert pod["metadata"]["labels"]["opencode.ai/export-pod"] == "true"
    assert pod["spec"]["restartPolicy"] == "Never" and pod["spec"]["activeDeadlineSeconds"] > 0
    (container,) = pod["spec"]["containers"]
    assert "envFrom" not in container
    names = {variable["name"] for variable in container["env"]}
    assert not names & {"OPENCODE_POD_SECRET", "GITHUB_TOKEN", "OPENCODE_ROUTER_URL"}
    assert len(router.api("GET", "/archives")["archives"]) == 1


def test_the_order_stands_when_its_giver_leaves_and_two_are_one(start, repositories, folder):
    router = start(ARCHIVE_DIR=folder)
    session = router.create(repositories.story)
    talk(router, session, "Good bye.")
    with router.connect() as connection:
        connection.socket.sendall(
            f"DELETE /api/sessions/{session['hash']} HTTP/1.1\r\nHost: {router.host}\r\nX-Gateway-Key: {GATEWAY}\r\n"
            f"X-Auth-Request-Email: {OWNER}\r\nOrigin: {router.origin}\r\n\r\n".encode())
        router.wait_for_line("session kept")
    assert router.request("DELETE", f"/api/sessions/{session['hash']}").status in (204, 404)
    eventually(lambda: router.request("GET", f"/api/sessions/{session['hash']}").status == 404)
    assert len(files(folder)) == 1


class Agent(http.server.BaseHTTPRequestHandler):
    """An agent that answers what a test has put into `answers`."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        body = self.server.answers(self.path)
        if body is None:
            self.server.is_over.wait(30)
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


def conversation(path, messages):
    """The answers of an agent with one conversation of these messages."""
    if path.startswith("/global"):
        return b'{"healthy":true}'
    if path.startswith("/session?"):
        return b'[{"id":"ses_1"}]'
    if path == "/session/ses_1":
        return b'{"id":"ses_1","title":"A title"}'
    if path.startswith("/session/ses_1/message"):
        return messages
    return b"<html>"


UNTOLD = {
    "cut short": lambda path: conversation(path, b'[{"parts":[]}'),
    "no JSON": lambda path: conversation(path, b"<html></html>"),
    "more than one value": lambda path: conversation(path, b'[],"session":{"email":"bob@example.com"},"x":[]'),
    "silence": lambda path: None if "message" in path else conversation(path, b"[]"),
}


@pytest.fixture
def agent():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Agent)
    server.daemon_threads = True
    server.is_over = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.is_over.set()
    server.shutdown()
    server.server_close()


RELAY = """import http.server,sys,urllib.request
class H(http.server.BaseHTTPRequestHandler):
    protocol_version="HTTP/1.1"
    def log_message(self,*a): pass
    def do_GET(self):
        body=urllib.request.urlopen("http://127.0.0.1:"+sys.argv[2]+self.path,timeout=60).read()
        self.send_response(200); self.send_header("Content-Length",str(len(body))); self.end_headers()
        self.wfile.write(body)
    do_POST=do_GET
http.server.ThreadingHTTPServer(("127.0.0.1",int(sys.argv[1])),H).serve_forever()
"""


@pytest.fixture
def scripted(start, runtime, agent, tmp_path):
    """Starts a router whose local agents answer as the test says."""
    if runtime == "kubernetes":
        pytest.skip("the agent is asked in the same way")
    script = tmp_path / "relay.py"
    script.write_text(RELAY)
    return lambda **settings: start(
        AGENT_COMMAND=f"python3 {script} {{port}} {agent.server_address[1]}", OPENCODE_API="v1", **settings)


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_an_agent_that_does_not_tell_keeps_a_session_only_where_that_is_wanted(
        scripted, repositories, folder, agent, strict):
    agent.answers = lambda path: conversation(path, b"[]")
    router = scripted(ARCHIVE_DIR=folder, ARCHIVE_TIMEOUT_MS=1500, ARCHIVE_STRICT_MODE=str(strict).lower())
    session = router.create(repositories.story)
    ways = list(UNTOLD.values()) if strict else [UNTOLD["cut short"]]
    for agent.answers in ways:
        answer = delete(router, session, status=502 if strict else 204)
        if strict:
            assert answer.json()["code"] == "archive_failed" and answer.json()["hint"], answer
        found = router.request("GET", f"/api/sessions/{session['hash']}")
        assert found.json()["state"] == "running" if strict else found.status == 404
        # Nothing half-written is left, nor ever read.
        assert not files(folder) and router.api("GET", "/archives") == {"archives": []}
    assert router.wait_for_line("session not kept")["reason"]
    assert f'opencode_router_archives_total{{result="failed"}} {len(ways)}' in router.operations("/metrics").text


def test_a_long_conversation_goes_through_in_pieces(scripted, repositories, folder, agent):
    text = json.dumps([{"info": {"role": "user"}, "parts": [{"text": "x" * 1024}]}] * 20000).encode()
    agent.answers = lambda path: conversation(path, text)
    router = scripted(ARCHIVE_DIR=folder)
    session = router.create(repositories.story)

    def peak():
        status = open(f"/proc/{router.process.pid}/status").read()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    before = peak()
    delete(router, session)
    (file,) = files(folder)
    assert file.stat().st_size > len(text) > 20 << 20
    assert len(json.loads(file.read_bytes())["conversations"][0]["messages"]) == 20000
    # The relay of the test is in memory, the router's part of it is not.
    assert peak() - before < 12, (before, peak())


@pytest.mark.parametrize("how, options", [("full", "size=64k"), ("read-only", "ro,size=64k")])
def test_a_disk_that_takes_nothing_keeps_a_session_where_that_is_wanted(scripted, repositories, folder, agent, how, options):
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may mount nothing")
    try:
        agent.answers = lambda path: conversation(path, json.dumps(["x" * 1024] * 200).encode())
        router = scripted(ARCHIVE_DIR=folder, ARCHIVE_STRICT_MODE="true")
        session = router.create(repositories.story)
        answer = delete(router, session, status=503).json()
        assert answer["code"] == "archive_unavailable" and str(folder) not in json.dumps(answer), answer
        assert router.session(session["hash"])["state"] == "running" and not files(folder)
        reason = router.wait_for_line("session not kept")["reason"]
        assert os.strerror(28 if how == "full" else 30) in reason
        # Once there is room, it goes.
        subprocess.run(["mount", "-o", "remount,rw,size=8m", str(folder)], check=True)
        delete(router, session)
        assert len(files(folder)) == 1
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_without_a_folder_nothing_is_kept_and_that_is_said(start, repositories):
    router = start()
    answer = router.request("GET", "/api/archives")
    assert answer.status == 501 and answer.json()["code"] == "not_supported"
    delete(router, router.create(repositories.story))
