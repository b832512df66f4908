#!/usr/bin/env python3
"""Compares opencode-router with HAProxy and nginx on the same work in one interleaved run.

    bench.py BINARY [--rounds N] [--only NAME ...] [--output FILE]

Each row says what one unit of work costs in CPU time of the proxy's process, and how fast it went; the ratio is ours
over the peer's (below 1: we need less). Medians of the rounds; the proxies take turns within each round, so that what
else the machine does meets all of them.
"""

import argparse
import os
import platform
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from peers import CONNECTIONS, DESCRIPTORS, HOST, HAProxy, Nginx, Origin, Ours  # noqa: E402
from streams import HOST as STREAM_HOST  # noqa: E402
from streams import NoProxy, StreamOrigin, bulk, echo, events, idle  # noqa: E402

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8", "Accept-Encoding": "gzip, deflate, br, zstd",
    "Cache-Control": "no-cache", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin",
    "Sec-Ch-Ua": '"Chromium";v="140", "Not=A?Brand";v="24"', "Sec-Ch-Ua-Mobile": "?0",
    "Sec-Ch-Ua-Platform": '"Linux"', "Cookie": "theme=dark; locale=en-GB; sidebar=open; tab=files; width=280",
    "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": HOST,
}
GIB = 1 << 30


def wrk(peer, target, host=HOST, seconds=2, connections=64, fields=None):
    """Requests done, requests per second, p50 and p99 in milliseconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", f"Host: {host}"]
    for name, value in {**BROWSER, **peer.fields(), **(fields or {})}.items():
        command += ["-H", f"{name}: {value}"]
    text = subprocess.run(
        command + [f"http://127.0.0.1:{peer.port}{target}"], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text and not (fields and "If-None-Match" in fields):
        raise RuntimeError(f"{peer.name}: {text}")
    if "Socket errors" in text and "connect 0, read 0, write 0" not in text and not (fields or {}).get("Connection"):
        raise RuntimeError(f"{peer.name}: {text}")
    done = int(re.search(r"(\d+) requests in", text)[1])
    return done, float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), latency(text, "50%"), latency(text, "99%")


def latency(text, quantile):
    number, unit = re.search(rf"{quantile}\s+([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]


def requests(target, **options):
    """Work measured in CPU microseconds per request."""
    def work(peer):
        before = peer.process.cpu()
        done, rate, p50, p99 = wrk(peer, target, **options)
        return {"cost": (peer.process.cpu() - before) / done * 1e6, "rate": rate, "p50": p50, "p99": p99}
    return work, "µs/request", "requests/s"


def head(peer, method, target, fields, host=HOST):
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in {
        **BROWSER, "Origin": f"http://{host}", **peer.fields(), **fields}.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def drain(connection, buffer=bytearray(1 << 20)):
    total = 0
    while count := connection.recv_into(buffer):
        total += count
    return total


def download(peer, target="/big"):
    before, start = peer.process.cpu(), time.monotonic()
    with socket.create_connection(("127.0.0.1", peer.port)) as connection:
        connection.sendall(head(peer, "GET", target, {"Connection": "close"}))
        size = drain(connection)
    if size < 256 << 20:
        raise RuntimeError(f"{peer.name}: {size} bytes")
    return {"cost": (peer.process.cpu() - before) / size * GIB, "rate": size / (time.monotonic() - start) / 1e6}


def upload(peer, chunked=False):
    piece = bytes(1 << 20)
    fields = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": 256 << 20}
    before, start = peer.process.cpu(), time.monotonic()
    with socket.create_connection(("127.0.0.1", peer.port)) as connection:
        connection.sendall(head(peer, "POST", "/upload", {"Connection": "close", **fields}, STREAM_HOST))
        for _ in range(256):
            if chunked:
                for offset in range(0, len(piece), 32 << 10):
                    connection.sendall(b"8000\r\n" + piece[offset:offset + (32 << 10)] + b"\r\n")
            else:
                connection.sendall(piece)
        if chunked:
            connection.sendall(b"0\r\n\r\n")
        answer = connection.recv(4096)
    if b" 200 " not in answer[:20]:
        raise RuntimeError(f"{peer.name}: {answer[:200]}")
    return {"cost": (peer.process.cpu() - before) / (256 << 20) * GIB,
            "rate": (256 << 20) / (time.monotonic() - start) / 1e6}


def memory(count):
    """Work measured in resident bytes per idle keep-alive connection."""
    def work(peer):
        before = peer.process.rss()
        connections = []
        request = head(peer, "GET", "/small", {})
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", peer.port))
            connection.sendall(request)
            connections.append(connection)
            if len(connections) % 64 == 0:
                for waiting in connections[-64:]:
                    waiting.recv(4096)
        time.sleep(1.5)
        after = peer.process.rss()
        for connection in connections:
            connection.close()
        return {"cost": (after - before) / count, "rate": count}
    return work, "bytes RSS", "connections"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", type=int, default=min(10000, CONNECTIONS - 100))
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    # The servers inherit it.
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        folder = Path(folder)
        origin = Origin(folder)
        streams = StreamOrigin()
        ours = Ours(folder, options.binary, origin, streams.port)
        haproxy = HAProxy(folder, origin, True, streams.port)
        plain = HAProxy(folder, origin, False, streams.port)
        web = Nginx(folder, origin, stream_port=streams.port)
        fresh = []
        for name in ("sockets", "kept"):
            (folder / name).mkdir()
            fresh.append([
                Ours(folder / name, options.binary, origin, streams.port),
                HAProxy(folder / name, origin, True, streams.port),
                Nginx(folder / name, origin, stream_port=streams.port)])
        rows = {
            "small GET": ([ours, haproxy, web], *requests("/small")),
            "new connection per request": ([ours, haproxy, web], *requests("/small", fields={"Connection": "close"})),
            "256 MiB download": ([ours, haproxy, plain, web], download, "s/GiB", "MB/s"),
            "256 MiB upload": ([ours, haproxy, plain, web], upload, "s/GiB", "MB/s"),
            "256 MiB upload, 32 KiB chunks": (
                [ours, haproxy, plain, web], lambda peer: upload(peer, chunked=True), "s/GiB", "MB/s"),
            "256 MiB download, 32 KiB chunks": ([ours, haproxy, plain, web], bulk("/chunks"), "s/GiB", "MB/s"),
            "500 event streams, 4 events/s": (
                [ours, haproxy, web, NoProxy(streams)], events(streams, 500, 4, 5), "µs/event", "delay p99 ms"),
            "WebSocket echo, 200 connections": ([ours, haproxy, web], echo(200, 5), "µs/message", "messages/s"),
            "WebSocket bulk": ([ours, haproxy, plain, web], bulk("/ws-bulk"), "s/GiB", "MB/s"),
            "page with br": ([ours, web], *requests("/", host="bench.test")),
            "script with br": ([ours, web], *requests("/app/main.js", host="bench.test")),
            "page, 304": ([ours, web], not_modified, "µs/request", "requests/s"),
            # Once each, and by processes that did nothing before: memory that a burst took stays with a process, and
            # the next burst would find it there.
            "idle WebSocket": (fresh[0], idle(streams, 2000), "bytes RSS", "connections"),
            "idle keep-alive connection": (fresh[1], *memory(options.idle)),
        }
        try:
            run(rows, options)
        finally:
            for peer in (ours, haproxy, plain, web, *fresh[0], *fresh[1]):
                peer.process.stop()
            origin.process.stop()
            streams.stop()


def not_modified(peer):
    """The page again, with the entity tag it was given."""
    request = f"GET / HTTP/1.1\r\nHost: bench.test\r\nAccept-Encoding: br\r\nConnection: close\r\n"
    request += "".join(f"{name}: {value}\r\n" for name, value in peer.fields().items()) + "\r\n"
    with socket.create_connection(("127.0.0.1", peer.port)) as connection:
        connection.sendall(request.encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    tag = re.search(rb"(?i)etag: (\S+)", answer)[1].decode()
    return requests("/", host="bench.test", fields={"If-None-Match": tag})[0](peer)


def run(rows, options):
    lines = ["| work | proxy | CPU | ratio | throughput | p50 / p99 ms |", "|---|---|---|---|---|---|"]
    for name, (peers, work, unit, rate) in rows.items():
        if options.only and not any(word in name for word in options.only):
            continue
        found = {peer.name: [] for peer in peers}
        for turn in range(options.rounds if "idle" not in name else 1):
            # Each begins a round in its turn: who comes later finds the machine warmer, by up to a tenth.
            first = turn % len(peers)
            for peer in peers[first:] + peers[:first]:
                found[peer.name].append(work(peer))
        median = {peer: {key: statistics.median(one[key] for one in many) for key in many[0]}
                  for peer, many in found.items()}
        for peer, value in median.items():
            ratio = f"{median['opencode-router']['cost'] / value['cost']:.2f}" if value["cost"] > 0 else ""
            times = f"{value['p50']:.2f} / {value['p99']:.2f}" if "p50" in value else ""
            lines.append(
                f"| {name} | {peer} | {value['cost']:.3g} {unit} | {'' if peer == 'opencode-router' else ratio} "
                f"| {value['rate']:.4g} {rate} | {times} |")
            print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    if options.output:
        # bbr paces by timers, also on loopback; in bulk rows those are a third of everybody's time.
        control = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
        machine = (f"{platform.machine()}, Linux {platform.release()}, {len(os.sched_getaffinity(0))} cores, "
                   f"TCP congestion control {control}")
        options.output.write_text(f"{machine}\n\n{text}")


if __name__ == "__main__":
    main()
