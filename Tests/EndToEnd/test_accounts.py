"""What one person may ask of the picker, the API and all sessions together, and who was met for the first time."""

import re

import pytest

from harness.upstream import ScriptedUpstream
from harness.waiting import eventually

HASH = "aaaaaaaaaaaa"
HOST = f"{HASH}.example.test"
ALICE, BOB = "alice@example.com", "bob@example.com"
SECRET = "0123456789abcdef0123"
# One request in a second and a burst of five: a crowded machine earns few while the tests ask sixty.
RATE = 5


def proof(email=ALICE, **more):
    return {"X-Gateway-Key": SECRET, "X-Auth-Request-Email": email, **more}


@pytest.fixture(scope="module")
def upstream():
    server = ScriptedUpstream()
    server.script = lambda peer: peer.serve(b"session")
    yield server
    server.close()


@pytest.fixture()
def proxy(start_router, upstream):
    """Fresh for each test: nobody has spent anything, and nobody was met."""
    router = start_router(
        DEV_EMAIL=None, AUTH_SECRET=SECRET, ROUTER_DOMAIN="example.test", DEV_ROUTES=upstream.routes(HASH, email=ALICE),
        WORKERS=2, MAX_REQUESTS_PER_SECOND_PER_USER=RATE, MAX_STREAMS_PER_USER=3)
    yield router
    router.stop()


def metric(router, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", router.operations("/metrics").text, re.M)
    return float(found[1]) if found else 0


def audit(router, message):
    return [line for line in router.lines() if line.get("logger") == "audit" and line.get("message") == message]


@pytest.mark.parametrize("host, path", [
    (HOST, "/"), ("example.test", "/"), ("example.test", "/api/version"), ("bbbbbbbbbbbb.example.test", "/"),
], ids=["session", "site", "api", "foreign"])
def test_whoever_asks_too_fast_is_told_to_wait_whatever_they_ask(proxy, host, path):
    with proxy.connect() as connection:
        answers = [connection.request("GET", path, host, proof()) for _ in range(60)]
        # The connection may carry others: they are not held up.
        assert connection.request("GET", "/api/version", "example.test", proof(BOB)).status == 200
    assert 429 not in [answer.status for answer in answers[:RATE]]
    refused = [answer for answer in answers if answer.status == 429]
    assert refused and refused[0].json()["code"] == "too_many_requests"
    assert refused[0].fields["Retry-After"] == "1"
    assert eventually(lambda: metric(proxy, 'opencode_router_refusals_total{reason="rate_limited"}') == len(refused))


def test_one_budget_holds_across_hosts_connections_and_spellings(proxy):
    statuses = []
    for number in range(60):
        email = [ALICE, "Alice@Example.COM"][number % 2]
        host = [HOST, "example.test"][number // 2 % 2]
        statuses.append(proxy.request("GET", "/", host, proof(email)).status)
    assert statuses[:RATE] == [200] * RATE
    assert 429 in statuses


def test_who_proves_nothing_is_bounded_by_its_address_and_so_are_the_lines_about_it(proxy):
    wrong = {**proof(), "X-Gateway-Key": "wrong"}
    with proxy.connect() as connection:
        statuses = [connection.request("GET", "/", HOST, wrong).status for _ in range(60)]
        # The same address with proof is the ingress, and speaks for everybody.
        assert connection.request("GET", "/", HOST, proof()).status == 200
    refused = statuses.count(401)
    assert statuses[:RATE] == [401] * RATE and refused + statuses.count(429) == 60 and 429 in statuses
    eventually(lambda: len(audit(proxy, "access denied")) == refused)


def stream_events(peer):
    """Answers with an event stream that its reader ends."""
    while peer.read_request() is not None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"6\r\ndata:\n\r\n")
        peer.wait_closed()


def test_streams_of_sessions_are_places_that_come_free_again(proxy, upstream):
    before, upstream.script = upstream.script, stream_events
    open_streams = []
    try:
        def stream():
            connection = proxy.connect()
            open_streams.append(connection)
            connection.send_request("GET", "/event", HOST, proof())
            return connection.read_head()

        assert [stream().status for _ in range(3)] == [200] * 3
        refused = eventually(lambda: (answer := stream()).status == 429 and answer)
        assert refused.fields["Retry-After"] in ("1", "5")
        eventually(lambda: stream().status == 429
                   and metric(proxy, 'opencode_router_refusals_total{reason="too_many_streams"}') >= 1)
        for connection in open_streams:
            connection.close()
        eventually(lambda: stream().status == 200)
    finally:
        upstream.script = before
        for connection in open_streams:
            connection.close()


def test_an_identity_is_first_seen_once(proxy):
    for email in (ALICE, "ALICE@example.com", BOB, ALICE):
        for host in (HOST, "example.test"):
            proxy.request("GET", "/", host, proof(email))
    lines = eventually(lambda: len(found := audit(proxy, "identity first seen")) >= 2 and found)
    assert [line["email"] for line in lines] == [ALICE, BOB]
    assert all(line["request"] and line["peer"] == "127.0.0.1" for line in lines)
    # Whoever proves nothing is nobody.
    proxy.request("GET", "/", HOST, {**proof("eve@example.com"), "X-Gateway-Key": "wrong"})
    eventually(lambda: audit(proxy, "access denied"))
    assert len(audit(proxy, "identity first seen")) == 2


def test_streams_of_the_api_and_of_sessions_are_counted_together(proxy, upstream):
    before, upstream.script = upstream.script, stream_events
    connections = []
    try:
        def stream(host, path, email=ALICE):
            """The status of a stream that stays open, once its user is not too fast."""
            def opened():
                connection = proxy.connect()
                connections.append(connection)
                connection.send_request("GET", path, host, proof(email))
                answer = connection.read_head()
                is_too_fast = answer.status == 429 and b"too_many_requests" in b"".join(connection.body(answer))
                return None if is_too_fast else answer
            return eventually(opened).status

        session, api = (HOST, "/event"), ("example.test", "/api/sessions/stream")
        assert [stream(*session), stream(*api), stream(*session)] == [200] * 3
        assert stream(*api) == 429 and stream(*session) == 429
        assert stream(*api, BOB) == 200
        for connection in connections:
            connection.close()
        eventually(lambda: stream(*api) == 200)
    finally:
        upstream.script = before
