"""A test double of a Kubernetes API server, with a scheduler and a kubelet that run sessions for real.

It implements what the API documents for the kinds that the router uses: list with pages, watch with bookmarks and
ERROR events, resource versions, 401, 403, 404, 409, 410, 422, 429, merge patch, delete with preconditions, graceful
deletion and finalizers, the role of our own manifest, and what `api_rules` says against documents and requests. Pods get an address of 127/8 each
and run the real init script and an agent.
"""

import base64
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request
import uuid
from datetime import datetime, timezone
from pathlib import Path

import yaml

import api_rules
from harness.ports import reserve_port
from harness.service import Service, ServiceHandler

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "opencode"
KINDS = {
    ("", "pods"): "Pod", ("", "persistentvolumeclaims"): "PersistentVolumeClaim", ("", "secrets"): "Secret",
    ("", "events"): "Event", ("coordination.k8s.io", "leases"): "Lease", ("traefik.io", "ingressroutes"): "IngressRoute",
}


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Refused(Exception):
    """An answer that is a Status."""

    def __init__(self, code, reason, message, headers=None):
        super().__init__(message)
        self.code, self.reason, self.message, self.headers = code, reason, message, headers or {}

    def document(self):
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
                "reason": self.reason, "code": self.code}


def merge(target, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def selects(selector, labels):
    for part in filter(None, (selector or "").split(",")):
        name, equals, value = part.partition("=")
        if name not in labels or (equals and labels[name] != value.lstrip("=")):
            return False
    return True


def show_everybody_out(port, dials):
    """Takes connections at a server's place and ends them at once, until the function it returns is called."""
    door = socket.create_server(("127.0.0.1", port), reuse_port=False)

    def show_out():
        while True:
            try:
                connection, _ = door.accept()
            except OSError:
                return
            dials.append(time.monotonic())
            connection.close()

    thread = threading.Thread(target=show_out, daemon=True)
    thread.start()

    def end():
        door.shutdown(socket.SHUT_RDWR)
        thread.join()
        door.close()
    return end


class Store:
    """Objects, their versions and the history that watches read."""

    def __init__(self):
        self.lock = threading.Condition(threading.RLock())
        self.objects = {}
        self.version = 1000
        self.floor = 0
        self.history = []

    def put(self, kind, value, event):
        with self.lock:
            self.version += 1
            value = json.loads(json.dumps(value))
            value["metadata"]["resourceVersion"] = str(self.version)
            key = (kind, value["metadata"]["name"])
            before = self.objects.get(key)
            if event == "DELETED":
                self.objects.pop(key, None)
            else:
                self.objects[key] = value
            self.history.append((self.version, event, kind, value, before))
            self.lock.notify_all()
            return value

    def get(self, kind, name):
        with self.lock:
            value = self.objects.get((kind, name))
            return json.loads(json.dumps(value)) if value else None

    def all(self, kind):
        with self.lock:
            return [value for (of, _), value in sorted(self.objects.items()) if of == kind]

    def restore(self, version, objects):
        """A state of before, with its version; nothing is remembered of what came after."""
        with self.lock:
            self.version, self.objects = version, objects
            self.floor, self.history = version, []
            self.lock.notify_all()

    def compact(self):
        """Forgets the history, as etcd does every five minutes."""
        with self.lock:
            self.floor = self.version
            self.history = []
            self.version += 1
            self.lock.notify_all()


class Cluster:
    """One namespace behind one API server."""

    TOKEN = "cluster-token-1"
    namespace = NAMESPACE

    def __init__(self, folder, router_binary, role=True):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store = Store()
        self.tokens = {self.TOKEN}
        self.requests = []
        self.dials = []             # when somebody connected
        self.unconditional = []     # deletions that named no UID
        self.keeps_claims = False   # whether storage holds on to claims that are being deleted
        self.server = None
        # Its own while the server is away, too.
        self.port = reserve_port()
        self.connections = set()
        self.lock = threading.Lock()
        # Faults, set by tests.
        self.failures = []          # statuses for the next requests, (status, Retry-After)
        self.gone = 0               # so many watches answer 410
        self.stalled = threading.Event()
        self.silent = threading.Event()   # connections are taken, and nothing is answered
        self.bookmark_seconds = 5
        self.cut = threading.Event()
        self.admission = None       # a function that may raise Refused
        self.rules = self.role(role) if role else None
        self.binary = router_binary
        self.kubelet = Kubelet(self)
        self.certificates()
        self.start()

    @staticmethod
    def role(manifest=True):
        """The rules of a manifest below deployment/kubernetes; True is the router's own."""
        manifest = "base/rbac.yaml" if manifest is True else manifest
        documents = yaml.safe_load_all((ROOT / "deployment/kubernetes" / manifest).read_text())
        return next(document for document in documents if document["kind"] == "Role")["rules"]

    def allows(self, verb, group, resource):
        return self.rules is None or any(
            group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"]
            for rule in self.rules)

    def certificates(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
             self.folder / "key.pem", "-out", self.folder / "ca.pem", "-subj", "/CN=cluster", "-days", "2", "-addext",
             "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.folder / "ca.pem", self.folder / "key.pem")
        self.context.set_alpn_protocols(["http/1.1"])

    def start(self):
        cluster = self

        class Server(Service):
            def get_request(self):
                connection, address = super().get_request()
                with cluster.lock:
                    cluster.connections.add(connection)
                    cluster.dials.append(time.monotonic())
                return connection, address

        class Handler(APIHandler):
            pass

        Handler.cluster = cluster
        self.server = Server(Handler, port=self.port)

    def stop_server(self):
        """The API server is gone: nobody listens, and every connection breaks."""
        self.server.close()
        self.break_connections()

    def back_up(self):
        with self.store.lock:
            self.backup = self.store.version, json.loads(json.dumps(list(self.store.objects.items())))

    def restore(self):
        """Brings the backup into the store, while the server is down."""
        version, objects = self.backup
        self.store.restore(version, {tuple(key): value for key, value in objects})

    def refuse(self):
        return show_everybody_out(self.port, self.dials)

    def break_connections(self):
        with self.lock:
            connections, self.connections = self.connections, set()
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.kubelet.close()
        self.stop_server()

    def kubeconfig(self, token=TOKEN, token_file=None):
        path = self.folder / f"kubeconfig-{uuid.uuid4().hex[:6]}"
        authority = base64.b64encode((self.folder / "ca.pem").read_bytes()).decode()
        path.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "c", "cluster": {
                "server": f"https://127.0.0.1:{self.port}", "certificate-authority-data": authority}}],
            "users": [{"name": "u", "user": {"tokenFile": str(token_file)} if token_file else {"token": token}}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}]}))
        return path

    def count(self, *verbs):
        return sum(1 for verb, *_ in list(self.requests) if not verbs or verb in verbs)

    def pods(self):
        return self.store.all("pods")

    def claims(self):
        return self.store.all("persistentvolumeclaims")

    def warn(self, kind, name, reason, message, count=1):
        """What a part of the cluster says about an object."""
        plural = {"Pod": "pods", "PersistentVolumeClaim": "persistentvolumeclaims"}[kind]
        target = self.store.get(plural, name)
        key = f"{name}.{reason.lower()}"
        event = {
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": key, "namespace": NAMESPACE, "uid": str(uuid.uuid4())},
            "involvedObject": {"kind": kind, "name": name, "uid": target["metadata"]["uid"]}, "reason": reason,
            "message": message, "type": "Warning", "count": count}
        self.store.put("events", event, "MODIFIED" if self.store.get("events", key) else "ADDED")

    # What the API does

    def admit(self, kind, value):
        name = value["metadata"].get("name")
        for problem in api_rules.document(kind, value, NAMESPACE):
            raise Refused(422, "Invalid", f'{value.get("kind")} "{name}" is invalid: {problem}')
        if kind == "pods":
            found = list(api_rules.restricted(value))
            if found:
                raise Refused(403, "Forbidden", f'pods "{name}" is forbidden: violates PodSecurity '
                              f'"restricted:latest": {", ".join(found)}')
        if self.admission:
            self.admission(kind, value)

    def bind_pod(self, pod):
        """The scheduler's word; False if that pod is gone."""
        with self.store.lock:
            present = self.store.get("pods", pod["metadata"]["name"])
            if not present or present["metadata"]["uid"] != pod["metadata"]["uid"]:
                return False
            present["spec"]["nodeName"] = "node-1"
            present["status"]["conditions"] = [Kubelet.condition("PodScheduled", "True")]
            self.store.put("pods", present, "MODIFIED")
            return True

    def create(self, kind, value):
        if value["metadata"].get("resourceVersion"):
            raise Refused(400, "BadRequest", "resourceVersion should not be set on objects to be created")
        self.admit(kind, value)
        with self.store.lock:
            name = value["metadata"]["name"]
            present = self.store.get(kind, name)
            if present:
                ending = "object is being deleted: " if present["metadata"].get("deletionTimestamp") else ""
                raise Refused(409, "AlreadyExists", f'{ending}{kind} "{name}" already exists')
            value["metadata"].update(
                uid=str(uuid.uuid4()), creationTimestamp=now(), namespace=NAMESPACE, managedFields=[{
                    "manager": "opencode-router", "operation": "Update", "apiVersion": value["apiVersion"],
                    "time": now(), "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {}}}])
            if "stringData" in value:
                value.setdefault("data", {}).update(
                    {name: base64.b64encode(text.encode()).decode() for name, text in value.pop("stringData").items()})
            if kind == "pods":
                value["status"] = {"phase": "Pending"}
            if kind == "persistentvolumeclaims":
                value["metadata"]["finalizers"] = ["kubernetes.io/pvc-protection"]
                value["status"] = {"phase": "Pending"}
            made = self.store.put(kind, value, "ADDED")
        if kind == "pods":
            self.kubelet.added(made)
        return made

    def bind(self, name):
        """The claim gets its volume, once somebody uses it (WaitForFirstConsumer)."""
        with self.store.lock:
            claim = self.store.get("persistentvolumeclaims", name)
            if claim and claim["status"]["phase"] == "Pending":
                claim["status"]["phase"] = "Bound"
                self.store.put("persistentvolumeclaims", claim, "MODIFIED")

    def change(self, kind, name, function):
        with self.store.lock:
            value = self.store.get(kind, name)
            if not value:
                raise Refused(404, "NotFound", f'{kind} "{name}" not found')
            changed = function(json.loads(json.dumps(value)))
            problems = [*api_rules.change(kind, value, changed), *api_rules.metadata(changed["metadata"], NAMESPACE)]
            if kind in ("secrets", "leases"):
                problems += api_rules.document(kind, changed, NAMESPACE)
            if problems:
                raise Refused(422, "Invalid", f'{value.get("kind")} "{name}" is invalid: {problems[0]}')
            if changed == value:
                return value        # nothing is written, and nobody who watches hears of it
            return self.store.put(kind, changed, "MODIFIED")

    def patch(self, kind, name, patch):
        if self.admission:
            self.admission(kind, {"patch": patch, "metadata": {"name": name}})

        def apply(value):
            version = patch.get("metadata", {}).get("resourceVersion")
            if version and version != value["metadata"]["resourceVersion"]:
                raise Refused(409, "Conflict", f'Operation cannot be fulfilled on {kind} "{name}": modified')
            merged = merge(value, patch)
            if "stringData" in merged:
                merged.setdefault("data", {}).update(
                    {key: base64.b64encode(text.encode()).decode() for key, text in merged.pop("stringData").items()})
            return merged
        return self.change(kind, name, apply)

    def update(self, kind, name, value):
        def apply(present):
            version = value["metadata"].get("resourceVersion")
            if not version:
                raise Refused(422, "Invalid", "metadata.resourceVersion: must be specified for an update")
            if version != present["metadata"]["resourceVersion"]:
                raise Refused(409, "Conflict", f'Operation cannot be fulfilled on {kind} "{name}": modified')
            value["metadata"] = {**present["metadata"], **value["metadata"]}
            return value
        return self.change(kind, name, apply)

    def delete(self, kind, name, options=None):
        # Tests delete by hand; a request has options, if only empty ones.
        by_hand, options = options is None, options or {}
        wanted = options.get("preconditions", {}).get("uid")
        if not by_hand and not wanted:
            self.unconditional.append((kind, name))
        with self.store.lock:
            value = self.store.get(kind, name)
            if not value:
                raise Refused(404, "NotFound", f'{kind} "{name}" not found')
            if wanted and wanted != value["metadata"]["uid"]:
                raise Refused(409, "Conflict", f'Precondition failed: UID in precondition: {wanted}, UID in object '
                              f'meta: {value["metadata"]["uid"]}')
            if kind == "pods":
                if not value["spec"].get("nodeName"):
                    # No kubelet has it: nobody needs to end anything.
                    self.finish_pod(value["metadata"]["uid"], name)
                elif not value["metadata"].get("deletionTimestamp"):
                    value["metadata"]["deletionTimestamp"] = now()
                    value["metadata"]["deletionGracePeriodSeconds"] = options.get(
                        "gracePeriodSeconds", value["spec"].get("terminationGracePeriodSeconds", 30))
                    value = self.store.put(kind, value, "MODIFIED")
                    self.kubelet.deleted(value)
                return value
            if kind == "persistentvolumeclaims" and (self.keeps_claims or self.holders(name)):
                value["metadata"].setdefault("deletionTimestamp", now())
                return self.store.put(kind, value, "MODIFIED")
            return self.store.put(kind, value, "DELETED")

    def holders(self, claim):
        return [pod for pod in self.pods() if any(
            volume.get("persistentVolumeClaim", {}).get("claimName") == claim for volume in pod["spec"].get("volumes", []))]

    def finish_pod(self, uid, name):
        """The kubelet says that nothing of a pod is left."""
        with self.store.lock:
            pod = self.store.get("pods", name)
            if not pod or pod["metadata"]["uid"] != uid:
                return
            self.store.put("pods", pod, "DELETED")
            self.release_claims()

    def release_claims(self):
        """What protects a claim lets go of those that are being deleted and that no pod uses any more."""
        with self.store.lock:
            for claim in [] if self.keeps_claims else self.claims():
                if claim["metadata"].get("deletionTimestamp") and not self.holders(claim["metadata"]["name"]):
                    self.store.put("persistentvolumeclaims", claim, "DELETED")

    def status(self, pod, **changes):
        """Changes a pod's status, if it is still that pod."""
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        with self.store.lock:
            present = self.store.get("pods", name)
            if not present or present["metadata"]["uid"] != uid:
                return False
            present["status"].update(changes)
            self.store.put("pods", present, "MODIFIED")
            return True


class APIHandler(ServiceHandler):
    cluster = None

    def setup(self):
        self.request = self.cluster.context.wrap_socket(self.request, server_side=True)
        with self.cluster.lock:
            self.cluster.connections.add(self.request)
        super().setup()

    def do_GET(self):
        self.answer("get")

    def do_POST(self):
        self.answer("create")

    def do_PUT(self):
        self.answer("update")

    def do_PATCH(self):
        self.answer("patch")

    def do_DELETE(self):
        self.answer("delete")

    def answer(self, verb):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        try:
            self.serve(verb, body)
        except Refused as refused:
            self.send(refused.code, refused.document(), refused.headers)

    def send(self, status, value, headers=None):
        data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(value, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def serve(self, verb, body):
        cluster = self.cluster
        url = urllib.parse.urlsplit(self.path)
        pairs = urllib.parse.parse_qsl(url.query, keep_blank_values=True)
        query = dict(pairs)
        parts = [urllib.parse.unquote(part) for part in url.path.strip("/").split("/")]
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in cluster.tokens:
            raise Refused(401, "Unauthorized", "Unauthorized")
        if parts[0] == "api" and parts[1] == "v1":
            group, parts = "", parts[2:]
        elif parts[0] == "apis":
            group, parts = parts[1], parts[3:]
        else:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        while cluster.silent.is_set():
            time.sleep(0.05)
        if parts == ["selfsubjectaccessreviews"] and verb == "create":
            for status, problem in api_rules.request(verb, query, pairs, self.headers, body):
                raise Refused(status, "BadRequest", problem)
            for problem in api_rules.access_review(body):
                raise Refused(400, "BadRequest", problem)
            wanted = body["spec"]["resourceAttributes"]
            resource = wanted["resource"] + (f'/{wanted["subresource"]}' if "subresource" in wanted else "")
            cluster.requests.append(("review", resource, None))
            return self.send(201, {**body, "status": {"allowed": cluster.allows(
                wanted["verb"], wanted["group"], resource)}})
        if len(parts) < 3 or parts[0] != "namespaces" or (group, parts[2]) not in KINDS:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        namespace, kind = parts[1], parts[2]
        name = parts[3] if len(parts) > 3 else None
        subresource = parts[4] if len(parts) > 4 else None
        if verb == "get" and name is None:
            verb = "watch" if query.get("watch") in ("true", "1") else "list"
        cluster.requests.append((verb, kind, name))
        if cluster.failures:
            status, retry = cluster.failures.pop(0)
            raise Refused(status, "", "a fault of the test", {"Retry-After": str(retry)} if retry else {})
        for status, problem in api_rules.request(
                "log" if subresource == "log" else verb, query, pairs, self.headers, body):
            raise Refused(status, "BadRequest", problem)
        resource = f"{kind}/{subresource}" if subresource else kind
        if namespace != NAMESPACE or not cluster.allows(verb, group, resource):
            raise Refused(403, "Forbidden", f'{kind} is forbidden: User "router" cannot {verb} resource "{resource}" in '
                          f'API group "{group}" in the namespace "{namespace}"')
        if verb == "list":
            return self.list(kind, query)
        if verb == "watch":
            return self.watch(kind, query)
        if verb == "get" and subresource == "log":
            text = cluster.kubelet.log(name, query.get("container"))
            lines = "".join(text.splitlines(keepends=True)[-int(query.get("tailLines") or 10**6):])
            return self.send(200, lines[:int(query.get("limitBytes") or 10**9)])
        if verb == "get":
            value = cluster.store.get(kind, name)
            if not value:
                raise Refused(404, "NotFound", f'{kind} "{name}" not found')
            return self.send(200, value)
        if verb == "create":
            return self.send(201, cluster.create(kind, body))
        if verb == "patch":
            return self.send(200, cluster.patch(kind, name, body))
        if verb == "update":
            return self.send(200, cluster.update(kind, name, body))
        return self.send(200, cluster.delete(kind, name, body or {}))

    @staticmethod
    def chosen(value, query):
        fields = query.get("fieldSelector")
        if fields and fields != f'type={value.get("type")}':
            return False
        return selects(query.get("labelSelector"), value["metadata"].get("labels", {}))

    def list(self, kind, query):
        store = self.cluster.store
        with store.lock:
            token = query.get("continue")
            version, start = store.version, 0
            if token:
                version, start = map(int, token.split(":"))
                if version < store.floor:
                    raise Refused(410, "Expired", "The provided continue parameter is too old")
            found = [value for value in store.all(kind) if self.chosen(value, query)]
            limit = int(query.get("limit") or 0) or len(found) or 1
            metadata = {"resourceVersion": str(version)}
            if start + limit < len(found):
                metadata["continue"] = f"{version}:{start + limit}"
            document = {"kind": next(name for (_, plural), name in KINDS.items() if plural == kind) + "List", "apiVersion": "v1", "metadata": metadata,
                        "items": found[start:start + limit]}
        self.send(200, document)

    def watch(self, kind, query):
        cluster, store = self.cluster, self.cluster.store
        if cluster.gone > 0:
            cluster.gone -= 1
            if cluster.gone % 2:
                raise Refused(410, "Expired", "too old resource version")
            store_floor = True
        else:
            store_floor = False
        seen = int(query.get("resourceVersion") or 0)
        end = time.monotonic() + float(query.get("timeoutSeconds") or 1800)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

        def line(event, value, cut=False):
            data = json.dumps({"type": event, "object": value}).encode() + b"\n"
            if cut:
                data = data[:random.randrange(1, len(data) - 1)]
            for start in range(0, len(data), 1000):
                piece = data[start:start + 1000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

        if store_floor or seen < store.floor:
            line("ERROR", Refused(410, "Expired", f"too old resource version: {seen}").document())
            self.wfile.write(b"0\r\n\r\n")
            return
        bookmark = time.monotonic() + cluster.bookmark_seconds
        with store.lock:
            position = len(store.history)
            while position > 0 and store.history[position - 1][0] > seen:
                position -= 1
        generation = store.floor
        while time.monotonic() < end:
            with store.lock:
                if store.floor != generation:
                    break
                if position >= len(store.history):
                    store.lock.wait(0.2)
                news = store.history[position:]
                position = len(store.history) if store.floor == generation else 0
            while cluster.stalled.is_set():
                time.sleep(0.05)
            for version, event, of, value, before in news:
                # A watch from a version that has not been yet tells nothing until then, and does not say so.
                if version <= seen:
                    continue
                seen = version
                if of != kind:
                    continue
                now_in = event != "DELETED" and self.chosen(value, query)
                was_in = before is not None and self.chosen(before, query)
                if not now_in and not was_in:
                    continue
                kind_of_event = event if event == "DELETED" else (
                    "MODIFIED" if now_in and was_in else "ADDED" if now_in else "DELETED")
                if kind_of_event == "DELETED" and event != "DELETED":
                    # What left the selection is told as it was in it, with the version of the change.
                    value = {**before, "metadata": {**before["metadata"], "resourceVersion": str(version)}}
                if cluster.cut.is_set():
                    cluster.cut.clear()
                    line(kind_of_event, value, cut=True)
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                line(kind_of_event, value)
            if time.monotonic() > bookmark and query.get("allowWatchBookmarks") == "true":
                bookmark = time.monotonic() + cluster.bookmark_seconds
                # An object of the kind with nothing in it but the version.
                line("BOOKMARK", {
                    "kind": next(name for (_, plural), name in KINDS.items() if plural == kind), "apiVersion": "v1",
                    "metadata": {"resourceVersion": str(seen), "creationTimestamp": None},
                    "spec": {"containers": None}, "status": {}})
        self.wfile.write(b"0\r\n\r\n")


class Kubelet:
    """Schedules pods and runs them, or does with them what a test wants."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.behaviour = None       # called with (kubelet, pod) instead of running the pod
        self.running = {}           # uid: list of processes
        self.logs = {}
        self.grace = 0.2
        self.image = {}             # variables that the session image itself sets
        self.lock = threading.Lock()
        shims = cluster.folder / "bin"
        shims.mkdir()
        shim = shims / "opencode"
        shim.write_text(
            '#!/bin/sh\n[ "$1" = serve ] || exit 2\n'
            f'exec "{cluster.binary}" demo-agent --hostname "$POD_IP" --port 4096 --directory .\n')
        shim.chmod(0o755)
        self.path = f"{shims}:{os.environ['PATH']}"

    def added(self, pod):
        threading.Thread(target=self.run, args=(pod,), daemon=True).start()

    def deleted(self, pod):
        threading.Thread(target=self.end, args=(pod,), daemon=True).start()

    def end(self, pod):
        uid = pod["metadata"]["uid"]
        time.sleep(self.grace)
        with self.lock:
            processes = self.running.pop(uid, [])
        for process in processes:
            try:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        self.cluster.finish_pod(uid, pod["metadata"]["name"])

    def close(self):
        with self.lock:
            processes = [process for started in self.running.values() for process in started]
            self.running = None
        for process in processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait(5)

    def volume(self, claim):
        uid = self.cluster.store.get("persistentvolumeclaims", claim)["metadata"]["uid"]
        folder = self.cluster.folder / "volumes" / uid
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @staticmethod
    def free_address():
        """An address of 127/8 whose agent port nobody has; other clusters run on this machine, too."""
        while True:
            address = f"127.{random.randrange(64, 250)}.{random.randrange(256)}.{random.randrange(1, 255)}"
            with socket.socket() as probe:
                try:
                    probe.bind((address, 4096))
                    return address
                except OSError:
                    continue

    @staticmethod
    def expand(text, environment):
        """The kubelet's expansion of $(NAME), `$$` being an escaped `$`."""
        result, index = [], 0
        while index < len(text):
            if text[index] == "$" and index + 1 < len(text):
                following = text[index + 1]
                if following == "$":
                    result.append("$")
                    index += 2
                    continue
                if following == "(" and ")" in text[index:]:
                    close = text.index(")", index)
                    name = text[index + 2:close]
                    result.append(environment.get(name, text[index:close + 1]))
                    index = close + 1
                    continue
            result.append(text[index])
            index += 1
        return "".join(result)

    def environment(self, container, address, home):
        environment = {"PATH": self.path, "RESOURCES_DIR": str(ROOT / "Resources"), **self.image}
        for source in container.get("envFrom", []):
            secret = self.cluster.store.get("secrets", source["secretRef"]["name"])
            for name, value in (secret or {}).get("data", {}).items():
                environment[name] = base64.b64decode(value).decode()
        given = {}
        for variable in container.get("env", []):
            source = variable.get("valueFrom", {})
            if "secretKeyRef" in source:
                secret = self.cluster.store.get("secrets", source["secretKeyRef"]["name"]) or {}
                encoded = secret.get("data", {}).get(source["secretKeyRef"]["key"])
                # Optional: a variable without a value is none.
                if encoded is None:
                    continue
                value = base64.b64decode(encoded).decode()
            else:
                value = address if "fieldRef" in source else self.expand(variable.get("value", ""), given)
            given[variable["name"]] = value
        environment.update({
            name: str(home) + value[len("/home/opencode"):] if value.startswith("/home/opencode") else value
            for name, value in given.items()})
        return environment

    def launch(self, pod, container, address, home):
        command = [self.expand(part, {}) for part in container["command"]]
        log = self.cluster.folder / f'{pod["metadata"]["uid"]}-{container["name"]}.log'
        self.logs[(pod["metadata"]["name"], container["name"])] = log
        with self.lock:
            if self.running is None:
                raise SystemExit
            with open(log, "ab") as output:
                process = subprocess.Popen(
                    command, env=self.environment(container, address, home), cwd=home, stdin=subprocess.DEVNULL,
                    stdout=output, stderr=output, start_new_session=True)
            self.running.setdefault(pod["metadata"]["uid"], []).append(process)
        return process, log

    def log(self, pod, container):
        value = self.cluster.store.get("pods", pod)
        if not value:
            raise Refused(404, "NotFound", f'pods "{pod}" not found')
        known = [each["name"] for each in value["spec"].get("initContainers", []) + value["spec"]["containers"]]
        if container not in known:
            raise Refused(400, "BadRequest", f"container {container} is not valid for pod {pod}")
        path = self.logs.get((pod, container))
        if not path or not path.exists():
            raise Refused(400, "BadRequest", f'container "{container}" in pod "{pod}" is waiting to start: PodInitializing')
        return path.read_text(errors="replace")

    @staticmethod
    def condition(kind, status, **more):
        return {"type": kind, "status": status, "lastTransitionTime": now(), **more}

    def run(self, pod):
        try:
            if self.behaviour:
                self.behaviour(self, pod)
            elif self.cluster.bind_pod(pod):
                self.run_for_real(pod)
        except SystemExit:
            pass

    def run_for_real(self, pod):
        status, spec = self.cluster.status, pod["spec"]
        initial, agent = next(iter(spec.get("initContainers", [])), None), spec["containers"][0]
        address = self.free_address()
        disk = spec["volumes"][0]
        if "emptyDir" in disk:
            home = self.cluster.folder / "scratch" / pod["metadata"]["uid"]
            home.mkdir(parents=True)
        else:
            home = self.volume(disk["persistentVolumeClaim"]["claimName"])
            self.cluster.bind(disk["persistentVolumeClaim"]["claimName"])
        scheduled = self.condition("PodScheduled", "True")
        unready = self.condition("Ready", "False", reason="ContainersNotReady")

        def container(definition, state, **more):
            return {"name": definition["name"], "image": definition["image"], "imageID": "", "ready": False,
                    "restartCount": 0, "state": state, "lastState": {}, **more}

        waiting = {"waiting": {"reason": "PodInitializing"}}
        others = [container(other, waiting) for other in spec["containers"]]
        status(pod, podIP=address, conditions=[scheduled, unready], startTime=now(), containerStatuses=others)
        if initial:
            status(pod, initContainerStatuses=[container(initial, {"waiting": {"reason": "ContainerCreating"}})])
        restarts, last = 0, {}
        while initial:
            process, log = self.launch(pod, initial, address, home)
            status(pod, podIP=address, initContainerStatuses=[container(
                initial, {"running": {"startedAt": now()}}, restartCount=restarts, lastState=last)])
            code = process.wait()
            ended = {"exitCode": code if code >= 0 else 128 - code, "reason": "Completed" if code == 0 else "Error",
                     "finishedAt": now()}
            if code == 0:
                break
            ended["message"] = log.read_text(errors="replace")[-2048:]
            last = {"terminated": ended}
            status(pod, initContainerStatuses=[container(
                initial, {"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=restarts, lastState=last)])
            restarts += 1
            time.sleep(5)
            present = self.cluster.store.get("pods", pod["metadata"]["name"])
            if not present or present["metadata"].get("deletionTimestamp"):
                return
        if initial:
            status(pod, initContainerStatuses=[container(initial, {"terminated": ended}, ready=True)])
        process, log = self.launch(pod, agent, address, home)
        running = {"running": {"startedAt": now()}}
        status(pod, phase="Running", containerStatuses=[container(agent, running)] + others[1:])
        probe = agent["readinessProbe"]["httpGet"]
        request = urllib.request.Request(f'http://{address}:{probe["port"]}{probe["path"]}', headers={
            header["name"]: header["value"] for header in probe.get("httpHeaders", [])})
        while process.poll() is None:
            try:
                with urllib.request.urlopen(request, timeout=3) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                time.sleep(0.05)
        ready = self.condition("Ready", "True")
        status(pod, conditions=[scheduled, ready], containerStatuses=[
            container(each, running, ready=True, started=True) for each in spec["containers"]])
        process.wait()
        status(pod, conditions=[scheduled, unready], containerStatuses=[container(
            agent, {"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=1, lastState={"terminated": {
                "exitCode": process.returncode & 0xff, "reason": "Error",
                "message": log.read_text(errors="replace")[-2048:]}})])
