"""A process changes its settings and hands its ports to the next one, and no request notices."""

import json
import shutil
import signal
import subprocess
import threading
import time

import pytest

from harness.http1 import Connection
from harness.ports import reserve_port
from harness.router import ROOT, binary, clean_environment
from harness.upstream import ScriptedUpstream
from harness.waiting import eventually

HASH = "aaaaaaaaaaaa"


@pytest.fixture
def upstream():
    server = ScriptedUpstream()
    server.script = lambda peer: peer.serve(b"ok")
    yield server
    server.close()


# Hand-over


class Load:
    """Clients that never stop asking; every failure is noted. Half of them use a connection once, half keep it."""

    def __init__(self, port, host, clients=8):
        self.port, self.host, self.failures, self.answers, self.stopped = port, host, [], 0, False
        self.threads = [threading.Thread(target=self.run, args=(number % 2 == 0,)) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, keeps):
        connection = None
        while not self.stopped:
            try:
                if connection is None:
                    connection = Connection(self.port)
                connection.send_request("GET", "/", self.host)
                response = connection.read_response()
                if response.status != 200 or response.body != b"ok":
                    raise AssertionError(response)
                self.answers += 1
                if not keeps or response.fields.get("Connection") == "close":
                    connection.close()
                    connection = None
            except Exception as error:
                self.failures.append(repr(error))
                connection = None
            # Between two requests a kept connection is idle for a moment, as real ones are.
            time.sleep(0.001)

    def stop(self):
        self.stopped = True
        for thread in self.threads:
            thread.join()


def test_three_processes_hand_a_port_on_under_load_and_no_request_fails(start_router, upstream):
    port = reserve_port()
    routes = json.dumps([{"hash": HASH, "email": "dev@example.com", "target": f"http://127.0.0.1:{upstream.port}"}])

    def start(**settings):
        # A successor is ready once it listens.
        return start_router(PORT=port, DEV_ROUTES=routes, WORKERS=2, **settings)

    running = start()
    load = Load(port, f"{HASH}.localhost:{port}")
    try:
        for _ in range(2):
            time.sleep(0.5)
            successor = start(TAKE_OVER="true")
            time.sleep(0.3)
            running.signal(signal.SIGTERM)
            assert running.wait(30) == 0
            before = load.answers
            running = successor
            end = time.monotonic() + 40
            while load.answers < before + 50:
                assert time.monotonic() < end, "nothing is answered any more"
                time.sleep(0.05)
    finally:
        load.stop()
    assert not load.failures, f"{len(load.failures)} of {load.answers}: {load.failures[:3]}"
    assert running.stop() == 0


def test_a_second_router_does_not_join_in_by_accident(start_router):
    first = start_router()
    with pytest.raises(AssertionError, match=f"PORT={first.port}: cannot listen"):
        start_router(PORT=first.port)


def test_a_connection_that_is_idle_at_the_end_still_gets_its_next_answer(start_router):
    router = start_router()
    with router.connect() as used, router.connect() as fresh:
        assert used.request("GET", "/api/version", router.host).status == 200
        router.signal(signal.SIGTERM)
        while router.operations("/readyz").status == 200:
            time.sleep(0.01)
        for connection in (used, fresh):
            response = connection.request("GET", "/api/version", router.host)
            assert response.status == 200 and response.fields["Connection"] == "close"
            assert connection.at_end()
    assert router.wait(40) == 0


# SIGHUP


def reread(router, message):
    """Sends SIGHUP and waits for one more line with this message; returns it."""
    def lines():
        return [line for line in router.lines() if line.get("message") == message]

    before = len(lines())
    router.signal(signal.SIGHUP)
    return eventually(lambda: lines()[before:])[-1]


DONE = "secrets and the picker's files were read anew"


def status(router, key):
    return router.request("GET", "/api/me", fields={
        "X-Auth-Request-Email": "alice@example.com", "X-Gateway-Key": key}).status


def test_sighup_takes_over_a_new_ingress_secret_and_keeps_the_old_one_if_the_new_is_none(start_router, tmp_path):
    file = tmp_path / "secret"
    old, new = "old-secret-0123456789", "new-secret-0123456789"
    file.write_text(old)
    router = start_router(AUTH_SECRET_FILE=file, DEV_EMAIL=None)
    assert (status(router, old), status(router, new)) == (200, 401)
    file.write_text(f"{new}\n{old}")
    assert reread(router, DONE)["changed"] == "AUTH_SECRET_FILE"
    assert (status(router, old), status(router, new)) == (200, 200)
    file.write_text(new)
    reread(router, DONE)
    assert (status(router, old), status(router, new)) == (401, 200)
    for bad in ("short", ""):
        file.write_text(bad)
        line = reread(router, "nothing was read anew: a setting is not valid")
        assert line["level"] == "error" and "AUTH_SECRET" in line["problem"]
        assert (status(router, old), status(router, new)) == (401, 200)
    assert old not in router.log_path.read_text() and new not in router.log_path.read_text()
    assert reread_is_quiet(router, file, new)


def reread_is_quiet(router, file, value):
    file.write_text(value)
    return reread(router, DONE)["changed"] == "no secret"


def test_sighup_takes_over_the_admin_secret(start_router, tmp_path):
    file = tmp_path / "admin"
    file.write_text("first-admin-secret")
    router = start_router(ADMIN_SECRET_FILE=file)

    def admin(key):
        return router.request("GET", "/api/admin/sessions", fields={"X-Admin-Secret": key}).status

    assert (admin("first-admin-secret"), admin("second-admin-secret")) == (200, 403)
    file.write_text("second-admin-secret")
    assert reread(router, DONE)["changed"] == "ADMIN_SECRET_FILE"
    assert (admin("first-admin-secret"), admin("second-admin-secret")) == (403, 200)


def test_sighup_reads_the_picker_s_files_again_while_they_are_being_sent(start_router, tmp_path):
    folder = tmp_path / "Public"
    shutil.copytree(ROOT / "Public", folder)
    large = bytes(range(256)) * 40_000
    (folder / "large.bin").write_bytes(large)
    router = start_router(PUBLIC_DIR=folder, WORKERS=1)
    with router.connect() as slow:
        slow.send_request("GET", "/large.bin", router.host)
        assert slow.read_head().status == 200
        (folder / "large.bin").write_bytes(b"new")
        (folder / "index.html").write_text("<!doctype html><title>new</title></html>")
        reread(router, DONE)
        assert router.request("GET", "/large.bin").body == b"new"
        assert b"<title>new" in router.request("GET", "/").body
        # Who had begun to read the old file reads it to its end.
        assert slow.read_exactly(len(large)) == large
    (folder / "index.html").unlink()
    assert "index.html" in reread(router, "nothing was read anew")["problem"]
    assert b"<title>new" in router.request("GET", "/").body


def test_sighup_is_heard_from_the_first_line_on(start_router):
    for _ in range(3):
        router = start_router(ready=False)
        router.signal(signal.SIGHUP)
        router.wait_for_line(DONE)
        assert router.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_is_heard_from_the_first_line_on(tmp_path, upstream, number):
    """The line comes through a pipe, and the signal in the same moment: a file is looked at too late."""
    for _ in range(3):
        process = subprocess.Popen(
            [binary(), "serve"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=clean_environment(
                DEVELOPMENT="true", DEV_EMAIL="dev@example.com", PORT=0, ATTACH_PORT=0, POD_PORT=0, METRICS_PORT=0,
                STATE_DIR=tmp_path / "state", PUBLIC_DIR=ROOT / "Public", RESOURCES_DIR=ROOT / "Resources",
                SESSION_RUNTIME="local", AGENT_COMMAND="true", LOG_FORMAT="json", DEV_ROUTES=upstream.routes(HASH)))
        try:
            lines = map(json.loads, process.stderr)
            port = int(next(line["port"] for line in lines if line["message"] == "listening"))
            with Connection(port) as connection:
                connection.send_request("GET", "/", f"{HASH}.localhost:{port}")
                process.send_signal(number)
                # In good order: what was asked is answered, and the next process finds the folder free.
                answer = connection.read_response()
                assert answer.status == 200 and answer.body == b"ok"
            assert any(line["message"] == "stopped" for line in lines)
            assert process.wait(40) == 0
        finally:
            process.kill()
            process.wait()
            process.stderr.close()


def test_a_head_in_the_middle_of_sighup_is_answered(start_router):
    router = start_router(WORKERS=1)
    with router.connect() as connection:
        head = connection.head("GET", "/api/version", router.host)
        connection.send(head[:20])
        reread(router, DONE)
        connection.send(head[20:])
        assert connection.read_response().status == 200
