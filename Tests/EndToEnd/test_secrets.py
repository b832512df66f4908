"""Secrets are planted everywhere a request or a setting can carry one, and then looked for where none may be."""

import base64
import re
import subprocess

import pytest

from harness.http1 import Connection, Truncated
from harness.router import binary, clean_environment
from harness.waiting import eventually

ALICE = "alice@example.com"
KEY, NEXT_KEY, ADMIN = "planted-gateway-key-0123456789", "planted-next-key-0123456789", "planted-admin-secret-01"
# Every planted value contains this word, plainly or in Basic's coding, in which it may start at three places.
MARK = "planted-"
CODED = [base64.b64encode(b"x" * shift + MARK.encode())[2:9].decode() for shift in range(3)]


@pytest.fixture(scope="module")
def router(start_router):
    router = start_router(
        DEVELOPMENT=None, DEV_EMAIL=None, ROUTER_DOMAIN="example.test", ROUTER_PROTO="http", BIND_ADDRESS="127.0.0.1",
        PICKER_HOST="code.example.test", AUTH_SECRET=f"{KEY} {NEXT_KEY}", ADMIN_SECRET=ADMIN, LOG_LEVEL="trace",
        ACCESS_LOG="true", DEBUG_HEADERS="true")
    router.identity = lambda email=None: {"X-Gateway-Key": KEY, "X-Auth-Request-Email": email or ALICE}
    return router


PLANTED = {
    "Cookie": "_oauth2_proxy=planted-cookie; other=planted-other-cookie", "Authorization": "Bearer planted-bearer",
    "X-Auth-Request-Access-Token": "planted-token", "X-Forwarded-Access-Token": "planted-forwarded-token",
    "X-Admin-Secret": "planted-wrong-admin-secret", "X-Pod-Secret": "planted-pod-secret",
    "X-Attach-Password": "planted-attach-password", "Referer": "http://code.example.test/?planted-referer",
}
BASIC = {"Authorization": "Basic " + base64.b64encode(b"opencode:planted-password").decode()}


def assert_unseen(text, where):
    found = re.search("|".join([MARK, *CODED]), text)
    assert not found, f"{where}: …{text[max(0, found.start() - 200):found.end() + 200]}…"


@pytest.fixture(scope="module")
def answers(router, repositories):
    """What came back from requests that carry secrets and mostly fail, as (what was asked, answer as text)."""
    session = router.create(repositories.story, "main")
    identifier, host = session["hash"], router.session_host(session)
    router.api("POST", "/user/secret", {"secrets": {"MY_KEY": "planted-variable"}})
    broken = "not-json planted-body"
    asked = [
        ("GET", "/?q=planted-query", router.host, PLANTED, None),
        ("GET", "/nowhere/planted-path?planted-query", router.host, BASIC, None),
        ("GET", "/api/me?token=planted-query", router.host, PLANTED, None),
        ("GET", "/api/user/secret", router.host, PLANTED, None),
        ("GET", "/api/user/repos", router.host, {}, None),
        ("GET", f"/api/sessions/{identifier}/log", router.host, PLANTED, None),
        ("POST", "/api/sessions", router.host, PLANTED, broken.encode()),
        ("POST", "/api/sessions", router.host, BASIC, {"repoUrl": "https://u:planted-pw@h.test/a", "branch": "x"}),
        ("POST", "/api/sessions", router.host, PLANTED, {"repoUrl": 1, "branch": ["planted-branch"]}),
        ("PUT", "/api/user/secret/NOT-A-NAME", router.host, PLANTED, {"value": "planted-value"}),
        ("PUT", "/api/user/secret/FINE", router.host, PLANTED, {"value": ["planted-value"]}),
        ("PUT", "/api/user/secret/OTHER", router.host, PLANTED, {"value": "planted-value"}),
        ("POST", "/api/user/secret", router.host, PLANTED, {"secrets": {"A B": "planted-value"}}),
        ("POST", "/api/admin/pull-image", router.host, PLANTED, {"image": "x"}),
        ("POST", "/api/admin/pull-image", router.host, {"X-Admin-Secret": ADMIN}, {"image": "x"}),
        ("POST", f"/api/sessions/{identifier}/progress", router.host, PLANTED, {"type": "x"}),
        ("GET", "/global/health?planted-query", host, PLANTED, None),
        ("GET", "/x?planted-query", "000000000000.example.test", PLANTED, None),
        ("GET", "/?planted-query", "elsewhere.example.org", PLANTED, None),
        ("GET", "/?password=planted-password", f"attach-{identifier}.example.test", BASIC, None),
        ("GET", "/x", f"5999-{identifier}.example.test", PLANTED, None),
        ("GET", "/api/me", router.host, {**PLANTED, "Cookie": "_oauth2_a=planted-1; _oauth2_a=planted-2"}, None),
        ("GET", "/api/me", router.host, {"X_Gateway_Key": "planted-look-alike"}, None),
        ("GET", "/api/me", router.host, {"X-Gateway-Key": "planted-wrong-key"}, None),
        ("GET", "/api/me", router.host, {"X-Auth-Request-Email": "planted-a@b@c"}, None),
        ("GET", "/api/me", router.host, {"X-Gateway-Key": NEXT_KEY}, None),
        ("GET", "/api/me", router.host, {"Origin": "http://planted-origin.example"}, None),
        ("GET", "/api/me", router.host, {"planted name": "x"}, None),
        ("GET", "/api/me", router.host, {"Transfer-Encoding": "planted-coding"}, None),
        ("GET", "/api/me", router.host, {"X-Long": "planted-" + "x" * 70_000}, None),
    ]
    found = []
    for method, target, at, fields, body in asked:
        try:
            answer = router.request(method, target, at, fields, body)
        except Truncated:
            continue
        found.append((f"{method} {at}{target} {str(fields)[:80]}", answer.status, f"{answer.fields} {answer.text}"))
    # On the listener for tools: wrong passwords by every way.
    if router.attach_port:
        for fields in (BASIC, PLANTED):
            with Connection(router.attach_port) as connection:
                answer = connection.request(
                    "GET", "/x?password=planted-password", f"attach-{identifier}.example.test", fields)
                found.append(("attach", answer.status, f"{answer.fields} {answer.text}"))
    with router.connect() as connection:
        connection.send(b"planted-method / planted\r\nplanted\r\n\r\n")
        found.append(("no HTTP", 400, connection.read_response().text))
    return found


def test_no_answer_repeats_a_secret(answers):
    assert len(answers) > 25
    assert {status for _, status, _ in answers} >= {200, 400, 401, 403, 404, 421}, answers
    for what, _, text in answers:
        assert_unseen(text, what)


def test_no_line_of_the_log_tells_a_secret(router, answers):
    # Lines are written behind the answers.
    eventually(lambda: router.log_path.read_text().count("access") > 20)
    assert_unseen(router.log_path.read_text(), "the log")


def test_no_metric_tells_a_secret(router, answers):
    metrics = router.operations("/metrics").text
    assert "opencode_router_requests_total" in metrics
    assert_unseen(metrics, "metrics")
    assert ALICE not in metrics


def test_neither_the_settings_nor_their_problems_tell_a_secret():
    told = subprocess.run(
        [binary(), "check-config"], capture_output=True, text=True, timeout=30, env=clean_environment(
            ROUTER_DOMAIN="example.test", AUTH_SECRET=KEY, ADMIN_SECRET=ADMIN, PORT="planned-wrong", SESSION_RUNTIME="local"))
    assert "PORT" in told.stdout + told.stderr
    assert_unseen(told.stdout + told.stderr, "check-config")


def test_no_process_s_command_line_or_git_configuration_holds_a_secret(router, answers):
    for _, command in router.descendants():
        assert_unseen(command, "a command line")
    for config in (router.folder / "state").rglob("config"):
        assert_unseen(config.read_text(errors="replace"), config)
