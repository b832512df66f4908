"""What an operator sees: the command line, numbers, health, the end of a process."""

import re
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness.checkers import tool
from harness.http1 import EventStream
from harness.router import binary, clean_environment
from harness.waiting import eventually


def run(*arguments, **settings):
    return subprocess.run(
        [binary(), *arguments], env=clean_environment(**settings), capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("settings,expected", [
    ({}, "ROUTER_DOMAIN: not set"),
    ({"DEVELOPMENT": "true", "PORT": "eighty"}, "PORT=eighty: expected a whole number from 0 to 65535"),
    ({"ROUTER_DOMAIN": "example.com"}, "AUTH_SECRET: not set, and neither is TRUSTED_PROXIES"),
    ({"DEVELOPMENT": "true", "BIND_ADDRESS": "0.0.0.0", "DEV_EMAIL": "a@b.c"}, "DEV_EMAIL=a@b.c: only with a loopback"),
    ({"DEVELOPMENT": "true", "AUTH_SECRET": "short-secret"}, "AUTH_SECRET=(redacted): expected"),
])
def test_a_wrong_value_stops_the_start_with_a_line_that_names_it(settings, expected):
    done = run("serve", **settings)
    assert done.returncode == 78
    assert done.stdout == ""
    assert any(line.startswith(f"opencode-router: {expected}") for line in done.stderr.splitlines()), done.stderr
    assert "short-secret" not in done.stderr


def test_a_misspelt_flag_stops_the_start_with_the_one_that_was_meant():
    done = run("serve", "--prot", "80")
    assert done.returncode == 78
    assert done.stderr == "opencode-router: unknown option --prot; did you mean --port?\n"


def test_check_config_prints_what_is_in_force_without_secrets():
    done = run("check-config", "--port=4000", DEVELOPMENT="true", ADMIN_SECRET="hunter2-hunter2")
    assert done.returncode == 0
    assert "PORT=4000  # flag" in done.stdout
    assert "ADMIN_SECRET=(redacted)  # environment" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("port,domain", [("4000", "localhost:4000"), ("0", "localhost:PORT")])
def test_check_config_tells_the_domain_of_development_mode_and_no_port_that_is_none(port, domain):
    assert f"ROUTER_DOMAIN={domain}  # default" in run("check-config", DEVELOPMENT="true", PORT=port).stdout


def test_help_names_every_setting():
    text = run("serve", "--help").stdout
    for name in ["ROUTER_DOMAIN", "--router-domain", "IDLE_TIMEOUT_MINUTES", "AUTH_SECRET_FILE", "STATE_DIR"]:
        assert name in text


def test_version_is_one_line():
    done = run("version")
    assert re.fullmatch(r"opencode-router \d+\.\d+\.\d+\S*\n", done.stdout), done.stdout


def complete(line, tmp_path):
    """What bash offers for the last word of a command line."""
    script = tmp_path / "completions"
    script.write_text(run("completions", "bash").stdout)
    words = line.split(" ")
    asked = f"""source {script}; COMP_WORDS=({' '.join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}
        _opencode_router; printf '%s\n' "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-euc", asked], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("line,offered", [
    ("opencode-router heal", {"healthcheck"}),
    ("opencode-router serve --router-d", {"--router-domain"}),
    ("opencode-router check-config --drain", {"--drain-seconds", "--drain-delay-seconds"}),
    ("opencode-router --metrics", {"--metrics-port"}),
    ("opencode-router completions ", {"bash", "zsh", "fish"}),
])
def test_the_shell_completes_commands_and_every_setting(line, offered, tmp_path):
    assert complete(line, tmp_path) == offered


def test_completions_for_fish_name_every_setting():
    assert " -l router-domain\n" in run("completions", "fish").stdout


def test_the_manual_page_is_flawless():
    page = Path(__file__).parents[2] / "docs" / "opencode-router.1"
    done = subprocess.run([tool("mandoc"), "-T", "lint", page], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_port_that_is_taken_is_named(router):
    done = run("serve", DEVELOPMENT="true", PORT=router.port, STATE_DIR=router.folder / "other",
               PUBLIC_DIR=router.settings["PUBLIC_DIR"], METRICS_PORT=0, POD_PORT=0, ATTACH_PORT=0, LOG_FORMAT="text")
    assert done.returncode != 0
    assert str(router.port) in done.stderr


def test_healthcheck_asks_the_operations_listener(router):
    assert run("healthcheck", METRICS_PORT=router.metrics_port).returncode == 0
    assert run("healthcheck", "--path", "/readyz", METRICS_PORT=router.metrics_port).returncode == 0
    assert run("healthcheck", "--path", "/nothing", METRICS_PORT=router.metrics_port).returncode == 1


def test_health_and_readiness(router):
    assert router.operations("/healthz").status == 200
    assert router.operations("/readyz").status == 200
    assert router.operations("/").status == 404


def test_a_health_check_that_is_not_understood_is_told_why(router):
    with router.operations_connection() as connection:
        connection.send(b"GET /readyz HTTP/1.0\r\n\r\n")
        answer = connection.read_response("GET")
    assert answer.status == 400 and "Host" in answer.text


@pytest.mark.parametrize("line,status,reason", [
    ("GET /healthz HTTP/1.1", 200, "OK"), ("HEAD /readyz HTTP/1.1", 200, "OK"), ("GET /nothing HTTP/1.1", 404, "Not Found"),
    ("POST /healthz HTTP/1.1", 405, "Method Not Allowed"), ("TRACE /healthz HTTP/1.1", 405, "Method Not Allowed"),
    ("FETCH /healthz HTTP/1.1", 501, "Not Implemented"), ("GET /healthz HTTP/2.0", 505, "HTTP Version Not Supported"),
    ("GET /" + "x" * 9000 + " HTTP/1.1", 414, "URI Too Long"), ("GET /healthz", 400, "Bad Request"),
    ("GET / HTTP/1.1\r\nX: " + "x" * 20000, 431, "Request Header Fields Too Large"),
])
def test_probes_are_answered_as_http_has_it(router, line, status, reason):
    """RFC 9110, 6.6.1 and 15.5.6; RFC 9112, 3."""
    with router.operations_connection() as connection:
        connection.send(f"{line}\r\nHost: localhost\r\n\r\n".encode())
        answer = connection.read_response(line.split(" ")[0])
        assert (answer.status, answer.reason) == (status, reason)
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.fields["Date"])
        assert answer.fields.get("Allow") == ("GET, HEAD" if status == 405 else None)
        assert answer.fields["Connection"] == "close" and connection.at_end()


def samples(router, accept=None):
    answer = router.operations("/metrics", {"Accept": accept} if accept else None)
    assert answer.status == 200
    found = {}
    for line in answer.text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def total(found, name, **labels):
    return sum(value for key, value in found.items() if key.partition("{")[0] == name and all(
        f'{label}="{wanted}"' in key for label, wanted in labels.items()))


def test_requests_add_up(start_router, shared):
    """Of a router that nobody has asked before: what is counted a moment late would count as one of these."""
    shared.script = lambda peer: peer.serve(b"ok")
    router = start_router(DEV_ROUTES=shared.routes("aaaaaaaaaaaa"))
    host = f"aaaaaaaaaaaa.{router.domain}"
    with router.connect() as connection:
        for _ in range(50):
            connection.request("GET", "/", host)
        for _ in range(30):
            connection.request("GET", "/api/me", router.host)
        for _ in range(20):
            connection.request("HEAD", "/", router.host)
        for _ in range(10):
            connection.request("GET", "/", f"000000000000.{router.domain}")
    expected = {
        ("session", "get", "2xx"): 50, ("api", "get", "2xx"): 30, ("asset", "head", "2xx"): 20,
        ("refusal", "get", "4xx"): 10,
    }

    def counted(found):
        name = "opencode_router_requests_total"
        requests = {
            labels: total(found, name, route=labels[0], method=labels[1], status=labels[2]) for labels in expected}
        return requests, total(found, "opencode_router_refusals_total")

    # A client has its answer a moment before the request is counted.
    end = time.monotonic() + 20
    while counted(found := samples(router)) != (expected, 10):
        assert time.monotonic() < end, counted(found)
        time.sleep(0.02)
    assert found["process_resident_memory_bytes"] > 1e6
    router.stop()


LONG = {"Content-Length": 10}
CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.mark.parametrize("method,target,host,fields,body,code,reason", [
    ("POST", "/", "session", LONG, b"half", "incomplete_body", "malformed"),
    ("POST", "/", "session", CHUNKED, b"5\r\nhel", "incomplete_body", "malformed"),
    ("POST", "/", "session", CHUNKED, b"zz\r\n", "bad_request", "malformed"),
    ("POST", "/api/sessions", "picker", LONG, b"half", "incomplete_body", "malformed"),
    ("POST", "/api/sessions", "picker", {"Content-Length": 10 << 20}, b"", "body_too_large", "body_too_large"),
    ("FETCH", "/api/me", "picker", {}, b"", "method_not_implemented", "unsupported"),
    ("GET", "/", "nobody", {}, b"", "session_not_found", "unknown_session"),
    ("GET", "/", "asleep", {}, b"", "session_not_ready", "not_ready"),
    ("GET", "/", "session", {"Origin": "https://evil.example"}, b"", "origin_foreign", "forbidden_origin"),
    ("GET", "/", "silent", {}, b"", "session_unreachable", None),
])
def test_what_a_client_is_refused_is_counted_once_with_the_reason(
        refusing, method, target, host, fields, body, code, reason):
    """And what a session failed to answer is not counted as refused."""
    router, hosts = refusing
    name = "opencode_router_refusals_total"
    before, errors = samples(router), "opencode_router_upstream_errors_total"
    with router.connect() as connection:
        connection.send(connection.head(
            method, target, hosts[host], {"Content-Type": "application/json", "Origin": f"http://{hosts[host]}", **fields}) + body)
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.read_response().json()["code"] == code
    kind, labels = (name, {"reason": reason}) if reason else (errors, {})
    eventually(lambda: total(samples(router), kind, **labels) == total(before, kind, **labels) + 1)
    after = samples(router)
    assert total(after, name) == total(before, name) + (1 if reason else 0)


@pytest.fixture(scope="module")
def refusing(start_router, shared, repositories):
    """A router, and hosts that refuse in different ways."""

    def script(peer):
        head = peer.read_head()
        if head is not None and not head.fields["Host"].startswith("bbbb"):
            peer.wait_closed()

    shared.script = script
    router = start_router(DEV_ROUTES=shared.routes("aaaaaaaaaaaa", "bbbbbbbbbbbb"), IDLE_TIMEOUT_MINUTES=0)
    stopped = router.create(repositories.story, "main")
    router.api("POST", f"/sessions/{stopped['hash']}/stop")
    router.wait_for_state(stopped["hash"], "stopped")
    hosts = {name: router.host_of(hash) for name, hash in [
        ("session", "aaaaaaaaaaaa"), ("silent", "bbbbbbbbbbbb"), ("nobody", "000000000000"), ("asleep", stopped["hash"])]}
    yield router, {**hosts, "picker": router.host}
    router.stop()


def test_sessions_are_counted_by_state_and_their_starts_timed(router, session):
    # Metrics follow the sessions, as the API's readers do, in their own time.
    eventually(lambda: samples(router).get('opencode_router_sessions{state="running"}') == 1)
    eventually(lambda: total(samples(router), "opencode_router_session_start_duration_seconds_count", result="done") > 0)
    assert samples(router)["opencode_router_directory_in_sync"] == 1


def test_open_streams_are_counted_while_they_are_open(router, session):
    with router.connect() as connection, router.connect() as other:
        next(EventStream(connection, "/event", router.session_host(session)).events(20))
        next(EventStream(other, "/api/sessions/stream", router.host).events(20))
        eventually(lambda: samples(router)["opencode_router_event_streams"] == 2)
    eventually(lambda: samples(router)["opencode_router_event_streams"] == 0)


def test_the_access_log_tells_a_line_per_request_and_no_secret(start_router):
    router = start_router(DEBUG_HEADERS="true")
    router.request("GET", "/settings?secret=in-the-query", fields={
        "X-Forwarded-Access-Token": "secret-token", "Cookie": "a=secret-cookie"})
    router.request("GET", "/", "elsewhere.example.org")
    lines = eventually(lambda: len(found := [line for line in router.lines() if line.get("logger") == "access"]) >= 2 and found)
    # Each worker has its own records, so the order says nothing.
    served, refused = sorted(lines, key=lambda line: line["status"])
    assert served["route"] == "asset" and served["status"] == 200 and served["method"] == "GET"
    assert served["email"] == router.EMAIL and served["token"] == "PRESENT" and served["host"] == "localhost"
    assert refused["route"] == "refusal" and refused["status"] == 421 and refused["token"] == "MISSING"
    text = router.log_path.read_text()
    assert "secret-" not in text and "in-the-query" not in text


def test_downloads_are_counted_by_the_way_they_went(router, session):
    before = samples(router)
    with router.connect() as connection:
        body = connection.request("GET", f"/demo/bytes?count={8 << 20}", router.session_host(session)).body
    assert len(body) == 8 << 20
    name = "opencode_router_body_bytes_total"
    # A client has its answer a moment before it is counted.
    eventually(lambda: total(samples(router), name, direction="to_client")
               - total(before, name, direction="to_client") >= 8 << 20)


@pytest.mark.parametrize("accept,kind", [
    (None, "text/plain; version=0.0.4"), ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
])
def test_a_scrape_is_small_and_quick(router, accept, kind):
    times = []
    for _ in range(10):
        start = time.monotonic()
        answer = router.operations("/metrics", {"Accept": accept} if accept else None)
        times.append(time.monotonic() - start)
    # The router is one of many on this machine: what it needs is what it needed at its best.
    assert min(times) < 0.25, times
    assert answer.fields["Content-Type"].startswith(kind)
    assert len(answer.body) < 64 << 10


def test_a_scrape_under_load_is_small_and_quick_and_adds_up_with_what_clients_counted(start_router, repositories):
    router = start_router(MAX_REQUESTS_PER_SECOND_PER_USER=1_000_000)
    host = router.session_host(router.create(repositories.story, "main"))
    before = samples(router)
    counted, failures, lock = {"requests": 0, "bytes": 0}, [], threading.Lock()

    def load(number):
        mine = {"requests": 0, "bytes": 0}
        try:
            with router.connect(timeout=60) as connection:
                for turn in range(200):
                    size = 1000 * number + turn
                    answer = connection.request("GET", f"/demo/bytes?count={size}", host)
                    assert answer.status == 200 and len(answer.body) == size
                    mine["requests"] += 1
                    mine["bytes"] += size
        except Exception as error:  # noqa: BLE001
            failures.append(repr(error))
        with lock:
            for name, value in mine.items():
                counted[name] += value

    threads = [threading.Thread(target=load, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    times, sizes = [], []
    while any(thread.is_alive() for thread in threads):
        start = time.perf_counter()
        sizes.append(len(router.operations("/metrics").body))
        times.append(time.perf_counter() - start)
    for thread in threads:
        thread.join()
    assert failures == []
    # The router is one of many on this machine: what it needs is what it needed at its best.
    assert min(times) < 0.020, sorted(times)[:5]
    assert max(sizes) < 64 << 10

    def grown():
        after = samples(router)
        return {
            "requests": total(after, "opencode_router_requests_total", route="session", status="2xx")
            - total(before, "opencode_router_requests_total", route="session", status="2xx"),
            "bytes": total(after, "opencode_router_body_bytes_total", direction="to_client")
            - total(before, "opencode_router_body_bytes_total", direction="to_client"),
        }

    # A client has its answer a moment before it is counted.
    end = time.monotonic() + 20
    while (found := grown())["requests"] != counted["requests"]:
        assert time.monotonic() < end, (found, counted)
        time.sleep(0.02)
    # Heads that leave together with a body are counted with it.
    assert counted["bytes"] <= found["bytes"] <= counted["bytes"] + counted["requests"] * 1024
    duration = "opencode_router_request_duration_seconds_count"
    eventually(lambda: total(samples(router), duration, route="session") - total(before, duration, route="session")
               == counted["requests"])
    router.stop()


def test_promtool_finds_nothing_to_say(router):
    promtool = tool("promtool")
    text = router.operations("/metrics").body
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_log_lines_are_json_with_constant_messages(router):
    for line in router.lines(everything=True):
        assert "time" in line and "level" in line, line


def test_sigterm_drains_and_ends_with_0(start_router, repositories):
    router = start_router(DRAIN_SECONDS=20)
    session = router.create(repositories.story, "main")
    host = router.session_host(session)
    with router.connect() as idle, router.connect() as busy:
        assert idle.request("GET", "/", router.host).status == 200
        busy.send(busy.head("PUT", "/demo/upload/draining", host, {
            "Origin": f"http://{host}", "Content-Length": 10}) + b"hello")
        eventually(lambda: samples(router)['opencode_router_upstream_connections{state="in_use"}'] == 1)
        router.signal()
        eventually(lambda: router.operations("/readyz").status == 503)
        # What runs may finish.
        busy.send(b"world")
        assert busy.read_response("PUT").status == 201
        assert idle.at_end()
    assert router.wait(30) == 0
    assert router.descendants() == []


def test_an_event_stream_ends_when_the_drain_does(start_router, repositories):
    router = start_router(DRAIN_SECONDS=1)
    session = router.create(repositories.story, "main")
    with router.connect() as connection:
        stream = EventStream(connection, "/event", router.session_host(session))
        next(stream.events(20))
        start = time.monotonic()
        router.signal()
        assert router.wait(30) == 0
        assert time.monotonic() - start < 10
