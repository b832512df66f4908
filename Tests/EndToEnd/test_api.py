"""The API through the real binary: polling, limits, first prompts and idle sessions."""

import gzip
import json
import time

import pytest

from harness.waiting import eventually

NAVIGATION = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}


def prompts(router, session):
    """What people said in the conversation that the session's address names."""
    conversation = session["url"].rsplit("/", 1)[1]
    host = router.session_host(session)
    answer = router.request("GET", f"/session/{conversation}/message", host)
    assert answer.status == 200, answer
    return [part["text"] for message in answer.json() if message["info"]["role"] == "user" for part in message["parts"]]


def with_conversation(router, identifier):
    return eventually(lambda: (s := router.session(identifier)) and "/session/" in (s["url"] or "") and s)


def test_a_first_prompt_is_given_once_with_no_browser_looking_on(start_router, repositories):
    router = start_router()
    made = router.api("POST", "/sessions", {
        "repoUrl": repositories.story, "branch": "feature/prompt", "initialMessage": "Say <hello>\n"}, status=201)
    session = with_conversation(router, made["hash"])
    assert session["description"] == "Say <hello>\n"
    assert prompts(router, session) == ["Say <hello>\n"]
    # Neither a stop nor another router gives it again.
    router.api("POST", f"/sessions/{made['hash']}/stop")
    router.wait_for_state(made["hash"], "stopped")
    router.stop()
    router.start()
    router.api("POST", f"/sessions/{made['hash']}/resume")
    again = router.wait_for_state(made["hash"], "running")
    assert again["sessionId"] == session["sessionId"]
    time.sleep(1)
    lines = [line for line in router.lines(everything=True) if line.get("message") == "first prompt delivered"]
    assert len(lines) == 1
    router.stop()


def test_polling_costs_nothing_until_something_changes(router, session):
    for path in ("/api/sessions", f"/api/sessions/{session['hash']}"):
        first = router.request("GET", path)
        tag = first.fields["ETag"]
        assert first.fields["Cache-Control"] == "private, no-cache"
        again = router.request("GET", path, fields={"If-None-Match": tag})
        assert again.status == 304 and not again.body and again.fields["ETag"] == tag
        # What a cache keeps the answer by (RFC 9110 §15.4.5).
        assert [again.fields.get(name) for name in ("Cache-Control", "Vary")] == [
            first.fields.get(name) for name in ("Cache-Control", "Vary")]
    router.api("PUT", f"/sessions/{session['hash']}/idle-timeout", {"minutes": 77})
    changed = router.request("GET", f"/api/sessions/{session['hash']}", fields={"If-None-Match": tag})
    assert changed.status == 200 and changed.json()["idleTimeoutMinutes"] == 77


def test_long_answers_are_compressed_for_whoever_wants_that(router, session, second_session):
    plain = router.request("GET", "/api/sessions")
    packed = router.request("GET", "/api/sessions", fields={"Accept-Encoding": "gzip"})
    assert "Accept-Encoding" in plain.fields["Vary"] and "Content-Encoding" not in plain.fields
    if len(plain.body) > 1024:
        assert packed.fields["Content-Encoding"] == "gzip"
        assert sorted(s["hash"] for s in json.loads(gzip.decompress(packed.body))["sessions"]) == sorted(
            s["hash"] for s in plain.json()["sessions"])


@pytest.mark.parametrize("method, path, status, code", [
    ("GET", "/api/nothing", 404, "not_found"),
    ("GET", "/api/sessions/0123456789ab", 404, "session_not_found"),
    ("POST", "/api/sessions/0123456789ab/stop", 404, "session_not_found"),
    ("PATCH", "/api/sessions", 405, "method_not_allowed"),
    ("GET", "/api/admin/sessions", 403, "admin_only"),
])
def test_every_refusal_is_a_sentence_and_a_code(router, method, path, status, code):
    fields = {} if method == "GET" else {"Content-Type": "application/json"}
    answer = router.request(method, path, fields=fields, body=None if method == "GET" else {})
    assert answer.status == status, answer
    assert answer.json()["code"] == code and answer.json()["error"].endswith(".")


def test_limits_say_what_to_stop_and_hold_for_visits_too(start_router, repositories):
    router = start_router(MAX_RUNNING_PER_USER=1)
    first = router.create(repositories.story, "main")
    answer = router.request("POST", "/api/sessions", body={"repoUrl": repositories.story, "branch": "feature/one"},
                            fields={"Content-Type": "application/json"})
    assert answer.status == 429 and answer.json()["code"] == "too_many_running"
    assert '"main"' in answer.json()["error"]
    router.api("POST", f"/sessions/{first['hash']}/stop")
    router.wait_for_state(first["hash"], "stopped")
    second = router.create(repositories.story, "feature/one")
    assert router.request("GET", "/", router.host_of(first["hash"]), NAVIGATION).status == 503
    time.sleep(1)
    assert router.session(first["hash"])["state"] == "stopped"
    assert router.session(second["hash"])["state"] == "running"
    router.stop()


def test_a_user_who_asks_too_fast_is_told_to_wait(start_router):
    router = start_router(MAX_REQUESTS_PER_SECOND_PER_USER=5)
    with router.connect() as connection:
        answers = [connection.request("GET", "/api/version", router.host) for _ in range(60)]
    refused = [answer for answer in answers if answer.status == 429]
    assert refused and refused[0].json()["code"] == "too_many_requests"
    assert refused[0].fields["Retry-After"] == "1"
    assert [answer.status for answer in answers[:5]] == [200] * 5
    router.stop()


def test_an_unused_session_is_stopped_and_its_files_stay(start_router, repositories):
    router = start_router(IDLE_TIMEOUT_MINUTES="0.1")
    session = router.create(repositories.story, "main")
    identifier = session["hash"]
    host = router.session_host(session)
    # Somebody uses it for longer than the idle time: it stays.
    for _ in range(5):
        assert router.request("GET", "/session", host).status == 200
        time.sleep(2)
        assert router.session(identifier)["state"] == "running"
    router.wait_for_state(identifier, "stopped", seconds=40)
    lines = [line for line in router.lines() if line.get("message") == "session stopped"]
    assert [line["by"] for line in lines] == ["idle policy"]
    router.api("POST", f"/sessions/{identifier}/resume")
    router.wait_for_state(identifier, "running")
    router.stop()
