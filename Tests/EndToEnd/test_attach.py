"""`opencode attach`: whoever holds a session's password reaches its agent, on hosts and a listener of their own."""

import base64
import itertools
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as open_websocket

from harness.http1 import Connection, EventStream, Truncated
from harness.ports import reserve_port

SCRIPTED = Path(__file__).resolve().parents[1] / "Support" / "scripted_agent.py"


@pytest.fixture(scope="module", params=["local", "kubernetes"])
def router(request):
    return request.getfixturevalue("local_router" if request.param == "local" else "cluster_router")


@pytest.fixture(scope="module")
def local_router(start_router):
    router = start_router()
    yield router
    router.stop()


@pytest.fixture
def info(router, session):
    """Address and password as the owner gets them."""
    return router.api("GET", f"/sessions/{session['hash']}/attach-info")


LOOPBACK = (f"127.0.{number // 250}.{number % 250 + 2}" for number in itertools.count())


@pytest.fixture
def source():
    """An address that nobody has failed from: each test that fails on purpose has one of its own."""
    return next(LOOPBACK)


def host_of(info):
    return info["attachUrl"].split("://")[1]


def basic(password, user="opencode"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def ask(router, host, target="/global/health", fields=None, method="GET", body=None, source=None):
    with Connection(router.attach_port, source=source) as connection:
        return connection.request(method, target, host, {"Connection": "close", **(fields or {})}, body)


def test_the_owner_is_told_address_and_password(router, session, info):
    assert info["hash"] == session["hash"]
    assert re.fullmatch("[0-9a-f]{32}", info["attachPassword"])
    assert info["attachUrl"] == f"http://attach-{session['hash']}.localhost:{router.attach_port}"
    # The same at each question: a command that was copied yesterday works today.
    assert router.api("GET", f"/sessions/{session['hash']}/attach-info") == info


@pytest.mark.parametrize("way", ["basic", "any user", "field", "query", "query among others"])
def test_the_password_opens_the_agent_by_each_way_that_a_tool_knows(router, info, way):
    password = info["attachPassword"]
    target, fields = {
        "basic": ("/global/health", basic(password)),
        "any user": ("/global/health", basic(password, "")),
        "field": ("/global/health", {"X-Attach-Password": password}),
        "query": (f"/global/health?password={password}", {}),
        "query among others": (f"/global/health?a=1&password={password}&b=2", {}),
    }[way]
    answer = ask(router, host_of(info), target, fields)
    assert answer.status == 200 and answer.json()["healthy"] is True


WRONG = {
    "none": ("/", {}),
    "basic": ("/", basic("0" * 32)),
    "another scheme": ("/", {"Authorization": "Bearer " + "0" * 32}),
    "no base64": ("/", {"Authorization": "Basic ***"}),
    "no colon": ("/", {"Authorization": "Basic " + base64.b64encode(b"0" * 32).decode()}),
    "long": ("/", {"Authorization": "Basic " + "A" * 4000}),
    "empty": ("/?password=", {"X-Attach-Password": ""}),
    "a part of it": ("/", lambda password: {"X-Attach-Password": password[:31]}),
    "more than it": ("/", lambda password: {"X-Attach-Password": password + "0"}),
    "another spelling": ("/?Password={}", {}),
}


@pytest.mark.parametrize("case", WRONG)
def test_anything_else_is_401_and_an_unknown_session_is_answered_alike(source, router, info, case):
    target, fields = WRONG[case]
    target = target.format(info["attachPassword"])
    fields = fields(info["attachPassword"]) if callable(fields) else fields
    known = ask(router, host_of(info), target, fields, source=source)
    unknown = ask(
        router, host_of(info).replace(info["hash"], "0" * 12), target, fields, source=source)
    assert known.status == unknown.status == 401
    assert known.json() == unknown.json() == {
        "error": "Invalid or missing attach password", "code": "attach_password_invalid"}
    assert known.fields["WWW-Authenticate"].startswith("Basic ")
    names = [[name for name, _ in answer.fields.lines] for answer in (known, unknown)]
    assert names[0] == names[1]


def test_after_ten_wrong_passwords_that_peer_is_not_heard_for_that_session(source, router, info):
    host = host_of(info)
    wrong = {"X-Attach-Password": "0" * 32}
    # Each worker counts for itself, and one connection stays with one worker.
    with Connection(router.attach_port, source=source) as connection:
        statuses = [connection.request("GET", "/", host, wrong).status for _ in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        right = connection.request("GET", "/global/health", host, {"X-Attach-Password": info["attachPassword"]})
        assert right.status == 429 and 0 < int(right.fields["Retry-After"]) <= 60
        assert right.json()["code"] == "attach_password_blocked"
        # Unknown sessions are counted alike, and other sessions are not concerned.
        other = host.replace(info["hash"], "1" * 12)
        assert [connection.request("GET", "/", other, wrong).status for _ in range(11)] == [401] * 10 + [429]
        # Who gives no password is asked for one.
        assert connection.request("GET", "/", host.replace(info["hash"], "2" * 12)).status == 401
    assert ask(router, host, "/global/health", {"X-Attach-Password": info["attachPassword"]}).status == 200


def test_reading_the_settings_again_forgets_no_wrong_password(source, start_router):
    router = start_router()
    host = f"attach-{'3' * 12}.localhost:{router.attach_port}"
    wrong = {"X-Attach-Password": "0" * 32}
    with Connection(router.attach_port, source=source) as connection:
        assert [connection.request("GET", "/", host, wrong).status for _ in range(11)] == [401] * 10 + [429]
        router.signal(signal.SIGHUP)
        router.wait_for_line("secrets and the picker's files were read anew")
        assert connection.request("GET", "/", host, wrong).status == 429
    router.stop()


def test_the_attach_listener_serves_attach_hosts_and_nothing_else(router, session, info):
    fields = basic(info["attachPassword"])
    for host in (router.host, router.host_of(session["hash"]), f"5173-{router.host_of(session['hash'])}", "elsewhere"):
        for target in ("/", "/api/me", f"/api/sessions/{session['hash']}"):
            assert ask(router, host, target, fields).status == 421, (host, target)
    assert router.request("GET", "/global/health", host_of(info), fields).status == 421


def test_events_flow_to_the_holder(router, info):
    with Connection(router.attach_port) as connection:
        stream = EventStream(connection, "/event", host_of(info), basic(info["attachPassword"]))
        assert stream.response.status == 200
        name, data = next(stream.events(20))
        assert "server.connected" in data


def terminal(router, info):
    """A WebSocket to a terminal of the agent, as the terminal program opens it: no cookies, no Origin."""
    fields = basic(info["attachPassword"])
    made = ask(router, host_of(info), "/pty", {**fields, "Content-Type": "application/json"}, "POST", b"{}")
    assert made.status == 200, made
    return open_websocket(
        f"ws://{host_of(info)}/pty/{made.json()['id']}/connect", additional_headers=fields,
        sock=Connection(router.attach_port).socket)


def test_a_terminal_answers_over_a_websocket(router, info):
    with terminal(router, info) as socket:
        socket.send("echo $((6*7))tt\r")
        text = ""
        end = time.monotonic() + 30
        while "42tt" not in text:
            assert time.monotonic() < end, text
            piece = socket.recv(timeout=30)
            text += piece if isinstance(piece, str) else piece.decode(errors="replace")


def test_a_websocket_without_the_password_is_refused_with_an_answer(source, router, info):
    with pytest.raises(InvalidStatus) as refused:
        open_websocket(
            f"ws://{host_of(info)}/pty/x/connect",
            sock=Connection(router.attach_port, source=source).socket)
    assert refused.value.response.status_code == 401


def test_a_page_of_another_origin_cannot_use_a_password_that_a_browser_kept(router, info):
    fields = basic(info["attachPassword"])
    for more in ({"Origin": f"http://{router.host}"}, {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}):
        assert ask(router, host_of(info), "/session", {**fields, **more}, "POST", b"{}").status == 403


def test_rotating_cuts_whoever_came_in_by_the_old_password(router, session, info):
    identifier = session["hash"]
    with Connection(router.attach_port) as connection, terminal(router, info) as socket:
        stream = EventStream(connection, "/event", host_of(info), basic(info["attachPassword"]))
        assert next(stream.events(20))
        new = router.api("POST", f"/sessions/{identifier}/attach-password")
        assert new["attachPassword"] != info["attachPassword"] and new["attachUrl"] == info["attachUrl"]
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                socket.recv(timeout=30)
        assert closed.value.rcvd.code == 1008
        # The stream ends without an end: nobody takes it for a whole one.
        with pytest.raises((Truncated, ConnectionError)):
            for _ in stream.events(30):
                pass
    assert ask(router, host_of(info), "/global/health", basic(info["attachPassword"])).status == 401
    assert ask(router, host_of(info), "/global/health", basic(new["attachPassword"])).status == 200
    # The owner's own way was not touched.
    assert router.request("GET", "/global/health", router.host_of(identifier)).status == 200


def test_the_holder_wakes_a_sleeping_session_and_a_stream_that_comes_back_does_not(router, second_session):
    identifier = second_session["hash"]
    info = router.api("GET", f"/sessions/{identifier}/attach-info")
    fields = basic(info["attachPassword"])
    router.api("POST", f"/sessions/{identifier}/stop")
    router.wait_for_state(identifier, "stopped")
    stream = ask(router, host_of(info), "/event", {**fields, "Accept": "text/event-stream"})
    assert stream.status == 503
    assert ask(router, host_of(info), "/global/health", {}).status == 401
    time.sleep(0.5)
    assert router.session(identifier)["state"] == "stopped"
    answer = ask(router, host_of(info), "/global/health", fields)
    assert answer.status == 503 and answer.json()["code"] == "session_not_ready"
    assert int(answer.fields["Retry-After"]) > 0
    router.wait_for_state(identifier, "running")
    assert ask(router, host_of(info), "/global/health", fields).status == 200


def test_with_one_port_for_both_attach_hosts_are_served_beside_the_others(start_router, repositories):
    port = reserve_port()
    router = start_router(PORT=port, ATTACH_PORT=port)
    identifier = router.create(repositories.story)["hash"]
    info = router.api("GET", f"/sessions/{identifier}/attach-info")
    assert info["attachUrl"] == f"http://attach-{identifier}.localhost:{port}"
    with router.connect() as connection:
        health = connection.request("GET", "/global/health", host_of(info), basic(info["attachPassword"]))
        assert health.status == 200
        assert connection.request("GET", "/global/health", host_of(info)).status == 401
        assert connection.request("GET", "/api/me", router.host).status == 200
    router.stop()


def test_the_password_stays_here(start_router, repositories):
    """What the agent sees of a request: neither password nor cookie, and its own credentials in their place."""
    router = start_router(AGENT_COMMAND=f"{sys.executable} {SCRIPTED} --port {{port}}", ACCESS_LOG="true")
    identifier = router.create(repositories.story)["hash"]
    info = router.api("GET", f"/sessions/{identifier}/attach-info")
    password = info["attachPassword"]
    answer = ask(router, host_of(info), f"/head?a=1&password={password}&b=2", {
        "X-Attach-Password": password, **basic(password), "Referer": f"http://{host_of(info)}/?password={password}",
        "Cookie": "_oauth2_proxy=planted; app=1"})
    seen = answer.json()
    assert seen["target"] == "/head?a=1&b=2"
    assert password not in answer.text
    assert base64.b64encode(f"opencode:{password}".encode()).decode() not in answer.text
    names = {name.lower() for name, _ in seen["fields"]}
    assert "authorization" in names and not names & {"cookie", "referer", "x-attach-password"}
    assert password not in router.log_path.read_text()
    router.stop()
