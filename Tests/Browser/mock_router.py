"""A stand-in for the router that the picker's tests script: the same API, states on command, faults on demand.

Run it by hand to look at the picker: ``python3 Tests/Browser/mock_router.py [--sessions 500] [--port 3999]``.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import mimetypes
import queue
import re
import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PUBLIC = Path(__file__).resolve().parents[2] / "Public"
STAGES = ["initializing", "configuring", "preparing", "starting", "readying"]
MESSAGES = {
    "initializing": "Session folder made",
    "configuring": "Settings written",
    "preparing": "Cloning into 'repo'…",
    "starting": "opencode serve started",
    "readying": "Waiting for /global/health",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
BRANCHES = ["main", "develop", "release/2.4", "feature/checkout", "fix/flaky-tests"]


def iso(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ago(**span: float) -> str:
    return iso(datetime.now(timezone.utc) - timedelta(**span))


class MockRouter:
    """The server and its knobs; every change reaches the streams at once."""

    def __init__(self, port: int = 0, email: str = "dana@example.com", admin: bool = True, stage_seconds: float = 0.25):
        self.email = email
        self.admin = admin
        self.stage_seconds = stage_seconds
        self.sessions: dict[str, dict] = {}
        self.secrets: dict[str, str] = {}
        self.logs: dict[str, str] = {}
        self.messages: dict[str, list[dict]] = {}
        """What was said, by session."""
        self.ports: dict[str, dict[int, dict]] = {}
        """What listens or is shared, by session and port."""
        self.requests: list[tuple[str, str, dict | None]] = []
        self.expired: str | None = None
        """How an ended sign-in shows: None, "401", "html" or "redirect"."""
        self.faults: dict[tuple[str, str], tuple[int, dict]] = {}
        """(method, path pattern) → the refusal to answer with."""
        self.missing: set[str] = set()
        """Path patterns of features that this router does not have."""
        self.fail_next: dict | None = None
        self.refuse_streams = False
        self.stale = False
        self.stopped = False
        self.hold = threading.Event()
        self.hold.set()
        self._lock = threading.RLock()
        self._listeners: set[queue.Queue] = set()
        handler = type("Handler", (_Handler,), {"router": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.host = f"localhost:{self.port}"
        self.url = f"http://{self.host}"

    def start(self) -> "MockRouter":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        self.stopped = True
        self.drop_streams()
        self._server.shutdown()
        self._server.server_close()

    # Sessions

    def add(self, repo: str | None, branch: str, state: str = "stopped", **more) -> str:
        text = f"{self.email}:{repo}:{branch}"
        hash_ = hashlib.sha256(text.encode()).hexdigest()[:12]
        at = more.pop("at", None) or (ago() if state == "creating" else ago(minutes=3))
        with self._lock:
            self.sessions[hash_] = {
                "hash": hash_, "email": self.email, "repoUrl": repo, "branch": branch, "sourceBranch": "main",
                "state": state, "url": self.address(hash_) if state == "running" else None, "lastActivity": at,
                "activity": {"at": at, "source": "created" if state == "creating" else "request"}, "createdAt": more.pop("createdAt", ago(hours=5)),
                "idleTimeoutMinutes": 15, "attachUrl": f"http://attach-{hash_}.{self.host}", **more,
            }
        self.tell()
        return hash_

    def address(self, hash_: str) -> str:
        return f"http://{hash_}.{self.host}/"

    def set(self, hash_: str, **fields) -> None:
        with self._lock:
            session = self.sessions[hash_]
            session.update(fields)
            if "state" in fields:
                session["url"] = self.address(hash_) if fields["state"] == "running" else None
                if fields["state"] != "creating":
                    session.pop("stage", None)
                if fields["state"] != "failed":
                    session.pop("failure", None)
        self.tell()

    def remove(self, hash_: str) -> None:
        with self._lock:
            self.sessions.pop(hash_, None)
        self.tell()

    def begin(self, hash_: str) -> None:
        """Walks a session through its stages, to running or to the failure that was asked for."""
        failure, self.fail_next = self.fail_next, None

        def walk() -> None:
            for stage in STAGES:
                self.hold.wait()
                if hash_ not in self.sessions or self.sessions[hash_]["state"] != "creating":
                    return
                self.logs[hash_] = self.logs.get(hash_, "") + MESSAGES[stage] + "\n"
                self.set(hash_, state="creating", stage=stage)
                time.sleep(self.stage_seconds)
                if failure and stage == "preparing":
                    self.set(hash_, state="failed", failure=failure)
                    return
            self.hold.wait()
            if hash_ in self.sessions and self.sessions[hash_]["state"] == "creating":
                self.set(hash_, state="running", lastActivity=ago(), activity={"at": ago(), "source": "resumed"})

        self.set(hash_, state="creating", stage="initializing", activity={"at": ago(), "source": "resumed"})
        threading.Thread(target=walk, daemon=True).start()

    def say(self, hash_: str, text: str, role: str = "assistant", part: str | None = None, at: float | None = None) -> None:
        """Something is said; a part that is known takes the new text."""
        with self._lock:
            said = self.messages.setdefault(hash_, [])
            known = next((one for one in said if one["partID"] == part), None) if part else None
            if known:
                known["text"] = text
            else:
                said.append({"type": f"message.{role}", "partID": part or f"part-{len(said)}", "messageID": f"message-{len(said)}",
                             "sessionID": "ses_1", "text": text, "time": int((at or time.time()) * 1000)})
        self.tell()

    def listening(self, hash_: str, port: int, detected: bool = True, **rule) -> dict:
        details = self.ports.setdefault(hash_, {}).setdefault(port, {
            "port": port, "url": f"http://{port}-{hash_}.{self.host}", "detected": detected, "visibility": "owner", "expiresAt": None})
        details.update(rule)
        return details

    # Streams

    def tell(self) -> None:
        with self._lock:
            for listener in self._listeners:
                listener.put(True)

    def drop_streams(self) -> None:
        with self._lock:
            for listener in self._listeners:
                listener.put(None)

    def listen(self) -> queue.Queue:
        listener: queue.Queue = queue.Queue()
        with self._lock:
            self._listeners.add(listener)
        return listener

    def unlisten(self, listener: queue.Queue) -> None:
        with self._lock:
            self._listeners.discard(listener)

    @property
    def streams(self) -> int:
        return len(self._listeners)

    def snapshot(self) -> bytes:
        with self._lock:
            return json.dumps({"email": self.email, "sessions": list(self.sessions.values()),
                               "stale": self.stale}).encode()

    def did(self, method: str, pattern: str) -> list[dict | None]:
        """The bodies of the requests that were made so far."""
        return [body for verb, path, body in self.requests if verb == method and re.fullmatch(pattern, path)]


class _Handler(BaseHTTPRequestHandler):
    router: MockRouter
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.dispatch("GET")

    def do_POST(self) -> None:
        self.dispatch("POST")

    def do_PUT(self) -> None:
        self.dispatch("PUT")

    def do_DELETE(self) -> None:
        self.dispatch("DELETE")

    def dispatch(self, method: str) -> None:
        if self.router.stopped:
            # Connections that were kept open end with the router, without an answer.
            self.close_connection = True
            return
        try:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length) if length else b""
            self.body = json.loads(raw) if raw else None
            parts = urlsplit(self.path)
            self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            host = self.headers.get("Host", "")
            session = re.match(r"([0-9a-f]{12})\.localhost", host)
            if session:
                self.session_host(session.group(1))
            elif parts.path.startswith("/api/"):
                self.router.requests.append((method, parts.path, self.body))
                self.api(method, parts.path)
            else:
                self.site(parts.path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, status: int, body: bytes | str | dict | list = b"", type_: str = "application/json", **headers: str) -> None:
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        elif isinstance(body, str):
            body = body.encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", type_)
            self.send_header("Content-Length", str(len(body)))
        for name, value in {"Cache-Control": "no-store", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    # The site

    def site(self, path: str) -> None:
        if path in ("/", "/settings", "/admin") or re.fullmatch(r"/session/[0-9a-f]{12}", path):
            path = "/index.html"
        file = (PUBLIC / path.lstrip("/")).resolve()
        status = 200
        if not file.is_file() or PUBLIC not in file.parents:
            file, status = PUBLIC / "404.html", 404
        type_ = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self.answer(status, file.read_bytes(), f"{type_}; charset=utf-8" if type_.startswith("text/") else type_,
                    Content_Security_Policy=POLICY, X_Content_Type_Options="nosniff", Cache_Control="no-cache")

    def session_host(self, hash_: str) -> None:
        session = self.router.sessions.get(hash_)
        if not session:
            self.answer(404, "No such session.", "text/plain")
        elif session["state"] == "running":
            self.answer(200, f"<!doctype html><title>Session</title><h1>Session {hash_}</h1><p id=path>{self.path}</p>", "text/html")
        elif self.headers.get("Sec-Fetch-Mode") != "navigate":
            # Whoever does not navigate learns the state and wakes nothing.
            state = "starting" if session["state"] == "creating" else session["state"]
            self.refuse(503, "session_not_ready", f"The session is {state}, not ready.")
        elif session["state"] == "failed":
            self.page("failed.html")
        else:
            if session["state"] == "stopped":
                self.router.begin(hash_)
            self.page("starting.html")

    def page(self, name: str) -> None:
        """One of the pages of sleeping sessions, with the policy that the router gives it."""
        text = (PUBLIC / name).read_text().replace("{{picker}}", self.router.url)

        def digest(element: str) -> str:
            content = re.search(f"<{element}>(.*?)</{element}>", text, re.S).group(1)
            return "'sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() + "'"

        policy = (f"default-src 'none'; style-src {digest('style')}; script-src {digest('script')}; connect-src 'self'; "
                  "base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
        self.answer(503, text, "text/html; charset=utf-8", Retry_After="2", Content_Security_Policy=policy)

    # The API

    def refuse(self, status: int, code: str, message: str, hint: str = "") -> None:
        self.answer(status, {"error": message, "code": code, **({"hint": hint} if hint else {})})

    def api(self, method: str, path: str) -> None:
        router = self.router
        if router.expired == "401":
            return self.answer(401, "Missing user identity", "text/plain")
        if router.expired == "html":
            return self.answer(200, "<!doctype html><title>Sign in</title>", "text/html")
        if router.expired == "redirect":
            return self.answer(302, b"", "text/html", Location="https://login.example.com/")
        for pattern in router.missing:
            if re.fullmatch(pattern, path):
                return self.refuse(404, "not_found", "There is no such resource.")
        for (verb, pattern), (status, body) in list(router.faults.items()):
            if verb == method and re.fullmatch(pattern, path):
                return self.answer(status, body)
        if path == "/api/me":
            return self.answer(200, {"email": router.email, "admin": router.admin,
                                     "limits": {"sessions": 20, "running": 5, "runningTotal": 50, "idleTimeoutMinutes": 15,
                                                "maximumIdleTimeoutMinutes": 480}})
        if path == "/api/version":
            return self.answer(200, {"version": "1.0.0"})
        if path == "/api/sessions" and method == "GET":
            return self.answer(200, router.snapshot())
        if path == "/api/sessions" and method == "POST":
            return self.create()
        if path == "/api/sessions/stream":
            return self.stream(None)
        if path == "/api/sessions/suggest-branch":
            return self.answer(200, {"branch": "calm-otter-42"})
        if path == "/api/user/repos":
            return self.answer(200, [
                {"name": name, "fullName": f"acme/{name}", "url": f"https://github.com/acme/{name}",
                 "isPrivate": private, "defaultBranch": "main"}
                for name, private in [("webshop", True), ("design-system", False), ("payments", True), ("docs", False)]])
        if path == "/api/user/repos/branches":
            return self.answer(200, [{"name": name} for name in BRANCHES])
        if path == "/api/admin/sessions":
            return self.admin_sessions()
        if path == "/api/user/secret" or path.startswith("/api/user/secret/"):
            return self.secret(method, path)
        match = re.fullmatch(r"/api/sessions/([0-9a-f]{12})/ports(?:/(\d+))?", path)
        if match and match.group(1) in router.sessions:
            return self.port(method, match.group(1), match.group(2))
        match = re.fullmatch(r"/api/sessions/([0-9a-f]{12})(?:/([a-z-]+|progress/stream))?", path)
        if match:
            return self.session(method, match.group(1), match.group(2))
        self.refuse(404, "not_found", "There is no such resource.")

    def create(self) -> None:
        wish = self.body or {}
        repo = wish.get("repoUrl")
        if repo and "forbidden.example" in repo:
            return self.refuse(400, "repo_host_not_allowed", "Repositories on forbidden.example are not allowed here.",
                               "Allowed are github.com and gitlab.com.")
        if wish.get("sourceBranch") == "nowhere":
            return self.refuse(400, "source_branch_not_found", f'Branch "nowhere" not found on {repo}.')
        hash_ = self.router.add(repo, wish["branch"], "creating", sourceBranch=wish.get("sourceBranch") or "main",
                                description=wish.get("initialMessage"), createdAt=ago(), at=ago())
        self.router.begin(hash_)
        self.answer(201, {"hash": hash_, "url": None, "state": "creating"})

    def session(self, method: str, hash_: str, verb: str | None) -> None:
        router = self.router
        session = router.sessions.get(hash_)
        if not session:
            return self.refuse(404, "session_not_found", "There is no such session.")
        if method == "GET" and verb is None:
            return self.answer(200, session)
        if method == "DELETE" and verb is None:
            time.sleep(0.15)
            router.remove(hash_)
            return self.answer(204)
        if method == "POST" and verb == "stop":
            router.set(hash_, state="stopping")

            def end() -> None:
                time.sleep(0.4)
                router.hold.wait()
                if hash_ in router.sessions:
                    router.set(hash_, state="stopped")

            threading.Thread(target=end, daemon=True).start()
            return self.answer(200, {"hash": hash_, "state": "stopping", "url": None})
        if method == "POST" and verb == "resume":
            if session["state"] != "running":
                router.begin(hash_)
            return self.answer(200, {"hash": hash_, "state": "creating", "url": None})
        if method == "POST" and verb == "keep-alive":
            router.set(hash_, lastActivity=ago(), activity={"at": ago(), "source": "keep-alive"})
            return self.answer(200, session)
        if method == "PUT" and verb == "idle-timeout":
            router.set(hash_, idleTimeoutMinutes=self.body["minutes"])
            return self.answer(200, {"hash": hash_, "idleTimeoutMinutes": self.body["minutes"]})
        if verb == "events":
            return self.stream(hash_)
        if verb == "progress/stream":
            return self.stream(hash_, self.progress_events)
        if verb == "log":
            return self.answer(200, router.logs.get(hash_, ""), "text/plain; charset=utf-8")
        if verb == "attach-info":
            return self.answer(200, {"hash": hash_, "attachUrl": session["attachUrl"], "attachPassword": "0" * 32})
        self.refuse(404, "not_found", "There is no such resource.")

    def port(self, method: str, hash_: str, port: str | None) -> None:
        router = self.router
        ports = router.ports.setdefault(hash_, {})
        if port is None:
            return self.answer(200, {"ports": [one for one in ports if ports[one]["detected"]],
                                     "details": [ports[one] for one in sorted(ports)]})
        if int(port) in (4096, 7681, 9222):
            return self.refuse(400, "invalid_port", "A port is a number from 1024 to 65535; these belong to the session itself.")
        known = int(port) in ports
        details = router.listening(hash_, int(port), detected=False)
        if method == "DELETE" or self.body["visibility"] == "owner":
            details.update(visibility="owner", expiresAt=None)
            if not details["detected"] or not known:
                ports.pop(int(port), None)
        else:
            minutes = self.body.get("expiresInMinutes")
            details.update(visibility=self.body["visibility"], expiresAt=ago(minutes=-minutes) if minutes else None)
        self.answer(200, details)

    def secret(self, method: str, path: str) -> None:
        secrets = self.router.secrets
        name = path.removeprefix("/api/user/secret").removeprefix("/")
        if method == "GET":
            return self.answer(200, {"hasSecret": bool(secrets), "keys": sorted(secrets)})
        if method == "PUT" and name:
            if name in ("PATH", "LD_PRELOAD"):
                return self.refuse(400, "name_not_allowed", f"{name} would change how the session itself runs.")
            secrets[name] = self.body["value"]
            return self.answer(200, {"success": True, "keys": sorted(secrets)})
        if method == "POST":
            secrets.clear()
            secrets.update(self.body["secrets"])
            return self.answer(200, {"success": True, "keys": sorted(secrets)})
        if method == "DELETE":
            if name:
                secrets.pop(name, None)
            else:
                secrets.clear()
            return self.answer(200, {"success": True})
        self.refuse(405, "method_not_allowed", "That cannot be done here.")

    def admin_sessions(self) -> None:
        if not self.router.admin:
            return self.refuse(403, "forbidden", "Only administrators may do this.")
        others = ["kim@example.com", "lee@example.com", "robin@example.com"]
        sessions = [dict(one, node=f"node-{index % 3 + 1}") for index, one in enumerate(self.router.sessions.values())]
        for index, owner in enumerate(others):
            sessions.append({
                "hash": f"{index:012x}", "email": owner, "repoUrl": "https://github.com/acme/payments",
                "branch": f"spike-{index}", "state": ["running", "stopped", "running"][index], "createdAt": ago(days=index + 1),
                "lastActivity": ago(minutes=7 * index + 1), "node": "node-2"})
        self.answer(200, {"sessions": sessions, "limits": {"runningTotal": 50}})

    def stream(self, hash_: str | None, events=None) -> None:
        router = self.router
        if router.refuse_streams:
            return self.answer(502, "Bad Gateway", "text/plain")
        listener = router.listen()
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-cache")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            if hash_ is None:
                self.list_events(listener)
            else:
                (events or self.session_events)(listener, hash_)
        finally:
            router.unlisten(listener)

    def event(self, name: str, data: bytes | dict) -> None:
        payload = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.wfile.write(b"event: " + name.encode() + b"\ndata: " + payload + b"\n\n")
        self.wfile.flush()

    def wait(self, listener: queue.Queue) -> bool:
        try:
            first = listener.get(timeout=15)
        except queue.Empty:
            self.wfile.write(b": ping\n\n")
            self.wfile.flush()
            return True
        while first is not None:
            try:
                first = listener.get_nowait()
            except queue.Empty:
                return True
        return False

    def list_events(self, listener: queue.Queue) -> None:
        while True:
            self.event("sessions", self.router.snapshot())
            # As the router does: what changes within a tenth of a second is told together.
            time.sleep(0.1)
            if not self.wait(listener):
                return

    def progress_events(self, listener: queue.Queue, hash_: str) -> None:
        told: dict[str, dict] | None = None
        while True:
            said = [dict(one) for one in self.router.messages.get(hash_, [])]
            if told is None:
                title = self.router.sessions[hash_].get("title")
                self.event("snapshot", {**({"title": title} if title else {}), "messages": said})
            else:
                for one in said:
                    if told.get(one["partID"]) != one:
                        self.event("message", one)
            told = {one["partID"]: one for one in said}
            if not self.wait(listener):
                return

    def session_events(self, listener: queue.Queue, hash_: str) -> None:
        stage = state = None
        while True:
            session = self.router.sessions.get(hash_)
            if not session:
                return self.event("error", {"message": "session not found", "code": "session_not_found", "hint": None})
            if session["state"] != state:
                state = session["state"]
                self.event("state_change", {"state": state})
            if session.get("stage") and session["stage"] != stage:
                stage = session["stage"]
                self.event("progress", {"stage": stage, "message": MESSAGES[stage]})
            if state == "running":
                return self.event("complete", {"url": session["url"]})
            if state == "failed":
                return self.event("error", {name: session["failure"][name] for name in ("message", "code", "hint")})
            if not self.wait(listener):
                return


CLONE_FAILURE = {
    "code": "clone_failed",
    "message": "git could not clone https://github.com/acme/webshp.",
    "hint": "Check the address, and that the repository is public or your sign-in may read it.",
    "log": "Cloning into 'repo'...\nremote: Repository not found.\nfatal: repository 'https://github.com/acme/webshp/' not found",
}


CONVERSATION = [
    (38, "user", "Users on Safari end up in a redirect loop after signing in. Find out why and fix it."),
    (37, "assistant", "I will look at how the session cookie is set, and at what Safari makes of it."),
    (31, "assistant", "The cookie is set with SameSite=None but without Secure on the callback. Safari drops it, the next page finds no "
     "sign-in and redirects again.\n\nThe fix is one line in src/auth/cookies.ts; I am adding a test that signs in with WebKit."),
    (6, "user", "Good. Does the preview work, too?"),
    (2, "assistant", "Yes: it listens on port 5173. The test passes with WebKit and Chromium."),
]


def seed(router: MockRouter, many: int = 0) -> None:
    """A list as somebody has it after a week of work."""
    shop, pay, docs = (f"https://github.com/acme/{name}" for name in ("webshop", "payments", "docs"))
    login = router.add(shop, "fix-login-loop", "running", title="Fix the login redirect loop in Safari",
                       description="Users on Safari end up in a redirect loop after signing in. Find out why and fix it.",
                       at=ago(minutes=2), createdAt=ago(hours=2), sessionId="ses_1a2b3c")
    router.sessions[login]["editorUrl"] = f"http://editor-{login}.{router.host}/"
    now = time.time()
    for minutes, role, text in CONVERSATION:
        router.say(login, text, role, at=now - 60 * minutes)
    router.listening(login, 5173)
    router.listening(login, 8080, visibility="public", expiresAt=ago(minutes=-55))
    router.add(pay, "retry-webhooks", "running", title="Retry failed webhooks with back-off", keptBecause="agent_busy",
               at=ago(seconds=20), createdAt=ago(minutes=40), dirty=True, unpushed=2)
    router.add("https://gitlab.example.org/platform/infra", "calm-otter-42", "creating", stage="preparing",
               description="Upgrade the ingress to v3", at=ago(seconds=30), createdAt=ago(seconds=30))
    router.add("https://github.com/acme/webshp", "swift-heron-11", "failed", failure=CLONE_FAILURE,
               at=ago(minutes=50), createdAt=ago(minutes=51))
    router.add(docs, "getting-started", "stopped", title="Rewrite the getting-started guide",
               at=ago(days=1), createdAt=ago(days=2), unpushed=1)
    router.add(None, "main", "stopped", title="Prototype: receipt scanner", at=ago(days=3), createdAt=ago(days=4))
    router.add(shop, "checkout-a11y", "stopped", title="Make the checkout usable with a screen reader",
               at=ago(days=6), createdAt=ago(days=7))
    for index in range(many):
        router.add(shop, f"task-{index:03}", ["running", "stopped", "stopped", "failed"][index % 4],
                   description=f"Task number {index}", at=ago(minutes=index), createdAt=ago(hours=index),
                   **({"failure": CLONE_FAILURE} if index % 4 == 3 else {}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--sessions", type=int, default=0)
    options = parser.parse_args()
    mock = MockRouter(options.port, stage_seconds=1.5)
    seed(mock, options.sessions)
    print(mock.url, flush=True)
    mock._server.serve_forever()
