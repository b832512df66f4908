"""Whatever happens, what is there comes to what should be there: many sessions, faults, kills, leaders that change."""

import os
import random
import signal
import time

import pytest

from fake_cloudflare import Weather
from harness.waiting import eventually


def names(count, seed):
    draw = random.Random(seed)
    return [f"{draw.getrandbits(48):012x}" for _ in range(count)]


def lives(world, sessions, draw):
    """Steps of sessions that start, stop and vanish, in a random order that is the same for the same seed."""
    left = {session: draw.randrange(2, 6) for session in sessions}
    while left:
        session = draw.choice(list(left))
        left[session] -= 1
        if session in world.running:
            if draw.random() < 0.3:
                world.vanish(session)
            else:
                world.stop(session)
        else:
            if draw.random() < 0.3:
                world.ports.ports[session] = draw.sample([3000, 5173, 8080, 9999], draw.randrange(3))
            world.start(session)
        if not left[session]:
            del left[session]
        yield session


def edits_in_the_dashboard(world, draw, added):
    """Adds rules of somebody else often when the document was told for the first time, up to twelve."""
    def edit(version, told):
        # The second time, the operator writes at once: nobody could edit in between and lose nothing.
        if told == 1 and len(added) < 12 and draw.random() < 0.6:
            rule = f'{{"hostname":"by-hand-{len(added)}.example.com","service":"http://10.1.1.{len(added)}", "x":1.0}}'
            added.insert(0, rule)
            text = world.cloudflare.configuration
            world.cloudflare.write_configuration(text.replace('"ingress":[', f'"ingress":[{rule},', 1))
    world.cloudflare.edits = edit


@pytest.mark.parametrize("seed", [8])
def test_five_hundred_sessions_in_bad_weather(world, settles, seed):
    draw = random.Random(seed)
    weather = Weather(world.cloudflare, seed)
    added = []
    edits_in_the_dashboard(world, random.Random(seed + 1), added)
    operator = world.operator(SETTLE_SECONDS=0.5)
    for step, _ in enumerate(lives(world, names(500, seed), draw)):
        # As fast as a busy day would be if it lasted ten seconds.
        time.sleep(0.005)
        if step % 200 == 100 and not world.cluster.failures:
            world.cluster.failures += [(503, None), (429, 1)]
        if step == 700:
            world.cluster.break_connections()
        if step == 900:
            world.cluster.store.compact()
    settles(operator, seconds=120)
    weather.clears(world.cloudflare)
    eventually(lambda: operator.get("/readyz").status == 200, 60, lambda: operator.get("/readyz").text)
    assert not world.differences()
    world.check_others(more=added)
    assert len(added) >= 2 and len(weather.seen) == 4, (added, weather.seen)
    assert world.changes > 1500 and world.cloudflare.puts * 10 < world.changes, (world.cloudflare.puts, world.changes)
    print(f"{world.changes} changes, {world.cloudflare.puts} writes of the tunnel, "
          f"{len(world.cloudflare.requests)} requests, weather {weather.seen}")


def prepare(world):
    """A state that needs every kind of change."""
    kept, stopped, vanished, new = names(1, 1), names(1, 2), names(1, 3), names(2, 4)
    for session in kept + stopped + vanished:
        world.start(session)
    assert world.run("--once")[0] == 0
    for session in stopped:
        world.stop(session)
    for session in vanished:
        world.vanish(session)
    for session in new:
        world.start(session)
    world.cloudflare.requests.clear()


def test_killed_at_any_request_it_comes_to_the_same_end(world):
    prepare(world)
    cloudflare = world.cloudflare
    state = dict(cloudflare.records), cloudflare.configuration, world.cluster.store.all("ingressroutes")

    def restore():
        with cloudflare.lock, world.cluster.store.lock:
            cloudflare.records, configuration = dict(state[0]), state[1]
            cloudflare.write_configuration(configuration)
            for route in world.cluster.store.all("ingressroutes"):
                world.cluster.store.put("ingressroutes", route, "DELETED")
            for route in state[2]:
                world.cluster.store.put("ingressroutes", route, "ADDED")
            world.foreign_routes = [world.cluster.store.get("ingressroutes", route["metadata"]["name"])
                                    for route in world.foreign_routes]
            cloudflare.requests.clear()

    assert world.run("--once")[0] == 0 and not world.differences()
    total = len(cloudflare.requests)
    assert total >= 10
    for number in range(1, total + 1):
        restore()
        assert world.differences()
        killed = []

        def arm(process, number=number, killed=killed):
            def before(seen):
                if seen == number and number % 2:
                    os.kill(process.pid, signal.SIGKILL)
                    killed.append(seen)

            def after(method, path):
                if len(cloudflare.requests) >= number and not number % 2 and not killed:
                    os.kill(process.pid, signal.SIGKILL)
                    killed.append(len(cloudflare.requests))
                return bool(killed)
            cloudflare.on_request, cloudflare.lost_answers = before, after

        # Odd requests are never served, even ones are, and nobody is told.
        code, _, _ = world.run("--once", kill=arm)
        cloudflare.on_request = cloudflare.lost_answers = None
        assert code == -signal.SIGKILL and killed, number
        world.expire_lease()
        code, output, log = world.run("--once")
        assert code == 0, (number, output, log)
        assert not world.differences(), number
        world.check_others()


def test_two_operators_that_take_turns_lose_nothing(world, settles):
    draw = random.Random(5)
    added = []
    edits_in_the_dashboard(world, random.Random(6), added)
    operators = [world.operator(), world.operator()]

    def leader():
        return next((each for each in operators if each.process.poll() is None
                     and each.metric("opencode_router_operator_leads") == 1), None)

    steps = lives(world, names(120, 5), draw)
    eventually(leader)
    for turn in range(3):
        for _ in range(60):
            if next(steps, None) is None:
                break
            time.sleep(0.005)
        old = eventually(leader)
        # In the middle of its work; the first and the last time without a chance to give the lease back.
        old.end(signal.SIGTERM if turn == 1 else signal.SIGKILL)
        if turn != 1:
            world.expire_lease()
        operators.remove(old)
        operators.append(world.operator())
        eventually(leader)
    for _ in steps:
        time.sleep(0.002)
    settles(leader(), seconds=120)
    world.check_others(more=added)
    assert sum(each.metric("opencode_router_operator_leads") for each in operators) == 1
