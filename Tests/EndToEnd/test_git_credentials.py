"""How a session's git comes by its owner's token: asked for at the moment of use, for the token's own server alone."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import git_session
from harness.git_session import question, token
from harness.repositories import git
from harness.waiting import eventually

OWNER = "owner@example.test"
STRANGER = "stranger@example.test"


@pytest.fixture(scope="module")
def router(start_router, guarded):
    return start_router(
        TRUSTED_PROXIES="127.0.0.1", DEV_EMAIL=None, GIT_TOKEN_HOSTS=guarded.server, ALLOWED_REPO_SCHEMES="https",
        SSL_CERT_FILE=guarded.authority, GIT_SSL_CAINFO=guarded.authority)


@pytest.fixture(scope="module")
def session(router, guarded):
    return git_session.started(router, guarded, OWNER, "first-token")


@pytest.fixture(scope="module")
def inside(router, session):
    """The environment of the session's processes, and its folder."""
    return (router.pod_environment(session["hash"]),
            router.folder / "state" / "sessions" / session["hash"] / "repo")


def ask(router, session, body, **options):
    """The answer to a session's question; tests ask faster than git, and wait when they are told to."""
    while (answer := router.pod_call(session["hash"], "git-credential", body.encode(), **options)).status == 429:
        time.sleep(0.2)
    return answer


def renewed(router, count):
    """Waits until so many tokens have been renewed."""
    eventually(lambda: sum(line.get("message") == "git token renewed" for line in router.lines()) >= count)


def test_a_push_uses_the_token_that_its_owner_brought_last(router, guarded, session, inside):
    git_session.push(*inside, "one")
    assert set(guarded.shown()) == {"oauth2:first-token"}
    guarded.accept("second-token")
    assert "Authentication failed" in git_session.push(*inside, "two", code=128)
    router.api("GET", "/sessions", email=OWNER, fields=token("second-token"))
    renewed(router, 1)
    git_session.run(*inside, "push", "origin", "HEAD")
    assert guarded.shown()[-1] == "oauth2:second-token"
    assert git("log", "--format=%s", "work", folder=guarded.folder / "story.git").splitlines()[:2] == ["two", "one"]


def test_a_token_that_comes_again_or_from_somebody_else_or_in_two_pieces_is_not_stored(router, guarded, session):
    before = ask(router, session, question(guarded.server)).body
    router.api("GET", "/sessions", email=STRANGER, fields=token("strange-token"))
    router.api("GET", f"/sessions/{session['hash']}", email=STRANGER, fields=token("strange-token"), status=404)
    with router.connect() as connection:
        connection.send(
            f"GET /api/sessions HTTP/1.1\r\nHost: {router.host}\r\nX-Auth-Request-Email: {OWNER}\r\n"
            "X-Auth-Request-Access-Token: a-token\r\nX-Auth-Request-Access-Token: another\r\n\r\n".encode())
        assert connection.read_response("GET").status == 200
    router.api("GET", "/sessions", email=OWNER, fields=token("second-token"))
    assert ask(router, session, question(guarded.server)).body == before
    assert sum(line.get("message") == "git token renewed" for line in router.lines()) == 1


def test_using_the_session_itself_brings_the_token_too(router, guarded):
    made = router.api(
        "POST", "/sessions", {"repoUrl": guarded.story, "branch": "other"}, email=OWNER, fields=token("second-token"))
    session = router.wait_for_state(made["hash"], "running", email=OWNER)
    host = router.session_host(session)
    answer = router.request("GET", "/global/health", host, email=OWNER, fields=token("third-token"))
    assert answer.status == 200
    eventually(lambda: b"password=third-token\n" in ask(router, session, question(guarded.server)).body)


def test_a_session_that_a_visit_woke_has_the_token_of_that_visitor(router, guarded):
    guarded.accept("second-token")
    made = router.api(
        "POST", "/sessions", {"repoUrl": guarded.story, "branch": "woken"}, email=OWNER, fields=token("second-token"))
    session = router.wait_for_state(made["hash"], "running", email=OWNER)
    router.api("POST", f"/sessions/{made['hash']}/stop", email=OWNER)
    router.wait_for_state(made["hash"], "stopped", email=OWNER)
    guarded.accept("fourth-token")
    page = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", **token("fourth-token")}
    host = router.session_host(session)
    assert router.request("GET", "/", host, page, email=OWNER).status == 503
    router.wait_for_state(made["hash"], "running", email=OWNER)
    # The page loads again by itself.
    assert router.request("GET", "/global/health", host, page, email=OWNER).status == 200
    eventually(lambda: b"password=fourth-token\n" in ask(router, session, question(guarded.server)).body)
    folder = router.folder / "state" / "sessions" / made["hash"] / "repo"
    git_session.push(router.pod_environment(made["hash"]), folder, "woken")
    assert guarded.shown()[-1] == "oauth2:fourth-token"
    guarded.accept("second-token")


def test_the_answer_is_git_s_own_and_kept_nowhere(router, guarded, session):
    answer = ask(router, session, question(guarded.server) + "path=x\nwwwauth[]=Basic\n\n")
    assert answer.status == 200 and answer.body == b"username=oauth2\npassword=second-token\n"
    assert answer.fields.all("Cache-Control") == ["no-store"]


@pytest.mark.parametrize("change", [
    lambda server: question("github.com"), lambda server: question("evil.example"),
    lambda server: question(server, "http"), lambda server: question(server, "HTTPS"),
    lambda server: question(server + "."), lambda server: question(server + ".evil.example"),
    lambda server: question("evil.example@" + server), lambda server: question(server + "@evil.example"),
    lambda server: question(server + "/evil"), lambda server: question("https://" + server),
    lambda server: question(server.split(":")[0]), lambda server: question(" " + server),
    lambda server: question("*"), lambda server: question(""), lambda server: question("ı" + server),
], ids=range(15))
def test_a_server_that_no_token_belongs_to_is_told_none(router, guarded, session, change):
    answer = ask(router, session, change(guarded.server))
    assert answer.status == 404 and answer.json()["code"] == "no_credential", answer
    assert b"token\n" not in answer.body and b"second" not in answer.body


@pytest.mark.parametrize("change", [
    lambda server: "", lambda server: f"host={server}\n", lambda server: "protocol=https\n",
    lambda server: f"protocol=https\nhost=evil.example\nhost={server}\n",
    lambda server: f"protocol=http\nprotocol=https\nhost={server}\n",
    lambda server: f"protocol=https\nhost={server}\r\n", lambda server: f"protocol=https\nhost={server}\0\n",
    lambda server: f"protocol=https\nhost=evil.example\rhost={server}\n",
    lambda server: f"url=https://{server}/\n", lambda server: f"protocol=https\nno attribute\nhost={server}\n",
    lambda server: f"\nprotocol=https\nhost={server}\n", lambda server: f"protocol=https\nhost={server}\npath={'x' * 5000}",
    lambda server: '{"protocol": "https"}',
], ids=range(13))
def test_what_is_no_question_of_git_s_is_refused(router, guarded, session, change):
    answer = ask(router, session, change(guarded.server))
    assert answer.status == 400 and answer.json()["code"] == "invalid_credential_question", answer


def test_only_the_session_s_own_secret_opens_it(router, guarded, session):
    for secret in ("", "0" * 64):
        assert ask(router, session, question(guarded.server), secret=secret).status == 401
    assert ask(router, session, question(guarded.server), method="GET").status == 405
    # It is no address of the people's API at all.
    path = f"/api/sessions/{session['hash']}/git-credential"
    assert router.request("POST", path, email=OWNER, body={}).status == 404


def test_git_itself_keeps_the_token_to_its_server(router, guarded, session, inside):
    # Answers of other helpers, and git's refusal to ask in a terminal, are all that is left.
    for server in ("github.com", "evil.example", f"evil.example%0ahost={guarded.server}"):
        for text in (question(server), f"url=https://{server}/x.git\n"):
            assert "token" not in git_session.run(*inside, "credential", "fill", text=text, code=None)
    assert "password=second-token" in git_session.run(*inside, "credential", "fill", text=question(guarded.server))


def test_a_session_that_asks_without_end_is_slowed_down(router, guarded, session, inside):
    question_of_it = question(guarded.server).encode()
    secret = router.pod_environment(session["hash"])["OPENCODE_POD_SECRET"]

    def ask(_):
        return router.pod_call(session["hash"], "git-credential", question_of_it, secret).status

    # Many at once: one after the other would be slow enough on a crowded machine.
    with ThreadPoolExecutor(16) as askers:
        assert set(askers.map(ask, range(100))) == {200, 429}
    # git is told all the same, a moment later.
    assert "password=second-token" in git_session.run(*inside, "credential", "fill", text=question(guarded.server))


def test_what_was_given_is_an_audit_line_and_no_token_is_in_the_log(router, guarded, session):
    line = router.wait_for_line("git token given to a session")
    assert line["email"] == OWNER and line["host"] == guarded.server and line["logger"] == "audit"
    log = router.log_path.read_bytes()
    for word in (b"first-token", b"second-token", b"third-token", b"strange-token"):
        assert word not in log
    for path in (router.folder / "state").rglob("*"):
        assert not path.is_file() or b"second-token" not in path.read_bytes(), path
