"""Bodies of every framing and size, both ways, through copies and pipes: the bytes that arrive are the bytes sent."""

import hashlib
import random
import socket
import struct
import threading
import time

import pytest


HASH = "aaaaaaaaaaaa"
KIB = 1 << 10
SIZES = [0, 1, 100, 16 * KIB - 1, 16 * KIB, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 1 << 20, (5 << 20) + 7]


@pytest.fixture(scope="module")
def proxy(start_router, shared):
    return start_router(DEV_ROUTES=shared.routes(HASH), WORKERS=1)


def data(size):
    return random.Random(size).randbytes(size)


def chunks(payload, sizes, seed=1):
    """The chunked coding of the payload in chunks of the given sizes, in turn or at random."""
    choice = random.Random(seed)
    coded, offset = b"", 0
    while offset < len(payload):
        size = choice.choice(sizes)
        piece = payload[offset:offset + size]
        coded += b"%x%s\r\n" % (len(piece), choice.choice([b"", b";name=value"])) + piece + b"\r\n"
        offset += size
    return coded + b"0\r\n\r\n"


CHUNKINGS = [[1], [7, 100], [4096], [16 * KIB], [32 * KIB], [100, 32 * KIB, 200 * KIB], [1 << 20], [3, 70 * KIB]]
# Bytes by the first of a chunking's sizes: a few thousand small chunks have told what there is to tell.
MOST = {1: 20_000, 7: 200_000}


def sha(value):
    return hashlib.sha256(value).hexdigest()


@pytest.mark.parametrize("size", SIZES)
def test_downloads_by_length(proxy, shared, size):
    payload = data(size)
    shared.script = lambda peer: peer.serve(payload)
    with proxy.connect() as connection:
        for _ in range(2):
            response = connection.request("GET", "/", f"{HASH}.{proxy.domain}")
            assert response.status == 200 and sha(response.body) == sha(payload)


@pytest.mark.parametrize("sizes", CHUNKINGS)
@pytest.mark.parametrize("size", [0, 1, 50_000, 2_000_000])
def test_downloads_by_chunks(proxy, shared, size, sizes):
    payload = data(min(size, MOST.get(sizes[0], size)))
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(payload, sizes)

    def script(peer):
        while peer.read_request():
            peer.send(answer)

    shared.script = script
    with proxy.connect() as connection:
        for _ in range(2):
            response = connection.request("GET", "/", f"{HASH}.{proxy.domain}")
            assert response.status == 200 and sha(response.body) == sha(payload)


@pytest.mark.parametrize("size", [0, 1, 50_000, 3_000_000])
@pytest.mark.parametrize("piece", [1000, 16 * KIB, 300_000])
def test_downloads_up_to_the_close(proxy, shared, size, piece):
    payload = data(size)

    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for offset in range(0, size, piece):
            peer.send(payload[offset:offset + piece])

    shared.script = script
    with proxy.connect() as connection:
        response = connection.request("GET", "/", f"{HASH}.{proxy.domain}")
        assert sha(response.body) == sha(payload)


def echo_digest(peer):
    while (request := peer.read_request()) is not None:
        body = sha(request.body).encode()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.parametrize("size", SIZES)
def test_uploads_by_length(proxy, shared, size):
    payload = data(size)
    shared.script = echo_digest
    with proxy.connect() as connection:
        for _ in range(2):
            response = connection.request("POST", "/", f"{HASH}.{proxy.domain}", body=payload)
            assert response.text == sha(payload)


@pytest.mark.parametrize("sizes", CHUNKINGS)
@pytest.mark.parametrize("size", [0, 1, 50_000, 2_000_000])
def test_uploads_by_chunks(proxy, shared, size, sizes):
    payload = data(min(size, MOST.get(sizes[0], size)))
    shared.script = echo_digest
    with proxy.connect() as connection:
        for _ in range(2):
            response = connection.request(
                "POST", "/", f"{HASH}.{proxy.domain}", {"Transfer-Encoding": "chunked"},
                body=chunks(payload, sizes))
            assert response.text == sha(payload)


def test_trailers_that_may_pass_do(proxy, shared):
    shared.script = lambda peer: (
        peer.read_request(),
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                  b"5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n"))
    with proxy.connect() as connection:
        connection.send_request("GET", "/", f"{HASH}.{proxy.domain}")
        response = connection.read_head()
        assert response.fields["Transfer-Encoding"] == "chunked"
        while b"\r\n\r\n" not in connection.unread:
            connection._fill()
        assert connection.unread == b"5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n"


def test_an_upload_and_its_answer_at_the_same_time(proxy, shared):
    """The session answers while it reads: both directions move."""
    payload = data(3_000_000)

    def script(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(payload))
        rest = len(payload)
        while rest:
            piece = peer.read_exactly(min(rest, 50_000))
            peer.send(piece)
            rest -= len(piece)

    shared.script = script
    with proxy.connect() as connection:
        sender = threading.Thread(target=connection.send_request, args=(
            "POST", "/", f"{HASH}.{proxy.domain}"), kwargs={"body": payload})
        sender.start()
        response = connection.read_response("POST")
        sender.join()
        assert sha(response.body) == sha(payload)


@pytest.mark.parametrize("size, count", [(60_000, 400), (3_000, 6_000)])
def test_a_client_that_reads_late_gets_every_answer_of_its_pipeline(proxy, shared, size, count):
    """Answers too small for a pipe, and more of them than the buffers on the way hold; the last one ends the connection."""
    payload = data(size)
    shared.requests.clear()
    shared.script = lambda peer: peer.serve(payload)
    with proxy.connect() as connection:
        head = connection.head("GET", "/", f"{HASH}.{proxy.domain}")
        last = connection.head("GET", "/", f"{HASH}.{proxy.domain}", {"Connection": "close"})
        sender = threading.Thread(target=connection.send, args=(head * (count - 1) + last,))
        sender.start()
        # Nobody reads until the gateway has stopped asking the session.
        seen = -1
        while seen != len(shared.requests):
            seen = len(shared.requests)
            time.sleep(0.3)
        assert seen < count
        for _ in range(count):
            assert connection.read_response().body == payload
        sender.join()
        assert connection.at_end()


@pytest.mark.parametrize("piece", [1000, 100_000])
@pytest.mark.parametrize("reader", ["client", "session"])
def test_a_tunnel_whose_reader_pauses_loses_nothing_and_goes_on(proxy, shared, piece, reader):
    payload = data(16 << 20)
    paused, received = threading.Event(), []

    def send(connection):
        for offset in range(0, len(payload), piece):
            connection.sendall(payload[offset:offset + piece])

    def script(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        if reader == "client":
            send(peer.socket)
        else:
            paused.wait(10)
            received.append(peer.read_exactly(len(payload)))
            peer.send(b"done")
        peer.wait_closed()

    shared.script = script
    with proxy.connect() as connection:
        connection.send_request("GET", "/", f"{HASH}.{proxy.domain}", {
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": f"http://{HASH}.{proxy.domain}"})
        assert connection.read_head().status == 101
        if reader == "client":
            time.sleep(1)
            assert sha(connection.read_exactly(len(payload))) == sha(payload)
        else:
            sender = threading.Thread(target=send, args=(connection.socket,))
            sender.start()
            time.sleep(1)
            paused.set()
            assert connection.read_exactly(4) == b"done"
            sender.join()
            assert sha(received[0]) == sha(payload)


def test_more_downloads_than_pipes_go_on_when_their_clients_read_again(start_router, shared):
    """Without a pipe a large body is copied, and waits for its client just as well."""
    payload = data(6 << 20)
    shared.script = lambda peer: peer.serve(payload)
    proxy = start_router(DEV_ROUTES=shared.routes(HASH), WORKERS=12)
    clients = [proxy.connect() for _ in range(64)]
    for client in clients:
        client.send_request("GET", "/", f"{HASH}.{proxy.domain}")
    time.sleep(1)
    for client in clients:
        assert sha(client.read_response().body) == sha(payload)
        client.close()
    proxy.stop()


@pytest.mark.parametrize("way", ["close", "reset", "shutdown"])
def test_clients_that_leave_in_the_middle_of_a_large_body_do_not_end_the_gateway(proxy, shared, way):
    """splice(2) into a connection that is gone raises a signal whose default is the end of the process."""
    block = bytes(1 << 20)

    def script(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 34))
        try:
            while True:
                peer.send(block)
        except OSError:
            pass

    shared.script = script
    for _ in range(60):
        with proxy.connect() as connection:
            connection.send_request("GET", "/", f"{HASH}.{proxy.domain}")
            assert connection.socket.recv(1 << 20)
            if way == "reset":
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif way == "shutdown":
                connection.socket.shutdown(socket.SHUT_RDWR)
    assert proxy.process.poll() is None
    with proxy.connect() as connection:
        assert connection.request("GET", "/api/version", proxy.host).status == 200


def test_sessions_that_leave_in_the_middle_of_a_large_upload_do_not_end_the_gateway(proxy, shared):
    def script(peer):
        peer.read_head()
        peer.read_exactly(1 << 20)

    shared.script = script
    for _ in range(30):
        with proxy.connect() as connection:
            connection.send(connection.head("POST", "/", f"{HASH}.{proxy.domain}", {
                "Content-Length": 1 << 34, "Origin": f"http://{HASH}.{proxy.domain}"}))
            try:
                for _ in range(64):
                    connection.send(bytes(1 << 20))
            except OSError:
                pass
    assert proxy.process.poll() is None
