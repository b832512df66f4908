"""Other proxies as processes."""

import subprocess

from harness.waiting import eventually, listens


def start(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: listens(port) or process.poll() is not None)
    assert process.poll() is None, f"{command[0]} ended at once"
    return process
