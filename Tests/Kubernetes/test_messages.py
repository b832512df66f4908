"""What is said in a session, with its pods' calls spread over two replicas."""

import base64
import json

import pytest

from harness.agent import pod_secret
from harness.http1 import EventStream
from harness.waiting import eventually


@pytest.fixture(scope="module")
def other(start_in, cluster):
    """A second replica."""
    router = start_in(cluster)
    yield router
    router.stop()


@pytest.fixture(scope="module")
def secret(router, cluster, session):
    return pod_secret(cluster, session["hash"])


@pytest.fixture(scope="module")
def session(router, repositories):
    return router.create(repositories.story, "main")


def said(part, text):
    return {"type": "message.user", "partID": part, "messageID": "m", "sessionID": "ses_1", "text": text, "time": 1}


def follow(router, identifier):
    connection = router.connect(timeout=40)
    return EventStream(connection, f"/api/sessions/{identifier}/progress/stream", router.host).events(40)


def test_a_reader_on_one_replica_sees_what_was_told_to_the_other_and_nothing_is_lost(
        router, other, cluster, session, secret):
    identifier = session["hash"]
    other.wait_for_state(identifier, "running")
    events = follow(other, identifier)
    assert next(events)[0] == "snapshot"
    # Both replicas have the pod's secret, and write at the same time.
    for number in range(10):
        at = router if number % 2 else other
        answer = at.pod_call(identifier, "progress", said(f"p{number}", f"text {number}"), secret=secret)
        assert answer.status == 200, answer
    seen = set()
    for name, data in events:
        data = json.loads(data) if name else {}
        for message in data.get("messages", [data] if name == "message" else []):
            seen.add(message["text"])
        if len(seen) == 10:
            break
    assert seen == {f"text {number}" for number in range(10)}

    def stored():
        return cluster.store.get("secrets", f"opencode-messages-{identifier}")

    def texts():
        messages = json.loads(base64.b64decode(stored()["data"]["messages.json"]))["messages"]
        return {message["text"] for message in messages}

    # Each replica stores what it was told two seconds later, whoever comes first.
    eventually(lambda: texts() == seen)
    assert stored()["metadata"]["ownerReferences"][0]["name"] == f"opencode-pvc-{identifier}"


def test_ports_that_were_told_to_one_replica_are_known_to_the_other_and_end_with_the_run(
        router, other, cluster, session, secret):
    identifier = session["hash"]
    assert router.pod_call(identifier, "ports", {"ports": [5173]}, secret=secret).status == 200
    eventually(lambda: other.api("GET", f"/sessions/{identifier}/ports")["ports"] == [5173])
    assert cluster.store.get("pods", f"opencode-session-{identifier}")["metadata"]["annotations"][
        "opencode.ai/ports"] == "5173"


def test_deleting_the_session_deletes_what_was_said(router, cluster, session):
    identifier = session["hash"]
    router.api("DELETE", f"/sessions/{identifier}")
    assert cluster.store.get("secrets", f"opencode-messages-{identifier}") is None
