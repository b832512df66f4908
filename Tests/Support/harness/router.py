"""The real binary as a process, and its API as calls."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from harness.http1 import Connection

ROOT = Path(__file__).resolve().parents[3]


def binary():
    """The binary under test: ROUTER_BINARY, else the newest that was built."""
    if "ROUTER_BINARY" in os.environ:
        return Path(os.environ["ROUTER_BINARY"]).resolve()
    built = [ROOT / ".build" / kind / "opencode-router" for kind in ("release", "debug")]
    built = [path for path in built if path.exists()]
    assert built, "build opencode-router first: make build"
    return max(built, key=lambda path: path.stat().st_mtime)


def clean_environment(**settings):
    """Only what a process needs, so that the settings of whoever runs the tests do not count."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LD_PRELOAD") if name in os.environ}
    return {**kept, **{name: str(value) for name, value in settings.items() if value is not None}}


def shim():
    """The less obliging kernel that ROUTER_SHIM asks for (Tests/Support/kernel_shim.c), for every router."""
    if "ROUTER_SHIM" not in os.environ:
        return {}
    asked = dict(word.split("=", 1) for word in os.environ["ROUTER_SHIM"].split())
    return {"LD_PRELOAD": os.environ["ROUTER_SHIM_LIBRARY"], **asked}


class Router:
    """A running router in development mode on ports of the kernel's choice."""

    EMAIL = "dev@example.com"

    def __init__(self, folder, ready=True, **settings):
        """With `ready` False it is not waited for until it is: a test tells what keeps it from that."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.settings = {
            "DEVELOPMENT": "true", "DEV_EMAIL": self.EMAIL, "PORT": 0, "ATTACH_PORT": 0, "POD_PORT": 0,
            "METRICS_PORT": 0, "STATE_DIR": folder / "state", "PUBLIC_DIR": ROOT / "Public",
            "RESOURCES_DIR": ROOT / "Resources", "LOG_FORMAT": "json", "LOG_LEVEL": "debug",
            "SESSION_RUNTIME": "local", "ALLOWED_REPO_SCHEMES": "http,https", "ALLOW_PRIVATE_REPO_ADDRESSES": "true",
            # Tests ask faster than people; those of the limit set it.
            "MAX_REQUESTS_PER_SECOND_PER_USER": 100000,
            "AGENT_COMMAND": f"{binary()} demo-agent --hostname 127.0.0.1 --port {{port}}",
            **shim(), **settings,
        }
        self.log_path = folder / "router.log"
        self.ready = ready
        self.process = None
        try:
            self.start()
        except BaseException:
            # Whoever asked for it never gets it, so nobody else would end it.
            if self.process is not None:
                self.process.kill()
                self.process.wait()
            raise

    def start(self):
        self.log = open(self.log_path, "ab")
        self.offset = self.log_path.stat().st_size
        self.process = subprocess.Popen(
            [binary(), "serve"], env=clean_environment(**self.settings), stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)
        line = self.wait_for_line("listening")
        self.port, self.metrics_port, self.attach_port, self.pod_port = (
            int(line.get(name, 0)) for name in ("port", "metrics_port", "attach_port", "pod_port"))
        if self.ready:
            self.wait_until_ready()
        domain = self.settings.get("ROUTER_DOMAIN") or f"localhost:{self.port}"
        self.domain = domain
        self.host = self.settings.get("PICKER_HOST") or domain
        self.scheme = self.settings.get("ROUTER_PROTO") or ("http" if self.is_development else "https")

    @property
    def is_development(self):
        return self.settings.get("DEVELOPMENT") == "true"

    def lines(self, everything=False):
        """Log lines as dictionaries, of this start or of all."""
        with open(self.log_path, "rb") as log:
            log.seek(0 if everything else self.offset)
            text = log.read().decode(errors="replace")
        found = []
        for line in text.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                found.append({"message": line})
        return found

    def wait_for_line(self, message, seconds=40):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in self.lines():
                if line.get("message") == message:
                    return line
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"no line {message!r}; the log:\n{self.log_path.read_text(errors='replace')[-4000:]}")

    def wait_until_ready(self, seconds=40):
        end = time.monotonic() + seconds
        while (answer := self.operations("/readyz")).status != 200:
            assert time.monotonic() < end, answer
            time.sleep(0.02)

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds=40):
        return self.process.wait(seconds)

    def stop(self):
        """Ends the process in good order; returns its exit code."""
        if self.process.poll() is None:
            self.signal()
            try:
                self.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        return self.process.returncode

    # HTTP

    def connect(self, **options):
        return Connection(self.port, **options)

    @property
    def origin(self):
        return f"{self.scheme}://{self.host}"

    def request(self, method, target, host=None, fields=None, body=None, email=None):
        """One request on a connection of its own, as a page of that same host would send it."""
        host = host or self.host
        given = {"Connection": "close", **self.identity(email)}
        if method not in ("GET", "HEAD", "OPTIONS"):
            given["Origin"] = f"{self.scheme}://{host}"
        given.update(fields or {})
        with self.connect() as connection:
            return connection.request(method, target, host, given, body)

    def identity(self, email=None):
        """The field by which the ingress would tell who asks."""
        return {} if email is None else {"X-Auth-Request-Email": email}

    def api(self, method, path, body=None, status=None, **options):
        """Calls the API; returns what the JSON says, or nothing for 204."""
        response = self.request(method, f"/api{path}", body=body, **options)
        if status is not None:
            assert response.status == status, response
        else:
            assert 200 <= response.status < 300, response
        return response.json() if response.body else None

    def operations_connection(self):
        return Connection(self.metrics_port)

    def operations(self, path, fields=None):
        with Connection(self.metrics_port) as connection:
            return connection.request("GET", path, "localhost", {"Connection": "close", **(fields or {})})

    # Pods

    def pod_environment(self, identifier):
        """The environment that the session's agent was given, as its own processes see it."""
        wanted = f"OPENCODE_SESSION_HASH={identifier}".encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if wanted in words:
                found = dict(word.decode().split("=", 1) for word in words if b"=" in word)
                # Another router's session may have the same hash: the same wish of the same person.
                if "OPENCODE_POD_SECRET" in found and (
                        found.get("OPENCODE_ROUTER_URL", "").endswith(f":{self.pod_port}")):
                    return found
        raise AssertionError(f"no process of {identifier} was told how to call the router")

    def pod_call(self, identifier, what, body=None, secret=None, method="POST", fields=None, host="code.code.svc"):
        """A call as a session's own process makes it."""
        if secret is None:
            secret = self.pod_environment(identifier)["OPENCODE_POD_SECRET"]
        given = {"Connection": "close", "Content-Type": "application/json", "X-Pod-Secret": secret, **(fields or {})}
        with Connection(self.pod_port) as connection:
            return connection.request(method, f"/api/sessions/{identifier}/{what}", host, given, body)

    # Sessions

    def create(self, repository, branch="main", running=True, **options):
        """Creates a session and, unless told otherwise, waits until it runs; returns it as the API tells it."""
        made = self.api("POST", "/sessions", {"repoUrl": repository, "branch": branch}, status=201, **options)
        assert made["state"] == "creating", made
        return self.wait_for_state(made["hash"], "running", **options) if running else made

    def session(self, identifier, **options):
        return self.api("GET", f"/sessions/{identifier}", **options)

    def wait_for_state(self, identifier, *states, seconds=60, **options):
        end = time.monotonic() + seconds
        session = None
        while time.monotonic() < end:
            session = self.session(identifier, **options)
            if session["state"] in states:
                return session
            if session["state"] == "failed":
                break
            time.sleep(0.05)
        raise AssertionError(f"never {' or '.join(states)}: {json.dumps(session, indent=1)}")

    def session_host(self, session):
        return session["url"].split("://")[1].rstrip("/").split("/")[0]

    def host_of(self, identifier):
        suffix = self.settings.get("ROUTE_SUFFIX", "")
        return f"{identifier}{suffix}.{self.domain}"

    def descendants(self, word=None):
        """Processes that this router started, directly or not: (pid, command line)."""
        parents, commands = {}, {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                    commands[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue
                parents[int(entry.name)] = int(stat[stat.rindex(")") + 2:].split()[1])
        found = []
        for pid in parents:
            ancestor = parents.get(pid)
            while ancestor and ancestor != self.process.pid:
                ancestor = parents.get(ancestor)
            if ancestor and (word is None or word in commands.get(pid, "")):
                found.append((pid, commands[pid]))
        return found
