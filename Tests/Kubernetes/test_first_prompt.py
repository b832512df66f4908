"""A first prompt is given exactly once, whichever replica dies at whatever moment."""

import pytest

from harness.agent import AgentPods
from harness.waiting import eventually

PROMPT = "Make the tests pass"


@pytest.fixture
def agents(make_cluster, request):
    def prepare(branch, agent):
        agent.on_prompt = agents.on_prompt

    agents = AgentPods(make_cluster(), prepare, getattr(request, "param", "v1"))
    agents.on_prompt = None
    yield agents
    agents.close()


def leads(router):
    return "opencode_router_leader 1" in router.operations("/metrics").text


def create(router, repositories):
    return router.api("POST", "/sessions", {
        "repoUrl": repositories.story, "branch": "main", "initialMessage": PROMPT}, status=201)["hash"]


@pytest.mark.parametrize("agents", ["v1", "v2"], indirect=True)
def test_a_replica_that_dies_before_it_can_note_the_prompt_is_followed_by_one_that_only_notes_it(
        agents, start_in, repositories):
    cluster = agents.cluster
    first = start_in(cluster)
    eventually(lambda: leads(first))
    second = start_in(cluster)
    # The agent has the prompt, and nobody will ever hear that it took it.
    agents.on_prompt = lambda text: (first.process.kill(), first.process.wait())
    # Asked of the other replica: who is asked and who delivers need not be the same.
    identifier = create(second, repositories)
    eventually(lambda: first.process.poll() is not None)
    assert agents.of[identifier].prompts == [PROMPT]
    # Nobody waits here for the lease to run out; that it does is another test's.
    cluster.delete("leases", "opencode-router-sweeper")
    name = f"opencode-pvc-{identifier}"

    def note(what):
        return cluster.store.get("persistentvolumeclaims", name)["metadata"]["annotations"].get(f"opencode.ai/{what}")

    eventually(lambda: note("session-id") == "ses_1")
    assert agents.of[identifier].prompts == [PROMPT]
    assert note("opencode-api") == (None if agents.generation == "v1" else "v2")
    eventually(lambda: (second.session(identifier)["url"] or "").endswith("/session/ses_1"))
    # A third one finds nothing to do.
    second.stop()
    third = start_in(cluster)
    eventually(lambda: leads(third))
    third.wait_for_state(identifier, "running")
    assert agents.of[identifier].prompts == [PROMPT]
    third.stop()


def test_a_replica_that_dies_before_the_session_runs_leaves_the_prompt_to_the_next(agents, start_in, repositories):
    cluster, run = agents.cluster, agents.run
    held = []
    cluster.kubelet.behaviour = lambda kubelet, pod: held.append((kubelet, pod))
    first = start_in(cluster)
    eventually(lambda: leads(first))
    identifier = create(first, repositories)
    eventually(lambda: held)
    first.process.kill()
    first.process.wait()
    cluster.delete("leases", "opencode-router-sweeper")
    second = start_in(cluster)
    run(*held[0])
    eventually(lambda: agents.of[identifier].prompts == [PROMPT])
    eventually(lambda: (second.session(identifier)["url"] or "").endswith("/session/ses_1"))
    assert agents.of[identifier].prompts == [PROMPT]
    second.stop()
