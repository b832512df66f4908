"""POST /api/admin/pull-image: a pod gets ready with the image, and nothing of it stays."""

import threading
import time

import pytest

from fake_cluster import Kubelet
from harness.http1 import Truncated
from harness.waiting import eventually

KEY = {"X-Admin-Secret": "an-administrators-key"}
NOBODY = {"TRUSTED_PROXIES": "127.0.0.1", "DEV_EMAIL": None}
TARGET = "/api/admin/pull-image"


@pytest.fixture(scope="module")
def router(start_in, cluster):
    router = start_in(cluster, ADMIN_SECRET=KEY["X-Admin-Secret"], ADMIN_EMAILS="boss@example.com", **NOBODY)
    yield router
    router.stop()


@pytest.fixture(autouse=True)
def nothing_stays(cluster):
    yield
    cluster.kubelet.behaviour = None
    eventually(lambda: not cluster.pods())


def test_an_image_whose_agent_gets_ready_is_pulled(router, cluster):
    seen = []

    def watch(kind, value):
        if kind == "pods":
            seen.append(value)

    cluster.admission = watch
    answer = router.request("POST", TARGET, fields=KEY, body={"image": "registry.test/new:2"})
    cluster.admission = None
    assert answer.status == 200 and set(answer.json()) == {"status", "message"}, answer
    assert answer.json()["status"] == "success" and "registry.test/new:2" in answer.json()["message"]
    [pod] = seen
    assert [container["image"] for container in pod["spec"]["containers"]] == ["registry.test/new:2"]
    assert pod["spec"]["activeDeadlineSeconds"] == 330 and "opencode.ai/session-hash" not in pod["metadata"]["labels"]
    # An image under trial gets no keys.
    assert "envFrom" not in pod["spec"]["containers"][0]
    line = next(line for line in router.lines() if line["message"] == "image pulled")
    assert line["image"] == "registry.test/new:2"


def test_what_the_image_of_new_sessions_is_stays_the_setting_and_is_told(router):
    answer = router.request(
        "POST", TARGET, email="Boss@Example.com", body={"image": "registry.test/new:2", "updateConfig": True})
    assert answer.status == 200, answer
    assert "OPENCODE_IMAGE" in answer.json()["message"] and "registry.test/opencode:1" in answer.json()["message"]


def test_an_image_that_cannot_be_pulled_is_told_with_its_cause(router, cluster):
    def unpullable(kubelet, pod):
        container = pod["spec"]["containers"][0]
        kubelet.cluster.status(pod, conditions=[Kubelet.condition("PodScheduled", "True")], containerStatuses=[{
            "name": container["name"], "image": container["image"], "ready": False, "restartCount": 0,
            "state": {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}}])

    cluster.kubelet.behaviour = unpullable
    answer = router.request("POST", TARGET, fields=KEY, body={"image": "registry.test/none:1"})
    told = answer.json()
    assert answer.status == 500 and told["status"] == "failed" and told["code"] == "image_pull_failed", answer
    assert "registry.test/none:1" in told["message"] and told["error"] == told["message"]
    assert told["log"] == "manifest unknown"


@pytest.mark.parametrize("body", [b"not json", {}, {"image": ""}, {"image": 7}, {"image": "two words"},
                                  {"image": "a", "updateConfig": "yes"}], ids=repr)
def test_a_body_that_names_no_image_is_refused(router, cluster, body):
    fields = {**KEY, "Content-Type": "application/json"}
    assert router.request("POST", TARGET, fields=fields, body=body).status == 400


def test_only_administrators_may(router, start_in, cluster):
    body = {"image": "registry.test/new:2"}
    for fields, email, status in [
            ({}, None, 401), ({"X-Admin-Secret": "wrong"}, None, 401), ({}, "ann@example.com", 403),
            ({"X-Admin-Secret": "wrong"}, "ann@example.com", 403)]:
        answer = router.request("POST", TARGET, fields=fields, body=body, email=email)
        assert answer.status == status and answer.json()["code"], answer
    without = start_in(cluster, **NOBODY)
    assert without.request("POST", TARGET, fields=KEY, body=body).status == 401
    answer = without.request("POST", TARGET, fields=KEY, body=body, email="ann@example.com")
    assert answer.status == 501 and answer.json()["code"] == "admin_key_not_set", answer
    without.stop()


def test_a_router_that_dies_meanwhile_leaves_nothing_for_ever(start_in, make_cluster):
    cluster = make_cluster()
    cluster.kubelet.behaviour = lambda kubelet, pod: cluster.bind_pod(pod)
    settings = {"ADMIN_SECRET": KEY["X-Admin-Secret"], **NOBODY}
    first = start_in(cluster, **settings)
    first.wait_for_line("this replica sweeps")

    def ask():
        try:
            first.request("POST", TARGET, fields=KEY, body={"image": "registry.test/slow:1"})
        except (Truncated, OSError):
            pass

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    pod = eventually(cluster.pods)[0]
    first.process.kill()
    first.process.wait()
    asking.join(10)
    # Nobody waits here for the lease to run out.
    cluster.delete("leases", "opencode-router-sweeper")
    before = len(cluster.requests)
    second = start_in(cluster, **settings)
    # Its watch begins with one list, its sweep with the other.
    eventually(lambda: cluster.requests[before:].count(("list", "pods", None)) >= 2)
    time.sleep(0.5)
    assert cluster.pods(), "another replica may be waiting for it: as long as it lives it is left alone"
    second.stop()
    # The kubelet ends what has lasted too long.
    cluster.status(pod, phase="Failed", reason="DeadlineExceeded")
    third = start_in(cluster, **settings)
    eventually(lambda: not cluster.pods(), 40)
    third.stop()
