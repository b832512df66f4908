"""The owner's git token in a cluster: kept in the session's Secret, renewed there, told to the pod's git when it asks."""

import base64

import pytest

from harness import git_session
from harness.git_session import question, token
from harness.ports import reserve_port
from harness.waiting import eventually

OWNER = "owner@example.test"


@pytest.fixture(scope="module")
def settings(guarded):
    """What both replicas have; pods reach them through one address, which has to be known before they start."""
    port = reserve_port()
    return {
        "TRUSTED_PROXIES": "127.0.0.1", "DEV_EMAIL": None, "GIT_TOKEN_HOSTS": guarded.server,
        "ALLOWED_REPO_SCHEMES": "https", "SSL_CERT_FILE": guarded.authority, "POD_PORT": port,
        "OPENCODE_ROUTER_URL": f"http://127.0.0.1:{port}"}


@pytest.fixture(scope="module")
def router(start_in, cluster, guarded, settings):
    cluster.kubelet.image["GIT_SSL_CAINFO"] = str(guarded.authority)
    return start_in(cluster, **settings)


@pytest.fixture(scope="module")
def session(router, guarded):
    return git_session.started(router, guarded, OWNER, "first-token")


@pytest.fixture(scope="module")
def inside(router, cluster, session):
    environment = router.pod_environment(session["hash"])
    return environment, cluster.kubelet.volume(f"opencode-pvc-{session['hash']}") / "repo"


def stored(cluster, session):
    secret = cluster.store.get("secrets", f"opencode-github-{session['hash']}")
    return secret and base64.b64decode(secret["data"]["GITHUB_TOKEN"]).decode()


def test_the_clone_and_a_push_hours_later_use_the_token_of_their_time(router, cluster, guarded, session, inside):
    assert stored(cluster, session) == "first-token"
    # What the pod was started with is a fallback only: the clone has asked.
    assert router.wait_for_line("git token given to a session")["session"] == session["hash"]
    assert set(guarded.shown()) == {"oauth2:first-token"}
    guarded.accept("second-token")
    router.api("GET", "/sessions", email=OWNER, fields=token("second-token"))
    eventually(lambda: stored(cluster, session) == "second-token")
    git_session.push(*inside, "one")
    assert guarded.shown()[-1] == "oauth2:second-token"
    assert inside[0]["OPENCODE_GIT_TOKEN"] == "first-token"


def test_another_replica_answers_as_well(router, start_in, cluster, guarded, session, settings):
    other = start_in(cluster, **{**settings, "POD_PORT": 0})
    secret = router.pod_environment(session["hash"])["OPENCODE_POD_SECRET"]
    answer = other.pod_call(session["hash"], "git-credential", question(guarded.server).encode(), secret=secret)
    assert answer.status == 200 and answer.body == b"username=oauth2\npassword=second-token\n"
    assert other.pod_call(
        session["hash"], "git-credential", question("github.com").encode(), secret=secret).status == 404
    other.stop()


def test_the_token_is_on_the_session_s_disk_nowhere(inside, session):
    for path in inside[1].parent.rglob("*"):
        assert not path.is_file() or b"-token\n" not in path.read_bytes().replace(b"_token", b""), path
        assert not path.is_file() or b"second-token" not in path.read_bytes(), path


def test_a_router_that_is_away_leaves_the_token_of_the_start(guarded, session, inside):
    away = {**inside[0], "OPENCODE_ROUTER_URL": "http://127.0.0.1:1"}
    assert "password=first-token" in git_session.run(
        away, inside[1], "credential", "fill", text=question(guarded.server))


def test_a_session_that_is_deleted_takes_its_token_along_though_a_newer_one_comes(router, cluster, guarded, session):
    path = f"/sessions/{session['hash']}"
    eventually(lambda: router.api("GET", path, email=OWNER, fields=token("second-token"))["state"] == "running")
    assert router.request("DELETE", "/api" + path, email=OWNER, fields=token("third-token")).status == 204
    router.api("GET", "/sessions", email=OWNER, fields=token("fourth-token"))
    eventually(lambda: not cluster.store.get("persistentvolumeclaims", f"opencode-pvc-{session['hash']}"))
    assert stored(cluster, session) is None
