"""Waiting for what a test claims will come to pass."""

import time


def eventually(check, seconds=30):
    """Asks again and again; returns what came."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, "it never came to pass"
        time.sleep(0.05)
    return found
