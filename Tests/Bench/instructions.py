#!/usr/bin/env python3
"""Counts the instructions of one proxied request by function, under callgrind: the same on every run and machine load.

    instructions.py BINARY [--requests N] [--renew]

Sixteen connections ask for the small answer in turn; with `--renew` each request has its own. Needs valgrind, and
Swift's own tools on PATH for readable names.
"""

import argparse
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from bench import head  # noqa: E402
from peers import Origin, Ours  # noqa: E402

CONNECTIONS = 16


def ask(peer, rounds, renews, kept):
    request = head(peer, "GET", "/small", {"Connection": "close"} if renews else {})
    for _ in range(rounds):
        connections = [connect(peer) for _ in range(CONNECTIONS)] if renews else kept
        for connection in connections:
            connection.sendall(request)
        for connection in connections:
            if not connection.recv(65536).startswith(b"HTTP/1.1 200 "):
                raise RuntimeError("not the answer that was asked for")
            if renews:
                while connection.recv(65536):
                    pass
                connection.close()


def connect(peer):
    return socket.create_connection(("127.0.0.1", peer.port))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=Path)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--renew", action="store_true")
    options = parser.parse_args()
    rounds = options.requests // CONNECTIONS
    with tempfile.TemporaryDirectory(prefix="instructions-") as folder:
        folder = Path(folder)
        # Valgrind cannot read the debug information of today's compilers.
        binary = folder / "opencode-router"
        subprocess.run(["strip", "--strip-debug", "-o", binary, options.binary], check=True)
        origin = Origin(folder)
        try:
            peer = Ours(folder, binary, origin, under=[
                "valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/count"], seconds=240)
        except BaseException:
            origin.process.stop()
            raise
        try:
            def control(*what):
                subprocess.run(
                    ["callgrind_control", *what, str(peer.process.process.pid)], check=True, stdout=subprocess.DEVNULL)

            kept = [connect(peer) for _ in range(CONNECTIONS)]
            ask(peer, 5, options.renew, kept)
            control("-i", "on")
            ask(peer, 5, options.renew, kept)
            control("-z")
            ask(peer, rounds, options.renew, kept)
            control("-d")
        finally:
            peer.process.stop()
            origin.process.stop()
        text = subprocess.run(
            ["callgrind_annotate", "--threshold=98", folder / "count.1"], check=True, capture_output=True, text=True).stdout
    if shutil.which("swift-demangle"):
        text = subprocess.run(
            ["swift-demangle", "-compact", "-simplified"], input=text, check=True, capture_output=True, text=True).stdout
    for count, name in re.findall(r"^\s*([\d,]+) \(\s*[\d.]+%\)\s+(.*)$", text, re.M):
        print(f"{int(count.replace(',', '')) / rounds / CONNECTIONS:9.0f}  {name.replace(str(binary), 'opencode-router')}")


if __name__ == "__main__":
    main()
