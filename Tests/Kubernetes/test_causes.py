"""Starts that cannot succeed fail at once with a cause, and succeed when tried again after the cause has gone."""

import hashlib
import time

import pytest

from fake_cluster import NAMESPACE, Refused


@pytest.fixture
def cluster_of_causes(cluster):
    yield cluster
    cluster.kubelet.behaviour = None
    cluster.admission = None


def waiting(container, reason, message="words of the kubelet", **more):
    return {"name": container["name"], "image": container["image"], "ready": False, "restartCount": 4,
            "state": {"waiting": {"reason": reason, "message": message}}, **more}


def unschedulable(kubelet, pod):
    kubelet.cluster.status(pod, conditions=[kubelet.condition(
        "PodScheduled", "False", reason="Unschedulable", message="0/3 nodes are available: 3 Insufficient cpu.")])


def on_init(reason, **more):
    def behave(kubelet, pod):
        kubelet.cluster.status(
            pod, conditions=[kubelet.condition("PodScheduled", "True")],
            initContainerStatuses=[waiting(pod["spec"]["initContainers"][0], reason, **more)])
    return behave


def on_agent(reason, **more):
    def behave(kubelet, pod):
        initial = waiting(pod["spec"]["initContainers"][0], "")
        initial["state"] = {"terminated": {"exitCode": 0}}
        kubelet.cluster.status(
            pod, conditions=[kubelet.condition("PodScheduled", "True")], initContainerStatuses=[initial],
            containerStatuses=[waiting(pod["spec"]["containers"][0], reason, **more)])
    return behave


def stuck_volume(kubelet, pod):
    kubelet.cluster.status(pod, conditions=[kubelet.condition("PodScheduled", "True")])
    kubelet.cluster.warn("Pod", pod["metadata"]["name"], "FailedAttachVolume", "Multi-Attach error for volume", 3)


def ended(code, message="", reason="Error"):
    return {"lastState": {"terminated": {"exitCode": code, "message": message, "reason": reason}}}


def quota(kind, value):
    if kind == "pods":
        raise Refused(403, "Forbidden", f'pods "{value["metadata"]["name"]}" is forbidden: exceeded quota: sessions')


def webhook(kind, value):
    if kind == "pods":
        raise Refused(400, "", 'admission webhook "policy.test" denied the request: images must be signed')


CAUSES = {
    "unschedulable": unschedulable,
    "image_pull_failed": on_init("ImagePullBackOff"),
    "invalid_image_name": on_init("InvalidImageName"),
    "clone_failed": on_init("CrashLoopBackOff", **ended(10, "fatal: something odd\n")),
    "branch_not_found": on_init("CrashLoopBackOff", **ended(11, "session-init: neither\n")),
    "crash_loop": on_agent("CrashLoopBackOff", **ended(1, "Error: boom\n")),
    "out_of_memory": on_agent("CrashLoopBackOff", **ended(137, "", "OOMKilled")),
    "disk_full": on_init("CrashLoopBackOff", **ended(10, "error: No space left on device\n")),
    "volume_stuck": stuck_volume,
}


def wait_for_failure(router, identifier):
    end = time.monotonic() + 15
    while (session := router.session(identifier))["state"] != "failed":
        assert time.monotonic() < end, session
        time.sleep(0.05)
    return session["failure"]


@pytest.mark.parametrize("code", CAUSES)
def test_a_hopeless_start_says_why_and_can_be_tried_again(router, cluster_of_causes, repositories, code):
    cluster_of_causes.kubelet.behaviour = CAUSES[code]
    made = router.api(
        "POST", "/sessions", {"repoUrl": repositories.story, "branch": f"cause/{code}", "sourceBranch": "main"},
        status=201)
    failure = wait_for_failure(router, made["hash"])
    assert failure["code"] == code and failure["message"] and failure["hint"], failure
    cluster_of_causes.kubelet.behaviour = None
    router.api("POST", f"/sessions/{made['hash']}/resume")
    end = time.monotonic() + 30
    while router.session(made["hash"])["state"] != "running":
        assert time.monotonic() < end, router.session(made["hash"])
        time.sleep(0.05)
    assert router.request("DELETE", f"/api/sessions/{made['hash']}").status == 204


@pytest.mark.parametrize("rule, code", [(quota, "quota_exceeded"), (webhook, "admission_denied")])
def test_a_refused_pod_is_a_failed_session_and_can_be_tried_again(router, cluster_of_causes, repositories, rule, code):
    cluster_of_causes.admission = rule
    made = router.api(
        "POST", "/sessions", {"repoUrl": repositories.story, "branch": f"rule/{code}", "sourceBranch": "main"}, status=201)
    failure = wait_for_failure(router, made["hash"])
    assert failure["code"] == code, failure
    cluster_of_causes.admission = None
    router.api("POST", f"/sessions/{made['hash']}/resume")
    end = time.monotonic() + 30
    while router.session(made["hash"])["state"] != "running":
        assert time.monotonic() < end, router.session(made["hash"])
        time.sleep(0.05)
    assert router.request("DELETE", f"/api/sessions/{made['hash']}").status == 204


def test_the_original_s_claims_are_stopped_sessions_of_their_owners(start_in, make_cluster, repositories):
    cluster = make_cluster()
    email = "Dev@Example.com"
    key = f"{email.lower()}:{repositories.story}:main"
    identifier = hashlib.sha256(key.encode()).hexdigest()[:12]
    labels = {"opencode.ai/session-hash": identifier, "app.kubernetes.io/managed-by": "opencode-router"}
    cluster.create("persistentvolumeclaims", {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"opencode-pvc-{identifier}", "namespace": NAMESPACE, "labels": labels, "annotations": {
            "opencode.ai/user-email": email, "opencode.ai/repo-url": repositories.story, "opencode.ai/branch": "main",
            "opencode.ai/source-branch": "main", "opencode.ai/created-at": "2025-12-24T18:00:00.000Z",
            "opencode.ai/attach-password": "0" * 32}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}})
    router = start_in(cluster)
    session = router.session(identifier)
    assert session["state"] == "stopped" and session["createdAt"].startswith("2025-12-24T18:00:00")
    router.api("POST", f"/sessions/{identifier}/resume")
    running = router.wait_for_state(identifier, "running")
    assert router.request("GET", "/file?path=.", router.session_host(running)).status == 200
    router.stop()


def test_more_sessions_than_a_page_are_all_seen(start_in, make_cluster):
    cluster = make_cluster()
    for number in range(1000):
        identifier = f"{number:012x}"
        cluster.store.put("persistentvolumeclaims", {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": f"opencode-pvc-{identifier}", "uid": f"u{number}", "labels": {
                "opencode.ai/session-hash": identifier, "app.kubernetes.io/managed-by": "opencode-router"},
                "annotations": {"opencode.ai/user-email": "dev@example.com", "opencode.ai/branch": f"b{number}"}},
            "status": {"phase": "Bound"}}, "ADDED")
    router = start_in(cluster)
    assert len(router.api("GET", "/sessions")["sessions"]) == 1000
    assert cluster.count("list") >= 6
    router.stop()
