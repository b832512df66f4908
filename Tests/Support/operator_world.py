"""A cluster, a Cloudflare, a router that tells ports, and operators between them."""

import json
import os
import signal
import subprocess
import uuid

from fake_cloudflare import MARK, TOKEN, TUNNEL, ZONE, Cloudflare
from harness.http1 import Connection
from harness.router import binary, clean_environment
from harness.service import Service, ServiceHandler
from harness.waiting import eventually

SERVICE = "http://traefik.test:80"
TARGET = f"{TUNNEL}.cfargotunnel.com"
ADMIN_SECRET = "admin-secret-that-must-not-be-logged"
# Rules of others, in spellings that no encoder would choose.
FOREIGN = [
    '{"service": "http://10.0.0.7:3000",   "hostname":"wiki.example.com"}',
    r'{"hostname":"caf\u00e9.example.com","service":"https:\/\/10.0.0.8","originRequest":{"zeta":1.0,"noTLSVerify":true,'
    r'"alpha":1e3,"tlsTimeout":10.50,"big":12345678901234567890}}',
    '{"hostname":"api.example.com","path":"^/v1/","service":"http://10.0.0.9"}',
    '{"id":"7","hostname":"0123456789ab-oc.other.test","service":"%s"}' % SERVICE,
    '{"hostname":"ffffffffffff-oc.example.com","service":"http://somebody.else"}',
    '{"hostname":"*.example.com","service":"http://10.0.0.10"}',
]
CATCH_ALL = '{"service":"http_status:404"}'
MANIFEST = "components/cloudflare-operator/rbac.yaml"


class Ports:
    """The router as far as an operator asks it: which ports a session listens on."""

    def __init__(self):
        self.ports = {}
        self.status = 200
        ports = self

        class Handler(ServiceHandler):
            def do_GET(self):
                session = self.path.removeprefix("/api/sessions/").removesuffix("/ports")
                allowed = self.headers.get("X-Admin-Secret") == ADMIN_SECRET
                # The router answers to its own name, not to that of its Service.
                allowed = allowed and self.headers.get("Host") == "example.com"
                data = json.dumps({"ports": ports.ports.get(session, [])}).encode()
                self.send_response(ports.status if allowed else 403)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = Service(Handler)
        self.url = self.server.url

    def close(self):
        self.server.close()


class World:
    """What operators see, and what it should come to."""

    def __init__(self, cluster, folder):
        self.cluster = cluster
        self.folder = folder
        self.cloudflare = Cloudflare()
        self.ports = Ports()
        self.running, self.claimed = set(), set()
        self.changes = 0
        self.operators = []
        with cluster.store.lock:
            cluster.store.objects.clear()
        cluster.store.compact()
        self.cloudflare.write_configuration(
            '{"warp-routing": {"enabled":true,"depth":1.50}, "ingress":[%s], "originRequest":{"connectTimeout":30.0}}'
            % ",".join(FOREIGN + [CATCH_ALL]))
        others = self.cloudflare
        self.foreign_records = [
            others.add_record("www.example.com", "192.0.2.1", "A"),
            others.add_record("wiki.example.com", TARGET),
            others.add_record("mail.example.com", TARGET, comment=MARK),
            others.add_record("eeeeeeeeeeee-oc.example.com", TARGET, comment="by hand"),
            others.add_record("dddddddddddd-oc.example.com", "another.cfargotunnel.com", comment=MARK),
        ]
        self.foreign_records = {name: dict(others.records[name]) for name in self.foreign_records}
        self.foreign_routes = [self.route("opencode-session-0123456789ab-oc-app", None),
                               self.route("picker", "opencode-cloudflare-operator")]

    def close(self):
        for operator in self.operators:
            operator.end()
        self.cloudflare.close()
        self.ports.close()

    def route(self, name, manager):
        labels = {"app.kubernetes.io/managed-by": manager} if manager else {}
        return self.cluster.store.put("ingressroutes", {
            "apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute",
            "metadata": {"name": name, "namespace": "opencode", "uid": str(uuid.uuid4()), "labels": labels},
            "spec": {"entryPoints": ["websecure"], "routes": [{"kind": "Rule", "match": "Host(`x`)", "weight": 0.5}]},
        }, "ADDED")

    # Sessions

    def put(self, kind, name, session, event, **labels):
        present = self.cluster.store.get(kind, name)
        value = present or {"metadata": {
            "name": name, "namespace": "opencode", "uid": str(uuid.uuid4()),
            "labels": {"opencode.ai/session-hash": session, "app.kubernetes.io/managed-by": "opencode-router", **labels}},
            "spec": {"containers": []}, "status": {"phase": "Running"}}
        self.cluster.store.put(kind, value, event)

    def start(self, session):
        if session not in self.claimed:
            self.put("persistentvolumeclaims", f"opencode-pvc-{session}", session, "ADDED")
        self.put("pods", f"opencode-session-{session}", session, "ADDED")
        self.claimed.add(session)
        self.running.add(session)
        self.changes += 1

    def stop(self, session):
        self.put("pods", f"opencode-session-{session}", session, "DELETED")
        self.running.discard(session)
        self.changes += 1

    def vanish(self, session):
        if session in self.running:
            self.put("pods", f"opencode-session-{session}", session, "DELETED")
        self.put("persistentvolumeclaims", f"opencode-pvc-{session}", session, "DELETED")
        self.running.discard(session)
        self.claimed.discard(session)
        self.changes += 1

    # What should be there

    def hosts(self, session):
        allowed = {3000, 3001, 4321, 5173, 5174, 8000, 8080, 8888}
        ports = set(self.ports.ports.get(session, [])) & allowed
        return {f"{session}-oc", f"attach-{session}-oc"} | {f"{port}-{session}-oc" for port in ports}

    def wanted(self):
        return {f"{label}.example.com" for session in self.running for label in self.hosts(session)}

    def wanted_routes(self):
        names = set()
        for session in self.running:
            for label in self.hosts(session):
                endings = ["attach"] if label.startswith("attach-") else ["app", "signin"]
                names |= {f"opencode-session-{label}-{ending}" for ending in endings}
        return names

    def routes(self):
        foreign = {route["metadata"]["name"] for route in self.foreign_routes}
        return {route["metadata"]["name"] for route in self.cluster.store.all("ingressroutes")} - foreign

    def own_records(self):
        with self.cloudflare.lock:
            return {record["name"] for key, record in self.cloudflare.records.items() if key not in self.foreign_records}

    def differences(self, known=()):
        """What is not as it should be; `known` are names that may have a record, because their session had one."""
        found = []
        rules = self.cloudflare.rules_of(SERVICE) - {"0123456789ab-oc.other.test"}
        for what, present, wanted in (("rules", rules, self.wanted()), ("routes", self.routes(), self.wanted_routes())):
            if present != wanted:
                found.append(f"{what}: missing {sorted(wanted - present)[:5]}, too many {sorted(present - wanted)[:5]}")
        records = self.own_records()
        may = self.wanted() | {name for name in records if name.split("-oc.")[0][-12:] in self.claimed}
        if not self.wanted() <= records <= may:
            found.append(f"records: missing {sorted(self.wanted() - records)[:5]}, too many {sorted(records - may)[:5]}")
        with self.cloudflare.lock:
            names = [record["name"] for record in self.cloudflare.records.values()]
        if len(names) != len(set(names)):
            found.append("two records of one name")
        return found

    def check_others(self, more=()):
        """Nothing of anybody else was touched, byte for byte and in order."""
        with self.cloudflare.lock:
            text = self.cloudflare.configuration
            records = {name: self.cloudflare.records.get(name) for name in self.foreign_records}
        assert records == self.foreign_records
        position = 0
        for rule in [*more, *FOREIGN, CATCH_ALL]:
            assert rule in text[position:], (rule, text)
            position = text.index(rule, position) + len(rule)
        assert text[position:].startswith("]"), text
        assert '"warp-routing":{"enabled":true,"depth":1.50}' in text and '"connectTimeout":30.0}' in text
        rules = [rule.get("hostname") for rule in json.loads(text)["ingress"]]
        star = rules.index("*.example.com")
        assert all(rules.index(host) < star for host in self.wanted() & set(rules))
        for route in self.foreign_routes:
            assert self.cluster.store.get("ingressroutes", route["metadata"]["name"]) == route

    # Operators

    def settings(self, **more):
        return {
            "CF_API_TOKEN": TOKEN, "CF_ZONE_ID": ZONE, "CF_TUNNEL_ID": TUNNEL, "CF_API_URL": self.cloudflare.url,
            "DOMAIN": "example.com", "ROUTE_SUFFIX": "-oc", "ROUTER_SERVICE_URL": SERVICE,
            "ROUTER_ADMIN_URL": self.ports.url, "ROUTER_ADMIN_SECRET": ADMIN_SECRET, "WATCH_NAMESPACE": "opencode",
            "KUBECONFIG": self.cluster.kubeconfig(), "BIND_ADDRESS": "127.0.0.1", "HEALTH_PORT": 0,
            "SETTLE_SECONDS": 0.2, "PORT_POLL_SECONDS": 0.5, "LOG_FORMAT": "json", **more}

    def operator(self, **settings):
        operator = Operator(self, self.settings(**settings))
        self.operators.append(operator)
        return operator

    def run(self, *arguments, kill=None, **settings):
        """One run that ends by itself: its exit code and its two outputs."""
        process = subprocess.Popen(
            [binary(), "cloudflare-operator", *arguments], env=clean_environment(**self.settings(**settings)),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if kill:
            kill(process)
        output, log = process.communicate(timeout=120)
        assert TOKEN not in output + log and ADMIN_SECRET not in output + log
        return process.returncode, output, log

    def expire_lease(self):
        """As if the time of a lease had passed."""
        lease = self.cluster.store.get("leases", "opencode-cloudflare-operator")
        if lease:
            self.cluster.store.put("leases", lease, "DELETED")


class Operator:
    """A running operator."""

    def __init__(self, world, settings):
        self.world = world
        self.log_path = world.folder / f"operator-{uuid.uuid4().hex[:6]}.log"
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [binary(), "cloudflare-operator"], env=clean_environment(**settings), stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)
        self.port = int(self.wait_for_line("listening")["metrics_port"])

    def lines(self):
        found = []
        for line in self.log_path.read_text(errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                found.append({"message": line})
        return found

    def find(self, message):
        return next((line for line in self.lines() if line.get("message", "").startswith(message)), None)

    def wait_for_line(self, message, seconds=60):
        def look():
            assert self.process.poll() is None or self.find(message), self.log_path.read_text()
            return self.find(message)
        return eventually(look, seconds, lambda: f"no line {message!r}:\n{self.log_path.read_text()[-3000:]}")

    def get(self, path):
        with Connection(self.port) as connection:
            return connection.request("GET", path, "localhost", {"Connection": "close"})

    def metric(self, name):
        """The sum of a family's samples."""
        return sum(float(line.split()[-1]) for line in self.get("/metrics").text.splitlines()
                   if line.split("{")[0].split(" ")[0] == name)

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
            self.process.wait(60)
        self.log.close()
        text = self.log_path.read_text(errors="replace")
        assert TOKEN not in text and ADMIN_SECRET not in text
        return text
