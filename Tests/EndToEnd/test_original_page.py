"""The original's page against this router: the requests that it makes, in its order, read as strictly as it reads them.

The page itself is not ours to ship; what follows is what it asks when somebody loads it, makes a session, watches it start,
opens it, leaves it, comes back, ends it, and sets variables.
"""

import json
import urllib.parse

import pytest

from harness.http1 import EventStream

OWNER = "owner@example.test"
# The members that the page insists on, and their types; whatever else is there it passes over.
TEXT, NUMBER = str, (int, float)
SESSION = {
    "hash": TEXT, "email": TEXT, "repoUrl": TEXT, "branch": TEXT, "sourceBranch": TEXT, "state": TEXT,
    "url": (str, type(None)), "lastActivity": TEXT, "createdAt": TEXT, "idleTimeoutMinutes": NUMBER}
OPTIONAL = {"attachUrl": TEXT, "editorUrl": TEXT, "description": TEXT, "title": TEXT}
MESSAGE = {"partID": TEXT, "messageID": TEXT, "sessionID": TEXT, "role": TEXT, "text": TEXT, "time": NUMBER}


def reads(value, shape, optional={}):
    for name, kind in shape.items():
        assert isinstance(value[name], kind), (name, value)
    for name, kind in optional.items():
        assert name not in value or isinstance(value[name], kind), (name, value)
    return value


class Page:
    """A browser's tab with the original's page: same origin, and no field that a script could not set."""

    def __init__(self, router):
        self.router = router
        self.open = []

    def fetch(self, method, path, body=None):
        fields = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
        return self.router.request(method, path, fields=fields, body=body, email=OWNER)

    def source(self, path):
        """An EventSource."""
        connection = self.router.connect(timeout=60)
        self.open.append(connection)
        stream = EventStream(connection, path, self.router.host, {
            **self.router.identity(OWNER), "Sec-Fetch-Site": "same-origin", "Cache-Control": "no-cache"})
        assert stream.response.status == 200 and stream.response.fields["Content-Type"].startswith("text/event-stream")
        return ((name, json.loads(data)) for name, data in stream.events(60) if name)

    def close(self):
        for connection in self.open:
            connection.close()


@pytest.fixture(scope="module")
def router(start_router):
    return start_router(TRUSTED_PROXIES="127.0.0.1", DEV_EMAIL=None)


@pytest.fixture
def page(router):
    page = Page(router)
    yield page
    page.close()


def lists(events, until):
    """The page's list after each event that it can read: one with a state that it does not know it passes over."""
    for name, data in events:
        assert name == "sessions"
        reads(data, {"email": TEXT, "sessions": list})
        if any(session["state"] not in ("creating", "running", "stopped") for session in data["sessions"]):
            continue
        found = [reads(session, SESSION, OPTIONAL) for session in data["sessions"]]
        if until(found):
            return found
    raise AssertionError("the list never came to that")


def test_a_day_with_the_original_s_page(router, page, repositories):
    # It loads: the document, the names of variables, the list as a stream.
    document = router.request("GET", "/", email=OWNER, fields={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"})
    assert document.status == 200 and document.fields["Content-Type"].startswith("text/html")
    assert reads(page.fetch("GET", "/api/user/secret").json(), {"hasSecret": bool, "keys": list})["keys"] == []
    stream = page.source("/api/sessions/stream")
    assert lists(stream, lambda _: True) == []

    # Somebody writes a repository: a name is suggested; repositories need a token and are done without.
    assert page.fetch("GET", "/api/user/repos").status == 401
    query = urllib.parse.urlencode({"repoUrl": repositories.story})
    branch = page.fetch("GET", f"/api/sessions/suggest-branch?{query}").json()["branch"]
    wish = {"repoUrl": repositories.story, "branch": branch, "sourceBranch": "main", "initialMessage": "Look around"}
    made = page.fetch("POST", "/api/sessions", wish)
    assert 200 <= made.status < 300
    identifier = made.json()["hash"]
    assert made.json()["url"] is None and made.json()["state"] == "creating"

    # The loading screen: five steps, then the address.
    told = list(page.source(f"/api/sessions/{identifier}/events"))
    stages = [reads(data, {"stage": TEXT, "message": TEXT})["stage"] for name, data in told if name == "progress"]
    known = ["initializing", "configuring", "preparing", "starting", "readying"]
    assert stages == sorted(stages, key=known.index) and set(stages) <= set(known)
    assert {data["state"] for name, data in told if name == "state_change"} <= {"creating", "running"}
    name, complete = told[-1]
    assert name == "complete"
    (session,) = lists(stream, lambda found: found and found[0]["state"] == "running" and found[0]["url"])
    assert session["description"] == "Look around" and session["attachUrl"]

    # It opens, as a page of its own: in a frame, as the original showed it, it would be a page of another origin.
    host, _, path = complete["url"].split("://")[1].partition("/")
    shown = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-site"}
    for place, status in (("document", 200), ("iframe", 403)):
        answer = router.request("GET", "/" + path, host, email=OWNER, fields={**shown, "Sec-Fetch-Dest": place})
        assert answer.status == status, (place, answer)

    # The panel: what is said comes in live.
    thread = page.source(f"/api/sessions/{identifier}/progress/stream")
    name, snapshot = next(thread)
    assert name == "snapshot" and isinstance(snapshot["messages"], list)
    said = {"type": "message.user", "partID": "p1", "messageID": "m1", "sessionID": "ses_1", "text": "Hi", "time": 1}
    assert router.pod_call(identifier, "progress", said).json() == {"ok": True}
    message = next(data for name, data in thread if name == "message")
    assert reads(message, MESSAGE)["role"] == "user"

    # Idle: it stops. Its row is clicked: it resumes, without a body, and loads again.
    router.api("POST", f"/sessions/{identifier}/stop", email=OWNER)
    lists(stream, lambda found: found[0]["state"] == "stopped")
    resumed = page.fetch("POST", f"/api/sessions/{identifier}/resume")
    assert resumed.status == 200 and resumed.json()["hash"] == identifier
    assert list(page.source(f"/api/sessions/{identifier}/events"))[-1][0] == "complete"

    # A project without a repository stands in the list like any other.
    blank = page.fetch("POST", "/api/sessions", {"initialMessage": "From scratch"}).json()["hash"]
    lists(stream, lambda found: {one["hash"] for one in found} == {identifier, blank})

    # Both are ended; the rows go.
    for ended in (identifier, blank):
        answer = page.fetch("DELETE", f"/api/sessions/{ended}")
        assert answer.status == 204 and not answer.body
    lists(stream, lambda found: not found)


def test_variables_as_the_original_s_settings_set_them(router, page):
    assert page.fetch("GET", "/api/user/secret").json()["hasSecret"] is False
    answer = page.fetch("POST", "/api/user/secret", {"secrets": {"AN_API_KEY": "value"}})
    assert answer.status == 200 and answer.json() == {"success": True, "keys": ["AN_API_KEY"]}
    listed = page.fetch("GET", "/api/user/secret").json()
    assert listed["hasSecret"] is True and listed["keys"] == ["AN_API_KEY"]
    refused = page.fetch("POST", "/api/user/secret", {"secrets": {"PATH": "x"}})
    assert refused.status == 400 and isinstance(refused.json()["error"], str)
    answer = page.fetch("DELETE", "/api/user/secret")
    assert answer.status == 200 and answer.json()["success"] is True
