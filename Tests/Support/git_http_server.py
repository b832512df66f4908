#!/usr/bin/env python3
"""A git server over smart HTTP for tests: Python's HTTP server in front of `git http-backend`.

    git_http_server.py --root DIRECTORY [--user NAME --password WORD | --tokens FILE] [--trace FILE] [--certificate PEM --key PEM]

Serves the bare repositories below DIRECTORY and prints one line once it listens: the port. It ends when the process
that started it does, so a test that dies takes it along. With a certificate it speaks https. Paths:

    /NAME.git/...            the repository DIRECTORY/NAME.git, for everybody
    /private/NAME.git/...    the same, but only with the user and password (HTTP Basic), else 401; with a file of tokens:
                             only with a password that is a line of it now
    /moved/NAME/...          301 to /NAME.git/... of this server, as GitLab answers without ".git"
    /away/HOST:PORT/PATH     302 to http://HOST:PORT/PATH, wherever that is
    /away-https/HOST:PORT/PATH  302 to https://HOST:PORT/PATH
    /old/NAME.git/...        the repository as a server without protocol version 2 shows it
    /loop/...                302 to itself
    /forbidden/...           403
    /broken/...              500
    /garbage/...             200 with a page that is no git answer
    /slow/NAME.git/...       the answer never comes
    /stall/NAME.git/...      like /NAME.git, but packs are never sent
    /nothing/...             404 (as is every repository that does not exist)

Every request is noted in the trace file: method, target, and the Authorization field if there was one.
"""
import argparse
import base64
import http.server
import os
import ssl
import subprocess
import threading
import time
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "git-http-server"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        options = self.server.options
        if options.trace:
            with open(options.trace, "a") as trace:
                trace.write(f"{self.command} {self.path} {self.headers.get('Authorization', '-')}\n")
        path, _, query = self.path.partition("?")
        first, _, rest = path.lstrip("/").partition("/")
        if first == "private":
            wanted = base64.b64encode(f"{options.user}:{options.password}".encode()).decode()
            given = self.headers.get("Authorization", "")
            password = ""
            if given.startswith("Basic "):
                password = base64.b64decode(given[6:]).decode(errors="replace").partition(":")[2]
            if options.tokens:
                with open(options.tokens) as tokens:
                    if not password or password not in tokens.read().split("\n"):
                        return self.plain(401, "who are you?", {"WWW-Authenticate": 'Basic realm="tests"'})
                return self.backend("/" + rest, query)
            # Like the hosts that take tokens: the password counts, the user may be anything.
            if given != f"Basic {wanted}" and password != options.password:
                return self.plain(401, "who are you?", {"WWW-Authenticate": 'Basic realm="tests"'})
            return self.backend("/" + rest, query)
        if first == "moved":
            name, _, tail = rest.partition("/")
            return self.plain(301, "moved", {"Location": f"/{name}.git/{tail}{'?' + query if query else ''}"})
        if first == "away":
            return self.plain(302, "away", {"Location": f"http://{rest}{'?' + query if query else ''}"})
        if first == "away-https":
            return self.plain(302, "away", {"Location": f"https://{rest}{'?' + query if query else ''}"})
        if first == "old":
            del self.headers["Git-Protocol"]
            return self.backend("/" + rest, query)
        if first == "loop":
            return self.plain(302, "round", {"Location": self.path})
        if first == "forbidden":
            return self.plain(403, "not for you")
        if first == "broken":
            return self.plain(500, "broken")
        if first == "garbage":
            return self.plain(200, "<html>a page, not a repository</html>")
        if first == "slow":
            threading.Event().wait(300)
            return None
        if first == "stall":
            if self.command == "POST":
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if b"command=fetch" in body or b"want " in body:
                    threading.Event().wait(300)
                    return None
                return self.backend("/" + rest, query, body)
            return self.backend("/" + rest, query)
        return self.backend(path, query)

    def plain(self, status, text, fields=None):
        length = int(self.headers.get("Content-Length", 0) or 0)
        if length:
            self.rfile.read(length)
        body = text.encode()
        self.send_response(status)
        for name, value in (fields or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html" if text.startswith("<") else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunked_body(self):
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body

    def backend(self, path, query, body=None):
        if body is None:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                body = self.chunked_body()
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0) or 0))
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": self.server.options.root,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": urllib.parse.unquote(path),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": self.client_address[0],
        }
        if path.lstrip("/").startswith("private/") or self.headers.get("Authorization"):
            environment["REMOTE_USER"] = "tester"
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        status = 200
        fields = []
        for line in head.decode(errors="replace").split("\r\n"):
            name, _, value = line.partition(":")
            if name.lower() == "status":
                status = int(value.split()[0])
            elif name:
                fields.append((name, value.strip()))
        if not head:
            status, content = 500, done.stderr
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--user", default="tester")
    parser.add_argument("--password", default="secret")
    parser.add_argument("--tokens")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--trace")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    options = parser.parse_args()
    options.root = os.path.realpath(options.root)
    server = http.server.ThreadingHTTPServer((options.address, 0), Handler)
    server.daemon_threads = True
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.options = options
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(0)


if __name__ == "__main__":
    main()
