"""What a proxied request costs, as counts that do not depend on the machine's load; cost.json holds what may not grow."""

import json
import mmap
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Support"))

from harness.router import ROOT, Router  # noqa: E402

COST = json.loads((Path(__file__).parent / "cost.json").read_text())
BINARY = ROOT / ".build" / "release" / "opencode-router"
HASH = "aaaaaaaaaaaa"
KEY = "0123456789abcdef0123456789abcdef"
EMAIL = "alice@example.com"
CONNECTIONS = 16
ANSWER = (b"HTTP/1.1 200 OK\r\nServer: x\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: application/json\r\n"
          b"Content-Length: 34\r\n\r\n" + b'{"healthy":true,"version":"1.0.0"}')
FIELDS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Accept": "*/*", "Accept-Language": "en-GB,en;q=0.9", "Accept-Encoding": "gzip, deflate, br, zstd",
    "Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin",
    "Cookie": "theme=dark; locale=en-GB; sidebar=open", "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https", "X-Auth-Request-Email": EMAIL, "X-Gateway-Key": KEY,
}


class Agent:
    """An upstream that answers every head at once, on as many connections as come."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        unread = b""
        with connection:
            while data := connection.recv(65536):
                unread += data
                while b"\r\n\r\n" in unread:
                    unread = unread.partition(b"\r\n\r\n")[2]
                    connection.sendall(ANSWER)


class Client:
    """Sends the same request again and again: on connections that are kept, or on a new one each time."""

    def __init__(self, port, host):
        self.port = port
        self.head = f"GET /config HTTP/1.1\r\nHost: {host}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in FIELDS.items())
        self.kept = [self.connect() for _ in range(CONNECTIONS)]

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def keep(self, rounds):
        request = (self.head + "\r\n").encode()
        for _ in range(rounds):
            for connection in self.kept:
                connection.sendall(request)
            for connection in self.kept:
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")

    def renew(self, rounds):
        request = (self.head + "Connection: close\r\n\r\n").encode()
        for _ in range(rounds):
            connections = [self.connect() for _ in range(CONNECTIONS)]
            for connection in connections:
                connection.sendall(request)
            for connection in connections:
                answer = b""
                while data := connection.recv(65536):
                    answer += data
                assert answer.startswith(b"HTTP/1.1 200 ")
                connection.close()


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """The release binary, a client of it, and the number of its allocations so far."""
    assert BINARY.exists(), "build the release first: make build"
    folder = tmp_path_factory.mktemp("cost")
    library = folder / "count_allocations.so"
    subprocess.run(
        ["cc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, ROOT / "Tests/Support/count_allocations.c"], check=True)
    counter = folder / "allocations"
    counter.write_bytes(bytes(mmap.PAGESIZE))
    agent = Agent()
    patch = pytest.MonkeyPatch()
    patch.setenv("ROUTER_BINARY", str(BINARY))
    router = Router(
        folder / "router", WORKERS=1, AUTH_SECRET=KEY, DEV_EMAIL=None, LD_PRELOAD=library,
        ALLOCATION_COUNTER=counter, LOG_LEVEL="info",
        DEV_ROUTES=json.dumps([{"hash": HASH, "email": EMAIL, "target": f"http://127.0.0.1:{agent.port}"}]))
    with open(counter, "rb") as file:
        numbers = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    client = Client(router.port, f"{HASH}.{router.domain}")
    client.keep(20)
    client.renew(20)
    yield router, client, lambda: struct.unpack_from("<Q", numbers)[0]
    router.stop()
    agent.listener.close()
    patch.undo()


def system_calls(router, work, rounds):
    """Calls per request of all threads of the router while `work` runs."""
    log = router.folder / "strace"
    trace = subprocess.Popen(
        ["strace", "-f", "-c", "-o", log, "-p", str(router.process.pid)], stderr=subprocess.PIPE, text=True)
    attached = trace.stderr.readline()
    assert "attached" in attached, f"strace may not look at the router: {attached}"
    work(rounds)
    trace.send_signal(signal.SIGINT)
    trace.communicate(timeout=30)
    rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", log.read_text(), re.M)
    return {name: int(count) / rounds / CONNECTIONS for count, name in rows if name != "total"}


@pytest.mark.parametrize("kind", ["kept request", "new connection"])
def test_allocations_do_not_grow(counted, kind):
    _, client, allocations = counted
    work = client.keep if kind == "kept request" else client.renew
    # What happens beside the requests (a tick, a sweep) counts once: the least of some runs is theirs alone.
    least = None
    for _ in range(3):
        before = allocations()
        work(50)
        found = (allocations() - before) / 50 / CONNECTIONS
        least = found if least is None else min(least, found)
    assert round(least, 1) <= COST[f"allocations per {kind}"], f"{least} allocations per {kind}"


@pytest.mark.parametrize("kind", ["kept request", "new connection"])
def test_system_calls_do_not_grow_and_no_thread_waits_for_another(counted, kind):
    router, client, _ = counted
    found = system_calls(router, client.keep if kind == "kept request" else client.renew, 100)
    # A futex or eventfd call is a hop between threads.
    expected = COST[f"system calls per {kind}"]
    # One look at the kernel serves all connections that are ready; how many those are is the machine's mood.
    assert found.pop("epoll_wait", 0) <= 2, found
    for name, count in found.items():
        # Reads and accepts that come too early, ticks, and the tracer's own doings are rare.
        assert count <= expected.get(name, 0) + 0.3 * bool(name in ("recvfrom", "accept4")) + 0.05, (name, found)
    for name, count in expected.items():
        assert found.get(name, 0) >= count - 0.05, (name, found)
