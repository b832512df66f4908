"""A test double of Cloudflare's API v4, for one zone and one tunnel.

It implements what the API documents for what the operator uses: the envelope (`success`, `errors` with code and message,
`result`, `result_info`), Bearer tokens, DNS records with pages and filters, records refused because they exist (81053,
81057) or do not (81044), the tunnel's configuration as one document with a version that counts every write and whose
last rule must take everything, and 429 with Retry-After. There is no conditional write: a PUT replaces, whoever wrote
in between.
"""

import json
import random
import threading
import urllib.parse
import uuid

from harness.service import Service, ServiceHandler

ZONE = "023e105f4ecef8ad9ca31a8372d0c353"
ACCOUNT = "372e67954025e0ba6aaa6d586b9e0b59"
TUNNEL = "f70ff985-a4ef-4643-bbbc-4a0ed4fc8415"
TOKEN = "cf-secret-token-that-must-not-be-logged"
MARK = "opencode session — managed by opencode-cloudflare-operator"


class Refused(Exception):
    def __init__(self, status, code, message, retry_after=None):
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


class Cloudflare:
    def __init__(self, domain="example.com", page_limit=100):
        self.domain = domain
        # Pages are never longer, whatever is asked for.
        self.page_limit = page_limit
        self.lock = threading.RLock()
        self.records = {}
        # The configuration as text: what it says is told as it was written.
        self.configuration = None
        self.version = 0
        self.requests = []
        self.puts = 0
        # Faults, set by tests.
        self.faults = None          # called with (method, path) before a request counts; may raise Refused or return "drop"
        self.lost_answers = None    # called with (method, path) after a request; true: the answer never arrives
        self.edits = None           # called with (version, times it was told) after the document was told
        self.on_request = None      # called with the number of each request
        self.told = {}
        double = self

        class Handler(CloudflareHandler):
            cloudflare = double

        self.server = Service(Handler)
        self.url = f"{self.server.url}/client/v4"

    def close(self):
        self.server.close()

    # What people do in the dashboard

    def add_record(self, name, content, type="CNAME", comment=None, **more):
        with self.lock:
            identifier = uuid.uuid4().hex
            self.records[identifier] = {
                "id": identifier, "zone_id": ZONE, "zone_name": self.domain, "name": name, "type": type,
                "content": content, "proxied": True, "ttl": 1, "comment": comment, "tags": [], **more}
            return identifier

    def write_configuration(self, text):
        """Replaces the document, as an edit in the dashboard does."""
        with self.lock:
            json.loads(text)
            self.configuration = text
            self.version += 1

    def edit_rules(self, function):
        """An edit in the dashboard that keeps what it does not mean: `function` gets and returns the list of rules."""
        with self.lock:
            document = json.loads(self.configuration)
            document["ingress"] = function(document["ingress"])
            self.write_configuration(json.dumps(document))

    @property
    def rules(self):
        with self.lock:
            return json.loads(self.configuration)["ingress"] if self.configuration else []

    def rules_of(self, service):
        return {rule["hostname"] for rule in self.rules if rule.get("service") == service and "hostname" in rule}

    def names(self, comment=MARK):
        with self.lock:
            return sorted(record["name"] for record in self.records.values() if record["comment"] == comment)

    # What the API does

    def serve(self, method, path, query, body):
        parts = path.strip("/").split("/")
        if parts == ["zones", ZONE] and method == "GET":
            return self.success(f'{{"id":"{ZONE}","name":"{self.domain}","account":{{"id":"{ACCOUNT}","name":"us"}}}}')
        if parts[:3] == ["zones", ZONE, "dns_records"]:
            return self.dns(method, parts[3] if len(parts) > 3 else None, query, body)
        if parts == ["accounts", ACCOUNT, "cfd_tunnel", TUNNEL, "configurations"]:
            return self.tunnel(method, body)
        raise Refused(404, 7003, f"Could not route to {path}, perhaps your object identifier is invalid?")

    @staticmethod
    def success(result, info=None):
        more = f',"result_info":{json.dumps(info)}' if info else ""
        return f'{{"success":true,"errors":[],"messages":[],"result":{result}{more}}}'

    def dns(self, method, identifier, query, body):
        with self.lock:
            if identifier and identifier not in self.records:
                raise Refused(404, 81044, "Record does not exist.")
            if method == "GET" and not identifier:
                return self.list_records(query)
            if method == "POST":
                value = json.loads(body)
                self.check_record(value)
                made = self.add_record(value["name"].lower(), value["content"], value["type"], value.get("comment"),
                                       proxied=value.get("proxied", False))
                return self.success(json.dumps(self.records[made]))
            if method == "PATCH":
                self.records[identifier].update(json.loads(body))
                return self.success(json.dumps(self.records[identifier]))
            if method == "DELETE":
                del self.records[identifier]
                return self.success(json.dumps({"id": identifier}))
        raise Refused(405, 10000, "Method not allowed")

    def check_record(self, value):
        name = value["name"].lower()
        if not name.endswith("." + self.domain):
            raise Refused(400, 9041, "DNS name is not in this zone")
        for record in self.records.values():
            if record["name"] == name and record["type"] in ("A", "AAAA", "CNAME"):
                if (record["type"], record["content"]) == (value["type"], value["content"]):
                    raise Refused(400, 81057, "The record already exists.")
                raise Refused(400, 81053, "An A, AAAA, or CNAME record with that host already exists.")

    def list_records(self, query):
        found = sorted(self.records.values(), key=lambda record: record["name"])
        for name, of in (("type", "type"), ("name", "name"), ("comment.exact", "comment")):
            if name in query:
                found = [record for record in found if (record[of] or "").lower() == query[name].lower()]
        length = min(int(query.get("per_page", 100)), self.page_limit)
        page = int(query.get("page", 1))
        pages = max(1, -(-len(found) // length))
        chosen = found[(page - 1) * length:page * length]
        return self.success(json.dumps(chosen), {
            "page": page, "per_page": length, "count": len(chosen), "total_count": len(found), "total_pages": pages})

    def tunnel(self, method, body):
        with self.lock:
            if method == "PUT":
                text = body.decode()
                start = text.index(":") + 1
                configuration = text[start:text.rindex("}")].strip()
                rules = json.loads(configuration)["ingress"]
                last = rules[-1] if rules else {}
                if not rules or last.get("hostname") or last.get("path"):
                    raise Refused(400, 1056, "Bad Configuration: The last ingress rule must match all URLs")
                self.configuration = configuration
                self.version += 1
                self.puts += 1
            elif method != "GET":
                raise Refused(405, 10000, "Method not allowed")
            answer = self.success(
                f'{{"tunnel_id":"{TUNNEL}","version":{self.version},"config":{self.configuration or "null"},'
                f'"source":"cloudflare","created_at":"2026-01-01T00:00:00Z"}}')
            if method == "GET":
                self.told[self.version] = self.told.get(self.version, 0) + 1
                if self.edits:
                    self.edits(self.version, self.told[self.version])
            return answer


class CloudflareHandler(ServiceHandler):
    disable_nagle_algorithm = True
    cloudflare = None

    def answer(self):
        double = self.cloudflare
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        url = urllib.parse.urlsplit(self.path)
        path = url.path.removeprefix("/client/v4")
        with double.lock:
            double.requests.append((self.command, path, url.query))
            number = len(double.requests)
        if double.on_request:
            double.on_request(number)
        status, headers = 200, {}
        try:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise Refused(403, 9109, "Invalid access token")
            if double.faults and double.faults(self.command, path) == "drop":
                self.close_connection = True
                return
            text = double.serve(self.command, path, dict(urllib.parse.parse_qsl(url.query)), body)
        except Refused as refused:
            status = refused.status
            if refused.retry_after is not None:
                headers["Retry-After"] = str(refused.retry_after)
            text = json.dumps({
                "success": False, "errors": [{"code": refused.code, "message": refused.message}], "messages": [],
                "result": None})
        if double.lost_answers and double.lost_answers(self.command, path):
            self.close_connection = True
            return
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer


class Weather:
    """Faults as they come, from a seed: rate limits, failures, dropped requests, lost answers."""

    def __init__(self, cloudflare, seed, share=0.05):
        self.random = random.Random(seed)
        self.share = share
        self.lock = threading.Lock()
        self.seen = {}
        cloudflare.faults, cloudflare.lost_answers = self.before, self.after

    def draw(self):
        with self.lock:
            return self.random.random()

    def note(self, kind):
        with self.lock:
            self.seen[kind] = self.seen.get(kind, 0) + 1

    def before(self, method, path):
        draw = self.draw() / self.share
        if draw < 0.2:
            self.note("429")
            raise Refused(429, 971, "Please wait and consider throttling your request speed", 0)
        if draw < 0.6:
            self.note("503")
            raise Refused(503, 10000, "Service temporarily unavailable")
        if draw < 0.8:
            self.note("dropped")
            return "drop"
        return None

    def after(self, method, path):
        lost = self.draw() < self.share / 4
        if lost:
            self.note("lost")
        return lost

    def clears(self, cloudflare):
        cloudflare.faults = cloudflare.lost_answers = None
