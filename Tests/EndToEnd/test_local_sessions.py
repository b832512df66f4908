"""Local sessions survive their router, share nothing they must not, and say what is wrong."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness.http1 import Connection
from harness.router import binary, clean_environment
from harness.waiting import eventually
from websockets.sync.client import connect as open_websocket


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def run_in_terminal(router, identifier, command, until):
    """Types a command into a terminal of the session and reads until the text has come."""
    host = router.host_of(identifier)
    terminal = router.request("POST", "/pty", host, {"Content-Type": "application/json"}, b"{}").json()["id"]
    connection = router.connect()
    with open_websocket(
            f"ws://{host}/pty/{terminal}/connect", sock=connection.socket, origin=f"{router.scheme}://{host}",
            open_timeout=40) as socket:
        socket.send(command + "\r")
        seen, end = "", time.monotonic() + 40
        while until not in seen:
            piece = socket.recv(timeout=max(0.1, end - time.monotonic()))
            seen += piece if isinstance(piece, str) else ""
    return seen


def test_a_killed_router_leaves_nothing_that_the_next_one_does_not_find(start_router, repositories, tmp_path):
    router = start_router()
    session = router.create(repositories.story, "main")
    identifier = session["hash"]
    # A daemon of the session's terminal: no parent, a session of its own.
    mark = tmp_path / "pid"
    run_in_terminal(
        router, identifier, f"echo kept > mine; setsid -f sh -c 'echo $$ > {mark}; exec sleep 600'; echo do''ne", "done")
    daemon = int(eventually(lambda: mark.exists() and mark.read_text().strip()))
    agents = [pid for pid, _ in router.descendants("demo-agent")]
    assert len(agents) == 1 and is_alive(daemon)

    router.signal(signal.SIGKILL)
    router.wait()
    start = time.monotonic()
    router.start()
    assert time.monotonic() - start < 30
    assert router.session(identifier)["state"] == "stopped"
    assert not is_alive(agents[0]) and not is_alive(daemon)

    router.api("POST", f"/sessions/{identifier}/resume")
    router.wait_for_state(identifier, "running")
    assert "kept" in run_in_terminal(router, identifier, "cat mine; echo do''ne", "done")
    # Work that is in the folder only is noticed when it rests, and a daemon ends with its session.
    router.api("POST", f"/sessions/{identifier}/stop")
    router.wait_for_state(identifier, "stopped")
    eventually(lambda: router.session(identifier).get("dirty") is True)
    assert router.session(identifier)["unpushed"] == 0


def refused(settings):
    """Starts a router that must not come up; returns what it says."""
    done = subprocess.run(
        [binary(), "serve"], env=clean_environment(**settings), capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    return done.stderr


def test_a_second_router_on_the_same_state_is_refused_with_a_sentence(router):
    said = refused(router.settings)
    assert str(router.settings["STATE_DIR"]) in said and str(router.process.pid) in said
    assert "another opencode-router" in said


def test_a_record_that_cannot_be_read_stops_the_start_and_stays(start_router, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "state.json").write_text("{ half a rec")
    with pytest.raises(AssertionError, match="cannot be read"):
        start_router(STATE_DIR=state)
    assert (state / "state.json").read_text() == "{ half a rec"


def test_private_addresses_are_refused_by_default(start_router, repositories):
    router = start_router(ALLOW_PRIVATE_REPO_ADDRESSES=None)
    for address in (repositories.story, repositories.story.replace("127.0.0.1", "localhost")):
        answer = router.request(
            "POST", "/api/sessions", body={"repoUrl": address, "branch": "main", "sourceBranch": "main"})
        if answer.status == 201:
            identifier = answer.json()["hash"]
            failed = eventually(
                lambda: (found := router.session(identifier))["state"] == "failed" and found)  # noqa: B023
            assert failed["failure"]["code"] == "repository_address_refused", failed
        else:
            assert 400 <= answer.status < 600, answer
            assert answer.json()["error"] and answer.json()["code"]


def test_a_users_variables_reach_the_agent_and_the_gateways_secrets_do_not(start_router, repositories):
    router = start_router(AUTH_SECRET="planted-gateway-secret-0123456789", ADMIN_SECRET="planted-admin-secret-0123")
    router.api("PUT", "/user/secret/MY_KEY", {"value": "planted-user-value"})
    session = router.create(repositories.story, "main")
    seen = run_in_terminal(router, session["hash"], "env; echo do''ne", "done")
    assert "MY_KEY=planted-user-value" in seen
    assert f"OPENCODE_SESSION_HASH={session['hash']}" in seen
    assert "planted-gateway" not in seen and "planted-admin" not in seen
    assert "planted" not in json.dumps(router.api("GET", "/user/secret"))
    assert "planted" not in router.log_path.read_text()


def test_the_agent_answers_nobody_but_the_router(router, repositories):
    session = router.create(repositories.story, "feature/one")
    assert router.request("GET", "/global/health", router.host_of(session["hash"])).status == 200
    # What it starts has its command line, too, until it is another program.
    (_, command), = eventually(lambda: len(found := router.descendants("demo-agent")) == 1 and found)
    port = int(command.split("--port")[1].split()[0])
    with Connection(port) as connection:
        assert connection.request("GET", "/global/health", "localhost", {"Connection": "close"}).status == 401
