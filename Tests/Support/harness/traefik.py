"""A real Traefik with the configuration of docs/deployment.md, and a sign-in service for it to ask."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

from harness.ports import reserve_port
from harness.router import ROOT, clean_environment
from harness.upstream import ScriptedUpstream

TRAEFIK = shutil.which("traefik", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def documented(name):
    """The YAML block of the page whose first line names this file."""
    blocks = re.findall(r"```yaml\n# (\S+)\n(.*?)```", (ROOT / "docs" / "deployment.md").read_text(), re.S)
    return dict(blocks)[name]


def replaced(text, **exchanges):
    for old, new in exchanges.values():
        assert old in text, f"the documented configuration no longer says {old}"
        text = text.replace(old, new)
    return text


def sign_in_service():
    """In oauth2-proxy's place: the cookie's value is the name; `nameless` is signed in without an address."""
    server = ScriptedUpstream()

    def script(peer):
        while (request := peer.read_request()) is not None:
            name = re.search(r"_oauth2_proxy=(\w+)", request.fields.get("Cookie", ""))
            if name is None:
                peer.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\n\r\nsign in")
                continue
            email = "" if name[1] == "nameless" else f"X-Auth-Request-Email: {name[1]}@example.com\r\n"
            peer.send(f"HTTP/1.1 202 Accepted\r\nX-Auth-Request-User: 12345\r\nX-Auth-Request-Groups: staff\r\n{email}"
                      "X-Auth-Request-Access-Token: token-of-the-user\r\nGAP-Auth: x\r\nContent-Length: 0\r\n\r\n".encode())

    server.script = script
    return server


class Traefik:
    """Started as documented, but on loopback and on a port of the kernel's choice; without TLS unless wanted."""

    def __init__(self, folder, secret, sign_in_port, gateway_port, tls=False):
        self.port = reserve_port()
        self.context = ssl._create_unverified_context() if tls else None
        dynamic = folder / "traefik-dynamic.yaml"
        dynamic.write_text(replaced(
            documented("traefik-dynamic.yaml"), secret=("REPLACE-WITH-THE-AUTH-SECRET", secret),
            sign_in=("http://oauth2-proxy:4180", f"http://127.0.0.1:{sign_in_port}"),
            gateway=("http://opencode-router:3000", f"http://127.0.0.1:{gateway_port}")))
        fixed = folder / "traefik.yaml"
        fixed.write_text(replaced(
            documented("traefik.yaml"), address=('":443"', f'"127.0.0.1:{self.port}"'),
            tls=("      tls: {}\n", "      tls: {}\n" if tls else ""),
            file=("filename: traefik-dynamic.yaml", f"filename: {dynamic}"))
            + "global: {checkNewVersion: false, sendAnonymousUsage: false}\n")
        self.log = open(folder / "traefik.log", "w+")
        self.process = subprocess.Popen(
            [TRAEFIK, f"--configFile={fixed}"], env=clean_environment(), cwd=folder, stdout=self.log, stderr=self.log)
        end = time.monotonic() + 30
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                self.log.seek(0)
                raise AssertionError(self.log.read()[-3000:])
            time.sleep(0.05)

    def is_ready(self):
        """Whether the documented routes are there: before, Traefik answers 404 to everything."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as plain:
                stream = self.context.wrap_socket(plain) if self.context else plain
                stream.sendall(b"GET / HTTP/1.1\r\nHost: code.example.com\r\nConnection: close\r\n\r\n")
                return stream.recv(100).startswith(b"HTTP/1.1 401 ")
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(40)
        self.log.close()
