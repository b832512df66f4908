"""Where the gateway accepts a request, nginx and HAProxy must see the same requests in the same bytes, or refuse.

Each stream is a doubtful message, some bytes that may be its body, and one more request. Two readers who disagree on a
length find different requests in it. Stricter than the others is fine, on either side; different is not.
"""

import concurrent.futures
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent.parent / "Sources" / "HTTPWire"

LENGTHS = [
    "", "Content-Length: 5", "Content-Length : 5", "Content-Length: +5", "content-length:5", "Content-Length: 5, 5",
    "Content-Length:\x0b5", "Content-Length: 05", "Content-Length: 5 ", "Content-Length:\t5", " Content-Length: 5",
    "Content_Length: 5", "Content-Length: 0x5", "Content-Length: 5;a", "Content-Length:", "Content-Length: 0",
    "X: y␊Content-Length: 5", "X: y␍Content-Length: 5", "Content-Length: 5\nContent-Length: 5", "Content-Length: -0",
]
CODINGS = [
    "", "Transfer-Encoding: chunked", "Transfer-Encoding : chunked", "Transfer-Encoding:\x0bchunked",
    "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity",
    "Transfer-Encoding:chunked", "Transfer-Encoding: Chunked", " Transfer-Encoding: chunked",
    "X: X␊Transfer-Encoding: chunked", "Transfer_Encoding: chunked", "TransferEncoding: chunked", "TE: chunked",
    "X: y\n Transfer-Encoding: chunked", "Connection: Transfer-Encoding\nTransfer-Encoding: chunked",
]
HEADS = [
    "GET / HTTP/1.1\nHost: a", "GET http://a/x HTTP/1.1\nHost: a", "GET http://b/x HTTP/1.1\nHost: a",
    "GET /x HTTP/1.0\nHost: a\nConnection: keep-alive", "GET /x HTTP/1.0\nHost: a", "\nGET /x HTTP/1.1\nHost: a",
    "GET  /x HTTP/1.1\nHost: a", "GET /x?a=%zz HTTP/1.1\nHost: a", "GET /a%2Fb HTTP/1.1\nHost: a",
    "GET //x HTTP/1.1\nHost: a", "GET /x HTTP/1.1\nHost: a\nHost: a", "GET /x HTTP/1.1\nHost: A:80",
    "GET /x HTTP/1.1\nHost: a\nConnection: close", "GET /x HTTP/1.1\nHost: a\nContent-Length: 5",
    "DELETE /x HTTP/1.1\nHost: a\nTransfer-Encoding: chunked", "GET /x HTTP/1.1\nHost: a\nX: \x80\xff",
    "GET /x HTTP/1.1\nHost: a\nX_Y: 1", "GET /x HTTP/1.1\nHost: a\nX:", "GET /x HTTP/1.1\nHost: a_b",
    "GET /x HTTP/1.1\nHost: a\nUpgrade: h2c\nConnection: Upgrade, HTTP2-Settings\nHTTP2-Settings: AAMAAABk",
    "GET /x HTTP/1.2\nHost: a", "GET /x\tHTTP/1.1\nHost: a", "get /x HTTP/1.1\nHost: a", "GET /x#y HTTP/1.1\nHost: a",
]
CHUNKED = [
    "5;x=y\nhello\n0\n\n", "5 ;x\nhello\n0\n\n", "05\nhello\n0\n\n", "5\nhello\n0;x\n\n", "5\nhello\n0\nX: y\n\n",
    "5\nhello\n0\nContent-Length: 5\n\n", "5\nhello␊0\n\n", "0x5\nhello\n0\n\n", "5\t\nhello\n0\n\n",
    "5;a␊\nhello\n0\n\n", "00000000000000005\nhello\n0\n\n", "5;a=\"\n\"\nhello\n0\n\n", "5;a=\";\nhello\n0\n\n",
    "5\nhelloX\n0\n\n", "-5\nhello\n0\n\n", "5\nhello\n0\n X: y\n\n", "5;␀\nhello\n0\n\n", "100000000000000005\nhello\n0\n\n",
]
BODIES = ["", "hello", "5\nhello\n0\n\n", "0\n\n"]
NEXT = "GET /next HTTP/1.1\nHost: a\nConnection: close\n\n"


def wire(text):
    for sign, byte in (("\n", "\r\n"), ("␊", "\n"), ("␍", "\r"), ("␀", "\0")):
        text = text.replace(sign, byte)
    return text.encode("latin-1")


def streams():
    messages = []
    for length in LENGTHS:
        for coding in CODINGS:
            fields = "".join(field + "\n" for field in (length, coding) if field)
            messages.append(f"POST /x HTTP/1.1\nHost: a\n{fields}\n")
    messages += [head + "\n\n" for head in HEADS]
    whole = [wire(message + body + NEXT) for message in messages for body in BODIES]
    start = "POST /x HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n"
    return whole + [wire(start + chunks + NEXT) for chunks in CHUNKED]


@pytest.fixture(scope="session")
def ours(tmp_path_factory):
    """What our reader finds in each stream: the requests, and whether it then refused."""
    reader = tmp_path_factory.mktemp("reader") / "reader"
    subprocess.run(
        ["swiftc", "-O", "-swift-version", "6", "-parse-as-library", "-package-name", "p", *map(str, SOURCES.glob("*.swift")),
         str(HERE / "Reader.swift"), "-o", str(reader)], check=True)
    lines = "".join(stream.hex() + "\n" for stream in streams())
    output = subprocess.run([reader], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    found = {}
    for stream, line in zip(streams(), output, strict=True):
        requests, _, end = line.rpartition("|")
        found[stream] = (requests.split(" ") if requests else [], end == "refused")
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return process
        except OSError:
            assert process.poll() is None, f"{command[0]} ended at once"
            time.sleep(0.1)
    raise AssertionError(f"{command[0]} does not listen")


@pytest.fixture(scope="session")
def nginx(tmp_path_factory):
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    paths = "".join(
        f"{name}_temp_path {folder}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; {paths} client_header_timeout 2s; client_body_timeout 2s; lingering_timeout 1s;\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{\n"
        f'return 200 "<<$request_method:$request_uri:$host>>"; }} }} }}\n')
    process = start(["nginx", "-e", "/dev/null", "-p", str(folder), "-c", str(folder / "nginx.conf")], port)
    yield port
    process.terminate()
    process.wait()


@pytest.fixture(scope="session")
def haproxy(nginx, tmp_path_factory):
    if not shutil.which("haproxy"):
        pytest.skip("haproxy is not installed")
    folder, port = tmp_path_factory.mktemp("haproxy"), free_port()
    (folder / "haproxy.cfg").write_text(
        "defaults\n  mode http\n  timeout client 2s\n  timeout server 2s\n  timeout connect 1s\n"
        f"frontend f\n  bind 127.0.0.1:{port}\n  default_backend b\n"
        f"backend b\n  http-reuse never\n  server n 127.0.0.1:{nginx}\n")
    process = start(["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], port)
    yield port
    process.terminate()
    process.wait()


def theirs(port, stream):
    """The requests another reader answers, in order."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(5)
        answer = b""
        try:
            connection.sendall(stream)
            while received := connection.recv(65536):
                answer += received
        except OSError:
            pass
    return [request.decode("latin-1") for request in re.findall(rb"<<([^>]*)>>", answer)]


@pytest.mark.parametrize("reader", ["nginx", "haproxy"])
def test_no_reader_sees_other_requests_than_the_gateway(reader, ours, request):
    port = request.getfixturevalue(reader)
    accepted = [stream for stream in ours if ours[stream][0]]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda stream: theirs(port, stream), accepted))
    differences = []
    for stream, seen in zip(accepted, answers, strict=True):
        found, refused = ours[stream]
        is_stricter = refused and seen[: len(found)] == found
        if found[: len(seen)] != seen and not is_stricter:
            differences.append((stream, found, seen))
    assert len(accepted) > 100
    assert sum(1 for seen in answers if seen) > 100
    assert not differences


def test_the_gateway_refuses_most_of_this(ours):
    assert sum(1 for found, refused in ours.values() if refused and not found) > len(ours) / 2
