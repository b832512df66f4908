"""What the kernel refuses, shortens or has no more of changes the speed, never the bytes; nothing spins meanwhile."""

import errno
import hashlib
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.http1 import Connection
from harness.router import ROOT, binary
from harness.waiting import eventually

HASH = "aaaaaaaaaaaa"
HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    built = tmp_path_factory.mktemp("shim") / "kernel_shim.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", built, ROOT / "Tests" / "Support" / "kernel_shim.c"],
        check=True)
    return built


@pytest.fixture
def start(start_router, upstream):
    """A router of one worker in front of the upstream; ended with the test, whose limits are nobody else's."""
    started = []

    def start(**settings):
        started.append(start_router(**{"DEV_ROUTES": upstream.routes(HASH), "WORKERS": 1, **settings}))
        return started[-1]

    yield start
    for router in started:
        router.stop()


def get(router, target="/", host=None):
    with router.connect() as connection:
        return connection.request("GET", target, host or f"{HASH}.{router.domain}", {"Connection": "close"})


def metric(router, name):
    for line in router.operations("/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.split(" ")[1])
    raise AssertionError(f"no metric {name}")


# The whole of the tests of bodies and of hostile answers, once more: the promise is about all of them.
@pytest.mark.timeout(450)
@pytest.mark.timeout(420)
@pytest.mark.parametrize("mode,files", [
    ("refuse", ["test_bodies.py", "test_story.py"]), ("late", ["test_bodies.py"]), ("short", ["test_bodies.py"]),
    ("interrupt", ["test_bodies.py", "test_upstream.py"]),
])
def test_bodies_are_the_same_whatever_splice_does(library, mode, files):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *(HERE / file for file in files)],
        env={**os.environ, "ROUTER_SHIM": f"SHIM_SPLICE={mode}", "ROUTER_SHIM_LIBRARY": str(library),
             "ROUTER_BINARY": str(binary())},
        capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.parametrize("shim", [
    {"SHIM_SPLICE": "refuse"}, {"SHIM_PIPES": "eperm"}, {"SHIM_PIPES": "small"}, {"SHIM_PIPES": "none"},
])
def test_without_splice_or_pipes_bodies_are_copied_and_that_is_counted(start, upstream, library, shim):
    payload = os.urandom(5_000_000)
    upstream.script = lambda peer: peer.serve(payload)
    router = start(LD_PRELOAD=library, **shim)
    for _ in range(3):
        assert hashlib.sha256(get(router).body).digest() == hashlib.sha256(payload).digest()
    eventually(lambda: metric(router, "opencode_router_pipe_shortages_total") > 0)


def test_a_machine_without_a_free_port_is_a_503_that_says_when_to_come_again(start, upstream, library):
    upstream.script = lambda peer: peer.serve(b"ok")
    router = start(LD_PRELOAD=library, SHIM_CONNECT=errno.EADDRNOTAVAIL, SHIM_PORT=upstream.port)
    response = get(router)
    assert response.status == 503 and response.json()["code"] == "gateway_exhausted"
    assert int(response.fields["Retry-After"]) > 0
    assert get(router, "/api/version", router.host).status == 200


def processor_seconds(router):
    fields = Path(f"/proc/{router.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def assert_calm(router, seconds=2):
    """The process uses less than a twentieth of a core."""
    before, start = processor_seconds(router), time.monotonic()
    time.sleep(seconds)
    share = (processor_seconds(router) - before) / (time.monotonic() - start)
    assert share < 0.05, f"{share:.0%} of a core"


def answers(connection, host):
    connection.send_request("GET", "/api/version", host)
    return connection.read_response().status == 200


def test_without_descriptors_accepting_pauses_health_answers_and_all_is_served_later(start, upstream):
    upstream.script = lambda peer: peer.serve(b"ok")
    router = start()
    used = max(int(name) for name in os.listdir(f"/proc/{router.process.pid}/fd"))
    limits = resource.prlimit(router.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(router.process.pid, resource.RLIMIT_NOFILE, (used + 8, limits[1]))
    waiting = [router.connect() for _ in range(40)]
    # Everybody has asked; only those that were accepted are answered.
    for connection in waiting:
        connection.send_request("GET", "/api/version", router.host)
    assert_calm(router)
    for _ in range(3):
        assert router.operations("/healthz").status == 200
    assert metric(router, "opencode_router_accept_pauses_total") > 0
    resource.prlimit(router.process.pid, resource.RLIMIT_NOFILE, limits)
    for connection in waiting:
        assert connection.read_response().status == 200
    for connection in waiting:
        connection.close()


def test_while_the_system_s_file_table_is_full_nothing_spins(start, upstream, library, tmp_path):
    full = tmp_path / "full"
    router = start(LD_PRELOAD=library, SHIM_ACCEPT=full)
    full.touch()
    waiting = [router.connect() for _ in range(20)]
    for connection in waiting:
        connection.send_request("GET", "/api/version", router.host)
    assert_calm(router)
    full.unlink()
    for connection in waiting:
        assert connection.read_response().status == 200


def test_the_cap_of_a_worker_leaves_others_in_the_queue_until_somebody_goes(start):
    router = start(MAX_CONNECTIONS_PER_WORKER=10)
    held = [router.connect() for _ in range(10)]
    assert all(answers(connection, router.host) for connection in held)
    with router.connect() as late:
        late.send_request("GET", "/api/version", router.host)
        late.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            late.read_response()
        assert_calm(router)
        assert router.operations("/healthz").status == 200
        held.pop().close()
        late.socket.settimeout(15)
        assert late.read_response().status == 200


def test_one_peer_cannot_take_all_connections_but_the_ingress_may(start):
    router = start(MAX_CONNECTIONS_PER_PEER=5, TRUSTED_PROXIES="127.0.0.2")

    def connect(address):
        connection = Connection.__new__(Connection)
        connection.socket = socket.create_connection(("127.0.0.1", router.port), 15, (address, 0))
        connection.unread = b""
        return connection

    held = [connect("127.0.0.1") for _ in range(5)]
    for connection in held:
        assert answers(connection, router.host)
    with connect("127.0.0.1") as refused:
        assert refused.at_end()
    # Others have their own share, the trusted proxy has no limit.
    held += [connect("127.0.0.3") for _ in range(3)] + [connect("127.0.0.2") for _ in range(20)]
    for connection in held:
        assert answers(connection, router.host)
    held[0].close()
    end = time.monotonic() + 40
    while True:
        with connect("127.0.0.1") as again:
            try:
                again.send_request("GET", "/api/version", router.host)
                if again.read_response().status == 200:
                    break
            except Exception:
                assert time.monotonic() < end, "the place of a closed connection is not free again"
                time.sleep(0.05)
    for connection in held:
        connection.close()
