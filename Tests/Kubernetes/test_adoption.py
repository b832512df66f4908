"""What the original left in a cluster is taken over as it stands; what is not the original's is not touched."""

import base64
import hashlib
import json
import string
from pathlib import Path

import pytest

from harness.agent import Agent
from harness.http1 import Connection
from harness.waiting import eventually

FIXTURES = Path(__file__).parent / "fixtures"
PASSWORD = "0123456789abcdef0123456789abcdef"
SECRET = "5ec2e7" * 10 + "beef"
PLURALS = {"PersistentVolumeClaim": "persistentvolumeclaims", "Pod": "pods", "Secret": "secrets"}
OWNER, STORED = "ann@example.com", "Ann@Example.com"
SESSIONS = {"first": "main", "original": "feature/one", "prompted": "feature/two", "successor": "feature/three"}


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Leftovers:
    """A cluster as the original and its successor leave it, and agents behind what runs in it."""

    def __init__(self, cluster, repository):
        self.cluster = cluster
        self.repository = repository
        self.hashes = {name: digest(f"{OWNER}:{repository}:{branch}") for name, branch in SESSIONS.items()}
        self.hashes["blank"] = digest(f"{OWNER}:9b2d7c0e-0000-4000-8000-1c2d3e4f5a6b")
        self.agents = {}
        for name in ("first", "original", "blank"):
            self.put(f"claim-{name}", name)
        self.put("claim-original-prompted", "prompted")
        self.put("claim-successor", "successor")
        self.put("secret-git", "original")
        self.put("secret-git", "prompted")
        self.put("secret-user", "original")
        self.put("pod-export", "original")
        self.run("pod-original", "prompted", "v1")
        self.run("pod-successor", "successor", "v2")
        # Both have been told what their owners wanted, long ago; one of them has opened another conversation since.
        for name in ("prompted", "successor"):
            self.agents[name].open("Making the tests pass")["messages"].append("Make the tests pass")
        self.agents["prompted"].open()
        self.foreign = [
            self.put("foreign-claim-unlabelled", hash="00000000000a"), self.put("foreign-pod", hash="00000000000b"),
            self.put("foreign-claim-of-another-name", hash="00000000000c"),
            self.put("foreign-claim-of-nobody", hash="00000000000d")]

    def put(self, fixture, name=None, hash=None, address=""):
        text = string.Template((FIXTURES / f"{fixture}.json").read_text()).substitute(
            HASH=hash or self.hashes[name], EMAIL=STORED, REPOSITORY=self.repository, BRANCH=SESSIONS.get(name, "main"),
            SECRET=SECRET, ADDRESS=address, USER=digest(OWNER))
        document = json.loads(text)
        return PLURALS[document["kind"]], self.cluster.store.put(PLURALS[document["kind"]], document, "ADDED")

    def run(self, fixture, name, generation):
        address = self.cluster.kubelet.free_address()
        self.agents[name] = Agent(address, generation)
        self.put(fixture, name, address=address)

    def claim(self, name):
        return self.cluster.store.get("persistentvolumeclaims", f"opencode-pvc-{self.hashes[name]}")

    def note(self, name, annotation):
        return self.claim(name)["metadata"]["annotations"].get(f"opencode.ai/{annotation}")


@pytest.fixture(scope="module")
def left(cluster, repositories):
    left = Leftovers(cluster, repositories.make("adopted", ("main", *list(SESSIONS.values())[1:])))
    yield left
    for agent in left.agents.values():
        agent.close()


SETTINGS = {"TRUSTED_PROXIES": "127.0.0.1", "DEV_EMAIL": None, "ADMIN_EMAILS": "boss@example.com"}


@pytest.fixture(scope="module")
def router(start_in, cluster, left):
    router = start_in(cluster, **SETTINGS)
    yield router
    router.stop()


def test_claims_of_every_version_are_their_owners_sessions(router, left):
    told = {each["hash"]: each for each in router.api("GET", "/sessions", email=OWNER)["sessions"]}
    assert {name: told[hash]["state"] for name, hash in left.hashes.items()} == {
        "first": "stopped", "original": "stopped", "blank": "stopped", "prompted": "running", "successor": "running"}
    for name in SESSIONS:
        session = told[left.hashes[name]]
        assert session["email"] == OWNER and session["repoUrl"] == left.repository
        assert session["branch"] == SESSIONS[name] and session["sourceBranch"] == "main"
        assert session["createdAt"] == "2025-12-01T10:00:00.000Z"
    assert told[left.hashes["blank"]]["repoUrl"] == ""
    assert told[left.hashes["prompted"]]["description"] == "Make the tests pass"
    everything = router.api("GET", "/admin/sessions", email="boss@example.com")["sessions"]
    assert {each["hash"] for each in everything} == set(left.hashes.values())


def test_a_running_pod_serves_its_owner_and_nobody_else(router, left):
    for name, agent in left.agents.items():
        host = router.host_of(left.hashes[name])
        assert router.request("GET", "/global/health", host, email=OWNER).json() == {"healthy": True}
        assert router.request("GET", "/global/health", host, email="eve@example.com").status == 404


def test_its_first_prompt_is_not_given_again_and_its_conversation_is_found(router, left):
    eventually(lambda: left.note("prompted", "session-id") == "ses_1")
    for agent in left.agents.values():
        assert agent.prompts == ["Make the tests pass"]
    # The successor had noted it, with the API that decides its link.
    for name, conversation in (("prompted", "ses_1"), ("successor", "ses_known")):
        eventually(lambda: conversation in (router.session(left.hashes[name], email=OWNER)["url"] or ""))
    origin = f"{router.scheme}://{router.host_of(left.hashes['successor'])}"
    server = base64.urlsafe_b64encode(origin.encode()).decode().rstrip("=")
    assert router.session(left.hashes["successor"], email=OWNER)["url"] == f"{origin}/server/{server}/session/ses_known"
    assert router.session(left.hashes["prompted"], email=OWNER)["url"].endswith(
        "/L2hvbWUvb3BlbmNvZGUvcmVwbw/session/ses_1")


def test_its_secret_opens_the_pods_listener(router, left):
    hash = left.hashes["prompted"]
    assert router.pod_call(hash, "ports", {"ports": [5173]}, secret=SECRET).status == 200
    assert router.pod_call(hash, "ports", {"ports": [5173]}, secret=SECRET[::-1]).status == 401
    eventually(lambda: router.api("GET", f"/sessions/{hash}/ports", email=OWNER)["ports"] == [5173])


def test_its_attach_password_holds_and_one_is_made_where_there_was_none(router, left):
    told = router.api("GET", f"/sessions/{left.hashes['prompted']}/attach-info", email=OWNER)
    assert told["attachPassword"] == PASSWORD
    with Connection(router.attach_port) as connection:
        answer = connection.request("GET", "/global/health", told["attachUrl"].split("://")[1], {
            "X-Attach-Password": PASSWORD, "Connection": "close"})
    assert answer.status == 200, answer
    made = router.api("GET", f"/sessions/{left.hashes['first']}/attach-info", email=OWNER)["attachPassword"]
    assert len(made) == 32
    eventually(lambda: left.note("first", "attach-password") == made)


def test_its_owner_s_variables_are_found_without_a_label(router):
    assert router.api("GET", "/user/secret", email=OWNER) == {"hasSecret": True, "keys": ["MY_KEY"]}


def test_a_stopped_one_is_resumed_on_its_own_disk(router, left, cluster):
    hash, before = left.hashes["first"], left.claim("first")
    volume = cluster.kubelet.volume(f"opencode-pvc-{hash}")
    (volume / "kept.txt").write_text("kept")
    router.api("POST", f"/sessions/{hash}/resume", email=OWNER)
    running = router.wait_for_state(hash, "running", email=OWNER)
    assert router.request("GET", "/file?path=.", router.session_host(running), email=OWNER).status == 200
    after = left.claim("first")
    assert after["metadata"]["uid"] == before["metadata"]["uid"] and (volume / "kept.txt").exists()
    pod = cluster.store.get("pods", f"opencode-session-{hash}")
    assert {"secretRef": {"name": f"opencode-user-{digest(OWNER)}", "optional": True}} in (
        pod["spec"]["containers"][0]["envFrom"])


@pytest.mark.parametrize("name", ["original", "prompted"])
def test_deleting_leaves_nothing_of_it(router, left, cluster, name):
    hash = left.hashes[name]
    assert cluster.store.get("secrets", f"opencode-github-{hash}")
    assert router.request("DELETE", f"/api/sessions/{hash}", email=OWNER).status == 204
    for kind in ("pods", "persistentvolumeclaims", "secrets"):
        assert not [each for each in cluster.store.all(kind) if hash in each["metadata"]["name"]]
    assert cluster.store.get("secrets", f"opencode-user-{digest(OWNER)}"), "that is the person's, not the session's"


def test_an_idle_one_is_stopped_and_its_disk_stays(start_in, router, left, cluster):
    router.stop()
    hash = left.hashes["successor"]
    left.agents["successor"].working = {"ses_known": "running"}
    quick = start_in(cluster, IDLE_TIMEOUT_MINUTES="0.05", **SETTINGS)
    quick.wait_for_line("this replica sweeps")
    eventually(lambda: quick.session(hash, email=OWNER).get("keptBecause") == "agent_busy")
    left.agents["successor"].working = {}
    quick.wait_for_state(hash, "stopped", email=OWNER)
    assert ("POST", "/global/dispose") in left.agents["successor"].requests
    assert left.note("successor", "last-activity") > "2026" and left.note("successor", "session-id") == "ses_known"
    quick.stop()


def test_what_is_not_the_original_s_is_as_it_was(router, left, cluster):
    for kind, value in left.foreign:
        assert cluster.store.get(kind, value["metadata"]["name"]) == value
