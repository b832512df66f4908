#!/usr/bin/env python3
"""A stand-in for an agent that does what a test tells it to.

    scripted_agent.py --port PORT [switches]

Speaks GET /global/health and POST /global/dispose like opencode, with its password (HTTP Basic, user opencode) from
OPENCODE_SERVER_PASSWORD, and for tests:

    GET  /environment       its environment and working folder as JSON
    GET  /head...           the target and the fields of the request as JSON
    GET  /children          the numbers of the processes it made
    POST /exit?status=N     ends at once with that status
    POST /signal?number=N   sends itself that signal

It notes "disposed" and "terminated" in `agent.events` beside its working folder. Switches:

    --exit STATUS           print two lines, then end before anything listens
    --never-healthy         answer 503 to health
    --healthy-after N       answer 503 to health N times first
    --ignore-term           ignore SIGTERM
    --family                make a child in its own group, one in a new session, one orphan in a new session, and one
                            in a new session without any environment; all sleep
    --chatter BYTES         write that much to its log before it listens
    --once FILE             --exit only while FILE does not exist; make it
    --take-port FILE        while FILE does not exist: make it, occupy the port by another process, and end
"""
import argparse
import base64
import http.server
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse


def note(text):
    with open("../agent.events", "a") as events:
        events.write(text + "\n")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0

    def log_message(self, *arguments):
        pass

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def allowed(self):
        password = os.environ.get("OPENCODE_SERVER_PASSWORD", "")
        wanted = "Basic " + base64.b64encode(f"opencode:{password}".encode()).decode()
        if not password or self.headers.get("Authorization") == wanted:
            return True
        self.reply(401, {"error": "who are you?"})
        return False

    def do_GET(self):
        if not self.allowed():
            return
        options = self.server.options
        if self.path == "/global/health":
            Handler.asked += 1
            healthy = not options.never_healthy and Handler.asked > options.healthy_after
            self.reply(200 if healthy else 503, {"healthy": healthy, "version": "scripted"})
        elif self.path == "/environment":
            self.reply(200, {"environment": dict(os.environ), "folder": os.getcwd()})
        elif self.path.startswith("/head"):
            self.reply(200, {"target": self.path, "fields": list(self.headers.items())})
        elif self.path == "/children":
            self.reply(200, self.server.family)
        else:
            self.reply(404, {"error": "no such page"})

    def do_POST(self):
        if not self.allowed():
            return
        path, _, query = self.path.partition("?")
        query = urllib.parse.parse_qs(query)
        if path == "/global/dispose":
            note("disposed")
            self.reply(200, True)
        elif path == "/exit":
            print("told to exit", flush=True)
            os._exit(int(query["status"][0]))
        elif path == "/signal":
            os.kill(os.getpid(), int(query["number"][0]))
            self.reply(200, True)
        else:
            self.reply(404, {"error": "no such page"})


def make_family():
    sleep = ["sleep", "600"]
    orphan = subprocess.run(
        ["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 & echo $!"], stdout=subprocess.PIPE, text=True)
    return [
        subprocess.Popen(sleep).pid,
        subprocess.Popen(sleep, start_new_session=True).pid,
        int(orphan.stdout),
        subprocess.Popen(["/bin/sleep", "600"], start_new_session=True, env={}).pid,
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--exit", type=int)
    parser.add_argument("--once")
    parser.add_argument("--take-port")
    parser.add_argument("--never-healthy", action="store_true")
    parser.add_argument("--healthy-after", type=int, default=0)
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--family", action="store_true")
    parser.add_argument("--chatter", type=int, default=0)
    options = parser.parse_args()

    print(f"scripted agent, process {os.getpid()}", flush=True)
    if options.take_port and not os.path.exists(options.take_port):
        code = (
            "import socket,sys,time; s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); "
            f"s.bind(('127.0.0.1', {options.port})); s.listen(); print('taken', flush=True); time.sleep(20)")
        # As if it were a process of somebody else: no environment of ours, no parent of ours.
        taker = subprocess.Popen(
            ["setsid", "setsid", "-f", sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={})
        taker.stdout.readline()
        open(options.take_port, "w").close()
        sys.exit("address already in use")
    if options.exit is not None and not (options.once and os.path.exists(options.once)):
        if options.once:
            open(options.once, "w").close()
        print("the first line\nthe last line: cannot go on", file=sys.stderr, flush=True)
        sys.exit(options.exit)
    line = "x" * 99 + "\n"
    for _ in range(options.chatter // 100):
        sys.stdout.write(line)
    sys.stdout.flush()

    def terminate(*_):
        note("terminated")
        if not options.ignore_term:
            os._exit(0)

    signal.signal(signal.SIGTERM, terminate)
    family = make_family() if options.family else []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.daemon_threads = True
    server.options = options
    server.family = family
    server.serve_forever()


if __name__ == "__main__":
    main()
