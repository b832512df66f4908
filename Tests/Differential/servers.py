"""Other proxies as processes: what is common to all tests stands here, what a test is about in its own settings."""

import shutil
import subprocess

from harness.ports import reserve_port
from harness.waiting import eventually, listens


def nginx(folder, http, location):
    """Yields the port of an nginx with these directives for all of HTTP and for every path, and ends it."""
    port = reserve_port()
    paths = "".join(f"{name}_temp_path {folder}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; {paths} {http}\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ {location} }} }} }}\n")
    yield from running(["nginx", "-e", "/dev/null", "-p", str(folder), "-c", str(folder / "nginx.conf")], port)


def haproxy(folder, defaults, target):
    """Yields the port of an HAProxy with these defaults in front of a port, and ends it."""
    port = reserve_port()
    (folder / "haproxy.cfg").write_text(
        "\n  ".join(["defaults", "mode http", *defaults])
        + f"\nfrontend f\n  bind 127.0.0.1:{port}\n  default_backend b\n"
        f"backend b\n  http-reuse never\n  server s 127.0.0.1:{target}\n")
    yield from running(["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], port)


def running(command, port):
    assert shutil.which(command[0]), f"{command[0]} is not installed: Tests/Support/install.sh"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: listens(port) or process.poll() is not None)
    assert process.poll() is None, f"{command[0]} ended at once"
    yield port
    process.terminate()
    process.wait()
