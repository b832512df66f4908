"""A person who opens a sleeping session starts it; a program that asks does not."""

import signal
import time

import pytest

from harness.http1 import EventStream
from harness.waiting import eventually

NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "none",
}


@pytest.fixture
def asleep(router, session):
    identifier = session["hash"]
    if router.session(identifier)["state"] != "stopped":
        router.wait_for_state(identifier, "running")
        router.api("POST", f"/sessions/{identifier}/stop")
        router.wait_for_state(identifier, "stopped")
    return identifier


def stays_asleep(router, identifier):
    end = time.monotonic() + 1
    while time.monotonic() < end:
        assert router.session(identifier)["state"] == "stopped"
        time.sleep(0.1)


@pytest.mark.parametrize("fields", [
    {"Accept": "application/json", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"},
    {"Accept": "*/*"},
    {"Accept": "text/event-stream"},
])
def test_a_program_s_request_gets_json_and_wakes_nobody(router, asleep, fields):
    answer = router.request("GET", "/session", router.host_of(asleep), fields)
    assert answer.status == 503, answer
    assert answer.fields["Content-Type"].startswith("application/json")
    assert answer.json()["code"] == "session_not_ready"
    assert int(answer.fields["Retry-After"]) > 0
    stays_asleep(router, asleep)


def test_a_websocket_gets_an_answer_and_wakes_nobody(router, asleep):
    host = router.host_of(asleep)
    with router.connect() as connection:
        answer = connection.request("GET", "/pty/x/connect", host, {
            "Connection": "Upgrade", "Upgrade": "websocket", "Origin": f"http://{host}",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        assert answer.status == 503, answer
        # The connection goes on: the ingress shares it.
        assert connection.request("GET", "/api/me", router.host).status == 200
    stays_asleep(router, asleep)


def test_opening_its_page_shows_the_starting_page_and_starts_it(router, asleep):
    host = router.host_of(asleep)
    answer = router.request("GET", "/some/page?x=1", host, NAVIGATION)
    assert answer.status == 503
    assert answer.fields["Content-Type"].startswith("text/html")
    assert int(answer.fields["Retry-After"]) > 0
    assert "no-store" in answer.fields["Cache-Control"]
    assert f'href="http://{router.host}/"' in answer.text
    router.wait_for_state(asleep, "running")
    # The same address now is the agent's.
    assert router.request("GET", "/global/health", host, NAVIGATION).status == 200


def test_the_starting_page_still_leads_to_the_picker_when_its_files_were_read_anew(router, asleep):
    """The port, which the kernel chose here, is in no setting that can be read again."""
    def times():
        return sum(line.get("message") == "secrets and the picker's files were read anew" for line in router.lines())

    before = times()
    router.signal(signal.SIGHUP)
    eventually(lambda: times() > before)
    assert f'href="http://{router.host}/"' in router.request("GET", "/", router.host_of(asleep), NAVIGATION).text


def test_a_hundred_page_loads_start_it_once(router, asleep):
    host = router.host_of(asleep)
    with router.connect() as connection:
        for _ in range(100):
            assert connection.request("GET", "/", host, NAVIGATION).status in (200, 503)
    router.wait_for_state(asleep, "running")
    # What it starts has its command line, too, until it is another program; a second one would stay.
    eventually(lambda: len(router.descendants("demo-agent")) == 1)


def test_the_session_stream_tells_the_list_at_once_and_every_change(router, asleep):
    with router.connect() as connection:
        stream = EventStream(connection, "/api/sessions/stream", router.host)
        assert stream.response.status == 200
        states = []
        import json
        for name, data in stream.events(60):
            if name == "sessions":
                states += [s["state"] for s in json.loads(data)["sessions"] if s["hash"] == asleep]
                if len(states) == 1:
                    router.api("POST", f"/sessions/{asleep}/resume")
                if states[-1] == "running":
                    break
        assert states[0] == "stopped" and states[-1] == "running" and "creating" in states, states
