"""An agent of either of opencode's APIs, in the test's own process, that says what the test wants."""

import base64
import json
import threading
import urllib.parse

from harness.service import Service, ServiceHandler


class Agent:
    """Listens at an address on the agents' port until it is closed."""

    def __init__(self, address, generation="v1", password=None, port=4096):
        self.generation = generation
        self.password = password
        self.working = {}           # conversation: type, as the status tells it
        self.asked = []             # what a person is asked
        self.silent = False         # the status is answered with an error
        self.conversations = []     # newest first: {"id", "title", "messages": [text]}
        self.requests = []          # (method, path)
        self.on_prompt = None       # called with the text when it has been taken and not answered yet
        self.lock = threading.Lock()
        self.closed = threading.Event()
        agent = self

        class Handler(AgentHandler):
            pass

        Handler.agent = agent

        self.server = Service(Handler, address, port)

    def close(self):
        self.closed.set()
        self.server.close()

    def open(self, title="New session - 2026"):
        with self.lock:
            conversation = {"id": f"ses_{len(self.conversations) + 1}", "title": title, "messages": []}
            self.conversations.insert(0, conversation)
            return conversation

    @property
    def prompts(self):
        """Every prompt that was ever taken."""
        with self.lock:
            return [text for conversation in self.conversations for text in conversation["messages"]]

    def take(self, identifier, text):
        with self.lock:
            found = next((each for each in self.conversations if each["id"] == identifier), None)
            if found is None:
                return False
            found["messages"].append(text)
        if self.on_prompt:
            self.on_prompt(text)
        return True


def pod_secret(cluster, identifier):
    """What proves the calls of a session's pod, as its document has it: no process of it need run here."""
    pod = cluster.store.get("pods", f"opencode-session-{identifier}")
    agent = next(each for each in pod["spec"]["containers"] if each["name"] == "opencode")
    return next(each["value"] for each in agent["env"] if each["name"] == "OPENCODE_POD_SECRET")


class AgentPods:
    """Pods of a cluster whose agents are the test's own."""

    def __init__(self, cluster, prepare=None, generation="v1"):
        self.cluster = cluster
        self.prepare = prepare      # called with the session's branch and its agent before anybody else sees it
        self.generation = generation
        self.of = {}                # by the session's hash
        cluster.kubelet.behaviour = self.run

    def run(self, kubelet, pod):
        if not self.cluster.bind_pod(pod):
            return
        container = pod["spec"]["containers"][0]
        password = next(each["value"] for each in container["env"] if each["name"] == "OPENCODE_SERVER_PASSWORD")
        address = kubelet.free_address()
        agent = Agent(address, self.generation, password)
        if self.prepare:
            self.prepare(pod["metadata"]["annotations"]["opencode.ai/branch"], agent)
        self.of[pod["metadata"]["labels"]["opencode.ai/session-hash"]] = agent
        self.cluster.status(
            pod, phase="Running", podIP=address,
            conditions=[kubelet.condition("PodScheduled", "True"), kubelet.condition("Ready", "True")],
            containerStatuses=[{"name": container["name"], "image": container["image"], "imageID": "", "ready": True,
                                "restartCount": 0, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}])

    def close(self):
        for agent in self.of.values():
            agent.close()


class AgentHandler(ServiceHandler):
    agent = None

    def send(self, status, value):
        body = b"" if status == 204 else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer("GET", None)

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.answer("POST", json.loads(self.rfile.read(length) or b"{}"))

    def answer(self, method, body):
        agent = self.agent
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        with agent.lock:
            agent.requests.append((method, url.path))
        if agent.password is not None:
            wanted = "Basic " + base64.b64encode(f"opencode:{agent.password}".encode()).decode()
            if self.headers.get("Authorization") != wanted:
                return self.send(401, {})
        if url.path == "/global/health":
            return self.send(200, {"healthy": True})
        if url.path == "/global/event":
            return self.stream()
        if url.path == "/global/dispose":
            return self.send(200, True)
        return (self.older if agent.generation == "v1" else self.newer)(method, url.path, query, body)

    def stream(self):
        """An event stream in which nothing ever happens."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b'data: {"payload":{"type":"server.connected"}}\n\n')
        self.agent.closed.wait()
        self.close_connection = True

    def listed(self, query):
        with self.agent.lock:
            return [{"id": each["id"], "title": each["title"]}
                    for each in self.agent.conversations[:int(query.get("limit", 100))]]

    def messages(self, identifier):
        with self.agent.lock:
            return [{"info": {"role": "user"}, "parts": [{"type": "text", "text": text}]}
                    for each in self.agent.conversations if each["id"] == identifier for text in each["messages"]]

    def older(self, method, path, query, body):
        agent, parts = self.agent, path.strip("/").split("/")
        if (method, path) == ("GET", "/session/status"):
            return self.send(503, {}) if agent.silent else self.send(
                200, {name: {"type": kind} for name, kind in agent.working.items()})
        if method == "GET" and path in ("/permission", "/question"):
            return self.send(200, [{"id": each} for each in agent.asked if each.startswith(path[1:4])])
        if (method, path) == ("GET", "/session"):
            return self.send(200, self.listed(query))
        if (method, path) == ("POST", "/session"):
            return self.send(200, {"id": agent.open()["id"]})
        if method == "GET" and len(parts) == 3 and parts[2] == "message":
            return self.send(200, self.messages(parts[1]))
        if method == "POST" and len(parts) == 3 and parts[2] == "prompt_async":
            taken = agent.take(parts[1], body["parts"][0]["text"])
            return self.send(204 if taken else 404, {})
        # As opencode does: an address that it does not know is its page.
        return self.send(200, "<html>") if method == "GET" else self.send(404, {})

    def newer(self, method, path, query, body):
        agent, parts = self.agent, path.strip("/").split("/")
        if (method, path) == ("GET", "/api/info"):
            return self.send(200, {"version": "2.0.0"})
        if (method, path) == ("GET", "/api/session/active"):
            return self.send(503, {}) if agent.silent else self.send(
                200, {"data": {name: {"type": kind} for name, kind in agent.working.items()}})
        if method == "GET" and path in ("/api/permission/request", "/api/form"):
            kind = "per" if "permission" in path else "frm"
            return self.send(200, {"location": {}, "data": [{"id": each} for each in agent.asked if each.startswith(kind)]})
        if (method, path) == ("GET", "/api/session"):
            return self.send(200, {"data": self.listed(query)})
        if (method, path) == ("POST", "/api/session"):
            return self.send(200, {"data": {"id": agent.open()["id"]}})
        if method == "GET" and len(parts) == 4 and parts[3] == "message":
            return self.send(200, {"data": self.messages(parts[2])})
        if method == "POST" and len(parts) == 4 and parts[3] == "prompt":
            taken = agent.take(parts[2], body["prompt"]["text"])
            return self.send(200 if taken else 404, {})
        return self.send(404, {})
