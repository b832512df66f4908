"""Where the gateway accepts a request, nginx and HAProxy must see the same requests in the same bytes, or refuse; and
wherever the three differ, also by one being stricter, `disagreements.md` says why that is so and harms nobody.

Each stream is a doubtful message, some bytes that may be its body, and one more request. Two readers who disagree on a
length find different requests in it.
"""

import concurrent.futures
import itertools
import json
import re
import socket
import subprocess
from pathlib import Path

import pytest

import servers
from corpus import cases, combinations, wire
from harness.router import Router
from harness.upstream import ScriptedUpstream
from tables import shown, table

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent.parent / "Sources" / "HTTPWire"
READERS = ("gateway", "nginx", "HAProxy")
FAMILIES = ("length", "coding", "head", "chunks", "both")
# Readers are compiled and started, and those that wait for the rest of a body do so for seconds.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="session")
def reader(tmp_path_factory):
    """Our reader: what it finds in each of these streams."""
    program = tmp_path_factory.mktemp("reader") / "reader"
    subprocess.run(
        ["swiftc", "-Onone", "-swift-version", "6", "-parse-as-library", "-package-name", "p", *map(str, SOURCES.glob("*.swift")),
         str(HERE / "Reader.swift"), "-o", str(program)], check=True)

    def read(streams):
        lines = "".join(stream.hex() + "\n" for stream in streams)
        output = subprocess.run([program], input=lines, capture_output=True, text=True, check=True).stdout
        return [json.loads(line) for line in output.splitlines()]
    return read


@pytest.fixture(scope="session")
def nginx(tmp_path_factory):
    yield from servers.nginx(
        tmp_path_factory.mktemp("nginx"),
        "client_header_timeout 2s; client_body_timeout 2s; keepalive_timeout 2s; lingering_timeout 1s;",
        'return 200 "<<$request_method $request_uri $host>>";')


@pytest.fixture(scope="session")
def haproxy(nginx, tmp_path_factory):
    yield from servers.haproxy(
        tmp_path_factory.mktemp("haproxy"),
        # It waits for whole bodies: else chance decides whether a head gets on before its body is found to be none.
        ["option http-buffer-request", "timeout http-request 2s", "timeout client 2s", "timeout server 2s",
         "timeout connect 1s"], nginx)


def theirs(port, stream):
    """The requests another reader answers, in order."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(15)
        answer = b""
        try:
            connection.sendall(stream)
            while received := connection.recv(65536):
                answer += received
        except OSError:
            pass
    return [request.decode("latin-1") for request in re.findall(rb"<<(.*?)>>", answer)]


@pytest.fixture(scope="session")
def seen(reader, nginx, haproxy):
    """What each reader finds in each stream of the corpus."""
    streams = list(dict.fromkeys(map(wire, itertools.chain(
        cases().values(), (stream for _, stream in combinations())))))
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        others = [list(pool.map(lambda stream: theirs(port, stream), streams)) for port in (nginx, haproxy)]
    return {
        stream: (ours, {"gateway": ours["requests"], "nginx": one, "HAProxy": other})
        for stream, ours, one, other in zip(streams, reader(streams), *others, strict=True)}


def is_part(some, those):
    """Whether they are among those, in that order: one may be refused and the next be served."""
    # The root's dot says nothing about which host it is, and nginx leaves it out.
    rest = iter([request.removesuffix(".") for request in those])
    return all(request.removesuffix(".") in rest for request in some)


def test_no_reader_sees_other_requests_than_the_gateway(seen):
    differences = []
    for stream, (ours, found) in seen.items():
        for name in READERS[1:]:
            mine, other = found["gateway"], found[name]
            is_stricter = ours["refused"] and other[: len(mine)] == mine
            if mine and not is_part(other, mine) and not is_stricter:
                differences.append((stream, name, mine, other))
    assert not differences
    accepted = [found for _, found in seen.values() if found["gateway"]]
    assert len(accepted) > 100
    for name in READERS[1:]:
        assert sum(1 for found in accepted if found[name]) > 100


def test_the_gateway_refuses_most_of_this(seen):
    assert sum(1 for ours, _ in seen.values() if ours["refused"] and not ours["requests"]) > len(seen) / 2


# The table


def told(requests):
    """What was found, as a cell: targets, and the host where it is not the one of the corpus."""
    words = []
    for request in requests:
        _, target, host = request.split(" ")
        words.append(target + ("" if host == "a" else f" at {host or 'no host'}"))
    return ", ".join(f"`{word}`" for word in words).replace("|", "¦") or "–"


def disagreements(seen):
    rows = {}
    for (family, odd), stream in cases().items():
        found = seen[wire(stream)][1]
        if len({tuple(requests) for requests in found.values()}) > 1:
            rows[family, shown(odd)] = [told(found[name]) for name in READERS]
    return rows


def test_every_disagreement_is_explained_and_every_explanation_is_of_one_that_occurs(seen):
    found, explained = disagreements(seen), table(FAMILIES)
    def lines(rows, of):
        return "\n".join(f"| {odd} | {' | '.join(of[family, odd])} | why? | ({family})" for family, odd in rows)
    def told_so(key):
        return key in explained and all(
            cell in explained[key][number].split(" or ") for number, cell in enumerate(found[key]))
    new = [key for key in found if not told_so(key)]
    gone = [key for key in explained if key not in found]
    assert not new, f"not explained, or otherwise:\n{lines(new, found)}"
    assert not gone, f"explained, but no longer so:\n{lines(gone, explained)}"


def test_what_combinations_disagree_on_is_explained_by_a_part_of_them(seen):
    explained = table(FAMILIES)
    unexplained = []
    for parts, stream in combinations():
        found = seen[wire(stream)][1]
        if len({tuple(requests) for requests in found.values()}) == 1:
            continue
        has_both = len(parts) == 2 and all(odd for _, odd in parts)
        # A body that nobody announced is the next request, and junk to all three: `nothing` has its row.
        if not has_both and not any((family, shown(odd)) in explained for family, odd in parts):
            unexplained.append((parts, stream, found))
    assert not unexplained, unexplained


# The real binary


HOSTS = 8


@pytest.fixture(scope="session")
def routed(tmp_path_factory):
    """A gateway in front of recording sessions: (router, [(host, upstream)])."""
    upstreams = []
    for number in range(HOSTS):
        upstream = ScriptedUpstream()
        upstream.script = lambda peer, upstream=upstream: record(peer, upstream)
        upstreams.append((f"{number:012x}", upstream))
    routes = [{"hash": name, "email": Router.EMAIL, "target": f"http://127.0.0.1:{upstream.port}"}
              for name, upstream in upstreams]
    router = Router(tmp_path_factory.mktemp("router"), DEV_ROUTES=json.dumps(routes), ROUTER_DOMAIN="example.test")
    yield router, [(f"{name}.example.test", upstream) for name, upstream in upstreams]
    router.stop()
    for _, upstream in upstreams:
        upstream.close()


def record(peer, upstream):
    while (request := peer.read_request()) is not None:
        upstream.whole.append(request)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def reached(router, host, upstream, stream):
    """The requests that came to the session whole, when the gateway was sent these bytes."""
    upstream.whole = []
    # What a page of that host would say, for without it a change is refused before it gets anywhere.
    line, end, rest = stream.partition(b" HTTP/1.1\r\n")
    if end and line.split(b" ")[0] in (b"POST", b"PUT", b"DELETE"):
        stream = line + end + f"Origin: http://{host}\r\n".encode() + rest
    with router.connect(timeout=15) as connection:
        try:
            connection.send(stream)
            connection.socket.shutdown(socket.SHUT_WR)
            while connection.socket.recv(65536):
                pass
        except OSError:
            pass
    return [f"{request.method} {request.line.split(' ')[1]} {len(request.body)}" for request in upstream.whole]


def test_a_session_gets_at_most_what_was_judged(reader, routed):
    router, sessions = routed
    texts = list(cases().items())
    shares = [list(enumerate(texts))[number::HOSTS] for number in range(HOSTS)]
    judged = {}
    for (host, _), share in zip(sessions, shares):
        for (number, _), verdict in zip(share, reader([wire(text, host) for _, (_, text) in share]), strict=True):
            judged[number] = [
                f"{' '.join(request.split(' ')[:2])} {body}"
                for request, body in zip(verdict["requests"], verdict["bodies"])]

    def run(session, share):
        host, upstream = session
        return [(number, reached(router, host, upstream, wire(text, host))) for number, (_, text) in share]

    with concurrent.futures.ThreadPoolExecutor(HOSTS) as pool:
        results = dict(itertools.chain.from_iterable(pool.map(run, sessions, shares)))
    wrong = [(texts[number][0], got, judged[number])
             for number, got in results.items() if not is_part(got, judged[number])]
    assert not wrong, wrong
    assert sum(1 for got in results.values() if len(got) == 2) > 50
