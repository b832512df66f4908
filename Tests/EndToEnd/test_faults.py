"""Things that go wrong hurt only whom they must, and say what happened."""

import os
import signal
import time

import pytest

from harness.http1 import EventStream, Truncated
from harness.waiting import eventually


def agent_of(router):
    # What it starts has its command line, too, until it is another program.
    agents = eventually(lambda: len(found := router.descendants("demo-agent")) == 1 and found)
    return agents[0][0]


@pytest.fixture
def running(router, session):
    identifier = session["hash"]
    if router.session(identifier)["state"] != "running":
        router.api("POST", f"/sessions/{identifier}/resume")
        router.wait_for_state(identifier, "running")
    return identifier


def test_a_killed_agent_ends_a_download_short_never_cleanly(router, running):
    host = router.host_of(running)
    with router.connect() as connection:
        connection.send_request("GET", f"/demo/bytes?count={4 << 30}", host)
        head = connection.read_head()
        assert head.status == 200
        pieces = connection.body(head)
        received = sum(len(next(pieces)) for _ in range(20))
        assert received > 0
        os.kill(agent_of(router), signal.SIGKILL)
        with pytest.raises(Truncated):
            for _ in pieces:
                pass
    failed = router.wait_for_state(running, "failed")
    failure = failed["failure"]
    assert failure["code"] and failure["message"] and failure["hint"], failure
    assert "9" in failure["message"] or "kill" in failure["message"].lower(), failure
    # Everything else serves on.
    assert router.request("GET", "/").status == 200
    assert router.api("GET", "/me")["email"] == router.EMAIL


def test_a_killed_agent_ends_an_upload_with_a_clear_502_or_an_end(router, running):
    host = router.host_of(running)
    with router.connect() as connection:
        connection.send(connection.head("PUT", "/demo/upload/half", host, {
            "Origin": f"http://{host}", "Content-Length": 1 << 30}))
        connection.send(bytes(1 << 20))
        # The agent has the head once the first bytes are on its disk.
        time.sleep(0.3)
        os.kill(agent_of(router), signal.SIGKILL)
        try:
            answer = connection.read_response("PUT")
            assert answer.status == 502, answer
            assert answer.json()["code"]
        except Truncated:
            pass
    router.wait_for_state(running, "failed")


def test_a_killed_agent_ends_an_event_stream(router, running):
    with router.connect() as connection:
        stream = EventStream(connection, "/event", router.host_of(running))
        events = stream.events(60)
        next(events)
        os.kill(agent_of(router), signal.SIGKILL)
        with pytest.raises(Truncated):
            for _ in events:
                pass
    router.wait_for_state(running, "failed")


def test_a_failed_session_tells_its_cause_on_its_own_host_and_starts_again(router, running):
    host = router.host_of(running)
    os.kill(agent_of(router), signal.SIGKILL)
    router.wait_for_state(running, "failed")
    answer = router.request("GET", "/session", host, {"Accept": "application/json"})
    assert answer.status in (502, 503), answer
    assert answer.json()["code"]
    router.api("POST", f"/sessions/{running}/resume")
    router.wait_for_state(running, "running")
    assert router.request("GET", "/global/health", host).status == 200


def test_a_repository_that_does_not_exist_tells_git_s_reason(router, repositories):
    url = repositories.url("no-such-repository.git")
    answer = router.request("POST", "/api/sessions", body={"repoUrl": url, "branch": "main"})
    if answer.status == 201:
        failure = router.wait_for_state(answer.json()["hash"], "failed")["failure"]
        text = failure["message"] + (failure.get("log") or "")
        router.api("DELETE", f"/sessions/{answer.json()['hash']}")
    else:
        assert answer.status in (400, 404, 502), answer
        text = answer.json()["error"]
    assert "no-such-repository" in text, text
    assert any(words in text.lower() for words in ("not found", "does not exist", "no repository")), text


def test_a_private_repository_tells_that_it_needs_a_login(router, repositories):
    url = repositories.url("private/story.git")
    answer = router.request("POST", "/api/sessions", body={"repoUrl": url, "branch": "main"})
    if answer.status == 201:
        failure = router.wait_for_state(answer.json()["hash"], "failed")["failure"]
        text = f"{failure['code']} {failure['message']} {failure['hint']} {failure.get('log') or ''}"
        router.api("DELETE", f"/sessions/{answer.json()['hash']}")
    else:
        assert 400 <= answer.status < 503, answer
        text = answer.json()["error"]
    assert any(word in text.lower() for word in ("authentication", "sign in", "private", "token", "401")), text


@pytest.mark.parametrize("url", [
    "file:///etc", "ext::sh -c id", "git@github.com:a/b", "ssh://github.com/a/b", "http://user:secret@127.0.0.1/x",
    "--upload-pack=id", "javascript:alert(1)", "https://", "https://exa mple.com/x", "https://example.com/\nx",
])
def test_an_address_that_is_no_allowed_repository_is_refused_at_once(router, url):
    answer = router.request("POST", "/api/sessions", body={"repoUrl": url, "branch": "main"})
    assert answer.status == 400, answer
    assert set(answer.json()) >= {"error", "code"}
    assert "secret" not in answer.text


@pytest.mark.parametrize("branch", ["", "-x", "a b", "a..b", "a~b", "x.lock", "/x", "a\u0000b", "a\nb", "@{1}"])
def test_a_branch_that_git_would_refuse_is_refused_at_once(router, repositories, branch):
    answer = router.request("POST", "/api/sessions", body={"repoUrl": repositories.story, "branch": branch})
    assert answer.status == 400, answer


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b'{"branch":5}', b"\xff"])
def test_a_body_that_is_no_order_is_refused(router, body):
    answer = router.request("POST", "/api/sessions", fields={"Content-Type": "application/json"}, body=body)
    assert answer.status == 400, answer
    assert set(answer.json()) >= {"error", "code"}


def test_a_body_beyond_the_limit_is_413(router):
    answer = router.request("POST", "/api/sessions", fields={"Content-Type": "application/json"}, body=b" " * (300 << 10))
    assert answer.status == 413, answer
