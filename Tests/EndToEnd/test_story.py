"""The main job from beginning to end: choose a repository, watch it start, work in it, stop, resume, delete."""

import hashlib
import json
import os
import time

import pytest
from websockets.sync.client import connect as open_websocket

from harness.http1 import EventStream


@pytest.fixture(scope="module")
def story(router, repositories):
    """The session that the tests below walk through in order."""
    made = router.api(
        "POST", "/sessions", {"repoUrl": repositories.story, "branch": "main"}, status=201)
    assert made["state"] == "creating" and made["url"] is None
    return made["hash"]


@pytest.fixture(scope="module")
def host(router, story):
    return router.host_of(story)


def type_into_terminal(router, host, *lines, until, seconds=40):
    """Opens a terminal in the session, types, and reads until the text `until` has come."""
    terminal = router.request("POST", "/pty", host, {"Content-Type": "application/json"}, b"{}").json()["id"]
    connection = router.connect()
    with open_websocket(
            f"ws://{host}/pty/{terminal}/connect", sock=connection.socket, origin=f"{router.scheme}://{host}",
            open_timeout=40) as socket:
        for line in lines:
            socket.send(line + "\r")
        seen, end = "", time.monotonic() + seconds
        while until not in seen:
            piece = socket.recv(timeout=max(0.1, end - time.monotonic()))
            seen += piece if isinstance(piece, str) else ""
        return seen


def test_01_the_hash_is_the_one_the_contract_names(router, story, repositories):
    key = f"{router.EMAIL}:{repositories.story}:main"
    assert story == hashlib.sha256(key.encode()).hexdigest()[:12]


def test_02_it_goes_through_its_stages_to_running(router, story):
    stages = ["initializing", "configuring", "preparing", "starting", "readying"]
    seen, end = [], time.monotonic() + 60
    while True:
        session = router.session(story)
        if session["state"] != "creating":
            break
        if session["stage"] not in seen:
            seen.append(session["stage"])
        assert time.monotonic() < end, session
        time.sleep(0.01)
    assert session["state"] == "running", session
    assert seen == sorted(seen, key=stages.index)
    assert session["url"].rstrip("/").startswith(f"http://{router.host_of(story)}")


def test_03_the_list_and_the_session_agree(router, story):
    listed = router.api("GET", "/sessions")
    assert listed["email"] == router.EMAIL
    assert [session["hash"] for session in listed["sessions"]] == [story]


def test_04_creating_it_again_is_the_same_session(router, story, repositories):
    again = router.request("POST", "/api/sessions", body={"repoUrl": repositories.story, "branch": "main"})
    assert again.status in (200, 201), again
    assert again.json()["hash"] == story
    assert len(router.api("GET", "/sessions")["sessions"]) == 1


def test_05_polling_an_unchanged_session_answers_304(router, story):
    first = router.request("GET", f"/api/sessions/{story}")
    again = router.request("GET", f"/api/sessions/{story}", fields={"If-None-Match": first.fields["ETag"]})
    assert again.status == 304 and again.body == b""


def test_06_its_host_shows_the_agent_s_page_with_the_repository(router, host):
    page = router.request("GET", "/", host, {"Accept": "text/html"})
    assert page.status == 200
    assert page.fields["Content-Type"].startswith("text/html")
    assert "demo" in page.text.lower()
    files = router.request("GET", "/file?path=.", host).json()
    assert {"README.md", "src"} <= {entry["name"] for entry in files}


def test_07_its_event_stream_stays_open_and_prompt_up_to_a_heartbeat(router, host):
    with router.connect() as connection:
        start = time.monotonic()
        stream = EventStream(connection, "/event", host)
        assert stream.response.status == 200
        assert stream.response.fields["Content-Type"].startswith("text/event-stream")
        assert "Content-Encoding" not in stream.response.fields
        events = []
        for _, data in stream.events(30):
            events.append((json.loads(data)["type"] if data else None, time.monotonic() - start))
            if events[-1][0] == "server.heartbeat" or events[-1][1] > 18:
                break
        assert events[0][0] == "server.connected" and events[0][1] < 8, events
        # It comes every ten seconds: one that were held back until the next would be twice as late.
        assert events[-1][0] == "server.heartbeat" and 9 < events[-1][1] < 18, events


def test_08_a_typed_command_answers_in_the_terminal(router, host):
    seen = type_into_terminal(router, host, "echo $((6*7))-works > kept.txt; cat kept.txt; pwd", until="42-works\r\n")
    assert "42-works" in seen


@pytest.mark.parametrize("way", ["length", "chunked"])
def test_09_64_mib_go_up_and_come_down_unchanged(router, host, way):
    size = 64 << 20
    block = os.urandom(1 << 20)
    digest = hashlib.sha256()
    with router.connect(timeout=60) as connection:
        fields = {"Origin": f"{router.scheme}://{host}", "Content-Type": "application/octet-stream"}
        fields.update({"Content-Length": size} if way == "length" else {"Transfer-Encoding": "chunked"})
        connection.send(connection.head("PUT", f"/demo/upload/{way}", host, fields))
        for number in range(size // len(block)):
            piece = number.to_bytes(8) + block[8:]
            digest.update(piece)
            connection.send(piece if way == "length" else b"%x\r\n%b\r\n" % (len(piece), piece))
        if way == "chunked":
            connection.send(b"0\r\n\r\n")
        stored = connection.read_response("PUT")
        assert stored.status == 201, stored
        assert stored.json()["bytes"] == size

        # On the same connection, back again.
        connection.send_request("GET", f"/demo/upload/{way}", host)
        head = connection.read_head()
        assert head.status == 200
        received, count = hashlib.sha256(), 0
        for piece in connection.body(head):
            received.update(piece)
            count += len(piece)
        assert count == size
        assert received.hexdigest() == digest.hexdigest()


def test_10_stopping_ends_every_process_of_it(router, story):
    assert router.descendants("demo-agent")
    router.api("POST", f"/sessions/{story}/stop")
    stopped = router.wait_for_state(story, "stopped")
    assert stopped["url"] is None
    assert router.descendants("demo-agent") == []


def test_11_resuming_finds_the_file_that_was_written(router, story, host):
    resumed = router.api("POST", f"/sessions/{story}/resume")
    assert resumed["hash"] == story and resumed["state"] == "creating"
    router.wait_for_state(story, "running")
    content = router.request("GET", "/file/content?path=kept.txt", host).json()
    assert content["content"] == "42-works\n"


def test_12_a_restart_of_the_router_loses_nothing(router, story, host):
    assert router.stop() == 0
    old_port = router.port
    router.start()
    assert router.port != old_port or True
    session = router.wait_for_state(story, "running", "stopped")
    if session["state"] == "stopped":
        router.api("POST", f"/sessions/{story}/resume")
        router.wait_for_state(story, "running")
    content = router.request("GET", "/file/content?path=kept.txt", router.host_of(story)).json()
    assert content["content"] == "42-works\n"


def test_13_deleting_leaves_nothing(router, story):
    response = router.request("DELETE", f"/api/sessions/{story}")
    assert response.status == 204, response
    end = time.monotonic() + 40
    while router.api("GET", "/sessions")["sessions"] and time.monotonic() < end:
        time.sleep(0.05)
    assert router.api("GET", "/sessions")["sessions"] == []
    assert router.descendants("demo-agent") == []
    assert router.request("GET", "/", router.host_of(story)).status == 404
    left = [path for path in (router.folder / "state").rglob(f"*{story}*")]
    assert left == [], left
