"""Waiting for what a test claims will come to pass."""

import socket
import time


def eventually(check, seconds=60, what="it never came to pass"):
    """Asks again and again; returns what came. If nothing does, `what` says so, or tells it when called."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.05)
    return found


def listens(port):
    """Whether somebody listens on this port of loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            # To a port that nobody listens on yet, the kernel may connect a socket from that very port: to itself.
            return connection.getsockname() != connection.getpeername()
    except OSError:
        return False
