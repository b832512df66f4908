"""The same walk through the real binary with local sessions: from the picker into a session and back.

With ROUTER_URL set, the walk goes to a router that runs already; ROUTER_REPOSITORY then names a repository it may clone.
"""

import os
import re

import pytest
from playwright.sync_api import Page, expect


@pytest.fixture(scope="module")
def address(request):
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


def test_branches_and_a_name_are_suggested(address, story, open_page):
    page = open_page(address)
    page.get_by_role("combobox", name="Repository").fill(story)
    expect(page.get_by_role("textbox", name="Work on branch")).not_to_have_value("")
    page.get_by_role("combobox", name="Start from").click()
    expect(page.get_by_role("option", name=re.compile("^main"))).to_be_visible(timeout=20_000)


def test_a_wrong_repository_shows_the_reason(address, story, open_page):
    page = open_page(address)
    start(page, story.replace("story", "nothing-here"), "walk-wrong")
    reason = page.locator(".problem:visible, .start-cause")
    expect(reason).to_contain_text("nothing-here", timeout=30_000)


def test_a_repository_that_is_not_allowed_is_refused(address, open_page):
    page = open_page(address)
    start(page, "file:///etc/passwd", "walk-file")
    expect(page.locator(".field-repository .problem")).not_to_be_empty()


def test_every_screen_loads_at_its_own_address(address, open_page):
    page = open_page(address + "/settings")
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    page.goto(address + "/session/0123456789ab")
    expect(page.get_by_role("heading", level=1)).to_have_text("This session does not exist")
    page.goto(address + "/admin")
    expect(page.get_by_role("heading", level=1)).to_have_text("All sessions")
    page.goto(address + "/nothing")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")


def test_the_first_screen_is_small_on_the_wire(address, open_page):
    page = open_page("about:blank", wait=False)
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    received = []
    client.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page.goto(address)
    page.locator("session-list").wait_for()
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
    transferred = page.evaluate("""performance.getEntriesByType('resource')
        .filter(one => one.responseEnd <= performance.getEntriesByName('first-contentful-paint')[0].startTime)
        .reduce((sum, one) => sum + one.encodedBodySize, 0)""")
    assert transferred < 50_000
    assert painted < 5000


def test_a_router_that_restarts_is_found_again(request, open_page):
    if "ROUTER_URL" in os.environ:
        pytest.skip("somebody else's router is not restarted")
    router = request.getfixturevalue("start_router")()
    repository = request.getfixturevalue("repositories").story
    router.settings["PORT"] = router.port
    page = open_page(f"http://{router.host}")
    start(page, repository, "restart")
    in_session(page)
    page.goto(f"http://{router.host}")
    expect(row(page, "restart").locator(".row-state")).to_have_text("Running")
    router.stop()
    expect(page.locator(".banner")).to_be_visible(timeout=20_000)
    router.start()
    page.get_by_role("button", name="Try now").click()
    expect(page.locator(".banner")).to_be_hidden(timeout=30_000)
    expect(row(page, "restart")).to_be_visible()
