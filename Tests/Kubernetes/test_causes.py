"""Starts that cannot succeed fail at once with a cause, and succeed when tried again after the cause has gone."""

import pytest

from fake_cluster import Refused
from harness.waiting import eventually


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


def unmade_volume(kubelet, pod):
    kubelet.cluster.status(pod, conditions=[kubelet.condition(
        "PodScheduled", "False", reason="Unschedulable",
        message="0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.")])
    claim = pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
    kubelet.cluster.warn("PersistentVolumeClaim", claim, "ProvisioningFailed", "no such storage class")


def is_over(reason, message):
    def behave(kubelet, pod):
        kubelet.cluster.status(pod, phase="Failed", reason=reason, message=message)
    return behave


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
    "volume_stuck ": unmade_volume,
    "container_not_started": on_agent("CreateContainerConfigError"),
    "authentication_required": on_init("CrashLoopBackOff", **ended(10, "fatal: could not read Username for 'x'\n")),
    "evicted": is_over("Evicted", "The node was low on resource: memory."),
    "disk_full ": is_over("Evicted", "The node was low on resource: ephemeral-storage."),
    "pod_ended": is_over("NodeShutdown", "Pod was terminated in response to imminent node shutdown."),
}


@pytest.mark.parametrize("code", CAUSES)
def test_a_hopeless_start_says_why_and_can_be_tried_again(router, cluster_of_causes, repositories, code):
    cluster_of_causes.kubelet.behaviour = CAUSES[code]
    made = router.api(
        "POST", "/sessions", {"repoUrl": repositories.story, "branch": f"cause/{code.strip()}{len(code)}", "sourceBranch": "main"},
        status=201)
    failure = router.wait_for_state(made["hash"], "failed")["failure"]
    assert failure["code"] == code.strip() and failure["message"] and failure["hint"], failure
    cluster_of_causes.kubelet.behaviour = None
    router.api("POST", f"/sessions/{made['hash']}/resume")
    eventually(lambda: router.session(made["hash"])["state"] == "running", 60)
    assert router.request("DELETE", f"/api/sessions/{made['hash']}").status == 204


@pytest.mark.parametrize("rule, code", [(quota, "quota_exceeded"), (webhook, "admission_denied")])
def test_a_refused_pod_is_a_failed_session_and_can_be_tried_again(router, cluster_of_causes, repositories, rule, code):
    cluster_of_causes.admission = rule
    made = router.api(
        "POST", "/sessions", {"repoUrl": repositories.story, "branch": f"rule/{code}", "sourceBranch": "main"}, status=201)
    failure = router.wait_for_state(made["hash"], "failed")["failure"]
    assert failure["code"] == code, failure
    cluster_of_causes.admission = None
    router.api("POST", f"/sessions/{made['hash']}/resume")
    eventually(lambda: router.session(made["hash"])["state"] == "running", 60)
    assert router.request("DELETE", f"/api/sessions/{made['hash']}").status == 204


def test_a_refused_disk_is_told_at_once_and_leaves_nothing(router, cluster_of_causes, repositories):
    def no_disks(kind, value):
        if kind == "persistentvolumeclaims":
            raise Refused(403, "Forbidden", f'persistentvolumeclaims "{value["metadata"]["name"]}" is forbidden: exceeded '
                          "quota: disks, requested: persistentvolumeclaims=1, used: 10, limited: 10")

    cluster_of_causes.admission = no_disks
    wish = {"repoUrl": repositories.story, "branch": "rule/disk", "sourceBranch": "main"}
    answer = router.request("POST", "/api/sessions", body=wish)
    assert answer.status == 503 and answer.json()["code"] == "quota_exceeded", answer
    assert "room" in answer.json()["error"] and answer.json()["hint"]
    # Who is told to ask the operator can show the rule's own words, and the operator finds them in the log.
    assert "quota: disks, requested" in answer.json()["log"]
    assert [line for line in router.lines() if "quota: disks, requested" in line.get("error", "")]
    assert not [each for each in router.api("GET", "/sessions")["sessions"] if each["branch"] == "rule/disk"]
    cluster_of_causes.admission = None
    made = router.api("POST", "/sessions", wish, status=201)
    router.wait_for_state(made["hash"], "running")
    assert router.request("DELETE", f"/api/sessions/{made['hash']}").status == 204


@pytest.mark.double
def test_a_quota_that_two_change_at_once_is_no_reason_to_fail(router, cluster_of_causes, repositories):
    conflicts = []

    def busy(kind, value):
        if kind == "pods" and len(conflicts) < 2:
            conflicts.append(value)
            raise Refused(409, "Conflict", 'Operation cannot be fulfilled on resourcequotas "sessions": the object has '
                          "been modified; please apply your changes to the latest version and try again")

    cluster_of_causes.admission = busy
    made = router.api("POST", "/sessions", {
        "repoUrl": repositories.story, "branch": "rule/conflict", "sourceBranch": "main"}, status=201)
    router.wait_for_state(made["hash"], "running")
    assert len(conflicts) == 2
    assert router.request("DELETE", f"/api/sessions/{made['hash']}").status == 204


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
