"""The router and an API server that restarts, forgets, refuses credentials and counts."""

import base64
import time

import pytest

from harness.agent import pod_secret
from harness.waiting import eventually


def title(router, cluster, session, text):
    """Changes a session in the cluster, and waits until the router tells it."""
    cluster.patch("persistentvolumeclaims", f"opencode-pvc-{session['hash']}", {
        "metadata": {"annotations": {"opencode.ai/title": text}}})
    eventually(lambda: router.session(session["hash"]).get("title") == text, 60)


@pytest.fixture(scope="module")
def cluster(make_cluster):
    return make_cluster()


@pytest.fixture(scope="module")
def router(start_in, cluster):
    router = start_in(cluster)
    yield router
    router.stop()


@pytest.fixture(scope="module")
def session(router, repositories):
    return router.create(repositories.story, "main")


def test_a_server_that_is_killed_and_comes_back_has_taken_nothing_away(router, cluster, session, control_plane):
    made = cluster.count("create")
    control_plane.kill_server()
    eventually(lambda: router.operations("/readyz").status == 503, 60)
    host = router.session_host(session)
    assert router.request("GET", "/global/health", host).status == 200
    control_plane.start_server()
    title(router, cluster, session, "after the restart")
    eventually(lambda: router.operations("/readyz").status == 200, 60)
    assert router.request("GET", "/global/health", host).status == 200
    assert cluster.count("create") == made and len(cluster.pods()) == 1


def test_a_watch_that_the_server_ends_is_begun_anew_without_a_list(start_in, make_cluster, repositories):
    cluster = make_cluster()
    router = start_in(cluster)
    session = router.create(repositories.story, "main")
    lists = cluster.count("list")
    for _ in range(3):
        watches = cluster.count("watch")
        cluster.break_connections()
        title(router, cluster, session, f"after {watches} watches")
        eventually(lambda: cluster.count("watch") > watches)
    assert cluster.count("list") == lists
    router.stop()


def test_a_token_whose_secret_is_deleted_is_refused_and_the_next_is_read_from_its_file(
        start_in, make_cluster, repositories, control_plane):
    cluster = make_cluster()

    def bound(name):
        return cluster.token(bound={"kind": "Secret", **control_plane.ask(
            "POST", cluster.store.path("secrets"), {"metadata": {"name": name}})})

    file = cluster.folder / "token"
    file.write_text(bound("first"))
    router = start_in(cluster, KUBECONFIG=cluster.kubeconfig(token_file=file))
    session = router.create(repositories.story, "main")
    cluster.delete("secrets", "first")
    # The server remembers for ten seconds whom it has let in.
    time.sleep(11)
    cluster.break_connections()
    eventually(lambda: "401" in router.operations("/readyz").text, 60)
    assert router.request("GET", "/global/health", router.session_host(session)).status == 200
    file.write_text(bound("second"))
    title(router, cluster, session, "with the second token")
    eventually(lambda: router.operations("/readyz").status == 200, 60)
    router.stop()


@pytest.mark.parametrize("inline", [False, True], ids=["files", "data"])
def test_a_client_certificate_is_a_sign_in(start_in, make_cluster, repositories, control_plane, inline):
    cluster = make_cluster()
    user = f"router-of-{cluster.namespace}"
    control_plane.ask(
        "POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{cluster.namespace}/rolebindings", {
            "metadata": {"name": user},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "opencode-router"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]})
    files = zip(("client-certificate", "client-key"), control_plane.client_certificate(user), strict=True)
    given = {f"{name}-data": base64.b64encode(path.read_bytes()).decode() for name, path in files} if inline else {
        name: str(path) for name, path in files}
    router = start_in(cluster, KUBECONFIG=cluster.kubeconfig(user=given))
    session = router.create(repositories.story, "main")
    assert router.request("GET", "/global/health", router.session_host(session)).status == 200
    assert {entry["user"]["username"] for entry in cluster.entries()} == {user}
    router.stop()


@pytest.mark.parametrize("limit", ["pods", "persistentvolumeclaims"])
def test_a_quota_that_is_used_up_is_told_and_the_session_starts_once_there_is_room(
        start_in, make_cluster, repositories, control_plane, limit):
    cluster = make_cluster()
    router = start_in(cluster)
    path = f"/api/v1/namespaces/{cluster.namespace}/resourcequotas"
    control_plane.ask("POST", path, {"metadata": {"name": "small"}, "spec": {"hard": {limit: "0"}}})
    eventually(lambda: control_plane.ask("GET", path + "/small").get("status", {}).get("hard") == {limit: "0"}, 60)
    wish = {"repoUrl": repositories.story, "branch": "main"}
    answer = router.request("POST", "/api/sessions", body=wish)
    if limit == "pods":
        assert answer.status == 201, answer
        eventually(lambda: router.session(answer.json()["hash"])["state"] == "failed")
        assert router.session(answer.json()["hash"])["failure"]["code"] == "quota_exceeded"
    else:
        assert answer.status == 503 and answer.json()["code"] == "quota_exceeded", answer
        assert router.api("GET", "/sessions")["sessions"] == []
    control_plane.ask("DELETE", path + "/small")

    def starts():
        # The server's own copy of its quotas is a moment behind.
        if limit == "pods":
            router.request("POST", f"/api/sessions/{answer.json()['hash']}/resume")
        else:
            router.request("POST", "/api/sessions", body=wish)
        return any(each["state"] == "running" for each in router.api("GET", "/sessions")["sessions"])

    eventually(starts, 60)
    router.stop()


def test_many_at_once_under_a_quota_all_start(start_in, make_cluster, repositories, control_plane):
    cluster = make_cluster()
    for document in cluster.manifest("base/limits.yaml"):
        document["metadata"]["namespace"] = cluster.namespace
        control_plane.ask(
            "POST", f"/api/v1/namespaces/{cluster.namespace}/{document['kind'].lower()}s", document)
    path = f"/api/v1/namespaces/{cluster.namespace}/resourcequotas/opencode"
    eventually(lambda: "pods" in control_plane.ask("GET", path).get("status", {}).get("hard", {}), 60)
    router = start_in(cluster)
    hashes = [router.api("POST", "/sessions", {
        "repoUrl": repositories.story, "branch": f"many/{number}", "sourceBranch": "main"}, status=201)["hash"]
        for number in range(6)]
    for identifier in hashes:
        router.wait_for_state(identifier, "running")
    eventually(lambda: control_plane.ask("GET", path)["status"]["used"]["persistentvolumeclaims"] == "6", 60)
    for identifier in hashes:
        assert router.request("DELETE", f"/api/sessions/{identifier}").status == 204
    router.stop()


def test_as_much_as_is_kept_of_what_was_said_is_no_more_than_a_secret_takes(router, cluster, session):
    identifier = session["hash"]
    secret = pod_secret(cluster, identifier)
    for number in range(100):
        answer = router.pod_call(identifier, "progress", {
            "type": "message.user", "partID": f"p{number}", "messageID": f"m{number}", "sessionID": "ses_1",
            "text": "é" * 16000, "time": number}, secret=secret)
        assert answer.status in (200, 413), answer

    def stored():
        found = cluster.store.get("secrets", f"opencode-messages-{identifier}")
        return found and "p99" in base64.b64decode(found["data"]["messages.json"]).decode()

    eventually(stored)


def test_deleting_it_deletes_everything_and_the_collector_finds_nothing_of_it(router, cluster, session):
    identifier = session["hash"]
    assert router.request("DELETE", f"/api/sessions/{identifier}").status == 204
    for kind in ("pods", "persistentvolumeclaims"):
        assert cluster.store.all(kind) == []
    eventually(lambda: not [
        each for each in cluster.store.all("secrets") if identifier in each["metadata"]["name"]], 60)


def test_what_a_session_owns_goes_with_its_claim(start_in, make_cluster, repositories):
    cluster = make_cluster()
    router = start_in(cluster)
    session = router.create(repositories.story, "main")
    identifier = session["hash"]
    secret = pod_secret(cluster, identifier)
    assert router.pod_call(identifier, "progress", {
        "type": "message.user", "partID": "p", "messageID": "m", "sessionID": "s", "text": "said", "time": 1},
        secret=secret).status == 200
    eventually(lambda: cluster.store.get("secrets", f"opencode-messages-{identifier}"), 30)
    router.stop()
    # Nobody is there who would clean up but the cluster itself.
    cluster.delete("pods", f"opencode-session-{identifier}")
    cluster.delete("persistentvolumeclaims", f"opencode-pvc-{identifier}")
    eventually(lambda: not cluster.claims() and not cluster.store.get("secrets", f"opencode-messages-{identifier}"), 90)
