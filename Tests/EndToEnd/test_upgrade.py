"""Two replicas behind a real HAProxy are restarted one after the other, under load, and nobody notices."""

import json
import re
import shutil
import subprocess
import threading
import time

import pytest

from harness.http1 import Connection, EventStream
from harness.ports import reserve_port
from harness.upstream import ScriptedUpstream
from harness.waiting import eventually, listens

SECRET = "0123456789abcdef0123456789abcdef"
HASH = "aaaaaaaaaaaa"
HOST = f"{HASH}.example.com"
EMAIL = "alice@example.com"
DELAY, DRAIN = 2, 4


@pytest.fixture
def session():
    """Answers what it is asked, streams events until it is left, and echoes on WebSockets."""
    server = ScriptedUpstream()

    def script(peer):
        while (request := peer.read_request()) is not None:
            if request.fields.get("Upgrade"):
                peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
                while data := peer.socket.recv(4096):
                    peer.send(data)
                return
            if " /events " in request.line:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                while True:
                    peer.send(b"c\r\ndata: tick\n\n\r\n")
                    time.sleep(0.1)
            answer = request.body or b"hello"
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)

    server.script = script
    yield server
    server.close()


@pytest.fixture
def replicas(start_router, session):
    route = [{"hash": HASH, "email": EMAIL, "target": f"http://127.0.0.1:{session.port}"}]
    return [start_router(
        DEV_EMAIL=None, AUTH_SECRET=SECRET, ROUTER_DOMAIN="example.com", ROUTER_PROTO="https", WORKERS=2,
        DEV_ROUTES=json.dumps(route), PORT=reserve_port(), METRICS_PORT=reserve_port(), DRAIN_DELAY_SECONDS=DELAY, DRAIN_SECONDS=DRAIN,
        MAX_REQUESTS_PER_SECOND_PER_USER=100_000) for _ in range(2)]


@pytest.fixture
def balancer(tmp_path, replicas):
    """HAProxy's port; it asks /readyz five times a second, and keeps and shares connections as ingresses do."""
    haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    assert haproxy, "HAProxy is not installed: Tests/Support/install.sh packages test"
    port = reserve_port()
    servers = "\n".join(
        f"  server r{number} 127.0.0.1:{router.port} check port {router.metrics_port} inter 200ms fall 1 rise 1"
        for number, router in enumerate(replicas))
    config = tmp_path / "haproxy.cfg"
    config.write_text(f"""
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
  # Else a check may take no longer than from one to the next, and a late one takes a replica out that serves.
  timeout check 5s
  http-reuse always
frontend edge
  bind 127.0.0.1:{port}
  http-request set-header X-Gateway-Key {SECRET}
  http-request set-header X-Auth-Request-Email {EMAIL}
  default_backend routers
backend routers
  balance roundrobin
  # A lost request must be seen: HAProxy does not ask again.
  retries 0
  option httpchk
  http-check send meth GET uri /readyz?exclude=sync ver HTTP/1.1 hdr Host router
{servers}
""")
    with open(tmp_path / "haproxy.log", "wb") as log:
        process = subprocess.Popen([haproxy, "-f", str(config), "-db"], stdout=log, stderr=log)
    eventually(lambda: listens(port) or process.poll() is not None)
    assert process.poll() is None, (tmp_path / "haproxy.log").read_text()
    yield port
    process.kill()
    process.wait()


class Load(threading.Thread):
    """Requests one after the other on a kept connection, of all kinds; remembers each that failed."""

    def __init__(self, port, number):
        super().__init__(daemon=True)
        self.port, self.number = port, number
        self.stopped = threading.Event()
        self.answered, self.failures = 0, []

    def run(self):
        with Connection(self.port, timeout=30) as connection:
            turn = 0
            while not self.stopped.is_set():
                turn += 1
                try:
                    if turn % 3 == 0:
                        body = b"x" * (self.number * 5000 + turn % 4000)
                        answer = connection.request("POST", "/echo", HOST, {"Origin": f"https://{HOST}"}, body)
                        assert answer.status == 200 and answer.body == body, answer
                    elif turn % 3 == 1:
                        answer = connection.request("GET", "/hello", HOST)
                        assert answer.status == 200 and answer.body == b"hello", answer
                    else:
                        answer = connection.request("GET", "/api/me", "example.com")
                        assert answer.status == 200 and answer.json()["email"] == EMAIL, answer
                    self.answered += 1
                except Exception as error:  # noqa: BLE001
                    self.failures.append(repr(error))
                    return
                time.sleep(0.002)


def restart(router):
    """Ends the replica as a rolling update does, and starts its successor on the same ports."""
    router.signal()
    assert router.wait(DELAY + DRAIN + 20) == 0
    router.log.close()
    router.start()


def owner(replicas):
    """Which replica carries the one open tunnel."""
    def tunnels(router):
        text = router.operations("/metrics").text
        return re.search(r"^opencode_router_tunnels (\d+)$", text, re.M)[1]
    return eventually(lambda: next((router for router in replicas if tunnels(router) == "1"), None))


def test_a_rolling_restart_loses_no_request(replicas, balancer):
    loads = [Load(balancer, number) for number in range(6)]
    for load in loads:
        load.start()
    eventually(lambda: min(load.answered for load in loads) >= 20, what=lambda: [load.failures for load in loads])
    for router in replicas:
        before = sum(load.answered for load in loads)
        restart(router)
        # The balancer has taken the new one in before the next one goes.
        served = re.compile(r"^opencode_router_requests_total\{.*\} \d+$", re.M)
        eventually(lambda: served.search(router.operations("/metrics").text))  # noqa: B023
        assert sum(load.answered for load in loads) > before
    for load in loads:
        load.stopped.set()
    for load in loads:
        load.join(30)
    assert [failure for load in loads for failure in load.failures] == []


def test_streams_and_tunnels_end_at_the_drain_limit_and_not_before(replicas, balancer):
    with Connection(balancer, timeout=30) as tunnel:
        tunnel.send(tunnel.head("GET", "/socket", HOST, {
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": f"https://{HOST}"}))
        assert tunnel.read_response("GET").status == 101
        router = owner(replicas)
        # A stream straight to that replica: the balancer might choose the other.
        with router.connect(timeout=30) as connection:
            identity = {"X-Gateway-Key": SECRET, "X-Auth-Request-Email": EMAIL}
            events = EventStream(connection, "/events", HOST, identity).events(30)
            next(events)
            start = time.monotonic()
            router.signal()
            last = {}

            def follow():
                try:
                    for _ in events:
                        last["event"] = time.monotonic() - start
                except Exception as error:  # noqa: BLE001
                    last["end"] = repr(error)

            follower = threading.Thread(target=follow, daemon=True)
            follower.start()
            # Bytes that come back are the tunnel's proof of life.
            echoed = 0
            tunnel.socket.settimeout(30)
            try:
                while True:
                    tunnel.send(b"ping")
                    if not tunnel.socket.recv(4):
                        break
                    echoed = time.monotonic() - start
                    time.sleep(0.05)
            except OSError:
                pass
            follower.join(30)
            assert router.wait(30) == 0
            assert echoed > DELAY + DRAIN - 2, f"the tunnel ended after {echoed:.1f} s"
            assert last["event"] > DELAY + DRAIN - 2, f"the stream ended: {last}"
            assert time.monotonic() - start < DELAY + DRAIN + 15
