"""WebSocket end to end: a real client and a real server agree on everything, and the gateway carries it."""

import json
import os
import socket as sockets
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve

from harness.waiting import eventually

HASH = "aaaaaaaaaaaa"
# By then the gateway keeps no task for a tunnel.
SILENCE = 0.3


def echo(socket):
    try:
        for message in socket:
            if isinstance(message, str) and message.startswith("close "):
                _, code, reason = message.split(" ", 2)
                return socket.close(int(code), reason)
            if message == "later":
                time.sleep(SILENCE)
            socket.send(message)
    except ConnectionClosed as closed:
        socket.server_saw.append(closed.rcvd)


@pytest.fixture(scope="module")
def server():
    seen = []

    connections = set()

    def handler(socket):
        socket.server_saw = seen
        connections.add(socket.socket)
        echo(socket)
        connections.discard(socket.socket)

    def choose(_, offered):
        return next((name for name in ["v2.chat", "v1.chat"] if name in offered), None)

    with serve(handler, "127.0.0.1", 0, select_subprotocol=choose, max_size=None) as running:
        running.seen = seen
        running.carried = connections
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def proxy(start_router, server):
    return start_router(DEV_ROUTES=route(server))


def route(server):
    return json.dumps([{
        "hash": HASH, "email": "dev@example.com", "target": f"http://127.0.0.1:{server.socket.getsockname()[1]}"}])


def dialler(proxy):
    host = f"{HASH}.localhost:{proxy.port}"

    def dial(**options):
        return connect(
            f"ws://{host}/chat", sock=sockets.create_connection(("127.0.0.1", proxy.port)), origin=f"http://{host}",
            max_size=None, **options)

    return dial


@pytest.fixture
def dial(proxy):
    return dialler(proxy)


def test_a_tunnel_that_was_silent_carries_on_whoever_speaks_first(dial):
    with dial() as socket:
        for _ in range(2):
            time.sleep(SILENCE)
            socket.send("mine")
            assert socket.recv(timeout=20) == "mine"
            socket.send("later")
            assert socket.recv(timeout=20) == "later"
        time.sleep(SILENCE)
        large = os.urandom(3_000_000)
        socket.send(large)
        assert socket.recv(timeout=30) == large


def test_a_silent_tunnel_ends_with_either_side(dial, server):
    with dial() as socket:
        time.sleep(SILENCE)
        # Not a close frame, just the end of the connection.
        socket.socket.shutdown(sockets.SHUT_RDWR)
        eventually(lambda: not server.carried)
    with dial() as socket:
        socket.send("there")
        assert socket.recv(timeout=20) == "there"
        time.sleep(SILENCE)
        for connection in list(server.carried):
            connection.shutdown(sockets.SHUT_RDWR)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=20)


def test_a_silent_tunnel_is_told_that_the_gateway_goes_away(start_router, server):
    router = start_router(DEV_ROUTES=route(server), DRAIN_SECONDS=1)
    with dialler(router)() as socket:
        time.sleep(SILENCE)
        router.signal()
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert closed.value.rcvd.code == 1001
    assert router.wait(40) == 0


# The boundaries of the length field (RFC 6455, 5.2), of our buffers and of a pipe.
SIZES = [0, 1, 125, 126, 127, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, (1 << 20) - 1, (1 << 20) + 1, 5_000_000]


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("size", SIZES)
def test_a_message_of_every_size_comes_back(dial, size, compression):
    with dial(compression=compression) as socket:
        binary, text = os.urandom(size), "ä" * (size // 2)
        for message in (binary, text, binary):
            socket.send(message)
            assert socket.recv(timeout=30) == message


def test_compression_is_agreed_end_to_end(dial):
    with dial(compression="deflate") as socket:
        assert "permessage-deflate" in socket.response.headers["Sec-WebSocket-Extensions"]
    with dial(compression=None) as socket:
        assert "Sec-WebSocket-Extensions" not in socket.response.headers


def test_the_server_chooses_the_subprotocol(dial):
    with dial(subprotocols=["v1.chat", "v2.chat"]) as socket:
        assert socket.subprotocol == "v2.chat"
    with dial() as socket:
        assert socket.subprotocol is None


def test_a_message_in_many_fragments_arrives_as_one(dial):
    pieces = [os.urandom(size) for size in (0, 1, 125, 126, 65_536, 200_000, 0)]
    with dial(compression=None) as socket:
        socket.send(iter(pieces))
        assert socket.recv(timeout=30) == b"".join(pieces)


def test_pings_are_answered_between_messages(dial):
    with dial() as socket:
        for size in (0, 5, 125):
            assert socket.ping(b"p" * size).wait(20)
        socket.send("still here")
        assert socket.recv(timeout=20) == "still here"


@pytest.mark.parametrize("code,reason", [(1000, "done"), (1001, "going"), (1011, "x" * 123), (3000, ""), (4999, "ä" * 60)])
def test_a_close_keeps_its_code_and_reason_both_ways(dial, server, code, reason):
    with dial() as socket:
        socket.send(f"close {code} {reason}")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)


def test_many_messages_in_flight_keep_their_order(dial):
    with dial(compression=None) as socket:
        sent = [os.urandom(size % 3000) for size in range(3000)]
        sender = threading.Thread(target=lambda: [socket.send(message) for message in sent])
        sender.start()
        assert all(socket.recv(timeout=30) == message for message in sent)
        sender.join()


def frame(opcode, payload=b"", fin=True, reserved=0, mask=b"\1\2\3\4"):
    """A client's frame (RFC 6455, 5.2); no mask makes it a wrong one."""
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2)
    head = bytes([fin << 7 | reserved << 4 | opcode, length[0] | bool(mask) << 7]) + length[1:]
    return head + mask + (bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload)) if mask else payload)


def upgraded(proxy):
    """A connection on which the handshake was read, and nothing behind it."""
    host = f"{HASH}.localhost:{proxy.port}"
    connection = proxy.connect()
    connection.send_request("GET", "/chat", host, {
        "Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": f"http://{host}"})
    assert connection.read_head().status == 101
    return connection


def read_frame(connection):
    first, size = connection.read_exactly(2)
    return first, connection.read_exactly(int.from_bytes(connection.read_exactly(2)) if size == 126 else size)


def test_frames_that_come_byte_by_byte_are_the_same_frames(proxy):
    with upgraded(proxy) as connection:
        sent = (frame(1, b"he", fin=False) + frame(9, b"p1") + frame(0, b"", fin=False) + frame(0, "llö".encode())
                + frame(10, b"unasked") + frame(2, bytes(range(200))))
        for byte in sent:
            connection.send(bytes([byte]))
        assert read_frame(connection) == (0x8a, b"p1")
        assert read_frame(connection) == (0x81, "hellö".encode())
        assert read_frame(connection) == (0x82, bytes(range(200)))


def test_a_message_of_sixteen_mebibytes_comes_back(dial):
    with dial(compression=None) as socket:
        message = os.urandom(16 << 20)
        socket.send(message)
        assert socket.recv(timeout=60) == message


# What the session's server has to say of frames that are none, the client hears.
BROKEN = {
    "a reserved bit": (frame(1, b"x", reserved=4), 1002), "a reserved kind": (frame(3, b"x"), 1002),
    "a reserved control": (frame(11), 1002), "a ping in pieces": (frame(9, b"x", fin=False), 1002),
    "a long ping": (frame(9, b"x" * 126), 1002), "no mask": (frame(1, b"x", mask=b""), 1002),
    "a continuation of nothing": (frame(0, b"x"), 1002), "a message in a message": (frame(1, b"x", fin=False) + frame(1, b"y"), 1002),
    "no UTF-8": (frame(1, b"\xed\xa0\x80"), 1007), "UTF-8 that ends early": (frame(1, b"\xc3", fin=False) + frame(0, b"x"), 1007),
    "half a code": (frame(8, b"\3"), 1002), "a code that is never sent": (frame(8, (1005).to_bytes(2)), 1002),
    "a reason that is no text": (frame(8, (1000).to_bytes(2) + b"\xff"), 1007), "an end": (frame(8, (1000).to_bytes(2) + b"bye"), 1000),
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_server_s_word_on_a_frame_arrives_and_then_the_end(proxy, what):
    sent, code = BROKEN[what]
    with upgraded(proxy) as connection:
        connection.send(sent)
        first, payload = read_frame(connection)
        assert first == 0x88 and int.from_bytes(payload[:2]) == code
        assert connection.at_end(20)
