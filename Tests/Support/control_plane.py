"""etcd, kube-apiserver and kube-controller-manager as processes of the tests, on loopback and ports of the kernel's.

The folder KUBERNETES_BINARIES holds the three programs, of any version since 1.20. Nothing else of a cluster runs: who
schedules pods and runs them is the tests' own kubelet (real_cluster.py).
"""

import base64
import http.client
import json
import os
import shutil
import ssl
import subprocess
import threading
import time
from pathlib import Path

from harness.ports import reserve_port

ADMINISTRATOR = "administrators-token"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")

AUDIT = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: None, users: [admin, "system:apiserver", "system:kube-controller-manager"]}
  - {level: Request, verbs: [delete]}
  - {level: Metadata}
"""

ACCESS = """\
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%d", certificate-authority: %s}}]
users: [{name: u, user: {token: %s}}]
contexts: [{name: here, context: {cluster: c, user: u}}]
"""


def binaries():
    """The folder with the three programs."""
    folder = Path(os.environ.get("KUBERNETES_BINARIES", ""))
    missing = [name for name in PROGRAMS if not (folder / name).is_file()]
    assert "KUBERNETES_BINARIES" in os.environ and not missing, (
        f"KUBERNETES_BINARIES has to name a folder with {', '.join(PROGRAMS)}; not there: {', '.join(missing)}")
    return folder.resolve()


class Answered(Exception):
    """The server's refusal: its code and its Status."""

    def __init__(self, code, document):
        super().__init__(f"{code} {document}")
        self.code, self.document = code, document


class ControlPlane:
    """One API server with its store and its controllers."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.binaries = binaries()
        self.processes = {}
        self.store_port, self.port = reserve_port(), reserve_port()
        self.local = threading.local()
        self.audit = self.folder / "audit.log"
        self.audit.touch()
        (self.folder / "audit.yaml").write_text(AUDIT)
        (self.folder / "tokens.csv").write_text(f'{ADMINISTRATOR},admin,1,"system:masters"\n')
        self.certificates()
        (self.folder / "access").write_text(ACCESS % (self.port, self.folder / "ca.pem", ADMINISTRATOR))
        self.start_store()
        self.start_server()
        words = ["--kubeconfig", self.folder / "access", "--leader-elect=false",
                 "--service-account-private-key-file", self.folder / "accounts.pem",
                 "--root-ca-file", self.folder / "ca.pem", "--resource-quota-sync-period=5s",
                 "--controllers=namespace,serviceaccount,serviceaccount-token,garbagecollector,pvc-protection,"
                 "resourcequota,root-ca-cert-publisher"]
        if self.knows("kube-controller-manager", "--port "):
            words.append("--port=0")
        self.run("kube-controller-manager", *words, "--secure-port=0")

    def knows(self, program, flag):
        return flag in subprocess.run([self.binaries / program, "--help"], capture_output=True, text=True).stdout

    def certificates(self):
        def make(name, *words):
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-keyout", self.folder / f"{name}-key.pem", "-out", self.folder / f"{name}.pem", *words],
                check=True, capture_output=True)

        make("ca", "-subj", "/CN=cluster", "-addext", "subjectAltName=IP:127.0.0.1")
        make("client-ca", "-subj", "/CN=client authority")
        subprocess.run(["openssl", "genrsa", "-out", self.folder / "accounts.pem", "2048"], check=True, capture_output=True)
        self.context = ssl.create_default_context(cafile=self.folder / "ca.pem")

    def client_certificate(self, user):
        """Files with a certificate of that user's, and its key."""
        key, request, certificate = (self.folder / f"client-{user}.{kind}" for kind in ("key", "csr", "pem"))
        for words in (
                ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
                 "-subj", f"/CN={user}"],
                ["x509", "-req", "-in", request, "-CA", self.folder / "client-ca.pem", "-CAkey",
                 self.folder / "client-ca-key.pem", "-CAcreateserial", "-days", "2", "-out", certificate]):
            subprocess.run(["openssl", *words], check=True, capture_output=True)
        return certificate, key

    def run(self, program, *words):
        with open(self.folder / f"{program}.log", "ab") as log:
            self.processes[program] = subprocess.Popen(
                [self.binaries / program, *map(str, words)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, env={"PATH": os.environ["PATH"], "HOME": str(self.folder)})

    def start_store(self):
        address = f"http://127.0.0.1:{self.store_port}"
        self.run("etcd", "--data-dir", self.folder / "etcd", "--listen-client-urls", address, "--advertise-client-urls",
                 address, "--listen-peer-urls", "http://127.0.0.1:0")

    def start_server(self):
        self.run(
            "kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{self.store_port}", "--bind-address=127.0.0.1",
            "--secure-port", self.port, "--tls-cert-file", self.folder / "ca.pem", "--tls-private-key-file",
            self.folder / "ca-key.pem", "--client-ca-file", self.folder / "client-ca.pem", "--token-auth-file",
            self.folder / "tokens.csv", "--authorization-mode=RBAC", "--service-account-key-file",
            self.folder / "accounts.pem", "--service-account-signing-key-file", self.folder / "accounts.pem",
            "--service-account-issuer=https://cluster.test", "--service-cluster-ip-range=10.96.0.0/24",
            "--endpoint-reconciler-type=none", "--storage-media-type=application/json", "--profiling=false",
            "--audit-policy-file", self.folder / "audit.yaml", "--audit-log-path", self.audit,
            "--audit-log-mode=blocking", "--cert-dir", self.folder, "--min-request-timeout=60")
        self.wait_until_ready()

    def wait_until_ready(self):
        end = time.monotonic() + 120
        while True:
            try:
                if self.ask("GET", "/readyz", raw=True) == b"ok":
                    return
            except (OSError, http.client.HTTPException, Answered):
                pass
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            assert not ended and time.monotonic() < end, "\n".join(
                (self.folder / f"{name}.log").read_text(errors="replace")[-2000:] for name in ended or ["kube-apiserver"])
            time.sleep(0.1)

    def kill_server(self):
        self.kill("kube-apiserver")

    def kill(self, program):
        self.processes[program].kill()
        self.processes[program].wait()

    def close(self):
        for program in reversed(PROGRAMS):
            self.kill(program)

    # As the administrator

    credentials = {"Authorization": f"Bearer {ADMINISTRATOR}", "Accept": "application/json"}

    def connection(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=60)

    def ask(self, method, path, body=None, kind="application/json", raw=False):
        """One request; its document. A connection that was kept and has ended meanwhile is made anew once."""
        data = None if body is None else json.dumps(body).encode()
        for attempt in (1, 2):
            kept = getattr(self.local, "connection", None)
            connection = self.local.connection = kept or self.connection()
            try:
                connection.request(method, path, data, {**self.credentials, "Content-Type": kind})
                answer = connection.getresponse()
                text = answer.read()
                break
            except (OSError, http.client.HTTPException):
                self.local.connection = None
                connection.close()
                if kept is None or attempt == 2:
                    raise
        if answer.status >= 300:
            raise Answered(answer.status, json.loads(text) if text[:1] == b"{" else text)
        return text if raw else json.loads(text)

    # The store itself

    def etcd(self, what, **body):
        connection = getattr(self.local, "etcd", None)
        if connection is None:
            connection = self.local.etcd = http.client.HTTPConnection("127.0.0.1", self.store_port, timeout=60)
        connection.request("POST", f"/v3/{what}", json.dumps(body).encode())
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        return json.loads(text)

    def write(self, key, document):
        """An object exactly as it stands, past every rule, as a backup that is brought back."""
        self.etcd("kv/put", key=base64.b64encode(key.encode()).decode(),
                  value=base64.b64encode(json.dumps(document).encode()).decode())

    def exchange(self, old, new):
        """Copies a state of the store over another while nothing runs."""
        self.kill_server()
        self.kill("etcd")
        shutil.rmtree(self.folder / new, ignore_errors=True)
        shutil.copytree(self.folder / old, self.folder / new)
        self.start_store()
        self.start_server()

    def back_up(self):
        self.exchange("etcd", "backup")

    def restore(self):
        self.exchange("backup", "etcd")

    def compact(self):
        """Forgets the history, and makes the server forget what it remembers of it."""
        revision = self.etcd("kv/range", key=base64.b64encode(b"/").decode())["header"]["revision"]
        self.etcd("kv/compaction", revision=revision, physical=True)
        self.kill_server()
        self.start_server()
