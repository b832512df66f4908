"""A session that does what a test says, byte for byte."""

import json
import select
import socket
import threading

from harness.http1 import Fields


class Request:
    def __init__(self, raw):
        self.raw = raw
        head = raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        self.line = head[0]
        self.method = self.line.split(" ")[0]
        self.fields = Fields([tuple(part.strip(" ") for part in line.split(":", 1)) for line in head[1:]])
        self.body = b""


class Peer:
    """One connection from the gateway, as a script sees it."""

    def __init__(self, server, connection):
        self.server = server
        self.socket = connection
        # Longer than any test waits: that nothing comes any more is told by the gateway, not by this.
        self.socket.settimeout(60)
        self.unread = b""
        self.served = 0

    def _fill(self):
        data = self.socket.recv(65536)
        self.unread += data
        return bool(data)

    def read_head(self):
        """The next request's head; None at the end of the connection."""
        while b"\r\n\r\n" not in self.unread:
            if not self._fill():
                return None
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        request = Request(head + b"\r\n\r\n")
        self.server.requests.append(request)
        return request

    def read_request(self):
        """The next request with its body, chunks joined."""
        request = self.read_head()
        if request is None:
            return None
        if request.fields.get("Transfer-Encoding") == "chunked":
            while True:
                size = int(self._line(), 16)
                if size == 0:
                    break
                request.body += self.read_exactly(size)
                self._line()
            # Trailers, up to an empty line.
            while self._line():
                pass
        else:
            request.body = self.read_exactly(int(request.fields.get("Content-Length", 0)))
        return request

    def _line(self):
        while b"\r\n" not in self.unread:
            if not self._fill():
                raise EOFError
        line, _, self.unread = self.unread.partition(b"\r\n")
        return line

    def read_exactly(self, count):
        while len(self.unread) < count:
            if not self._fill():
                raise EOFError
        data, self.unread = self.unread[:count], self.unread[count:]
        return data

    def has_bytes(self, seconds):
        return bool(self.unread) or bool(select.select([self.socket], [], [], seconds)[0])

    def send(self, data):
        self.socket.sendall(data)

    def answer(self, data):
        """Answers every request by these bytes."""
        while self.read_request() is not None:
            self.send(data)

    def serve(self, body):
        """Answers every request by a 200 with this body."""
        self.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def wait_closed(self):
        """Reads until the gateway ends the connection."""
        try:
            while self._fill():
                pass
        except OSError:
            pass


class ScriptedUpstream:
    """Accepts connections and runs the present script on each, in a thread of its own."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests = []
        self._connections = 0
        self._open = set()
        self.script = lambda peer: None
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def script(self):
        return self._script

    @script.setter
    def script(self, script):
        # Connections that wait for their next request belong to the script before.
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._script = script
        self._base = self._connections

    @property
    def connections(self):
        """Connections accepted since the script was set."""
        return self._connections - self._base

    def routes(self, *hashes, email="dev@example.com"):
        """DEV_ROUTES by which these session hosts lead here."""
        target = f"http://127.0.0.1:{self.port}"
        return json.dumps([{"hash": hash, "email": email, "target": target} for hash in hashes])

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections += 1
            self._open.add(connection)
            threading.Thread(target=self._run, args=(connection, self._script), daemon=True).start()

    def _run(self, connection, script):
        peer = Peer(self, connection)
        try:
            script(peer)
        except (OSError, EOFError):
            pass
        finally:
            self._open.discard(connection)
            connection.close()

    def close(self):
        self.listener.close()
