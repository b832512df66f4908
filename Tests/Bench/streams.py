"""Long-lived streams for the comparison: an origin that sends events, echoes and floods, and clients that count."""

import base64
import hashlib
import os
import selectors
import socket
import statistics
import struct
import threading
import time
from types import SimpleNamespace

HOST = "bbbbbbbbbbbb.bench.test"


class NoProxy:
    """The way to the origin without a proxy: what a delay through one is compared with."""

    name = "no proxy"
    process = SimpleNamespace(cpu=lambda: 0)

    def __init__(self, origin):
        self.port = origin.port

    def fields(self):
        return {}


class StreamOrigin:
    """One thread per connection; what it does is named by the path."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self.listener.getsockname()[1]
        self.stopped = False
        self.subscribers = []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.stopped = True
        self.listener.close()

    def _accept(self):
        while not self.stopped:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            data = b""
            while b"\r\n\r\n" not in data:
                piece = connection.recv(65536)
                if not piece:
                    return
                data += piece
            head = data.partition(b"\r\n\r\n")[0].decode("latin-1")
            path = head.split(" ")[1]
            if path == "/events":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                   b"Transfer-Encoding: chunked\r\n\r\n")
                self.subscribers.append(connection)
                return
            if path == "/chunks":
                piece = b"8000\r\n" + bytes(32 << 10) + b"\r\n"
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
                for _ in range(256):
                    connection.sendall(piece * 32)
                connection.sendall(b"0\r\n\r\n")
                connection.close()
                return
            if path == "/upload":
                self._swallow(connection, data.partition(b"\r\n\r\n")[2], "chunked" in head.lower())
                return
            key = next(line.split(":")[1].strip() for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
            accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            if path == "/ws-idle":
                self.subscribers.append(connection)
                return
            if path == "/ws-bulk":
                frame = struct.pack("!BBQ", 0x82, 127, 1 << 20) + bytes(1 << 20)
                for _ in range(256):
                    connection.sendall(frame)
                connection.close()
                return
            while piece := connection.recv(65536):
                connection.sendall(piece)
        except OSError:
            pass

    def _swallow(self, connection, rest, chunked):
        """Reads 256 MiB by length, or up to the last chunk, and only then answers: an early answer would end the upload."""
        size, tail = len(rest), rest[-5:]
        buffer = bytearray(1 << 20)
        while size < 256 << 20 if not chunked else tail != b"0\r\n\r\n":
            count = connection.recv_into(buffer)
            if not count:
                return
            size += count
            tail = (tail + bytes(buffer[max(0, count - 5):count]))[-5:]
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        connection.close()


def request(peer, path, upgrade=False):
    fields = {"Host": HOST, **peer.fields()}
    if upgrade:
        fields |= {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode()}
    return (f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n").encode()


def open_streams(peer, path, count, upgrade=False):
    connections = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", peer.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(request(peer, path, upgrade))
        connections.append(connection)
    for connection in connections:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(4096)
        if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 101")):
            raise RuntimeError(f"{peer.name}: {answer[:200]}")
    return connections


def events(origin, count, per_second, seconds):
    """CPU microseconds per event of `count` streams; the rate is the 99th percentile of the delay in ms.

    The delay is the client's and the origin's, too: what a proxy adds is the difference to the row without one."""
    def work(peer):
        origin.subscribers.clear()
        connections = open_streams(peer, "/events", count)
        while len(origin.subscribers) < count:
            time.sleep(0.01)
        subscribers = list(origin.subscribers)
        delays = []
        done = threading.Event()

        def read():
            selector = selectors.DefaultSelector()
            for connection in connections:
                selector.register(connection, selectors.EVENT_READ)
            while not done.is_set():
                for key, _ in selector.select(0.2):
                    data = key.fileobj.recv(65536)
                    now = time.monotonic_ns()
                    for line in data.split(b"\n"):
                        if line.startswith(b"data: "):
                            delays.append((now - int(line[6:26])) / 1e6)

        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(0.3)
        before = peer.process.cpu()
        rounds = per_second * seconds
        # Spread over the second, as real sessions are: 20 batches.
        batch = max(1, count // 20)
        start = time.monotonic()
        for number in range(rounds):
            for offset in range(0, count, batch):
                for subscriber in subscribers[offset:offset + batch]:
                    data = b"data: %020d %s\n\n" % (time.monotonic_ns(), b"x" * 120)
                    subscriber.sendall(b"%x\r\n%s\r\n" % (len(data), data))
                due = start + (number + (offset + batch) / count) / per_second
                time.sleep(max(0, due - time.monotonic()))
        time.sleep(0.3)
        used = peer.process.cpu() - before
        done.set()
        reader.join()
        for connection in connections + subscribers:
            connection.close()
        if len(delays) < rounds * count * 0.99:
            raise RuntimeError(f"{peer.name}: {len(delays)} of {rounds * count} events")
        return {"cost": used / (rounds * count) * 1e6, "rate": sorted(delays)[int(len(delays) * 0.99)],
                "p50": statistics.median(delays), "p99": sorted(delays)[int(len(delays) * 0.99)]}
    return work


def echo(count, seconds):
    """CPU microseconds per message there and back, every connection with one message under way."""
    frame = b"\x81\x94\0\0\0\0" + b"x" * 20

    def work(peer):
        connections = open_streams(peer, "/echo", count, upgrade=True)
        selector = selectors.DefaultSelector()
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(frame)
        before, start, messages = peer.process.cpu(), time.monotonic(), 0
        while time.monotonic() < start + seconds:
            for key, _ in selector.select(0.5):
                if len(key.fileobj.recv(4096)) >= len(frame):
                    messages += 1
                    key.fileobj.sendall(frame)
        used = peer.process.cpu() - before
        for connection in connections:
            connection.close()
        return {"cost": used / messages * 1e6, "rate": messages / seconds}
    return work


def idle(origin, count):
    """Resident bytes per WebSocket on which nothing happens."""
    def work(peer):
        before = peer.process.rss()
        connections = open_streams(peer, "/ws-idle", count, upgrade=True)
        time.sleep(1.5)
        after = peer.process.rss()
        for connection in connections + origin.subscribers:
            connection.close()
        origin.subscribers.clear()
        return {"cost": (after - before) / count, "rate": count}
    return work


def bulk(path):
    """CPU seconds per GiB of a flood from the origin."""
    def work(peer):
        before, start = peer.process.cpu(), time.monotonic()
        buffer = bytearray(1 << 20)
        with socket.create_connection(("127.0.0.1", peer.port)) as connection:
            connection.sendall(request(peer, path, upgrade=path.startswith("/ws")))
            size = 0
            while size < 256 << 20:
                count = connection.recv_into(buffer)
                if not count:
                    break
                size += count
        if size < 256 << 20:
            raise RuntimeError(f"{peer.name}: {size} bytes")
        return {"cost": (peer.process.cpu() - before) / size * (1 << 30), "rate": size / (time.monotonic() - start) / 1e6}
    return work
