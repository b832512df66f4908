"""Which sessions are stopped and which are kept, and why: all at once, for the waiting is the cost.

A session is idle after 6 seconds here, and a person may be waited for 15.
"""

import threading
import time

import pytest

from harness.agent import AgentPods
from harness.http1 import EventStream
from harness.waiting import eventually

WATCHED = 24


def works(kind):
    def prepare(agent):
        agent.working = {"ses_1": kind}
    return prepare


def asks(what, generation="v1"):
    def prepare(agent):
        agent.generation = generation
        agent.working = {"ses_1": "busy" if generation == "v1" else "running"}
        agent.asked = [what]
    return prepare


def newer(kind=None):
    def prepare(agent):
        agent.generation = "v2"
        agent.working = {"ses_1": kind} if kind else {}
    return prepare


def silent(agent):
    agent.silent = True


def plain(agent):
    pass


# By branch: the agent, the reason that is told meanwhile, and why it is stopped in the end.
CASES = {
    "unused": (plain, "resumed", "idle"),
    "busy": (works("busy"), "agent_busy", None),
    "retrying": (works("retry"), "agent_retrying", None),
    "permission": (asks("per_1"), "waiting_for_human", "nobody_answered"),
    "question": (asks("que_1"), "waiting_for_human", "nobody_answered"),
    "silent": (silent, "agent_unknown", "agent_silent"),
    "newer-unused": (newer(), "resumed", "idle"),
    "newer-paused": (newer("paused"), "resumed", "idle"),
    "newer-running": (newer("running"), "agent_busy", None),
    "newer-permission": (asks("per_1", "v2"), "waiting_for_human", "nobody_answered"),
    "newer-form": (asks("frm_1", "v2"), "waiting_for_human", "nobody_answered"),
    "requests": (plain, "request", None),
    "kept-alive": (plain, "keep-alive", None),
    "own-time": (plain, "resumed", None),
    # Open for ever, and nothing in it: nobody's work.
    "stream": (plain, "resumed", "idle"),
}


@pytest.fixture(scope="module")
def world(start_in, make_cluster, repositories):
    cluster = make_cluster()
    pods = AgentPods(cluster, lambda branch, agent: CASES[branch][0](agent))
    router = start_in(cluster, IDLE_TIMEOUT_MINUTES="0.1", HUMAN_WAIT_HOURS="0.00417")
    router.wait_for_line("this replica sweeps")
    hashes = {}
    done = threading.Event()
    reasons = {branch: set() for branch in CASES}

    def use():
        while not done.wait(0.5):
            if "requests" in hashes:
                router.request("GET", "/session", router.host_of(hashes["requests"]))
            if "kept-alive" in hashes:
                router.request("POST", f"/api/sessions/{hashes['kept-alive']}/keep-alive", body={})

    def watch():
        while not done.wait(0.1):
            for session in router.api("GET", "/sessions")["sessions"]:
                if "keptBecause" in session:
                    reasons[session["branch"]].add(session["keptBecause"])

    # From the first on: some are idle before the last is made.
    threads = [threading.Thread(target=use), threading.Thread(target=watch)]
    for thread in threads:
        thread.start()
    stream = None
    try:
        for branch in CASES:
            hashes[branch] = router.api("POST", "/sessions", {
                "repoUrl": repositories.story, "branch": branch, "sourceBranch": "main"}, status=201)["hash"]
            # At once: the few seconds of its idle time run already.
            if branch == "own-time":
                router.api("PUT", f"/sessions/{hashes[branch]}/idle-timeout", {"minutes": 60})
            if branch == "stream":
                router.wait_for_state(hashes[branch], "running")
                stream = EventStream(router.connect(), "/global/event", router.host_of(hashes[branch]))
        end = time.monotonic() + WATCHED
        expected = {branch for branch, (_, _, stop) in CASES.items() if stop}
        while time.monotonic() < end or not expected <= stopped(router, hashes).keys():
            assert time.monotonic() < end + 60, (stopped(router, hashes), reasons)
            time.sleep(0.1)

        def states():
            return {each["branch"]: each["state"] for each in router.api("GET", "/sessions")["sessions"]}

        # The list follows the cluster, a moment behind the line about the stop.
        eventually(lambda: not expected & {branch for branch, state in states().items() if state == "running"})
        yield router, cluster, reasons, states(), stopped(router, hashes)
    finally:
        done.set()
        for thread in threads:
            thread.join()
        if stream:
            stream.connection.close()
        router.stop()
        pods.close()


def stopped(router, hashes):
    """Why the policy stopped what it stopped, by branch."""
    why = {line["session"]: line["why"] for line in router.lines()
           if line.get("message") == "session stopped" and line.get("by") == "idle policy"}
    return {branch: why[hash] for branch, hash in hashes.items() if hash in why}


@pytest.mark.parametrize("branch", CASES)
def test_a_session_is_kept_or_stopped_for_its_reason(world, branch):
    router, cluster, reasons, states, why = world
    _, kept, stop = CASES[branch]
    assert kept in reasons[branch], reasons[branch]
    assert why.get(branch) == stop
    assert states[branch] in (("stopping", "stopped") if stop else ("running",))


def test_what_was_stopped_keeps_its_disk_and_its_last_use(world):
    _, cluster, _, _, why = world
    for claim in cluster.claims():
        notes = claim["metadata"]["annotations"]
        if notes["opencode.ai/branch"] in why:
            assert notes["opencode.ai/activity-source"] in ("resumed", "request", "agent"), notes
    assert len(cluster.claims()) == len(CASES)


def test_no_run_lasts_longer_than_the_longest_time_allowed(start_in, make_cluster, repositories):
    cluster = make_cluster()
    pods = AgentPods(cluster, lambda branch, agent: works("busy")(agent))
    router = start_in(cluster, MAX_AGE_HOURS=8)
    hashes = [router.create(repositories.story, branch)["hash"] for branch in ("main", "feature/one")]
    router.stop()
    # One of the two began nine hours ago, and another replica comes.
    pod = cluster.store.get("pods", f"opencode-session-{hashes[0]}")
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 9 * 3600))
    cluster.status(pod, startTime=began)
    second = start_in(cluster, MAX_AGE_HOURS=8)
    second.wait_for_state(hashes[0], "stopped", "stopping")
    eventually(lambda: stopped(second, {"old": hashes[0]}) == {"old": "too_old"})
    assert second.session(hashes[1])["state"] == "running"
    second.stop()
    pods.close()
