"""The same walk through the real binary, with sessions as processes and as pods: from the picker into a session and back.

With ROUTER_URL set, the walk goes to a router that runs already; ROUTER_REPOSITORY then names a repository it may clone.
"""

import os
import re

import pytest
from playwright.sync_api import Page, expect

from harness.ports import reserve_port


@pytest.fixture(scope="module", params=["there"] if "ROUTER_URL" in os.environ else ["local", "kubernetes"])
def address(request):
    if request.param == "there":
        return os.environ["ROUTER_URL"]
    return f"http://{request.getfixturevalue('router' if request.param == 'local' else 'cluster_router').host}"


@pytest.fixture(scope="module")
def any_address(request):
    """For what is the same whatever runs the sessions."""
    return os.environ.get("ROUTER_URL") or f"http://{request.getfixturevalue('router').host}"


@pytest.fixture(scope="module")
def story(request):
    return os.environ.get("ROUTER_REPOSITORY") or request.getfixturevalue("repositories").story


def start(page: Page, repository: str, branch: str | None = None, prompt: str | None = None):
    page.get_by_role("combobox", name="Repository").fill(repository)
    field = page.get_by_role("textbox", name="Work on branch")
    if branch:
        field.fill(branch)
    else:
        expect(field).not_to_have_value("")
    if prompt:
        page.get_by_role("textbox", name="What shall it do?").fill(prompt)
    page.get_by_role("button", name="Start session").click()


def in_session(page: Page):
    page.wait_for_url(re.compile(r"//[0-9a-f]{12}\."), timeout=60_000)


def row(page: Page, branch: str):
    return page.locator(".row", has=page.locator(".row-branch-name", has_text=re.compile(f"^{re.escape(branch)}$")))


def menu(page: Page, branch: str, item: str):
    row(page, branch).get_by_role("button", name=re.compile("^More for")).click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def test_from_the_picker_into_a_session_and_back(address, story, open_page):
    page = open_page(address)
    start(page, story, "walk")
    page.wait_for_url(re.compile("/session/[0-9a-f]{12}$|//[0-9a-f]{12}[.]"))
    in_session(page)
    session = page.url
    if "ROUTER_URL" not in os.environ:
        # The demonstration agent: its terminal is a real shell.
        expect(page.locator("#terminal-state")).to_contain_text("Connected", timeout=20_000)
        page.get_by_role("textbox", name="Terminal input").focus()
        page.keyboard.type("echo $((6*7))-of-it")
        page.keyboard.press("Enter")
        expect(page.locator("#terminal")).to_contain_text("42-of-it")
    page.goto(address)
    expect(row(page, "walk").locator(".row-state")).to_have_text("Running")
    expect(row(page, "walk").locator(".row-title")).to_have_attribute("href", re.compile(re.escape(session.split("?")[0].rstrip("/"))))
    menu(page, "walk", "Stop")
    page.get_by_role("button", name="Stop session").click()
    expect(row(page, "walk").locator(".row-state")).to_have_text("Stopped", timeout=20_000)
    # A visit to its own address wakes it and ends at that address.
    page.goto(session)
    expect(page).not_to_have_title(re.compile("Waking"), timeout=60_000)
    assert page.url == session
    page.goto(address)
    expect(row(page, "walk").locator(".row-state")).to_have_text("Running")
    menu(page, "walk", "Delete…")
    page.get_by_role("button", name="Delete session").click()
    expect(row(page, "walk")).to_have_count(0, timeout=30_000)


def test_branches_and_a_name_are_suggested(any_address, story, open_page):
    page = open_page(any_address)
    page.get_by_role("combobox", name="Repository").fill(story)
    expect(page.get_by_role("textbox", name="Work on branch")).not_to_have_value("")
    page.get_by_role("combobox", name="Start from").click()
    expect(page.get_by_role("option", name=re.compile("^main"))).to_be_visible(timeout=20_000)


def test_a_wrong_repository_shows_the_reason(address, story, open_page):
    page = open_page(address)
    start(page, story.replace("story", "nothing-here"), "walk-wrong")
    reason = page.locator(".problem:visible, .start-cause")
    expect(reason).to_contain_text("nothing-here", timeout=30_000)


def test_a_repository_that_is_not_allowed_is_refused(any_address, open_page):
    page = open_page(any_address)
    start(page, "file:///etc/passwd", "walk-file")
    expect(page.locator(".field-repository .problem")).not_to_be_empty()


def test_a_blank_project_starts_from_nothing(address, open_page):
    page = open_page(address)
    page.get_by_role("radio", name="Blank project").check()
    page.get_by_role("textbox", name="What shall it do?").fill("An empty walk")
    page.get_by_role("textbox", name="What shall it do?").press("Enter")
    in_session(page)
    page.goto(address)
    project = page.locator(".row", has_text="An empty walk")
    expect(project.locator(".row-state")).to_have_text("Running")
    project.get_by_role("button", name=re.compile("^More for")).click()
    page.get_by_role("menuitem", name="Delete…").click()
    page.get_by_role("button", name="Delete session").click()
    expect(project).to_have_count(0, timeout=30_000)


def test_the_idle_time_is_set_and_the_stop_put_off(address, story, open_page):
    page = open_page(address)
    start(page, story, "walk-idle")
    in_session(page)
    page.goto(address)
    menu(page, "walk-idle", "Idle stop…")
    page.get_by_role("spinbutton").fill("40")
    page.get_by_role("button", name="Set").click()
    expect(page.locator(".toast")).to_contain_text("stops after 40 minutes")
    expect(row(page, "walk-idle")).to_contain_text(re.compile("stops in (40|39) minutes"))
    menu(page, "walk-idle", "Keep running")
    expect(page.locator(".toast").last).to_contain_text("keeps running")
    with page.expect_download() as download:
        menu(page, "walk-idle", "Download log")
    assert "==== init ====" in open(download.value.path()).read()


def test_a_link_to_a_stopped_session_starts_it(address, story, open_page):
    page = open_page(address)
    start(page, story, "walk-link")
    in_session(page)
    hash_ = re.search(r"//([0-9a-f]{12})\.", page.url).group(1)
    page.goto(address)
    menu(page, "walk-link", "Stop")
    page.get_by_role("button", name="Stop session").click()
    expect(row(page, "walk-link").locator(".row-state")).to_have_text("Stopped", timeout=20_000)
    page.goto(f"{address}/session/{hash_}?path=/global/health")
    in_session(page)
    assert page.url.endswith("/global/health")


def test_variables_are_kept_and_never_shown(address, open_page):
    page = open_page(address + "/settings")
    expect(page.get_by_text(re.compile("^Version"))).to_be_visible()
    if "ROUTER_URL" in os.environ and not page.evaluate("fetch('/api/user/secret').then(answer => answer.ok)"):
        pytest.skip("this router keeps no variables")
    expect(page.get_by_role("heading", name="Environment variables")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("WALK_KEY")
    page.get_by_label("Value", exact=True).fill("marker-of-the-walk")
    page.get_by_role("button", name="Add variable").click()
    expect(page.locator(".variable-name", has_text="WALK_KEY")).to_be_visible()
    page.reload()
    expect(page.locator(".variable-name", has_text="WALK_KEY")).to_be_visible()
    assert "marker-of-the-walk" not in page.evaluate("fetch('/api/user/secret').then(answer => answer.text())")
    page.get_by_label("Name", exact=True).fill("LD_PRELOAD")
    page.get_by_label("Value", exact=True).fill("x")
    page.get_by_role("button", name="Add variable").click()
    expect(page.locator(".problem:visible")).to_contain_text("LD_PRELOAD")
    page.get_by_role("button", name="Delete WALK_KEY").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".variable-name", has_text="WALK_KEY")).to_have_count(0)


def test_what_is_said_and_what_listens_in_a_session_is_shown_asleep_or_awake(request, open_page):
    if "ROUTER_URL" in os.environ:
        pytest.skip("speaks as the session does")
    router = request.getfixturevalue("router")
    made = router.create(request.getfixturevalue("repositories").story, "panels")["hash"]

    def say(part: str, text: str, role: str):
        router.pod_call(made, "progress", {"type": f"message.{role}", "partID": part, "messageID": part, "sessionID": "ses_1",
                                           "text": text, "time": 1_700_000_000_000})

    say("p1", "Look at the shop", "user")
    router.pod_call(made, "ports", {"ports": [5173]})
    page = open_page(f"http://{router.host}")
    menu(page, "panels", "Conversation")
    messages = page.get_by_role("article")
    expect(messages.locator(".message-text")).to_have_text(["Look at the shop"])
    say("p2", "It is on port <b>5173</b>", "assistant")
    expect(messages.locator(".message-text")).to_have_text(["Look at the shop", "It is on port <b>5173</b>"])
    page.keyboard.press("Escape")
    menu(page, "panels", "Previews…")
    line = page.locator(".port", has_text="5173")
    expect(line.get_by_role("link")).to_have_attribute("href", re.compile(f"^http://5173-{made}[.]"))
    line.get_by_role("button", name="Share port 5173…").click()
    line.locator("input[value=public]").check()
    line.get_by_role("button", name="Make public").click()
    expect(line.locator(".port-state")).to_have_text("Everybody · ends in 1 hour")
    assert router.api("GET", f"/sessions/{made}/ports")["details"][0]["visibility"] == "public"
    field = page.get_by_role("spinbutton", name="Another port")
    field.fill("4096")
    field.press("Enter")
    expect(page.locator(".problem:visible")).to_contain_text("belong to the session itself")
    field.fill("9000")
    field.press("Enter")
    expect(page.locator(".port", has_text="9000").get_by_role("link")).to_be_focused()
    page.keyboard.press("Escape")
    menu(page, "panels", "Stop")
    page.get_by_role("button", name="Stop session").click()
    expect(row(page, "panels").locator(".row-state")).to_have_text("Stopped", timeout=20_000)
    menu(page, "panels", "Conversation")
    expect(messages).to_have_count(2)


def test_administrators_see_and_stop_sessions(request, open_page):
    if "ROUTER_URL" in os.environ:
        pytest.skip("needs a router that knows its administrators")
    router = request.getfixturevalue("start_router")(ADMIN_EMAILS="dev@example.com")
    made = router.create(request.getfixturevalue("repositories").story, "admin-walk")
    page = open_page(f"http://{router.host}/admin")
    line = page.locator("tbody tr", has_text="admin-walk")
    expect(line).to_contain_text("dev@example.com")
    line.get_by_role("button", name=re.compile("^Stop")).click()
    page.get_by_role("button", name="Stop session").click()
    expect(line).to_contain_text("Stopped", timeout=20_000)
    assert router.session(made["hash"])["state"] == "stopped"


def test_an_ended_sign_in_is_recognised_behind_an_ingress(request, open_page):
    """The ingress is played by the fields that it would add."""
    if "ROUTER_URL" in os.environ:
        pytest.skip("needs a router behind an ingress of its own")
    secret = "0123456789abcdef0123"
    router = request.getfixturevalue("start_router")(
        DEVELOPMENT=None, DEV_EMAIL=None, ROUTER_DOMAIN="example.test", ROUTER_PROTO="http", BIND_ADDRESS="127.0.0.1",
        PICKER_HOST="code.example.test", ROUTE_SUFFIX="-oc", AUTH_SECRET=secret)
    signed_in = {"X-Gateway-Key": secret, "X-Auth-Request-Email": "alice@example.com"}
    router.identity = lambda email=None: signed_in
    router.create(request.getfixturevalue("repositories").story, "signed")
    address = f"http://code.example.test:{router.port}"
    page = open_page("about:blank", wait=False)
    page.set_extra_http_headers(signed_in)
    page.goto(address)
    expect(row(page, "signed").locator(".row-state")).to_have_text("Running")
    page.get_by_role("textbox", name="What shall it do?").fill("Not to be lost")
    # The menu's code comes when it is first needed, or in an idle moment: here it must be there before the sign-in ends.
    row(page, "signed").get_by_role("button", name=re.compile("^More for")).click()
    expect(page.get_by_role("menu")).to_be_visible()
    page.keyboard.press("Escape")
    page.set_extra_http_headers({"X-Gateway-Key": secret})
    menu(page, "signed", "Stop")
    page.get_by_role("button", name="Stop session").click()
    expect(page.locator(".toast-error")).to_contain_text("nothing was changed")
    expect(page.locator(".banner")).to_contain_text("Your sign-in has ended")
    page.set_extra_http_headers(signed_in)
    page.get_by_role("button", name="Sign in again").click()
    expect(row(page, "signed").locator(".row-state")).to_have_text("Running")
    expect(page.get_by_role("textbox", name="What shall it do?")).to_have_value("Not to be lost")


def test_every_screen_loads_at_its_own_address(any_address, open_page):
    page = open_page(any_address + "/settings")
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    page.goto(any_address + "/session/0123456789ab")
    expect(page.get_by_role("heading", level=1)).to_have_text("This session does not exist")
    page.goto(any_address + "/admin")
    expect(page.get_by_role("heading", level=1)).to_have_text("All sessions")
    page.goto(any_address + "/nothing")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")


def test_the_first_screen_is_small_on_the_wire(any_address, open_page):
    page = open_page(any_address)
    page.locator(".list-empty:visible, .row:visible").first.wait_for()
    sizes = page.evaluate("""() => {
        const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
        const painted = performance.getEntriesByName('first-contentful-paint')[0].startTime;
        const files = all.filter(one => !one.name.includes('/api/'));
        const sum = (list, what) => list.reduce((total, one) => total + one[what], 0);
        return {
            before: sum(files.filter(one => one.responseEnd <= painted), 'transferSize'),
            bodies: sum(files, 'encodedBodySize'), everything: sum(files, 'transferSize'), requests: files.length,
        };
    }""")
    print(sizes)
    # 46 kB when this was written, 300 B of it counted for the head of each of 29 answers.
    assert sizes["before"] < 48_500
    assert sizes["bodies"] < 60_000


def test_a_router_that_restarts_is_found_again(request, open_page):
    if "ROUTER_URL" in os.environ:
        pytest.skip("somebody else's router is not restarted")
    router = request.getfixturevalue("start_router")(PORT=reserve_port())
    repository = request.getfixturevalue("repositories").story
    page = open_page(f"http://{router.host}")
    start(page, repository, "restart")
    in_session(page)
    page.goto(f"http://{router.host}")
    expect(row(page, "restart").locator(".row-state")).to_have_text("Running")
    router.stop()
    expect(page.locator(".banner")).to_be_visible(timeout=20_000)
    router.start()
    # The next attempt may have come by itself in this very moment.
    page.locator(".banner button").evaluate_all("all => all.forEach(one => one.click())")
    expect(page.locator(".banner")).to_be_hidden(timeout=30_000)
    expect(row(page, "restart")).to_be_visible()
