"""A hostile page in one session, in a real browser behind a real ingress: it reaches nothing but its own session."""

import base64
import hashlib
import json
import shutil

import pytest

from harness.traefik import TRAEFIK, Traefik, sign_in_service
from harness.upstream import ScriptedUpstream

SECRET = "0123456789abcdef0123"
HOSTILE, SIBLING = "aaaaaaaaaaaa", "bbbbbbbbbbbb"

pytestmark = pytest.mark.skipif(TRAEFIK is None, reason="Traefik is not installed")


def agent():
    """A session with pages, scripts and WebSockets; its answers try what headers can try."""
    server = ScriptedUpstream()

    def script(peer):
        while (request := peer.read_request()) is not None:
            if request.fields.get("Upgrade"):
                key = request.fields["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
                accept = base64.b64encode(hashlib.sha1(key.encode()).digest())
                peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n\x81\x05hello")
                peer.wait_closed()
                return
            kind = b"text/javascript" if ".js" in request.line else b"text/html"
            body = b"self.x = 1" if ".js" in request.line else b"<!doctype html><title>session</title><main>hello</main>"
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nContent-Length: %d\r\n" % len(body)
                      + b"Service-Worker-Allowed: /\r\nAccess-Control-Allow-Origin: *\r\n"
                      b"Set-Cookie: _oauth2_proxy=mallory; Domain=.example.com; Path=/; Secure; HttpOnly\r\n"
                      b"Set-Cookie: planted=1; Domain=.example.com; Path=/; Secure\r\n"
                      b"Clear-Site-Data: \"cookies\"\r\n\r\n" + body)

    server.script = script
    return server


@pytest.fixture(scope="module")
def agents():
    servers = {HOSTILE: agent(), SIBLING: agent()}
    yield servers
    for server in servers.values():
        server.close()


@pytest.fixture(scope="module")
def dev_server():
    """What listens on another port of the hostile session."""
    server = agent()
    yield server
    server.close()


@pytest.fixture(scope="module")
def gateway(start_router, agents):
    routes = [{"hash": name, "email": "alice@example.com", "target": f"http://127.0.0.1:{server.port}"}
              for name, server in agents.items()]
    return start_router(
        DEV_EMAIL=None, AUTH_SECRET=SECRET, ROUTER_DOMAIN="example.com", ROUTE_SUFFIX="-oc", ROUTER_PROTO="https",
        DEV_ROUTES=json.dumps(routes))


@pytest.fixture(scope="module")
def edge(tmp_path_factory, gateway):
    sign_in = sign_in_service()
    traefik = Traefik(tmp_path_factory.mktemp("traefik"), SECRET, sign_in.port, gateway.port, tls=True)
    yield traefik
    traefik.stop()
    sign_in.close()


@pytest.fixture(scope="module")
def careless_browser(browser):
    """Takes the ingress's own certificate, so that everything that browsers keep for https is there."""
    other = browser.browser_type.launch(
        executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
        args=["--no-sandbox", "--ignore-certificate-errors", "--host-resolver-rules=MAP *.example.com 127.0.0.1"])
    yield other
    other.close()


class Attack:
    """A page of the hostile session, in the browser of Alice, who is signed in."""

    def __init__(self, browser, edge, gateway, agents):
        self.gateway = gateway
        self.picker = f"https://code.example.com:{edge.port}"
        self.own = f"https://{HOSTILE}-oc.example.com:{edge.port}"
        self.sibling = f"https://{SIBLING}-oc.example.com:{edge.port}"
        self.context = browser.new_context()
        self.context.set_default_timeout(20_000)
        self.context.add_cookies([{
            "name": "_oauth2_proxy", "value": "alice", "domain": ".example.com", "path": "/", "httpOnly": True,
            "secure": True, "sameSite": "Lax"}])
        self.answers = []
        self.context.on("response", lambda answer: self.answers.append((answer.url, answer.status)))
        self.page = self.context.new_page()
        self.page.goto(self.own)
        assert self.page.title() == "session"
        self.agents = agents
        for server in agents.values():
            server.requests.clear()

    def run(self, script, argument=None):
        return self.page.evaluate(script, argument)

    def statuses(self, prefix):
        return [status for address, status in self.answers if address.startswith(prefix)]

    def sibling_was_asked(self):
        return [request.line for request in self.agents[SIBLING].requests]

    def sessions(self):
        """What Alice's picker would tell."""
        answer = self.gateway.request("GET", "/api/sessions", "code.example.com", {
            "X-Gateway-Key": SECRET, "X-Auth-Request-Email": "alice@example.com"})
        return answer.json()["sessions"]


@pytest.fixture
def attack(careless_browser, edge, gateway, agents):
    attack = Attack(careless_browser, edge, gateway, agents)
    yield attack
    attack.context.close()


def fetched(attack, address, **options):
    return attack.run(
        "([address, options]) => fetch(address, options).then(r => `${r.type} ${r.status}`, e => e.name)",
        [address, {"credentials": "include", **options}])


def test_the_page_has_its_own_session_and_nothing_tells_it_the_sign_in(attack):
    assert fetched(attack, "/own") == "basic 200"
    assert "_oauth2" not in attack.run("document.cookie")
    asked = attack.agents[HOSTILE].requests
    assert asked and all("alice" not in request.raw.decode("latin-1") for request in asked)
    assert all("_oauth2" not in request.raw.decode("latin-1") for request in asked)


def test_its_answers_neither_replace_nor_clear_nor_plant_cookies(attack):
    kept = {(cookie["name"], cookie["value"], cookie["domain"]) for cookie in attack.context.cookies()}
    assert kept == {
        ("_oauth2_proxy", "alice", ".example.com"), ("planted", "1", f"{HOSTILE}-oc.example.com")}


@pytest.mark.parametrize("options", [
    {}, {"mode": "no-cors"}, {"method": "POST", "mode": "no-cors", "body": '{"branch":"x"}'},
    {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": '{"branch":"x"}'},
    {"method": "DELETE"},
])
def test_it_cannot_call_the_picker_s_api(attack, options):
    before = attack.sessions()
    told = fetched(attack, f"{attack.picker}/api/sessions", **options)
    # `opaque 0` is what a page sees of any answer in that mode; what counts is that the router refused.
    assert told in ("TypeError", "opaque 0"), told
    refused = attack.statuses(f"{attack.picker}/api/sessions")
    assert all(status in (403, 405) for status in refused), refused
    assert attack.sessions() == before


def test_it_cannot_send_the_api_a_form(attack):
    before = attack.sessions()
    with attack.page.expect_navigation() as navigation:
        attack.run("""address => {
            const form = Object.assign(document.createElement('form'),
                {method: 'POST', action: address, enctype: 'text/plain'})
            form.append(Object.assign(document.createElement('input'), {name: '{"branch":"x","a":"', value: '"}'}))
            document.body.append(form)
            form.submit()
        }""", f"{attack.picker}/api/sessions")
    assert navigation.value.status == 403
    assert attack.sessions() == before


def websocket(attack, address):
    return attack.run("""address => new Promise(done => {
        const socket = new WebSocket(address)
        socket.onmessage = event => done(event.data)
        socket.onerror = () => done('refused')
    })""", address.replace("https://", "wss://"))


def test_it_cannot_open_a_sibling_s_websocket(attack):
    assert websocket(attack, f"{attack.own}/pty/x/connect") == "hello"
    assert websocket(attack, f"{attack.sibling}/pty/x/connect") == "refused"
    assert attack.sibling_was_asked() == []


@pytest.mark.parametrize("options", [
    {}, {"mode": "no-cors"}, {"method": "POST", "mode": "no-cors", "body": "x"}, {"method": "PUT", "body": "x"},
])
def test_it_cannot_call_a_sibling(attack, options):
    # The sibling itself would let everybody read: what refuses is the router.
    assert fetched(attack, f"{attack.sibling}/global/dispose", **options) in ("TypeError", "opaque 0")
    assert attack.sibling_was_asked() == []


@pytest.mark.parametrize("element", ["img", "script", "iframe", "embed", "link"])
@pytest.mark.parametrize("target", ["sibling", "picker"])
def test_it_cannot_embed_a_sibling_or_the_picker(attack, element, target):
    address = getattr(attack, target) + "/main.js"
    attack.run("""([kind, address]) => new Promise(done => {
        const element = document.createElement(kind)
        element.onload = element.onerror = done
        if (kind === 'link') element.rel = 'stylesheet'
        element[kind === 'link' ? 'href' : 'src'] = address
        document.body.append(element)
        setTimeout(done, 5000)
    }).then(() => true)""", [element, address])
    assert attack.statuses(address) in ([403], []), attack.answers
    assert attack.sibling_was_asked() == []


def test_a_page_of_a_session_s_port_is_a_stranger_to_the_agent_and_to_the_picker(attack, dev_server, edge):
    own_agent = attack.agents[HOSTILE]
    attack.page.goto(f"https://{dev_server.port}-{HOSTILE}-oc.example.com:{edge.port}/")
    assert attack.page.title() == "session"
    own_agent.requests.clear()
    for address in (f"{attack.own}/session", f"{attack.picker}/api/sessions"):
        for options in ({}, {"mode": "no-cors"}, {"method": "POST", "mode": "no-cors", "body": "x"}):
            assert fetched(attack, address, **options) in ("TypeError", "opaque 0"), (address, options)
    assert websocket(attack, f"{attack.own}/pty/x/connect") == "refused"
    assert own_agent.requests == [] and attack.sibling_was_asked() == []
    assert set(attack.statuses(f"{attack.picker}/api/sessions")) <= {403}
    assert "_oauth2" not in attack.run("document.cookie")


def test_it_cannot_frame_the_picker(attack):
    attack.run("""address => new Promise(done => {
        const frame = document.createElement('iframe')
        frame.onload = done
        frame.src = address
        document.body.append(frame)
    }).then(() => true)""", f"{attack.picker}/")
    framed = [frame for frame in attack.page.frames if frame != attack.page.main_frame]
    assert all(frame.locator("main").count() == 0 for frame in framed)
    assert set(attack.statuses(f"{attack.picker}/")) <= {403}


def test_it_keeps_no_hold_of_a_picker_that_it_opens(attack):
    with attack.context.expect_page() as opened:
        attack.run("address => { window.opened = window.open(address) }", f"{attack.picker}/")
    opened.value.locator("main").wait_for()
    assert opened.value.evaluate("window.opener") is None
    attack.page.wait_for_function("window.opened.closed")


def test_it_cannot_register_a_service_worker(attack):
    told = attack.run(
        "navigator.serviceWorker.register('/worker.js').then(() => 'registered', error => error.name)")
    assert told in ("TypeError", "SecurityError"), told
    assert all("/worker.js" not in request.line for request in attack.agents[HOSTILE].requests)


@pytest.mark.parametrize("path", ["/", "/api", "/api/me"])
def test_a_tossed_sign_in_cookie_makes_nobody_act_as_another(attack, path):
    attack.run("path => { document.cookie = `_oauth2_proxy=mallory; Domain=.example.com; Path=${path}; Secure` }", path)
    page = attack.context.new_page()
    page.goto(f"{attack.picker}/")
    status, told = page.evaluate("fetch('/api/me').then(async r => [r.status, await r.text()])")
    tossed = [cookie for cookie in attack.context.cookies() if cookie["value"] == "mallory"]
    if tossed:
        assert status == 400 and "auth_cookie_duplicate" in told, told
    else:
        assert status == 200 and "alice@example.com" in told, told
    assert "mallory" not in told
    assert bool(tossed) == (path != "/"), "an HttpOnly cookie of the same path cannot be replaced by a script"
