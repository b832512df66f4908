"""The original's routes through the real binary: each row's method, path, status and shape, by who asks."""

import pytest

OWNER = "owner@example.test"
STRANGER = "stranger@example.test"
KEY = {"X-Admin-Secret": "an-administrators-key"}


@pytest.fixture(scope="module")
def router(start_router):
    return start_router(ADMIN_SECRET=KEY["X-Admin-Secret"], TRUSTED_PROXIES="127.0.0.1", DEV_EMAIL=None)


@pytest.fixture(scope="module")
def session(router, repositories):
    return router.create(repositories.story, "main", email=OWNER)


def members(answer):
    found = answer.json()
    return set(found) if isinstance(found, dict) else {type(found)}


# Method, path, body, fields of the request; the owner's status and members; the stranger's status.
ROWS = [
    ("GET", "/sessions", None, {}, 200, {"email", "sessions"}, 200),
    ("GET", "/sessions/{hash}", None, {}, 200,
     {"hash", "email", "repoUrl", "branch", "sourceBranch", "state", "url", "lastActivity", "createdAt",
      "idleTimeoutMinutes"}, 404),
    ("GET", "/sessions/{hash}/ports", None, {}, 200, {"ports"}, 404),
    ("POST", "/sessions/{hash}/resume", {}, {}, 200, {"hash", "state", "url"}, 404),
    ("POST", "/sessions", b"not json", {"Content-Type": "application/json"}, 400, {"error", "code"}, 400),
    ("GET", "/sessions/suggest-branch", None, {}, 400, {"error", "code"}, 400),
    ("GET", "/user/secret", None, {}, 200, {"hasSecret", "keys"}, 200),
    ("POST", "/user/secret", {"secrets": {"A_KEY": "a value"}}, {}, 200, {"success", "keys"}, 200),
    ("POST", "/user/secret", {"secrets": ["A_KEY"]}, {}, 400, {"error", "code"}, 400),
    ("POST", "/user/secret", {"secrets": {"A_KEY": 1}}, {}, 400, {"error", "code"}, 400),
    ("POST", "/user/secret", {"secrets": {"": "x"}}, {}, 400, {"error", "code"}, 400),
    ("DELETE", "/user/secret", None, {}, 200, {"success"}, 200),
    ("GET", "/user/repos", None, {}, 401, {"error", "code"}, 401),
    ("GET", "/user/repos/branches?repo=o/r", None, {}, 401, {"error", "code"}, 401),
    ("GET", "/admin/sessions", None, KEY, 200, {"sessions"}, 200),
    ("GET", "/admin/sessions", None, {"X-Admin-Secret": "wrong"}, 403, {"error", "code"}, 403),
    # What it answers where sessions are pods: Tests/Kubernetes/test_pull_image.py.
    ("POST", "/admin/pull-image", {"image": "a:1"}, KEY, 501, {"error", "code"}, 501),
    ("POST", "/admin/pull-image", {"image": "a:1"}, {"X-Admin-Secret": "wrong"}, 403, {"error", "code"}, 403),
]


@pytest.mark.parametrize("who", ["owner", "stranger"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]} {row[4]}")
def test_a_route_answers_as_the_original_s(router, session, row, who):
    method, path, body, fields, status, shape, foreign = row
    answer = router.request(
        method, "/api" + path.format(hash=session["hash"]), fields=fields, body=body,
        email=STRANGER if who == "stranger" else OWNER)
    assert answer.status == (status if who == "owner" else foreign), answer
    if who == "stranger" and foreign == 404:
        shape = {"error", "code"}
    assert shape <= members(answer), answer


def test_only_its_owner_deletes_a_session(router, repositories):
    session = router.create(repositories.story, "feature/one", running=False, email=OWNER)
    target = f"/api/sessions/{session['hash']}"
    assert router.request("DELETE", target, email=STRANGER).status == 404
    answer = router.request("DELETE", target, email=OWNER)
    assert answer.status == 204 and answer.body == b""


def test_values_of_variables_never_come_out(router):
    router.api("POST", "/user/secret", {"secrets": {"A_KEY": "planted-value"}}, email=OWNER)
    answer = router.request("GET", "/api/user/secret", email=OWNER)
    assert answer.json()["keys"] == ["A_KEY"] and b"planted-value" not in answer.body
