"""What tests do with a cluster, done with a real API server: a namespace of it, with the scheduler and the kubelet of
the double. Faults come from between the router and the server, or are the server's own.
"""

import base64
import http.client
import json
import socket
import ssl
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from control_plane import Answered, ControlPlane
from fake_cluster import ROOT, Kubelet, Refused, now, show_everybody_out

PATHS = {
    "pods": "/api/v1", "persistentvolumeclaims": "/api/v1", "secrets": "/api/v1", "events": "/api/v1",
    "leases": "/apis/coordination.k8s.io/v1"}
MERGE = "application/merge-patch+json"
ROUTER = "opencode-router"


class Door:
    """The server's address as the router knows it: bytes go through, unless a test closes it."""

    def __init__(self, target):
        self.target = target
        self.lock = threading.Lock()
        self.pairs = set()
        self.dials = []
        self.silent = threading.Event()
        self.port = 0
        self.open()

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self.dials.append(time.monotonic())
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            with self.lock:
                self.pairs.add((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    def carry(self, one, other):
        try:
            while data := one.recv(1 << 16):
                while self.silent.is_set():
                    time.sleep(0.05)
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def break_connections(self):
        with self.lock:
            pairs, self.pairs = self.pairs, set()
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.break_connections()

    def refuse(self):
        return show_everybody_out(self.port, self.dials)


class RealStore:
    """A namespace's objects, as an administrator reads and writes them."""

    def __init__(self, cluster):
        self.cluster = cluster

    def path(self, kind, name=None):
        return f"{PATHS[kind]}/namespaces/{self.cluster.namespace}/{kind}" + (f"/{name}" if name else "")

    def get(self, kind, name):
        try:
            return self.cluster.plane.ask("GET", self.path(kind, name))
        except Answered as answered:
            if answered.code == 404:
                return None
            raise

    def all(self, kind):
        found = self.cluster.plane.ask("GET", self.path(kind))
        kind_of_item = {"kind": found["kind"].removesuffix("List"), "apiVersion": found["apiVersion"]}
        return sorted(({**kind_of_item, **item} for item in found["items"]), key=lambda item: item["metadata"]["name"])

    def put(self, kind, document, event):
        """As it stands, with its UID, its age and its status: so it is found, not made."""
        document = json.loads(json.dumps(document))
        metadata = document["metadata"]
        metadata.pop("resourceVersion", None)
        metadata["namespace"] = self.cluster.namespace
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", now())
        self.cluster.found.add(metadata["uid"])
        self.cluster.plane.write(f"/registry/{kind}/{self.cluster.namespace}/{metadata['name']}", document)
        return self.get(kind, metadata["name"])

    def compact(self):
        self.cluster.plane.compact()


class RealCluster:
    """One namespace of a real API server, by the double's names."""

    def __init__(self, folder, router_binary, plane):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.binary = router_binary
        self.plane = plane
        self.namespace = f"sessions-{uuid.uuid4().hex[:8]}"
        self.node = f"node-of-{self.namespace}"
        self.found = set()          # UIDs of what a test put there, and no kubelet runs
        self.store = RealStore(self)
        self.door = Door(plane.port)
        self.dials, self.silent = self.door.dials, self.door.silent
        self.break_connections, self.refuse = self.door.break_connections, self.door.refuse
        self.stop_server, self.start = self.door.close, self.door.open
        self.back_up, self.restore = plane.back_up, plane.restore
        self.holds = False
        self.gate = None
        self.ended = threading.Event()
        plane.ask("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        for document in self.manifest("base/rbac.yaml"):
            group = "/api/v1" if document["apiVersion"] == "v1" else f"/apis/{document['apiVersion']}"
            plural = document["kind"].lower() + "s"
            plane.ask("POST", f"{group}/namespaces/{self.namespace}/{plural}", document)
        self.TOKEN = self.token()
        self.kubelet = Kubelet(self)
        self.log_server = LogServer(self)
        self.add_node()
        end = time.monotonic() + 60
        while not self.has_account():
            assert time.monotonic() < end, "no default service account: is the controller manager running?"
            time.sleep(0.1)
        self.follower = threading.Thread(target=self.follow, daemon=True)
        self.follower.start()

    def manifest(self, name):
        """The documents of a manifest below deployment/kubernetes, in this namespace."""
        text = (ROOT / "deployment/kubernetes" / name).read_text()
        return list(yaml.safe_load_all(text.replace("namespace: opencode\n", f"namespace: {self.namespace}\n")))

    def has_account(self):
        try:
            account = self.plane.ask("GET", f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default")
        except Answered:
            return False
        # Older servers admit no pod before the account has its secret.
        return bool(account.get("secrets")) or not self.plane.knows("kube-controller-manager", "--port ")

    def token(self, seconds=3600, bound=None):
        """A token of the router's account, as the kubelet would mount it."""
        wanted = {"expirationSeconds": seconds}
        if bound:
            wanted["boundObjectRef"] = {
                "kind": bound["kind"], "apiVersion": "v1", "name": bound["metadata"]["name"], "uid": bound["metadata"]["uid"]}
        return self.plane.ask(
            "POST", f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{ROUTER}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted})["status"]["token"]

    def kubeconfig(self, token=None, token_file=None, user=None):
        """Its user is the router's account, unless another is given."""
        path = self.folder / f"kubeconfig-{uuid.uuid4().hex[:6]}"
        user = user or ({"tokenFile": str(token_file)} if token_file else {"token": token or self.TOKEN})
        path.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "c", "cluster": {
                "server": f"https://127.0.0.1:{self.door.port}",
                "certificate-authority-data": base64.b64encode((self.plane.folder / "ca.pem").read_bytes()).decode()}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": self.namespace}}]}))
        return path

    def close(self):
        self.ended.set()
        self.kubelet.close()
        self.admission = None
        self.door.close()
        self.log_server.close()
        self.plane.ask("DELETE", f"/api/v1/nodes/{self.node}")
        self.plane.ask("DELETE", f"/api/v1/namespaces/{self.namespace}")

    # What the router asked

    def entries(self):
        """Of the audit log, what the router asked in this namespace."""
        account = f"system:serviceaccount:{self.namespace}:{ROUTER}"
        users = {account, f"router-of-{self.namespace}"}
        with open(self.plane.audit) as log:
            for line in log:
                if self.namespace in line and (entry := json.loads(line))["user"].get("username") in users:
                    began = entry["verb"] == "watch"
                    if "objectRef" in entry and (entry["stage"] == "ResponseStarted") == began:
                        yield entry

    @property
    def requests(self):
        told = []
        for entry in self.entries():
            target = entry["objectRef"]
            if target["resource"] == "selfsubjectaccessreviews":
                told.append(("review", "", None))
            else:
                told.append((entry["verb"], target["resource"], target.get("name")))
        return told

    @property
    def unconditional(self):
        return [
            (entry["objectRef"]["resource"], entry["objectRef"]["name"]) for entry in self.entries()
            if entry["verb"] == "delete"
            and "uid" not in (entry.get("requestObject") or {}).get("preconditions", {})]

    def count(self, *verbs):
        return sum(1 for verb, *_ in self.requests if not verbs or verb in verbs)

    # What tests do by hand

    def pods(self):
        return self.store.all("pods")

    def claims(self):
        return self.store.all("persistentvolumeclaims")

    def patch(self, kind, name, patch):
        return self.plane.ask("PATCH", self.store.path(kind, name), patch, MERGE)

    def delete(self, kind, name):
        return self.plane.ask("DELETE", self.store.path(kind, name))

    def warn(self, kind, name, reason, message, count=1):
        plural = {"Pod": "pods", "PersistentVolumeClaim": "persistentvolumeclaims"}[kind]
        target = self.store.get(plural, name)["metadata"]
        event = {
            "metadata": {"name": f"{name}.{reason.lower()}", "namespace": self.namespace},
            "involvedObject": {"kind": kind, "name": name, "namespace": self.namespace, "uid": target["uid"]},
            "reason": reason, "message": message, "type": "Warning", "count": count}
        try:
            self.plane.ask("POST", self.store.path("events"), event)
        except Answered as answered:
            if answered.code != 409:
                raise
            self.plane.ask("PATCH", self.store.path("events", event["metadata"]["name"]), {"count": count}, MERGE)

    @property
    def keeps_claims(self):
        return self.holds

    @keeps_claims.setter
    def keeps_claims(self, holds):
        """Storage holds on by a finalizer of its own."""
        self.holds = holds
        if holds:
            for claim in self.claims():
                self.patch("persistentvolumeclaims", claim["metadata"]["name"], {"metadata": {
                    "finalizers": [*claim["metadata"].get("finalizers", []), "storage.test/holds"]}})

    def release_claims(self):
        for claim in [] if self.holds else self.claims():
            kept = [each for each in claim["metadata"].get("finalizers", []) if each != "storage.test/holds"]
            if kept != claim["metadata"].get("finalizers", []):
                self.patch("persistentvolumeclaims", claim["metadata"]["name"], {"metadata": {"finalizers": kept}})

    @property
    def rules(self):
        return self.plane.ask("GET", self.role_path)["rules"]

    @rules.setter
    def rules(self, rules):
        self.plane.ask("PATCH", self.role_path, {"rules": rules}, MERGE)

    @property
    def role_path(self):
        return f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}/roles/{ROUTER}"

    @property
    def admission(self):
        return self.gate and self.gate.rule

    @admission.setter
    def admission(self, rule):
        """A validating webhook that asks this function."""
        if self.gate:
            self.gate.close()
            self.gate = None
        if rule:
            self.gate = Gate(self, rule)

    # What the scheduler, the kubelet and the storage do

    def add_node(self):
        self.plane.ask("POST", "/api/v1/nodes", {"metadata": {"name": self.node}})
        self.plane.ask("PATCH", f"/api/v1/nodes/{self.node}/status", {"status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.log_server.port}}}}, MERGE)

    def attempt(self, *request):
        """Whether the object was still there; a server that is away is waited for, as a kubelet does."""
        while True:
            try:
                self.plane.ask(*request)
                return True
            except Answered as answered:
                if answered.code in (404, 409):
                    return False
                if answered.code < 500:
                    raise
            except (OSError, http.client.HTTPException):
                pass
            if self.ended.wait(0.2):
                return False

    def bind_pod(self, pod):
        name = pod["metadata"]["name"]
        return self.attempt("POST", self.store.path("pods", name) + "/binding", {
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name, "uid": pod["metadata"]["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self.node}})

    def status(self, pod, **changes):
        return self.attempt("PATCH", self.store.path("pods", pod["metadata"]["name"]) + "/status", {
            "metadata": {"uid": pod["metadata"]["uid"]}, "status": changes}, MERGE)

    def bind(self, name):
        self.attempt("PATCH", self.store.path("persistentvolumeclaims", name) + "/status", {
            "status": {"phase": "Bound"}}, MERGE)

    def finish_pod(self, uid, name):
        self.attempt("DELETE", self.store.path("pods", name), {
            "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "preconditions": {"uid": uid}})

    def follow(self):
        """Runs pods that come, ends those that are to go."""
        known, ending = set(), set()

        def look(pod):
            uid = pod["metadata"]["uid"]
            if uid not in known:
                known.add(uid)
                if uid not in self.found and not pod["metadata"].get("deletionTimestamp"):
                    self.kubelet.added(pod)
            if pod["metadata"].get("deletionTimestamp") and pod["spec"].get("nodeName") and uid not in ending:
                ending.add(uid)
                self.kubelet.deleted(pod)

        while not self.ended.is_set():
            try:
                listed = self.plane.ask("GET", self.store.path("pods"))
                for pod in listed["items"]:
                    look(pod)
                query = urllib.parse.urlencode({
                    "watch": 1, "resourceVersion": listed["metadata"]["resourceVersion"], "timeoutSeconds": 300})
                connection = self.plane.connection()
                connection.timeout = 330
                connection.request("GET", f"{self.store.path('pods')}?{query}", headers=self.plane.credentials)
                answer = connection.getresponse()
                while line := answer.readline():
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        break
                    if event["type"] != "DELETED":
                        look(event["object"])
            except Exception:  # the server is away, or was brought back: from the beginning
                if self.ended.wait(0.2):
                    return


class Gate:
    """A validating webhook in front of this namespace's pods and claims."""

    def __init__(self, cluster, rule):
        self.cluster, self.rule = cluster, rule
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
                answer = {"uid": asked["uid"], "allowed": True}
                try:
                    gate.rule(asked["resource"]["resource"], asked["object"])
                except Refused as refused:
                    answer |= {"allowed": False, "status": {
                        "code": refused.code, "reason": refused.reason, "message": refused.message}}
                data = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = serve(cluster.plane, Handler)
        self.path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
        cluster.plane.ask("POST", self.path, {"metadata": {"name": cluster.namespace}, "webhooks": [{
            "name": "rule.test.example", "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 10,
            "clientConfig": {
                "url": f"https://127.0.0.1:{self.server.server_port}/",
                "caBundle": base64.b64encode((cluster.plane.folder / "ca.pem").read_bytes()).decode()},
            "namespaceSelector": {"matchLabels": {"sessions": cluster.namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                       "resources": ["pods", "persistentvolumeclaims"]}]}]})
        cluster.plane.ask("PATCH", f"/api/v1/namespaces/{cluster.namespace}", {
            "metadata": {"labels": {"sessions": cluster.namespace}}}, MERGE)
        self.wait(True)

    def wait(self, holds):
        """Until the server knows of it: it follows the webhooks as everybody does."""
        seen = []
        rule, self.rule = self.rule, lambda kind, value: seen.append(kind)
        end = time.monotonic() + 30
        probe = {"metadata": {"generateName": "probe-"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
        while True:
            seen.clear()
            self.cluster.plane.ask("POST", self.cluster.store.path("persistentvolumeclaims") + "?dryRun=All", probe)
            if bool(seen) == holds:
                break
            assert time.monotonic() < end
            time.sleep(0.1)
        self.rule = rule

    def close(self):
        self.cluster.plane.ask("DELETE", f"{self.path}/{self.cluster.namespace}")
        self.wait(False)
        self.server.shutdown()
        self.server.server_close()


class LogServer:
    """The part of a kubelet that tells logs: the API server asks it."""

    def __init__(self, cluster):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                try:
                    _, _, pod, container = url.path.strip("/").split("/")
                    text = cluster.kubelet.log(pod, container)
                    lines = "".join(text.splitlines(keepends=True)[-int(query.get("tailLines") or 10**6):])
                    code, data = 200, lines[:int(query.get("limitBytes") or 10**9)].encode()
                except Refused as refused:
                    code, data = refused.code, refused.message.encode()
                self.send_response(code)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = serve(cluster.plane, Handler)
        self.port = self.server.server_port

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def serve(plane, handler):
    """An HTTPS server with the cluster's certificate."""
    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, address):
            pass

        def finish_request(self, request, address):
            super().finish_request(self.context.wrap_socket(request, server_side=True), address)

    server = Server(("127.0.0.1", 0), handler)
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(plane.folder / "ca.pem", plane.folder / "ca-key.pem")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server
