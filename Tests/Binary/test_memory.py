"""What a WebSocket on which nothing happens costs in memory, after a burst that opened many of them at once."""

import json
import re
import resource
import selectors
import socket
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Support"))

from harness.router import ROOT, Router  # noqa: E402
from harness.waiting import eventually  # noqa: E402

BINARY = ROOT / ".build" / "release" / "opencode-router"
HASH = "aaaaaaaaaaaa"
COUNT = 1000
# 6 KiB is the promise, the rest is for pages that the allocator happens to touch.
BUDGET = 7000
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


class Agent:
    """Agrees to WebSockets, but only when so many ask as it was told: until then all of them are in flight."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=COUNT)
        self.port = self.listener.getsockname()[1]
        self.wanted = 0
        self.peers = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        heads = {}
        asking = []
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self.listener:
                        peer = self.listener.accept()[0]
                        self.peers.append(peer)
                        heads[peer] = b""
                        selector.register(peer, selectors.EVENT_READ)
                        continue
                    peer = key.fileobj
                    data = peer.recv(65536)
                    heads[peer] += data
                    if not data or heads[peer].endswith(b"\r\n\r\n"):
                        selector.unregister(peer)
                    if heads[peer].endswith(b"\r\n\r\n"):
                        asking.append(peer)
                    if len(asking) == self.wanted:
                        for peer in asking:
                            peer.sendall(SWITCH)
                        asking.clear()


@pytest.fixture
def descriptors():
    """Two for each WebSocket here; the router inherits the limit, and needs as many."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[1], 65536), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def anonymous(router):
    """Resident bytes that are no file's."""
    text = Path(f"/proc/{router.process.pid}/smaps_rollup").read_text()
    return int(re.search(r"Anonymous:\s+(\d+) kB", text)[1]) << 10


def open_websockets(router, agent, count):
    agent.wanted = count
    host = f"{HASH}.{router.domain}"
    head = (f"GET /pty HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode()
    connections = []
    for _ in range(count):
        connections.append(socket.create_connection(("127.0.0.1", router.port), timeout=60))
        connections[-1].sendall(head)
    for connection in connections:
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101 "), answer
    return connections


def test_an_idle_websocket_keeps_six_kibibytes_of_what_its_burst_took(tmp_path, monkeypatch, descriptors):
    assert BINARY.exists(), "build the release first: make build"
    monkeypatch.setenv("ROUTER_BINARY", str(BINARY))
    agent = Agent()
    router = Router(
        tmp_path, WORKERS=1, LOG_LEVEL="info",
        DEV_ROUTES=json.dumps([{"hash": HASH, "email": "dev@example.com", "target": f"http://127.0.0.1:{agent.port}"}]))
    try:
        # What the process itself takes when it is used for the first time is nobody's.
        first = open_websockets(router, agent, 10)
        before = anonymous(router)
        connections = open_websockets(router, agent, COUNT)
        # They are silent from here on; what they do not need is given back within two seconds.
        each = []

        def is_small():
            each.append((anonymous(router) - before) // COUNT)
            return each[-1] <= BUDGET

        try:
            eventually(is_small, 15)
        except AssertionError:
            pytest.fail(f"an idle WebSocket keeps {each[-1]} bytes; at most {BUDGET} are allowed")
        for connection in first + connections:
            connection.close()
    finally:
        router.stop()
        agent.listener.close()
