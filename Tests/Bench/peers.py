"""The proxies that are compared, and the upstream behind all of them, as processes on loopback."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "Support"))

from harness.ports import reserve_port  # noqa: E402
from harness.waiting import eventually, listens  # noqa: E402

HASH = "aaaaaaaaaaaa"
HOST = f"{HASH}.bench.test"
EMAIL = "alice@example.com"
SECRET = "0123456789abcdef0123456789abcdef"


# HAProxy wants two descriptors per connection, and half of one for its pipes.
DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
CONNECTIONS = min(12000, (DESCRIPTORS - 500) * 2 // 5)


def wait_for(port, seconds=20):
    eventually(lambda: listens(port), seconds)


class Process:
    """A server process, its CPU time and its memory; ended by pid."""

    def __init__(self, command, log, environment=None):
        self.process = subprocess.Popen(
            command, stdout=open(log, "wb"), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment)

    def pids(self):
        """The process and its children: nginx works in one."""
        found = [self.process.pid]
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return found + [int(pid) for pid in children.read_text().split()]

    def cpu(self):
        """CPU seconds so far, of all threads, those included that have ended."""
        # What clock_getcpuclockid(3) returns for another process: the sum of its threads' nanoseconds on a processor.
        return sum(time.clock_gettime(~pid << 3 | 2) for pid in self.pids())

    def rss(self):
        """Resident bytes of the process and its children."""
        total = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) << 10
        return total

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def nginx(folder, name, http):
    folder = folder / name
    folder.mkdir()
    config = folder / "nginx.conf"
    module = Path("/usr/lib/nginx/modules/ngx_http_brotli_static_module.so")
    load = f"load_module {module};" if module.exists() else ""
    config.write_text(f"""
{load}
daemon off; {"user root;" if os.getuid() == 0 else ""} worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
worker_rlimit_nofile {DESCRIPTORS};
events {{ worker_connections {CONNECTIONS}; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 120s;
  client_max_body_size 0; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  include /etc/nginx/mime.types;
{http}
}}
""")
    return Process(["nginx", "-c", str(config), "-p", str(folder)], folder / "out.log")


class Origin:
    """What stands in for a session: nginx with a small answer, a big file, and a place that takes uploads."""

    def __init__(self, folder):
        self.port = reserve_port()
        files = folder / "files"
        files.mkdir()
        with open(files / "big", "wb") as big:
            for _ in range(256):
                big.write(os.urandom(1 << 20))
        self.process = nginx(folder, "origin", f"""
  server {{
    listen 127.0.0.1:{self.port} reuseport backlog=4096; root {files};
    location = /small {{ default_type application/json; return 200 '{{"healthy":true,"version":"1.0.0"}}'; }}
  }}""")
        wait_for(self.port)


class Ours:
    name = "opencode-router"

    def __init__(self, folder, binary, origin, stream_port=None, under=(), seconds=20):
        """`under` is a command that runs the binary, and `seconds` how long it may take to listen."""
        self.port = reserve_port()
        self.metrics = reserve_port()
        routes = [{"hash": HASH, "email": EMAIL, "target": f"http://127.0.0.1:{origin.port}"}]
        if stream_port:
            routes.append({"hash": "bbbbbbbbbbbb", "email": EMAIL, "target": f"http://127.0.0.1:{stream_port}"})
        environment = {
            "PATH": os.environ["PATH"], "DEVELOPMENT": "true", "ROUTER_DOMAIN": f"bench.test:{self.port}",
            "PORT": str(self.port), "ATTACH_PORT": str(self.port), "METRICS_PORT": str(self.metrics),
            "POD_PORT": str(reserve_port()), "WORKERS": "1", "STATE_DIR": str(folder / "state"),
            "AUTH_SECRET": SECRET, "DEV_ROUTES": json.dumps(routes), "MAX_CONNECTIONS_PER_WORKER": "20000",
            # One user makes all the load.
            "MAX_REQUESTS_PER_SECOND_PER_USER": "1000000", "MAX_STREAMS_PER_USER": "100000",
            "PUBLIC_DIR": str(ROOT / "Public"), "RESOURCES_DIR": str(ROOT / "Resources"), "LOG_LEVEL": "warning",
        }
        self.process = Process([*under, str(binary), "serve"], folder / "router.log", environment)
        wait_for(self.port, seconds)
        self.site_host = "bench.test"

    def fields(self):
        return {"X-Auth-Request-Email": EMAIL, "X-Gateway-Key": SECRET}


class HAProxy:
    def __init__(self, folder, origin, splice=True, stream_port=None):
        self.name = "HAProxy" if splice else "HAProxy, no splice"
        self.port = reserve_port()
        config = folder / f"haproxy-{splice}.cfg"
        options = "option splice-request\n  option splice-response" if splice else ""
        pipes = "tune.pipesize 1048576" if splice else ""
        config.write_text(f"""
global
  nbthread 1
  maxconn {CONNECTIONS}
  {pipes}
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  option http-no-delay
  option forwardfor
  http-reuse always
  {options}
frontend f
  bind 127.0.0.1:{self.port}
  unique-id-format %[uuid()]
  unique-id-header X-Request-Id
  use_backend streams if {{ hdr_beg(host) bbbbbbbbbbbb }}
  default_backend b
backend b
  server s 127.0.0.1:{origin.port}
backend streams
  server s 127.0.0.1:{stream_port or origin.port}
""")
        self.process = Process(["haproxy", "-f", str(config), "-db"], folder / f"haproxy-{splice}.log")
        wait_for(self.port)

    def fields(self):
        return {"X-Auth-Request-Email": EMAIL, "X-Gateway-Key": SECRET}


class Nginx:
    name = "nginx"

    def __init__(self, folder, origin, stream_port=None):
        self.port = reserve_port()
        # nginx serves files that were compressed beforehand, as we do.
        site = folder / "site"
        shutil.copytree(ROOT / "Public", site)
        for file in [path for path in site.rglob("*") if path.is_file()]:
            subprocess.run(["brotli", "-q", "11", "-k", str(file)], check=True)
            subprocess.run(["gzip", "-9", "-k", str(file)], check=True)
        self.process = nginx(folder, "proxy", f"""
  upstream origin {{ server 127.0.0.1:{origin.port}; keepalive 256; keepalive_requests 100000000; }}
  upstream streams {{ server 127.0.0.1:{stream_port or origin.port}; keepalive 256; }}
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  server {{
    listen 127.0.0.1:{self.port} reuseport backlog=4096; server_name {HOST};
    location / {{
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Request-Id $request_id; proxy_buffering off; proxy_request_buffering off;
    }}
  }}
  server {{
    listen 127.0.0.1:{self.port}; server_name bbbbbbbbbbbb.bench.test;
    location / {{
      proxy_pass http://streams; proxy_http_version 1.1; proxy_set_header Connection $connection_upgrade;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Host $host; proxy_buffering off;
      proxy_request_buffering off;
      proxy_read_timeout 1h;
    }}
  }}
  server {{
    listen 127.0.0.1:{self.port}; server_name bench.test; root {site};
    brotli_static on; gzip_static on;
  }}""")
        wait_for(self.port)

    def fields(self):
        return {"X-Auth-Request-Email": EMAIL, "X-Gateway-Key": SECRET}
