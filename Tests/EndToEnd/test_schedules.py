"""Random schedules between a client and two scripted sessions: every byte out is the byte in, in order, at the right peer.

A seed decides the requests, their framing and sizes, how the bytes are cut on every way, when each side pauses, and where
one of them resets. A failure is reproduced by its seed alone.
"""

import json
import random
import socket
import struct
import threading
import time

import pytest

from harness.http1 import Truncated
from harness.upstream import ScriptedUpstream

SESSIONS = ["aaaaaaaaaaaa", "bbbbbbbbbbbb"]
SIZES = [0, 1, 10, 1000, 16_383, 16_384, 40_000, 65_536, 70_000, 300_000]


def content(token, size):
    return (f"{token}." * (size // len(token) + 1)).encode()[:size]


def coded(data, choice):
    out, offset = b"", 0
    while offset < len(data):
        size = choice.choice([1, 20, 4096, 20_000, 100_000])
        piece = data[offset:offset + size]
        out += b"%x\r\n" % len(piece) + piece + b"\r\n"
        offset += len(piece)
    return out + b"0\r\n\r\n"


def cut(data, choice, send):
    """Sends in pieces of random size, now and then with a pause."""
    while data:
        size = choice.choice([1, 3, 100, 5000, 60_000, len(data)])
        send(data[:size])
        data = data[size:]
        if choice.random() < 0.1:
            time.sleep(choice.random() * 0.004)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # Whoever reads from it in another thread would keep it open.
    sock.shutdown(socket.SHUT_RD)
    sock.close()


class Session:
    """Answers each request with what its token asks for, and notes what is not as it was sent."""

    def __init__(self, name):
        self.name, self.wrong, self.server = name, [], ScriptedUpstream()
        self.server.script = self.serve

    def serve(self, peer):
        while (request := peer.read_head()) is not None:
            seed, number = request.line.split(" ")[1].strip("/").split("-")
            plan = Plan(int(seed)).requests[int(number)]
            choice = random.Random(f"{seed}-{number}")
            if not request.fields["Host"].startswith(self.name) or SESSIONS[plan["session"]] != self.name:
                self.wrong.append(f"{request.line} of {request.fields['Host']} came to {self.name}")
            if plan["body"] is not None:
                body = self.body(peer, request, choice)
                if body != content(plan["token"], plan["body"]):
                    self.wrong.append(f"the body of {request.line} arrived changed")
            answer = content(plan["token"] + "!", plan["answer"])
            if plan["coded"]:
                answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + coded(answer, choice)
            else:
                answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
            if plan["dies"]:
                cut(answer[:choice.randrange(len(answer))], choice, peer.send)
                return reset(peer.socket)
            cut(answer, choice, peer.send)

    @staticmethod
    def body(peer, request, choice):
        if request.fields.get("Transfer-Encoding") != "chunked":
            return peer.read_exactly(int(request.fields["Content-Length"]))
        body = b""
        while size := int(peer._line(), 16):
            body += peer.read_exactly(size)
            peer._line()
        peer._line()
        return body


class Plan:
    """What a seed stands for."""

    def __init__(self, seed):
        choice = random.Random(seed)
        count = choice.randrange(3, 14)
        self.requests = [{
            "token": f"{seed}-{number}", "session": choice.randrange(2), "answer": choice.choice(SIZES),
            "body": choice.choice([None, None, *SIZES]), "body_coded": choice.random() < 0.5,
            "coded": choice.random() < 0.5, "dies": choice.random() < 0.04,
        } for number in range(count)]
        self.client_resets = choice.random() < 0.3
        self.choice = choice


@pytest.fixture(scope="module")
def sessions():
    made = [Session(name) for name in SESSIONS]
    yield made
    for session in made:
        session.server.close()


@pytest.fixture(scope="module")
def proxy(start_router, sessions):
    return start_router(WORKERS=1, DEV_ROUTES=json.dumps([
        {"hash": session.name, "email": "dev@example.com", "target": f"http://127.0.0.1:{session.server.port}"}
        for session in sessions]))


def play(proxy, seed):
    plan = Plan(seed)
    choice = plan.choice
    with proxy.connect(timeout=60) as connection:
        sent = b""
        for request in plan.requests:
            host = f"{SESSIONS[request['session']]}.{proxy.domain}"
            fields = {"Origin": f"http://{host}"}
            body = b""
            if request["body"] is not None:
                body = content(request["token"], request["body"])
                fields["Transfer-Encoding" if request["body_coded"] else "Content-Length"] = (
                    "chunked" if request["body_coded"] else len(body))
                body = coded(body, choice) if request["body_coded"] else body
            method = "GET" if request["body"] is None else "POST"
            sent += connection.head(method, f"/{request['token']}", host, fields) + body
        if plan.client_resets:
            sent = sent[:choice.randrange(1, len(sent))]

        def send():
            try:
                cut(sent, choice, connection.send)
                if plan.client_resets:
                    reset(connection.socket)
            except OSError:
                pass

        sender = threading.Thread(target=send)
        sender.start()
        reader = random.Random(seed + 1)
        try:
            for request in plan.requests:
                if reader.random() < 0.2:
                    time.sleep(reader.random() * 0.02)
                response = connection.read_response()
                if response.status == 502:
                    assert request["dies"]
                    if response.fields.get("Connection") == "close":
                        break
                    continue
                assert response.status == 200, response
                assert response.body == content(request["token"] + "!", request["answer"]), request
                assert not request["dies"]
        except (Truncated, OSError):
            # Only a reset of this client or of its session may cut the conversation.
            assert plan.client_resets or any(request["dies"] for request in plan.requests)
        sender.join()


@pytest.mark.parametrize("first", range(0, 96, 12))
def test_bytes_out_are_bytes_in_at_the_right_peer(proxy, sessions, first):
    for seed in range(first, first + 12):
        play(proxy, seed)
        assert not sessions[0].wrong + sessions[1].wrong, f"seed {seed}"


def test_nothing_borrowed_is_left(proxy):
    """After all those resets; runs last in this file."""
    names = ["client_connections", 'upstream_connections{state="in_use"}', 'pipes{state="in_use"}', "buffers_in_use"]
    end = time.monotonic() + 40
    while True:
        lines = proxy.operations("/metrics").text.splitlines()
        left = {name: line for name in names for line in lines
                if line.startswith(f"opencode_router_{name} ") and not line.endswith(" 0")}
        if not left:
            return
        assert time.monotonic() < end, left
        time.sleep(0.1)
