"""WebSocket end to end: a real client and a real server agree on everything, and the gateway carries it."""

import json
import os
import socket as sockets
import threading

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve

HASH = "aaaaaaaaaaaa"


def echo(socket):
    try:
        for message in socket:
            if isinstance(message, str) and message.startswith("close "):
                _, code, reason = message.split(" ", 2)
                return socket.close(int(code), reason)
            socket.send(message)
    except ConnectionClosed as closed:
        socket.server_saw.append(closed.rcvd)


@pytest.fixture(scope="module")
def server():
    seen = []

    def handler(socket):
        socket.server_saw = seen
        echo(socket)

    def choose(_, offered):
        return next((name for name in ["v2.chat", "v1.chat"] if name in offered), None)

    with serve(handler, "127.0.0.1", 0, select_subprotocol=choose, max_size=None) as running:
        running.seen = seen
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def proxy(start_router, server):
    port = server.socket.getsockname()[1]
    return start_router(
        DEV_ROUTES=json.dumps([{"hash": HASH, "email": "dev@example.com", "target": f"http://127.0.0.1:{port}"}]))


@pytest.fixture
def dial(proxy):
    host = f"{HASH}.localhost:{proxy.port}"

    def dial(**options):
        return connect(
            f"ws://{host}/chat", sock=sockets.create_connection(("127.0.0.1", proxy.port)), origin=f"http://{host}",
            max_size=None, **options)

    return dial


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
