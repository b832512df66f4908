"""Taking a session away from somebody is a new route table: what they have open ends with it."""


import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from harness.http1 import EventStream, Truncated
from harness.waiting import eventually

NEW_OWNER = "next@example.com"


@pytest.fixture()
def open_streams(request, router, repositories):
    """A session with an event stream and a terminal open in its owner's browser."""
    session = router.create(repositories.story, f"feature/{request.node.name}")
    host = router.session_host(session)
    terminal = router.request("POST", "/pty", host, {"Content-Type": "application/json"}, b"{}").json()["id"]
    connection = router.connect()
    with connect(f"ws://{host}/pty/{terminal}/connect", sock=connection.socket,
                 origin=f"{router.scheme}://{host}", compression=None) as socket:
        events = EventStream(router.connect(), "/global/event", host)
        assert events.response.status == 200
        yield session, socket, events
        events.connection.close()


def ended(events):
    """Reads until the stream breaks off."""
    with pytest.raises((Truncated, ConnectionError)):
        for _ in events.events(30):
            pass


def closed_with(socket):
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            socket.recv(30)
    return closed.value.rcvd and closed.value.rcvd.code


def test_a_session_that_changes_hands_cuts_its_former_owner_off(router, cluster, open_streams):
    session, socket, events = open_streams
    identifier = session["hash"]
    change = {"metadata": {"annotations": {"opencode.ai/user-email": NEW_OWNER}}}
    cluster.patch("persistentvolumeclaims", f"opencode-pvc-{identifier}", change)
    cluster.patch("pods", f"opencode-session-{identifier}", change)
    assert closed_with(socket) == 1008
    ended(events)
    assert router.request("GET", "/global/health", router.session_host(session)).status == 404
    # Nothing was wrong with the session itself: the pod that served both still runs.
    assert cluster.store.get("pods", f"opencode-session-{identifier}")["status"]["phase"] == "Running"
    lines = eventually(lambda: [line for line in router.lines() if line.get("logger") == "audit"
                                and line.get("session") == identifier and line["message"] == "access denied"])
    assert lines[0]["why"] == "session_not_found"
