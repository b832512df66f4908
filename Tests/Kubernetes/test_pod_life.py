"""A session's life as a pod and a claim, through the real binary."""

import base64
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.http1 import EventStream
from harness.repositories import git
from harness.waiting import eventually


@pytest.fixture(scope="module")
def session(router, repositories):
    return router.create(repositories.story, "main")


def test_01_it_comes_up_and_its_page_is_the_agent_s(router, session):
    files = router.request("GET", "/file?path=.", router.session_host(session)).json()
    assert {"README.md", "src"} <= {entry["name"] for entry in files}


def test_02_its_objects_are_named_and_labelled_as_the_original_s(router, cluster, session, repositories):
    identifier = session["hash"]
    key = f"{router.EMAIL}:{repositories.story}:main"
    assert identifier == hashlib.sha256(key.encode()).hexdigest()[:12]
    claim = cluster.store.get("persistentvolumeclaims", f"opencode-pvc-{identifier}")
    pod = cluster.store.get("pods", f"opencode-session-{identifier}")
    for value in (claim, pod):
        assert value["metadata"]["labels"] == {
            "opencode.ai/session-hash": identifier, "app.kubernetes.io/managed-by": "opencode-router"}
        assert value["metadata"]["annotations"]["opencode.ai/user-email"] == router.EMAIL
        assert value["metadata"]["annotations"]["opencode.ai/repo-url"] == repositories.story
    assert len(claim["metadata"]["annotations"]["opencode.ai/attach-password"]) == 32
    assert "opencode.ai/pod-secret" not in pod["metadata"]["annotations"]
    assert pod["spec"]["automountServiceAccountToken"] is False and pod["spec"]["enableServiceLinks"] is False


def test_03_the_agent_asks_everybody_else_for_a_password(cluster, session):
    import urllib.error
    import urllib.request
    pod = cluster.store.get("pods", f"opencode-session-{session['hash']}")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://{pod['status']['podIP']}:4096/global/health", timeout=5)
    assert refused.value.code == 401


def test_04_polling_and_proxying_cost_no_call(router, cluster, session):
    host = router.session_host(session)
    granted = sum(len(rule["verbs"]) for rule in cluster.rules)
    eventually(lambda: sum(1 for verb, *_ in list(cluster.requests) if verb == "review") >= granted)
    # The replica that sweeps looks around once when it begins, which may be late: one list is the watch's, one its own.
    eventually(lambda: cluster.requests.count(("list", "pods", None)) >= 2)

    def calls():
        # Leases and watches go by the clock, whoever polls.
        return [entry for entry in list(cluster.requests) if entry[0] != "watch" and entry[1] != "leases"]

    before = calls()
    with router.connect() as connection:
        for _ in range(300):
            assert connection.request("GET", f"/api/sessions/{session['hash']}", router.host).status == 200
            assert connection.request("GET", "/api/sessions", router.host).status == 200
    for _ in range(50):
        assert router.request("GET", "/global/health", host).status == 200
    # What is used is written down once a minute, however often it is.
    assert len(calls()) - len(before) <= 1, calls()[len(before):]
    assert 'opencode_router_kubernetes_requests_total{' in router.operations("/metrics").text


def test_04b_a_change_in_the_cluster_reaches_a_browser_at_once(router, cluster, session):
    with router.connect() as connection:
        events = EventStream(connection, "/api/sessions/stream", router.host).events(60)
        next(events)
        delays = []
        for number in range(11):
            begin = time.monotonic()
            cluster.patch("persistentvolumeclaims", f"opencode-pvc-{session['hash']}", {
                "metadata": {"annotations": {"opencode.ai/title": f"title {number}"}}})
            for _, data in events:
                if data and f"title {number}" in data:
                    break
            delays.append(time.monotonic() - begin)
        assert sorted(delays)[5] < 0.25, delays


def test_05_stopping_keeps_the_disk_and_resuming_finds_it(router, cluster, session):
    identifier, host = session["hash"], router.session_host(session)
    volume = next((cluster.folder / "volumes").iterdir())
    (volume / "repo" / "kept.txt").write_text("kept\n")
    router.api("POST", f"/sessions/{identifier}/stop")
    stopped = router.wait_for_state(identifier, "stopped")
    assert stopped["url"] is None and not cluster.pods() and len(cluster.claims()) == 1
    router.api("POST", f"/sessions/{identifier}/resume")
    router.wait_for_state(identifier, "running")
    assert router.request("GET", "/file/content?path=kept.txt", host).json()["content"] == "kept\n"
    assert git("status", "--porcelain", folder=volume / "repo") == "?? kept.txt"


def test_06_resuming_at_once_after_a_stop_waits_for_the_old_pod(router, cluster, session):
    identifier = session["hash"]
    old = cluster.pods()[0]["metadata"]["uid"]
    cluster.kubelet.grace = 2
    router.api("POST", f"/sessions/{identifier}/stop")
    router.api("POST", f"/sessions/{identifier}/resume")
    router.wait_for_state(identifier, "running")
    cluster.kubelet.grace = 0.2
    assert [pod["metadata"]["uid"] for pod in cluster.pods()] != [old] and len(cluster.pods()) == 1


def test_06b_a_pod_that_nobody_ends_keeps_nobody_waiting_for_long(router, cluster, repositories):
    made = [router.api("POST", "/sessions", {
        "repoUrl": repositories.story, "branch": f"stuck/{number}", "sourceBranch": "main"}, status=201)["hash"]
        for number in range(2)]
    for identifier in made:
        router.wait_for_state(identifier, "running")
    cluster.kubelet.grace = 3600
    try:
        for identifier in made:
            assert router.api("POST", f"/sessions/{identifier}/stop")["state"] == "stopping"
        with ThreadPoolExecutor(2) as pool:
            # The harness's own patience is 40 s.
            resumed, deleted = pool.map(router.request, ("POST", "DELETE"), (
                f"/api/sessions/{made[0]}/resume", f"/api/sessions/{made[1]}"))
    finally:
        cluster.kubelet.grace = 0.2
    assert (resumed.status, resumed.json()["code"]) == (409, "conflict"), resumed
    assert (deleted.status, deleted.json()["code"]) == (500, "deletion_incomplete"), deleted
    assert {router.session(identifier)["state"] for identifier in made} == {"stopping"}
    for identifier in made:
        pod = cluster.store.get("pods", f"opencode-session-{identifier}")
        cluster.finish_pod(pod["metadata"]["uid"], pod["metadata"]["name"])
    router.wait_for_state(made[0], "stopped")
    assert router.request("DELETE", f"/api/sessions/{made[0]}").status == 204
    eventually(lambda: router.request("GET", f"/api/sessions/{made[1]}").status == 404)


def test_07_a_pod_deleted_by_hand_is_a_stopped_session(router, cluster, session):
    cluster.delete("pods", f"opencode-session-{session['hash']}")
    router.wait_for_state(session["hash"], "stopped")


def test_08_its_log_can_be_read(router, session):
    router.api("POST", f"/sessions/{session['hash']}/resume")
    router.wait_for_state(session["hash"], "running")
    log = router.request("GET", f"/api/sessions/{session['hash']}/log?container=init")
    assert log.status == 200 and "session-init: " in log.text


def test_09_personal_variables_are_a_secret_and_reach_the_agent(router, cluster, session):
    router.api("POST", "/user/secret", {"secrets": {"MY_TOKEN": "s3cret"}})
    assert router.api("GET", "/user/secret") == {"hasSecret": True, "keys": ["MY_TOKEN"]}
    name = "opencode-user-" + hashlib.sha256(router.EMAIL.encode()).hexdigest()[:12]
    assert base64.b64decode(cluster.store.get("secrets", name)["data"]["MY_TOKEN"]) == b"s3cret"
    router.api("DELETE", "/user/secret")
    assert cluster.store.get("secrets", name) is None


def test_10_creating_it_twenty_times_at_once_is_one_pod(router, cluster, repositories):
    import concurrent.futures
    body = {"repoUrl": repositories.story, "branch": "feature/one"}
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: router.request("POST", "/api/sessions", body=body), range(20)))
    assert {answer.status for answer in answers} == {201}
    identifier = answers[0].json()["hash"]
    router.wait_for_state(identifier, "running")
    made = [name for verb, kind, name in cluster.requests if verb == "create" and kind == "pods"]
    assert len([pod for pod in cluster.pods() if identifier in pod["metadata"]["name"]]) == 1 and made


def test_11_a_claim_deleted_by_hand_removes_the_session(router, cluster, repositories):
    identifier = hashlib.sha256(f"{router.EMAIL}:{repositories.story}:feature/one".encode()).hexdigest()[:12]
    cluster.delete("persistentvolumeclaims", f"opencode-pvc-{identifier}")
    eventually(lambda: router.request("GET", f"/api/sessions/{identifier}").status == 404)
    assert cluster.store.get("pods", f"opencode-session-{identifier}") is None


def test_12_deleting_leaves_nothing(router, cluster, session):
    assert router.request("DELETE", f"/api/sessions/{session['hash']}").status == 204
    assert cluster.pods() == [] and cluster.claims() == []
    # Servers older than 1.24 keep a token of every account, the router's too.
    assert not [
        secret for secret in cluster.store.all("secrets") if secret["metadata"]["name"].startswith("opencode-")
        and secret.get("type") != "kubernetes.io/service-account-token"]
    assert router.request("GET", f"/api/sessions/{session['hash']}").status == 404


def test_13_a_branch_that_vanished_is_a_failure_with_a_cause_and_a_retry(router, cluster, repositories):
    url = repositories.make("vanishing", ("main",))
    made = router.api("POST", "/sessions", {"repoUrl": url, "branch": "work", "sourceBranch": "main"}, status=201)
    router.wait_for_state(made["hash"], "running")
    assert router.request("DELETE", f"/api/sessions/{made['hash']}").status == 204


def test_13b_a_disk_that_the_cluster_is_slow_to_release_is_no_session_any_more(router, cluster, repositories):
    body = {"repoUrl": repositories.story, "branch": "slow", "sourceBranch": "main"}
    made = router.api("POST", "/sessions", body, status=201)
    router.wait_for_state(made["hash"], "running")
    cluster.keeps_claims = True
    assert router.request("DELETE", f"/api/sessions/{made['hash']}").status == 204
    assert [claim["metadata"].get("deletionTimestamp") is None for claim in cluster.claims()] == [False]
    assert cluster.pods() == []
    assert router.request("GET", f"/api/sessions/{made['hash']}").status == 404
    assert router.request("DELETE", f"/api/sessions/{made['hash']}").status == 404
    assert router.api("GET", "/sessions")["sessions"] == []
    # The same once more waits for its name to be free.
    cluster.keeps_claims = False
    cluster.release_claims()
    assert router.api("POST", "/sessions", body, status=201)["hash"] == made["hash"]
    router.wait_for_state(made["hash"], "running")
    assert router.request("DELETE", f"/api/sessions/{made['hash']}").status == 204


def test_14_no_secret_is_in_the_log(router, cluster):
    text = router.log_path.read_text(errors="replace")
    assert cluster.TOKEN not in text and "s3cret" not in text
