"""Other proxies as processes."""

import socket
import subprocess

from harness.waiting import eventually, listens


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: listens(port) or process.poll() is not None)
    assert process.poll() is None, f"{command[0]} ended at once"
    return process
