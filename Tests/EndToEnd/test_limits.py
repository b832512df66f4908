"""Who is slow, greedy or gone costs little and holds up nobody else."""

import os
import select
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness.http1 import Connection, Truncated
from harness.router import ROOT
from harness.waiting import eventually

HASH = "aaaaaaaaaaaa"


@pytest.fixture(scope="module")
def proxy(start_router, shared):
    return start_router(
        DEV_ROUTES=shared.routes(HASH), WORKERS=1, HEAD_TIMEOUT_SECONDS=1, IDLE_CONNECTION_SECONDS=2,
        MIN_BODY_BYTES_PER_SECOND=10_000, MIN_BODY_WINDOW_SECONDS=1)


def metric(router, name):
    lines = router.operations("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((name + " ", name + "{")))


def host(proxy):
    return f"{HASH}.{proxy.domain}"


# Slow clients


@pytest.mark.parametrize("pause", [None, 0.1])
def test_a_head_that_does_not_come_is_a_408(proxy, pause):
    with proxy.connect() as connection:
        start = time.monotonic()
        for byte in b"GET / HTTP/1.1\r\nX: " + b"y" * 200:
            try:
                connection.send(bytes([byte]))
            except OSError:
                break
            if pause is None:
                break
            connection.socket.settimeout(pause)
            try:
                connection.unread += connection.socket.recv(4096)
                break
            except TimeoutError:
                continue
        connection.socket.settimeout(15)
        assert connection.read_response().status == 408
        assert time.monotonic() - start < 10
        assert connection.at_end()


def test_an_idle_connection_is_closed_in_the_end(proxy):
    with proxy.connect() as used, proxy.connect() as fresh:
        assert used.request("GET", "/api/version", proxy.host).status == 200
        assert used.at_end(15) and fresh.at_end(15)


@pytest.mark.parametrize("rate", [0, 100])
def test_an_upload_slower_than_the_floor_is_cut_off_and_so_is_its_session_s_connection(proxy, shared, rate):
    gone = threading.Event()

    def script(peer):
        peer.read_head()
        peer.wait_closed()
        gone.set()

    shared.script = script
    before = metric(proxy, "opencode_router_slow_clients_total")
    with proxy.connect() as connection:
        connection.send(connection.head("POST", "/", host(proxy), {
            "Content-Length": 10_000_000, "Origin": f"http://{host(proxy)}"}))
        start = time.monotonic()
        while not gone.wait(0.1):
            assert time.monotonic() - start < 40
            try:
                connection.send(b"x" * (rate // 10))
            except OSError:
                pass
    eventually(lambda: metric(proxy, "opencode_router_slow_clients_total") > before)


def test_a_crowd_of_slow_peers_holds_up_nobody_and_is_gone_in_the_end(proxy, shared):
    shared.script = lambda peer: peer.serve(b"ok")
    def post(target, to, framing, body):
        return f"POST {target} HTTP/1.1\r\nHost: {to}\r\nOrigin: http://{to}\r\n{framing}\r\n\r\n{body}".encode()
    length, coding = "Content-Length: 100000", "Transfer-Encoding: chunked"
    beginnings = [
        b"G", b"GET / HTTP/1.1\r\nHost: " + host(proxy).encode() + b"\r\nX: ",
        *(post(target, to, framing, body) for target, to in (("/api/sessions", proxy.host), ("/upload", host(proxy)))
          for framing, body in ((length, ""), (coding, "fffff\r\n"), (coding, "1\r\nx\r\n0000000"))),
    ]
    crowd = [proxy.connect() for _ in range(20) for _ in beginnings]
    for number, connection in enumerate(crowd):
        connection.send(beginnings[number % len(beginnings)])
    waiting, end = set(crowd), time.monotonic() + 60
    with proxy.connect() as other:
        while waiting:
            assert time.monotonic() < end, f"{len(waiting)} are still served"
            assert other.request("GET", "/", host(proxy)).body == b"ok"
            assert other.request("GET", "/api/me", proxy.host).status == 200
            for connection in list(waiting):
                if select.select([connection.socket], [], [], 0)[0]:
                    waiting.discard(connection)
                    continue
                try:
                    connection.send(b"0")
                except OSError:
                    waiting.discard(connection)
            time.sleep(0.05)
    for connection in crowd:
        connection.close()
    eventually(lambda: metric(proxy, "opencode_router_client_connections") <= 1)
    eventually(lambda: metric(proxy, "opencode_router_buffers_in_use") == 0)


def test_an_upload_above_the_floor_may_take_its_time(start_router, shared):
    """Over a window that a crowded machine, on which nobody sends for a while, leaves above the floor."""
    shared.script = lambda peer: peer.serve(b"ok")
    router = start_router(
        DEV_ROUTES=shared.routes(HASH), WORKERS=1, MIN_BODY_BYTES_PER_SECOND=10_000, MIN_BODY_WINDOW_SECONDS=3)
    size = 400_000
    with router.connect() as connection:
        connection.send(connection.head("POST", "/", host(router), {
            "Content-Length": size, "Origin": f"http://{host(router)}"}))
        for _ in range(40):
            connection.send(b"x" * (size // 40))
            time.sleep(0.15)
        assert connection.read_response("POST").status == 200
    router.stop()


def test_a_reader_slower_than_the_floor_is_cut_off_and_its_session_is_not_kept(proxy, shared):
    gone = threading.Event()

    def script(peer):
        peer.read_head()
        try:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            while True:
                peer.send(bytes(1 << 16))
        except OSError:
            gone.set()

    shared.script = script
    with proxy.connect() as connection:
        connection.send_request("GET", "/", host(proxy))
        assert gone.wait(40)
        with pytest.raises((Truncated, OSError)):
            for _ in connection.body(connection.read_head()):
                pass


def queues(local, remote):
    """State, bytes not acknowledged and bytes not read of a connection's end at these ports; None if it is no more."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, here, there, state, waiting = line.split()[:5]
        if (int(here.partition(":")[2], 16), int(there.partition(":")[2], 16)) == (local, remote):
            return int(state, 16), *(int(count, 16) for count in waiting.split(":"))
    return None


def test_an_answer_whose_last_bytes_its_client_never_takes_does_not_end_cleanly(proxy, shared):
    """To HTTP/1.0 the end of the connection is the end of the body."""
    established = 1
    client = socket.socket()
    client.settimeout(60)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    # To small segments belongs a small buffer on the gateway's side.
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    client.connect(("127.0.0.1", proxy.port))
    ours = client.getsockname()[1]

    def script(peer):
        peer.read_head()
        session, gateway = peer.socket.getsockname()[1], peer.socket.getpeername()[1]
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n.\r\n")
        eventually(lambda: queues(ours, proxy.port)[2] > 0 and queues(proxy.port, ours)[1] == 0)
        whole = queues(ours, proxy.port)[2]
        # Until a piece does not fit into the socket any more, of which the gateway then keeps the rest.
        handed = whole
        while handed == whole:
            peer.send(b"fa0\r\n" + bytes(4000) + b"\r\n")
            whole += 4000
            while queues(session, gateway)[1] + queues(gateway, session)[2] > 0:
                pass
            end = time.monotonic() + 1
            while handed != whole and time.monotonic() < end:
                handed = queues(proxy.port, ours)[1] + queues(ours, proxy.port)[2]
        peer.send(b"0\r\n\r\n")

    shared.script = script
    client.sendall(f"GET / HTTP/1.0\r\nHost: {host(proxy)}\r\n\r\n".encode())
    eventually(lambda: (queues(proxy.port, ours) or (0,))[0] != established)
    with pytest.raises(ConnectionResetError):
        while client.recv(1 << 20):
            pass
    client.close()


def test_a_session_may_be_slow_and_silent_for_as_long_as_it_likes(proxy, shared):
    """The floor is for clients that keep a session waiting, not the other way round."""
    def script(peer):
        peer.read_head()
        time.sleep(3)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        time.sleep(3)
        peer.send(b"k")

    shared.script = script
    with proxy.connect() as connection:
        assert connection.request("GET", "/", host(proxy)).body == b"ok"


# Dead peers


def test_sockets_on_both_sides_notice_a_peer_that_vanished(proxy, shared):
    held = threading.Event()
    shared.script = lambda peer: (peer.read_head(), held.wait(60))
    with proxy.connect() as connection:
        connection.send_request("GET", "/", host(proxy))
        eventually(lambda: shared.requests)
        # The user timeout is not shown; `timer:(keepalive,…)` is.
        table = subprocess.run(["ss", "-tnopH"], capture_output=True, text=True, check=True).stdout.splitlines()
        client = connection.socket.getsockname()[1]
        ours = [line for line in table if f"pid={proxy.process.pid}," in line
                and (f":{client} " in line or f":{shared.port} " in line)]
        assert len(ours) >= 2 and all("timer:(keepalive," in line for line in ours), ours
        held.set()


# Memory and fairness


def resident(router):
    return int(Path(f"/proc/{router.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_memory_stays_flat_while_a_hundred_slow_readers_pull_a_gigabyte_each(start_router, shared):
    """Twice as many as there are pipes: the others copy."""
    block = bytes(1 << 20)

    def script(peer):
        peer.read_head()
        try:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
            for _ in range(1 << 10):
                peer.send(block)
        except OSError:
            pass

    shared.script = script
    proxy = start_router(
        DEV_ROUTES=shared.routes(HASH), WORKERS=2, MIN_BODY_BYTES_PER_SECOND=0)
    before = resident(proxy)
    readers = []
    for _ in range(100):
        reader = Connection(proxy.port)
        reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
        reader.send_request("GET", "/", host(proxy))
        readers.append(reader)
    received = 0
    for _ in range(8):
        for reader in readers:
            received += len(reader.socket.recv(32 << 10))
    assert received > 2 << 20
    grown = resident(proxy) - before
    # A buffer each way for who copies; payload itself stays in the kernel.
    assert grown < 16 << 20, f"{grown >> 20} MiB more"
    for reader in readers:
        reader.close()
    eventually(lambda: metric(proxy, "opencode_router_buffers_in_use") == 0
               and metric(proxy, "opencode_router_client_connections") == 0, 30)
    proxy.stop()


def test_a_crowd_that_reads_no_files_and_no_api_answers_is_bounded_and_gone_in_the_end(start_router, shared, tmp_path):
    """One file that no socket holds, and many answers of the API that none holds together."""
    shared.script = lambda peer: peer.serve(b"ok")
    public = shutil.copytree(ROOT / "Public", tmp_path / "public")
    size = 16 << 20
    (public / "large.bin").write_bytes(os.urandom(1 << 16) * (size >> 16))
    proxy = start_router(
        DEV_ROUTES=shared.routes(HASH), WORKERS=1, PUBLIC_DIR=public, MIN_BODY_BYTES_PER_SECOND=10_000,
        MIN_BODY_WINDOW_SECONDS=2)
    file = Connection.head("GET", "/large.bin", proxy.host)
    proxy.api("POST", "/sessions", {"branch": "main", "initialMessage": '"' * 60_000}, status=201)
    assert len(proxy.request("GET", "/api/sessions").body) > 120_000
    answers = Connection.head("GET", "/api/sessions", proxy.host) * (size // 120_000)
    before = resident(proxy)
    crowd = []
    for number in range(40):
        # Small windows before the handshake, so that what is not read stays with the gateway.
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
        reader.connect(("127.0.0.1", proxy.port))
        reader.setblocking(False)
        crowd.append((reader, memoryview(file if number % 2 else answers)))
    grown, held, served, end = 0, 0, 0, time.monotonic() + 60
    with proxy.connect() as other:
        while metric(proxy, "opencode_router_slow_clients_total") < len(crowd):
            assert time.monotonic() < end
            for number, (reader, rest) in enumerate(crowd):
                try:
                    crowd[number] = (reader, rest[reader.send(rest):])
                except OSError:
                    pass
            assert other.request("GET", "/", host(proxy)).body == b"ok"
            assert other.request("GET", "/api/me", proxy.host).status == 200
            assert other.request("GET", "/favicon.svg", proxy.host).status == 200
            served += 1
            grown = max(grown, resident(proxy) - before)
            held = max(held, metric(proxy, "opencode_router_buffers_in_use"))
            time.sleep(0.05)
    assert served > 3
    # Whoever reads a file needs no buffer, and of the API no answer is made before the last one has left.
    assert held <= len(crowd) + 4, f"{held} buffers"
    assert grown < 16 << 20, f"{grown >> 20} MiB more"
    eventually(lambda: metric(proxy, "opencode_router_buffers_in_use") == 0
               and metric(proxy, "opencode_router_client_connections") == 0)
    for reader, _ in crowd:
        reader.close()
    proxy.stop()


def test_small_requests_are_quick_beside_a_bulk_download(proxy, shared):
    """Both on one worker. The download alone would keep it busy for seconds."""
    stopped = threading.Event()

    def script(peer):
        while (request := peer.read_head()) is not None:
            if "bulk" not in request.line:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                continue
            block = bytes(1 << 20)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 34))
            try:
                while not stopped.is_set():
                    peer.send(block)
            except OSError:
                return

    shared.script = script
    received = [0]

    def pull(connection):
        connection.send_request("GET", "/bulk", host(proxy))
        room = bytearray(1 << 20)
        try:
            while not stopped.is_set():
                received[0] += connection.socket.recv_into(room)
        except OSError:
            pass

    with proxy.connect() as bulk, proxy.connect() as small:
        puller = threading.Thread(target=pull, args=(bulk,))
        puller.start()
        eventually(lambda: received[0] > 10 << 20)
        start, times = received[0], []
        for _ in range(300):
            began = time.monotonic()
            assert small.request("GET", "/small", host(proxy)).body == b"ok"
            times.append(time.monotonic() - began)
        moved = received[0] - start
        stopped.set()
        bulk.socket.shutdown(socket.SHUT_RDWR)
        puller.join()
    assert moved > 10 << 20, "the download stood still meanwhile"
    # Test, session and gateway share this machine's cores with three threads that copy; a gateway that finished the
    # download first would take seconds for each.
    assert sorted(times)[int(len(times) * 0.99)] < 0.5, sorted(times)[-5:]


def test_clients_that_send_without_end_let_others_have_their_turn(start_router):
    """Nothing that a pipeline of files asks for is waited for, and the next requests are always there already."""
    proxy = start_router(WORKERS=1)
    requests = Connection.head("GET", "/none", proxy.host) * 1000
    closing = threading.Event()

    def ask(client):
        try:
            while not closing.is_set():
                client.send(requests)
        except OSError:
            pass

    def listen(client):
        try:
            while client.socket.recv(1 << 20):
                pass
        except OSError:
            pass

    clients = [proxy.connect() for _ in range(2)]
    threads = [threading.Thread(target=run, args=(client,), daemon=True) for client in clients for run in (ask, listen)]
    for thread in threads:
        thread.start()
    eventually(lambda: metric(proxy, "opencode_router_requests_total") > 20_000)
    closing.set()
    for client in clients:
        client.socket.shutdown(socket.SHUT_RDWR)
    eventually(lambda: metric(proxy, "opencode_router_client_connections") == 0)
    # Told once a second; what is told next counts all of them.
    told = metric(proxy, "opencode_router_loop_wakeups_total")
    eventually(lambda: metric(proxy, "opencode_router_loop_wakeups_total") > told)
    # Sixteen of each client.
    turns = metric(proxy, "opencode_router_loop_wakeups_total")
    assert metric(proxy, "opencode_router_requests_total") / turns < 40
    for client in clients:
        client.close()
    proxy.stop()


def test_a_loop_tells_how_late_it_was(proxy):
    eventually(lambda: metric(proxy, "opencode_router_loop_lag_seconds_count") > 0)
    assert metric(proxy, "opencode_router_loop_wakeups_total") > 0


# Half-closed, and out of band


def test_a_session_that_ends_its_side_after_an_exact_answer_is_not_used_again(proxy, shared):
    ended = threading.Semaphore(0)

    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        peer.socket.shutdown(socket.SHUT_WR)
        ended.release()
        peer.wait_closed()

    shared.script = script
    with proxy.connect() as connection:
        for _ in range(5):
            assert connection.request("POST", "/", host(proxy), {"Origin": f"http://{host(proxy)}"}, b"x").body == b"ok"
            # A request that is under way when the session ends its side is another matter.
            assert ended.acquire(timeout=20)
            time.sleep(0.05)


def test_urgent_data_harms_only_who_sends_it(proxy, shared):
    shared.script = lambda peer: peer.serve(b"ok")
    with proxy.connect() as rude, proxy.connect() as other:
        rude.send(b"GET / HTTP/1.1\r\nHo")
        rude.socket.send(b"!", socket.MSG_OOB)
        rude.send(b"st: " + host(proxy).encode() + b"\r\n\r\n")
        assert other.request("GET", "/", host(proxy)).body == b"ok"
        assert rude.read_response().status in (200, 400, 408)
