"""HTTP/1.1 over a plain socket, with nothing hidden: tests decide every byte, and see every byte."""

import json
import socket
import time


class Truncated(Exception):
    """The peer ended the connection before the message was complete."""


class Fields:
    """Field lines in order; looking up folds case."""

    def __init__(self, lines):
        self.lines = lines

    def all(self, name):
        return [value for key, value in self.lines if key.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def __getitem__(self, name):
        value = self.get(name)
        if value is None:
            raise KeyError(f"no field {name} in {self.lines}")
        return value

    def __contains__(self, name):
        return bool(self.all(name))

    def __repr__(self):
        return repr(self.lines)


class Response:
    def __init__(self, status, reason, fields, body=b""):
        self.status = status
        self.reason = reason
        self.fields = fields
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:300]!r}>"


class Connection:
    """One client connection; requests go out one at a time, or raw."""

    def __init__(self, port, address="127.0.0.1", timeout=40, source=None):
        self.socket = socket.create_connection((address, port), timeout=timeout, source_address=source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    @staticmethod
    def head(method, target, host, fields=()):
        """A request head; fields may be a dictionary or pairs."""
        pairs = fields.items() if isinstance(fields, dict) else fields
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"] + [f"{name}: {value}" for name, value in pairs]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def send_request(self, method, target, host, fields=None, body=None):
        fields = dict(fields or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            fields.setdefault("Content-Type", "application/json")
        if body is not None and "Content-Length" not in fields and "Transfer-Encoding" not in fields:
            fields["Content-Length"] = len(body)
        self.send(self.head(method, target, host, fields) + (body or b""))

    def request(self, method, target, host, fields=None, body=None):
        self.send_request(method, target, host, fields, body)
        return self.read_response(method)

    def read_response(self, method="GET"):
        """Reads one final answer with its body; interim answers are passed over."""
        response = self.read_head()
        while 100 <= response.status < 200 and response.status != 101:
            response = self.read_head()
        response.body = b"".join(self.body(response, method))
        return response

    def read_head(self):
        while b"\r\n\r\n" not in self.unread:
            self._fill()
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        version, status, *reason = lines[0].split(" ", 2)
        assert version == "HTTP/1.1", lines[0]
        fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            assert colon, f"no field line: {line!r}"
            fields.append((name, value.strip(" \t")))
        return Response(int(status), reason[0] if reason else "", Fields(fields))

    def body(self, response, method="GET"):
        """The pieces of the body, as they come; raises Truncated if it ends early."""
        status = response.status
        if method == "HEAD" or status in (101, 204, 304):
            return
        codings = response.fields.all("Transfer-Encoding")
        lengths = response.fields.all("Content-Length")
        assert not (codings and lengths), "both Transfer-Encoding and Content-Length"
        if codings:
            assert codings == ["chunked"], codings
            while True:
                size = int(self._line(), 16)
                if size == 0:
                    while self._line():
                        pass
                    return
                yield from self._exactly(size)
                assert self._line() == b"", "a chunk longer than its size"
        elif lengths:
            assert len(lengths) == 1, lengths
            yield from self._exactly(int(lengths[0]))
        else:
            while True:
                try:
                    self._fill()
                except Truncated:
                    yield self.unread
                    self.unread = b""
                    break
                piece, self.unread = self.unread, b""
                yield piece

    def at_end(self, timeout=20):
        """Whether the peer has closed, with nothing left to read."""
        self.socket.settimeout(timeout)
        try:
            return not self.unread and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def _line(self):
        while b"\r\n" not in self.unread:
            self._fill()
        line, _, self.unread = self.unread.partition(b"\r\n")
        return line

    def read_exactly(self, count):
        """So many bytes behind the last head: what a tunnel carries."""
        return b"".join(self._exactly(count))

    def _exactly(self, count):
        while count > 0:
            if not self.unread:
                self._fill()
            piece, self.unread = self.unread[:count], self.unread[count:]
            count -= len(piece)
            yield piece

    def _fill(self):
        try:
            piece = self.socket.recv(256 << 10)
        except ConnectionResetError as reset:
            raise Truncated("reset by the peer") from reset
        if not piece:
            raise Truncated("closed by the peer")
        self.unread += piece


class EventStream:
    """An open stream of server-sent events (HTML Standard, 9.2)."""

    def __init__(self, connection, target, host, fields=None):
        self.connection = connection
        connection.send_request("GET", target, host, {"Accept": "text/event-stream", **(fields or {})})
        self.response = connection.read_head()
        self._pieces = connection.body(self.response)
        self._text = b""

    def events(self, seconds):
        """Yields (name, data) until so many seconds have passed or the stream ends; comments have the name None."""
        end = time.monotonic() + seconds
        while True:
            while b"\n\n" in self._text:
                block, _, self._text = self._text.partition(b"\n\n")
                yield self._event(block.decode())
            left = end - time.monotonic()
            if left <= 0:
                return
            self.connection.socket.settimeout(left)
            try:
                self._text += next(self._pieces)
            except (TimeoutError, StopIteration):
                return

    @staticmethod
    def _event(block):
        name, data = "message", []
        for line in block.split("\n"):
            key, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if key == "event":
                name = value
            elif key == "data":
                data.append(value)
        return (name if data else None, "\n".join(data))
