"""Sessions and clients of the soak: whatever one of them says carries a token that the other must have asked for."""

import asyncio
import random
import socket
import struct
from urllib.parse import parse_qs, urlsplit


class Wrong(Exception):
    """The gateway broke a promise: somebody's bytes changed, or reached somebody else."""


class Broken(Exception):
    """A connection ended where it was allowed to."""


def content(token, size):
    """The body that goes with a token: nobody else's looks like it."""
    return (token.encode() * (size // len(token) + 1))[:size]


def reset(writer):
    """Ends a connection by a reset."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Wire:
    """HTTP/1.1 messages on a stream, read strictly."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def head(self):
        try:
            raw = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as end:
            raise Broken from end
        line, *fields = raw[:-4].decode("latin-1").split("\r\n")
        pairs = [field.split(":", 1) for field in fields]
        return line, {name.lower(): value.strip() for name, value in pairs}

    async def body(self, fields, until_close=False, pause=None):
        pieces = []
        try:
            if fields.get("transfer-encoding") == "chunked":
                while size := int(await self.reader.readuntil(b"\r\n"), 16):
                    pieces.append(await self.reader.readexactly(size))
                    if await self.reader.readexactly(2) != b"\r\n":
                        raise Wrong("a chunk longer than its size")
                while await self.reader.readuntil(b"\r\n") != b"\r\n":
                    pass
            elif "content-length" in fields:
                rest = int(fields["content-length"])
                while rest:
                    piece = await self.reader.read(min(rest, 4096 if pause else 1 << 18))
                    if not piece:
                        raise Broken
                    rest -= len(piece)
                    pieces.append(piece)
                    if pause:
                        await asyncio.sleep(pause)
            elif until_close:
                pieces.append(await self.reader.read(-1))
        except (asyncio.IncompleteReadError, ConnectionError) as end:
            raise Broken from end
        return b"".join(pieces)

    async def send(self, data):
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError as end:
            raise Broken from end


def chunked(data, choice):
    coded, offset = [], 0
    while offset < len(data):
        piece = data[offset:offset + choice.choice([1, 100, 5000, 40_000])]
        coded.append(b"%x\r\n" % len(piece) + piece + b"\r\n")
        offset += len(piece)
    return b"".join(coded) + b"0\r\n\r\n"


class Session:
    """One session's agent. It answers by what the target asks for, dies now and then, and comes back."""

    def __init__(self, name, choice):
        self.name, self.choice = name, choice
        self.port = None
        self.open = set()
        self.requests = 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port or 0, limit=1 << 20)
        self.port = self.server.sockets[0].getsockname()[1]

    async def die(self):
        """Closes the listener and resets every connection, then comes back at the same place."""
        self.server.close()
        for writer in list(self.open):
            reset(writer)
        await asyncio.sleep(self.choice.random())
        await self.start()

    def stop(self):
        self.server.close()
        for writer in list(self.open):
            reset(writer)

    async def serve(self, reader, writer):
        self.open.add(writer)
        wire = Wire(reader, writer)
        try:
            while await self.answer(wire):
                pass
        except (Broken, ConnectionError):
            pass
        finally:
            self.open.discard(writer)
            writer.transport.abort() if writer.is_closing() else writer.close()

    async def answer(self, wire):
        line, fields = await wire.head()
        self.requests += 1
        _, target, _ = line.split(" ")
        asked = {key: values[0] for key, values in parse_qs(urlsplit(target).query).items()}
        token, size, way = asked["token"], int(asked.get("size", 0)), asked.get("way", "length")
        # Whose request this is, the session knows by its host; a request that belongs elsewhere is a leak.
        if not fields["host"].startswith(self.name):
            raise Wrong(f"{fields['host']} reached the session {self.name}")
        head = f"X-Token: {token}\r\nX-Session: {self.name}\r\n".encode()
        if way == "tunnel":
            await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            + f"Sec-WebSocket-Accept: {token}\r\n\r\n".encode())
            while data := await self.some(wire):
                await wire.send(data)
            return False
        if way == "events":
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
                            + head + b"\r\n")
            for number in range(10_000):
                event = f"data: {token} {number}\n\n".encode()
                await wire.send(b"%x\r\n%b\r\n" % (len(event), event))
                await asyncio.sleep(0.2)
            return False
        if way == "early":
            await wire.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n" + head + b"\r\n")
            return False
        if way == "silent":
            await asyncio.sleep(self.choice.uniform(0, 2))
            return False
        body = await wire.body(fields)
        if body != content(token, len(body)):
            raise Wrong(f"the upload of {token} arrived changed")
        answer = content(token, size)
        if way == "interim":
            await wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        if way == "chunked":
            await wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + head + b"\r\n"
                            + chunked(answer, self.choice))
        elif way == "close":
            await wire.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + answer)
            return False
        elif way == "short":
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % (size + 1) + head + b"\r\n" + answer)
            return False
        elif way == "garbage":
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")
            return False
        elif way == "excess":
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % size + head + b"\r\n" + answer
                            + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        else:
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % size + head + b"\r\n" + answer)
        return True

    @staticmethod
    async def some(wire):
        try:
            return await wire.reader.read(1 << 16)
        except ConnectionError as end:
            raise Broken from end


class Client:
    """One client connection after another, each with requests of many users to many sessions."""

    def __init__(self, number, seed, port, domain, owners, secret, pace):
        self.choice = random.Random(seed * 1000 + number)
        self.name = f"{seed:x}x{number:x}"
        self.port, self.domain, self.owners, self.secret, self.pace = port, domain, owners, secret, pace
        self.counts = {}
        self.serial = 0

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    async def run(self, stopped):
        while not stopped.is_set():
            writer = None
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
                wire = Wire(reader, writer)
                while not stopped.is_set() and await self.act(wire):
                    await asyncio.sleep(self.choice.expovariate(1) * self.pace)
            except Broken:
                self.count("broken off")
            except OSError:
                await asyncio.sleep(0.05)
            finally:
                if writer is not None:
                    writer.close()

    def request(self, method="GET", session=None, user=None, fields="", **asked):
        """A head for a session of one's own, unless told otherwise, and its token."""
        self.serial += 1
        token = f"{self.name}.{self.serial}."
        session = session or self.choice.choice(list(self.owners))
        user = user or self.owners[session]
        query = "&".join(f"{name}={value}" for name, value in {"token": token, **asked}.items())
        host = f"{session}.{self.domain}"
        head = (f"{method} /x?{query} HTTP/1.1\r\nHost: {host}\r\nX-Auth-Request-Email: {user}\r\n"
                f"X-Gateway-Key: {self.secret}\r\nOrigin: https://{host}\r\n{fields}\r\n")
        return token, session, head.encode()

    async def act(self, wire):
        """One thing that clients do; false if the connection is used up."""
        deeds = [self.small] * 6 + [self.large, self.large, self.upload, self.upload, self.pipeline, self.foreign,
                 self.picker, self.events, self.tunnel, self.slow, self.hurt, self.leave, self.early]
        return await self.choice.choice(deeds)(wire)

    async def answer(self, wire, token, session, size, statuses=(200,), pause=None):
        """Reads one answer; it is this request's, or an error of the gateway's own."""
        line, fields = await wire.head()
        while line.split(" ")[1].startswith("1"):
            line, fields = await wire.head()
        status = int(line.split(" ")[1])
        body = await wire.body(fields, pause=pause)
        if "x-token" in fields or status == 200:
            if (fields.get("x-token"), fields.get("x-session")) != (token, session):
                raise Wrong(f"{token} of {session} was answered {line} {fields} {body[:80]!r}")
            if status not in statuses or (status == 200 and body != content(token, size)):
                raise Wrong(f"{token} of {session} got {line} and {len(body)} bytes in place of {size}")
        elif status not in (502, 503, 504):
            raise Wrong(f"{token} of {session} got {line} {body[:200]!r}")
        self.count(status)
        return fields.get("connection") != "close"

    async def small(self, wire):
        size, way = self.choice.randrange(2000), self.choice.choice(["length", "chunked", "interim", "excess"])
        token, session, head = self.request(size=size, way=way)
        await wire.send(head)
        return await self.answer(wire, token, session, size)

    async def large(self, wire):
        size, way = self.choice.randrange(1 << 20), self.choice.choice(["length", "chunked", "close"])
        token, session, head = self.request(size=size, way=way)
        await wire.send(head)
        return await self.answer(wire, token, session, size)

    async def slow(self, wire):
        """Reads in small steps, so that the whole way back to the session fills up."""
        size = self.choice.randrange(300_000, 600_000)
        token, session, head = self.request(size=size)
        await wire.send(head)
        return await self.answer(wire, token, session, size, pause=0.005)

    async def upload(self, wire):
        size, coded = self.choice.randrange(1 << 19), self.choice.random() < 0.5
        fields = "Transfer-Encoding: chunked\r\n" if coded else f"Content-Length: {size}\r\n"
        token, session, head = self.request("POST", fields=fields, size=10)
        data = content(token, size)
        data = head + (chunked(data, self.choice) if coded else data)
        offset = 0
        while offset < len(data):
            step = self.choice.choice([50, 3000, 100_000, len(data)])
            await wire.send(data[offset:offset + step])
            offset += step
        return await self.answer(wire, token, session, 10)

    async def pipeline(self, wire):
        asked = [(*self.request(size=size), size) for size in self.choice.choices(range(70_000), k=8)]
        await wire.send(b"".join(head for _, _, head, _ in asked))
        for token, session, _, size in asked:
            if not await self.answer(wire, token, session, size):
                return False
        return True

    async def foreign(self, wire):
        """Somebody else's session is not there."""
        session, other = self.choice.sample(list(self.owners), 2)
        if self.owners[session] == self.owners[other]:
            return True
        _, _, head = self.request(session=session, user=self.owners[other])
        await wire.send(head)
        line, fields = await wire.head()
        await wire.body(fields)
        if line.split(" ")[1] != "404" or "x-token" in fields:
            raise Wrong(f"{self.owners[other]} asked for {session} and got {line}")
        self.count(404)
        return True

    async def picker(self, wire):
        await wire.send((f"GET / HTTP/1.1\r\nHost: {self.domain}\r\nX-Auth-Request-Email: alice@example.com\r\n"
                         f"X-Gateway-Key: {self.secret}\r\n\r\n").encode())
        line, fields = await wire.head()
        body = await wire.body(fields)
        if line.split(" ")[1] != "200" or b"</html>" not in body:
            raise Wrong(f"the picker is {line} {body[:80]!r}")
        self.count("picker")
        return True

    async def events(self, wire):
        token, _, head = self.request(way="events")
        await wire.send(head)
        line, fields = await wire.head()
        if line.split(" ")[1] != "200":
            return False
        for number in range(self.choice.randrange(1, 20)):
            try:
                size = int(await wire.reader.readuntil(b"\r\n"), 16)
                event = await wire.reader.readexactly(size + 2)
            except (asyncio.IncompleteReadError, ConnectionError) as end:
                raise Broken from end
            if event != f"data: {token} {number}\n\n\r\n".encode():
                raise Wrong(f"the stream of {token} brought {event!r}")
        self.count("events")
        return False

    async def tunnel(self, wire):
        token, _, head = self.request(way="tunnel", fields=(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))
        await wire.send(head)
        line, fields = await wire.head()
        if line.split(" ")[1] != "101":
            return False
        if fields.get("sec-websocket-accept") != token:
            raise Wrong(f"the tunnel of {token} is {fields}")
        for _ in range(self.choice.randrange(1, 30)):
            data = content(f"{token}{self.choice.random()}", self.choice.choice([1, 100, 5000, 300_000]))
            await asyncio.gather(wire.send(data), self.expect(wire, data))
        self.count("tunnels")
        return False

    @staticmethod
    async def expect(wire, data):
        try:
            found = await wire.reader.readexactly(len(data))
        except (asyncio.IncompleteReadError, ConnectionError) as end:
            raise Broken from end
        if found != data:
            raise Wrong("a tunnel's bytes came back changed")

    async def hurt(self, wire):
        """Asks for an answer that is none, is cut short, or never comes."""
        way = self.choice.choice(["short", "garbage", "silent"])
        token, session, head = self.request(size=self.choice.randrange(100_000), way=way)
        await wire.send(head)
        line, fields = await wire.head()
        status = int(line.split(" ")[1])
        if status == 200:
            try:
                await wire.body(fields)
            except Broken:
                self.count("cut short")
                return False
            raise Wrong(f"{way} answer to {token} of {session} looked whole")
        await wire.body(fields)
        if status not in (502, 503, 504):
            raise Wrong(f"{way} answer to {token} became {line}")
        self.count(status)
        return fields.get("connection") != "close"

    async def leave(self, wire):
        """Goes in the middle of something, politely or not."""
        await wire.send(self.choice.choice([
            self.request(size=3_000_000)[2], self.request(size=3_000_000)[2][:40],
            self.request("POST", fields="Content-Length: 100000\r\n")[2] + b"abc",
            self.request(way="events")[2], self.request(way="silent")[2]]))
        await asyncio.sleep(self.choice.random() * 0.2)
        if self.choice.random() < 0.6:
            reset(wire.writer)
        self.count("left")
        return False

    async def early(self, wire):
        """The answer comes while the upload runs, and ends the connection."""
        token, session, head = self.request("POST", way="early", fields="Content-Length: 400000\r\n")
        await wire.send(head + content(token, 1000))
        await self.answer(wire, token, session, 0, statuses=(413,))
        return False
