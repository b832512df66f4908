#!/usr/bin/env python3
"""Mixed load for a while: many users over shared connections, resets, slow peers, sessions that die and lie.

soak.py [--seconds N] [--clients N] [--pace SECONDS] [--seed N] [--binary PATH]

It ends by itself. It fails if a byte changed or reached somebody else, if the gateway ended, or if descriptors, pipes,
buffers and memory are not back where they were.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Support"))

from harness.router import Router  # noqa: E402
from peers import Client, Session  # noqa: E402

SECRET = "soak-soak-soak-soak-soak"
DOMAIN = "soak.example.com"
USERS = ["alice@example.com", "bob@example.com", "carol@example.com"]


def numbers(router):
    """The gateway's own numbers without labels, or with one label."""
    found = {}
    for line in router.operations("/metrics").text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name.removeprefix("opencode_router_")] = float(value)
    return found


def resident(router):
    """Resident memory in MiB."""
    pages = int(Path(f"/proc/{router.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors(router):
    return len(os.listdir(f"/proc/{router.process.pid}/fd"))


async def kill_now_and_then(sessions, choice, stopped):
    while not stopped.is_set():
        await asyncio.sleep(choice.uniform(1, 6))
        await choice.choice(sessions).die()


async def load(router, sessions, owners, options, samples):
    """Runs the load to its end; raises what a client or session found wrong."""
    stopped, faults = asyncio.Event(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: (
        faults.append(context["exception"]) if type(context.get("exception")).__name__ == "Wrong" else None))
    clients = [Client(number, options.seed, router.port, DOMAIN, owners, SECRET, options.pace)
               for number in range(options.clients)]
    tasks = [asyncio.create_task(client.run(stopped)) for client in clients]
    killer = asyncio.create_task(kill_now_and_then(sessions, random.Random(options.seed), stopped))
    end, pause = time.monotonic() + options.seconds, max(2, options.seconds / 30)
    while (left := end - time.monotonic()) > 0:
        await asyncio.wait(tasks, timeout=min(left, pause), return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
        if faults:
            raise faults[0]
        assert router.process.poll() is None, f"the gateway has ended:\n{router.log_path.read_text()[-6000:]}"
        samples.append(resident(router))
        print(f"{options.seconds - max(0, left):6.0f} s  {resident(router):6.1f} MiB  {descriptors(router):4} descriptors  "
              f"{sum(session.requests for session in sessions)} requests", flush=True)
    stopped.set()
    _, late = await asyncio.wait(tasks, timeout=60)
    killer.cancel()
    for task in late:
        task.cancel()
    assert not late, f"{len(late)} clients still wait a minute after the end"
    for task in tasks:
        task.result()
    if faults:
        raise faults[0]
    counts = {}
    for client in clients:
        for what, count in client.counts.items():
            counts[what] = counts.get(what, 0) + count
    return counts


async def run(options):
    choice = random.Random(options.seed)
    sessions = [Session(f"{choice.getrandbits(48):012x}", random.Random(options.seed + number)) for number in range(6)]
    for session in sessions:
        await session.start()
    owners = {session.name: USERS[number % len(USERS)] for number, session in enumerate(sessions)}
    routes = [{"hash": session.name, "email": owners[session.name], "target": f"http://127.0.0.1:{session.port}"}
              for session in sessions]
    with tempfile.TemporaryDirectory() as folder:
        router = Router(
            folder, DEV_EMAIL=None, AUTH_SECRET=SECRET, ROUTER_DOMAIN=DOMAIN, ROUTER_PROTO="https", LOG_LEVEL="info",
            DEV_ROUTES=json.dumps(routes), WORKERS=2)
        try:
            first, memory, samples = descriptors(router), resident(router), []
            counts = await load(router, sessions, owners, options, samples)
            print("clients saw", ", ".join(f"{what}: {count}" for what, count in sorted(counts.items(), key=str)))
            await settled(router, first, samples)
        finally:
            for session in sessions:
                session.stop()
            code = router.stop()
        assert code == 0, f"the gateway ended with {code}"
        print(f"memory {memory:.1f} MiB at start, {samples[len(samples) // 4]:.1f} early, {samples[-1]:.1f} at the end")


async def settled(router, first, samples):
    """Waits until everything that was borrowed is back; fails if it does not come."""
    end = time.monotonic() + 60
    while True:
        found, count = await asyncio.to_thread(numbers, router), descriptors(router)
        borrowed = {name: found[name] for name in (
            "client_connections", 'upstream_connections{state="in_use"}', "tunnels", "event_streams",
            'pipes{state="in_use"}', "buffers_in_use") if found[name]}
        # What is kept on purpose: pipes in their pool, and connections to sessions that may be used again.
        pipes = int(found['pipes{state="pool"}'])
        expected = first + 2 * pipes + int(found['upstream_connections{state="idle"}'])
        if not borrowed and count == expected:
            print(f"all is back: {count} descriptors, {pipes} pipes in the pool")
            break
        assert time.monotonic() < end, f"not back after a minute: {borrowed}; {count} descriptors, not {expected}"
        await asyncio.sleep(0.5)
    early = samples[len(samples) // 4]
    assert samples[-1] <= early * 1.15 + 8, f"memory grew from {early:.1f} to {samples[-1]:.1f} MiB"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=45)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--pace", type=float, default=0.02, help="mean pause of a client between two deeds, in seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--binary")
    options = parser.parse_args()
    if options.binary:
        os.environ["ROUTER_BINARY"] = options.binary
    asyncio.run(run(options))


if __name__ == "__main__":
    main()
