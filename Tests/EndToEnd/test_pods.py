"""What a session's own processes may ask of the router: on a listener of their own, proven by their secret."""

import json
import re
import time

import pytest

from harness.http1 import Connection, EventStream
from harness.waiting import eventually


def test_a_session_s_processes_are_told_where_to_call_and_how_to_prove_themselves(router, session):
    told = router.pod_environment(session["hash"])
    assert re.fullmatch("[0-9a-f]{64}", told["OPENCODE_POD_SECRET"])
    assert told["OPENCODE_ROUTER_URL"] == f"http://127.0.0.1:{router.pod_port}"
    assert told["OPENCODE_SESSION_HASH"] == session["hash"]


def test_ports_that_a_session_reports_are_shown_to_its_owner(router, session):
    identifier = session["hash"]
    answer = router.pod_call(identifier, "ports", {"ports": [5173, 3000, 4096, 80, 5173, 9222, 7681, 65535, 70000]})
    assert answer.status == 200 and answer.json() == {"ok": True}
    told = router.api("GET", f"/sessions/{identifier}/ports")
    assert told["ports"] == [3000, 5173, 65535]
    assert told["details"][0] == {
        "port": 3000, "url": f"http://3000-{router.host_of(identifier)}", "detected": True, "visibility": "owner",
        "expiresAt": None}


@pytest.mark.parametrize("secret", ["", "0" * 64, "x"])
def test_a_wrong_secret_and_an_unknown_session_are_answered_alike(router, session, secret):
    wrong = router.pod_call(session["hash"], "ports", {"ports": []}, secret=secret)
    unknown = router.pod_call("0" * 12, "ports", {"ports": []}, secret=secret)
    assert (wrong.status, wrong.body) == (unknown.status, unknown.body)
    assert wrong.status == 401 and wrong.json()["code"] == "pod_secret_wrong"


def test_one_session_s_secret_opens_no_other_session(router, session, second_session):
    secret = router.pod_environment(session["hash"])["OPENCODE_POD_SECRET"]
    assert router.pod_call(second_session["hash"], "ports", {"ports": []}, secret=secret).status == 401


@pytest.mark.parametrize("body", [b"{", b"[]", {"ports": "3000"}, {}])
def test_what_is_no_report_is_refused(router, session, body):
    answer = router.pod_call(session["hash"], "ports", body)
    assert answer.status == 400, answer
    assert answer.json()["error"] and answer.json()["code"]


def test_two_secrets_are_no_secret(router, session):
    secret = router.pod_environment(session["hash"])["OPENCODE_POD_SECRET"]
    with Connection(router.pod_port) as connection:
        connection.send(
            f"POST /api/sessions/{session['hash']}/ports HTTP/1.1\r\nHost: x\r\nX-Pod-Secret: {secret}\r\n"
            f"X-Pod-Secret: {secret}\r\nContent-Length: 12\r\n\r\n{{\"ports\":[]}}".encode())
        assert connection.read_response("POST").status == 401


def test_the_pods_listener_serves_nothing_else_to_nobody(router, session):
    fields = {"X-Auth-Request-Email": router.EMAIL, "X-Admin-Secret": "x"}
    secret = router.pod_environment(session["hash"])["OPENCODE_POD_SECRET"]
    hosts = [router.host, router.host_of(session["hash"]), f"attach-{router.host_of(session['hash'])}", "x"]
    paths = ["/", "/api/me", "/api/sessions", f"/api/sessions/{session['hash']}", "/api/admin/sessions", "/metrics",
             f"/api/sessions/{session['hash']}/events", f"/api/sessions/{session['hash']}/attach-info"]
    with Connection(router.pod_port) as connection:
        for host in hosts:
            for path in paths:
                answer = connection.request("GET", path, host, {**fields, "X-Pod-Secret": secret})
                assert answer.status == 404, (host, path, answer)
                assert answer.json()["code"] == "not_found"


def test_the_main_listener_takes_no_pod_s_secret(router, session):
    secret = router.pod_environment(session["hash"])["OPENCODE_POD_SECRET"]
    path = f"/api/sessions/{session['hash']}/ports"
    # The developer is signed in there, so it is the method that is wrong.
    assert router.request("POST", path, fields={"X-Pod-Secret": secret}, body={"ports": []}).status == 405
    with router.connect() as connection:
        answer = connection.request("POST", path, "code.code.svc", {"X-Pod-Secret": secret}, {"ports": []})
        assert answer.status == 421


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(router, session):
    answer = router.pod_call(session["hash"], "ports", {"ports": [1] * 100_000})
    assert answer.status == 413


def test_a_stopped_session_s_secret_is_worth_nothing(router, second_session):
    identifier = second_session["hash"]
    secret = router.pod_environment(identifier)["OPENCODE_POD_SECRET"]
    assert router.pod_call(identifier, "ports", {"ports": [3000]}, secret=secret).status == 200
    router.api("POST", f"/sessions/{identifier}/stop")
    router.wait_for_state(identifier, "stopped")
    assert router.pod_call(identifier, "ports", {"ports": [3000]}, secret=secret).status == 401
    assert router.api("GET", f"/sessions/{identifier}/ports")["ports"] == []
    router.api("POST", f"/sessions/{identifier}/resume")
    router.wait_for_state(identifier, "running")
    assert router.pod_environment(identifier)["OPENCODE_POD_SECRET"] != secret


GATEWAY = "gateway-key-0123456789abcdef"
ADMIN = "admin-secret-0123456789"


@pytest.fixture(scope="module")
def signed_in(start_router):
    """A router behind an ingress that signs people in."""
    router = start_router(
        DEVELOPMENT=None, DEV_EMAIL=None, ROUTER_DOMAIN="example.test", ROUTER_PROTO="http", BIND_ADDRESS="127.0.0.1",
        PICKER_HOST="code.example.test", ROUTE_SUFFIX="-oc", AUTH_SECRET=GATEWAY, ADMIN_SECRET=ADMIN)
    router.identity = lambda email=None: (
        {"X-Gateway-Key": GATEWAY, "X-Auth-Request-Email": email or "alice@example.com"})
    yield router
    router.stop()


def test_a_machine_with_the_administrators_key_reads_ports_and_needs_no_identity(signed_in, repositories):
    identifier = signed_in.create(repositories.story)["hash"]
    assert signed_in.pod_call(identifier, "ports", {"ports": [3000]}).status == 200
    path = f"/api/sessions/{identifier}/ports"
    with signed_in.connect() as connection:
        answer = connection.request("GET", path, signed_in.host, {"X-Admin-Secret": ADMIN})
        assert answer.status == 200 and answer.json() == {"ports": [3000]}
        assert connection.request("GET", path, signed_in.host, {"X-Admin-Secret": "wrong"}).status == 403
        assert connection.request("GET", path, signed_in.host).status == 401
        # The key opens what is the administrators', and nothing that is a person's.
        for other in ("/api/sessions", "/api/me", f"/api/sessions/{identifier}"):
            assert connection.request("GET", other, signed_in.host, {"X-Admin-Secret": ADMIN}).status == 401
        assert connection.request("GET", "/", signed_in.host_of(identifier), {"X-Admin-Secret": ADMIN}).status == 401
    assert signed_in.api("GET", f"/sessions/{identifier}/ports")["details"][0]["port"] == 3000
    signed_in.api("GET", f"/sessions/{identifier}/ports", email="mallory@example.com", status=404)


# What is said


def said(part, text, kind="message.assistant", **more):
    return {"type": kind, "partID": part, "messageID": f"msg_{part}", "sessionID": "ses_1", "text": text,
            "time": 1767323045000, **more}


def told(part, text, kind="message.assistant"):
    """The same as readers see it."""
    return said(part, text, kind, role=kind.removeprefix("message."))


def follow(router, identifier):
    connection = router.connect(timeout=40)
    stream = EventStream(connection, f"/api/sessions/{identifier}/progress/stream", router.host, router.identity())
    assert stream.response.status == 200
    return stream.events(40)


def thread(router, identifier):
    name, data = next(follow(router, identifier))
    assert name == "snapshot"
    return json.loads(data)


def test_what_a_session_says_is_told_live_and_a_later_text_takes_the_earlier_one_s_place(router, session):
    identifier = session["hash"]
    assert router.pod_call(identifier, "progress", said("p1", "Fix it", "message.user")).json() == {"ok": True}
    events = follow(router, identifier)
    name, data = next(events)
    assert name == "snapshot" and json.loads(data)["messages"][0] == told("p1", "Fix it", "message.user")
    for text in ("On", "On it"):
        router.pod_call(identifier, "progress", said("p2", text))
        name, data = next(events)
        assert name == "message" and json.loads(data) == told("p2", text)
    router.pod_call(identifier, "progress", {"type": "session.title", "sessionID": "ses_1", "title": "Fixing"})
    name, data = next(events)
    assert name == "snapshot" and json.loads(data)["title"] == "Fixing"
    assert [message["text"] for message in json.loads(data)["messages"]] == ["Fix it", "On it"]
    eventually(lambda: router.session(identifier).get("title") == "Fixing")


@pytest.mark.parametrize("body", [
    {}, {"type": "session.title", "sessionID": "s"}, {"type": "other", "sessionID": "s"}, said("", "x"),
    said("p", 1), {**said("p", "x"), "time": None}, said("p" * 300, "x")])
def test_what_is_no_event_is_refused(router, session, body):
    answer = router.pod_call(session["hash"], "progress", body)
    assert answer.status == 400 and answer.json()["error"]


def test_what_was_said_outlives_the_session_s_sleep_and_the_router(router, second_session):
    identifier = second_session["hash"]
    router.wait_for_state(identifier, "running")
    for number in range(205):
        if number % 50 == 0:
            time.sleep(1)
        assert router.pod_call(identifier, "progress", said(f"p{number}", f"text {number}")).status == 200
    router.api("POST", f"/sessions/{identifier}/stop")
    router.wait_for_state(identifier, "stopped")
    router.stop()
    router.start()
    kept = thread(router, identifier)
    assert [message["text"] for message in kept["messages"]] == [f"text {number}" for number in range(5, 205)]
    router.api("GET", f"/sessions/{'0' * 12}/progress/stream", status=404)
