"""What reaches a client of a doubtful answer: the same behind the gateway, nginx and HAProxy, or `disagreements.md` says why
not; and whatever a session answers, the next request of that client gets its own answer.
"""

import concurrent.futures
import re
import socket

import pytest

import servers
from answers import cases
from corpus import wire
from harness.http1 import Truncated
from harness.router import Router
from harness.upstream import ScriptedUpstream
from tables import shown, table

READERS = ("gateway", "nginx", "HAProxy")
FAMILIES = ("status", "field", "answered_length", "answered_coding", "answered_chunks", "body")
CASES = list(cases().items())
HASH = "aaaaaaaaaaaa"
HOST = f"{HASH}.example.test"
NEXT = b"the next request's own answer"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def session():
    """Answers a request for /N by the bytes of that case, and closes; any other by NEXT."""
    server = ScriptedUpstream()

    def script(peer):
        while (request := peer.read_request()) is not None:
            target = request.line.split(" ")[1]
            if number := re.fullmatch(r"/(\d+)", target):
                peer.send(wire(CASES[int(number[1])][1]))
                return
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(NEXT) + NEXT)

    server.script = script
    yield server
    server.close()


@pytest.fixture(scope="session")
def gateway(session, tmp_path_factory):
    router = Router(tmp_path_factory.mktemp("router"), DEV_ROUTES=session.routes(HASH), ROUTER_DOMAIN="example.test")
    yield router
    router.stop()


@pytest.fixture(scope="session")
def nginx(session, tmp_path_factory):
    yield from servers.nginx(
        tmp_path_factory.mktemp("nginx"), "",
        f"proxy_pass http://127.0.0.1:{session.port}; proxy_http_version 1.1; proxy_read_timeout 5s;")


@pytest.fixture(scope="session")
def haproxy(session, tmp_path_factory):
    yield from servers.haproxy(
        tmp_path_factory.mktemp("haproxy"),
        ["retries 0", "timeout client 5s", "timeout server 5s", "timeout connect 5s"], session.port)


def received(port, number):
    """Everything that a client gets for the case of this number."""
    data = b""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(30)
        try:
            connection.sendall(f"GET /{number} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            while piece := connection.recv(65536):
                data += piece
        except ConnectionResetError:
            pass
    return data


def told(data):
    """Those bytes as a cell: the statuses and the last one's body, or `cut` if that is not whole."""
    words = []
    while True:
        head, end, data = data.partition(b"\r\n\r\n")
        line = re.match(rb"HTTP/1\.[01] (-?\d+)", head)
        if not end or not line:
            return ", ".join([*words, "junk" if head else "cut"])
        status = int(line[1])
        if 100 <= status < 200 and status != 101:
            words.append(str(status))
            continue
        body, is_whole = body_of(status, head.lower(), data)
        if not is_whole:
            # How much came before is chance.
            return ", ".join([*words, "cut"])
        # Their own pages are of no interest, and 502 is the word of whoever passes nothing on.
        text = "" if status >= 500 else " " + shown(body.decode("latin-1").replace("\r\n", "\n"))
        return ", ".join([*words, f"{status}{text if body else ''}"])


def body_of(status, head, data):
    if status in (204, 304):
        return data, not data
    if b"\r\ntransfer-encoding: chunked" in head:
        body = b""
        while line := re.match(rb"([0-9a-f]+)[^\r\n]*\r\n", data, re.IGNORECASE):
            size, data = int(line[1], 16), data[line.end():]
            if size == 0:
                return body, data.endswith(b"\r\n")
            body, data = body + data[:size], data[size + 2:]
        return body, False
    if length := re.search(rb"\r\ncontent-length: *(\d+)", head):
        return data[:int(length[1])], len(data) == int(length[1])
    return data, True


@pytest.fixture(scope="session")
def seen(gateway, nginx, haproxy):
    """What a client behind each of the three gets, case by case."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        columns = [
            list(pool.map(lambda number: told(received(port, number)), range(len(CASES))))
            for port in (gateway.port, nginx, haproxy)]
    return {key: list(cells) for (key, _), *cells in zip(CASES, *columns, strict=True)}


def test_plain_answers_arrive_behind_all_three(seen):
    assert seen["status", "HTTP/1.1 200 OK"] == ["200 `hello`"] * 3
    assert seen["answered_chunks", "5\nhello\n0\n\n"] == ["200 `hello`"] * 3
    assert sum(1 for cells in seen.values() if len(set(cells)) == 1) > 100


def test_every_disagreement_on_answers_is_explained_and_every_explanation_is_of_one_that_occurs(seen):
    found = {(family, shown(odd)): cells for (family, odd), cells in seen.items() if len(set(cells)) > 1}
    explained = table(FAMILIES)
    def told_so(key):
        return key in explained and all(
            cell in reason.split(" or ") for cell, reason in zip(found[key], explained[key], strict=True))
    def lines(keys, rows):
        return "\n".join(f"| {key[1]} | {' | '.join(rows[key])} | why? | ({key[0]})" for key in keys)
    new = [key for key in found if not told_so(key)]
    # Where chance decides, it may have decided alike for all three.
    gone = [key for key, cells in explained.items()
            if key not in found and not set.intersection(*(set(cell.split(" or ")) for cell in cells))]
    assert not new, f"not explained, or otherwise:\n{lines(new, found)}"
    assert not gone, f"explained, but no longer so:\n{lines(gone, explained)}"


def test_the_gateway_passes_on_nothing_that_both_others_refuse(seen):
    lenient = [
        (key, cells) for key, cells in seen.items()
        if not {"502", "cut"} & {cells[0]} and {"502", "cut"} >= set(cells[1:])]
    assert not lenient


def test_after_any_answer_the_next_request_gets_its_own(gateway):
    kept = 0
    for number, ((family, odd), stream) in enumerate(CASES):
        with gateway.connect() as connection:
            try:
                connection.request("GET", f"/{number}", HOST)
                answer = connection.request("GET", "/next", HOST)
            except (Truncated, OSError):
                # Broken off, which is an honest end as well.
                continue
            assert answer.body == NEXT, (family, odd, answer)
            kept += 1
    assert kept > len(CASES) / 2
