"""The main job as a person does it: in a real browser, from the picker to a terminal that answers.

With SCREENSHOTS=FOLDER in the environment, the pictures are kept there.
"""

import os
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from harness.router import binary

FAILED_LOAD = "Failed to load resource"
# Whoever waits in vain waits longer, nobody else does.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser():
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page whose scripts must not fail; what they say is kept in `page.complaints`."""
    context = browser.new_context(viewport={"width": 1200, "height": 860}, locale="en-US", timezone_id="Europe/Berlin")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda message: message.type == "error" and FAILED_LOAD not in message.text
            and page.complaints.append(message.text))
    yield page
    context.close()


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """As long as this file is there no agent starts, so that a person, and a test, can watch."""
    return tmp_path_factory.mktemp("held") / "held"


@pytest.fixture(scope="module")
def router(start_router, held):
    wait = f"while [ -e {held} ]; do sleep 0.1; done"
    agent = f"sh -c '{wait}; exec {binary()} demo-agent --hostname 127.0.0.1 --port {{port}}'"
    router = start_router(AGENT_COMMAND=agent, DEV_EMAIL="ada@example.com")
    yield router
    router.stop()


def picture(page, name):
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")


def fill(page, repository, branch):
    page.get_by_label("Repository", exact=True).last.fill(repository)
    page.get_by_label("Work on branch").fill(branch)


def type_command(page, command):
    page.locator("#terminal-state[data-state=open]").wait_for()
    page.locator("#terminal-input").focus()
    page.keyboard.type(command)
    page.keyboard.press("Enter")


def test_a_person_goes_from_the_picker_to_a_terminal_that_answers(router, repositories, page, held):
    held.touch()
    page.goto(f"http://{router.host}/")
    expect(page.get_by_role("heading", name="New session")).to_be_visible()
    fill(page, repositories.story, "main")
    page.get_by_role("button", name="Start session").click()

    # The loading screen shows real stages, one after the other.
    page.wait_for_url(re.compile(r"/session/[0-9a-f]{12}"))
    identifier = re.search(r"/session/([0-9a-f]{12})", page.url).group(1)
    expect(page.get_by_role("heading", level=1)).to_have_text("Starting your session")
    expect(page.locator("[aria-current=step]")).to_contain_text(re.compile("Starting the agent|Waiting for its first answer"))
    assert page.locator(".stage[data-state=done]").count() >= 2
    picture(page, "starting")
    held.unlink()

    # Then the session's own host.
    page.wait_for_url(re.compile(rf"^http://{identifier}\.localhost:{router.port}/"))
    expect(page.locator("#tree")).to_contain_text("README.md")
    expect(page.locator("#event-state")).not_to_have_text("Connecting…")
    type_command(page, "echo answer-$((40+2)) | tee from-browser.txt")
    expect(page.locator("#terminal .rows")).to_contain_text("answer-42")
    page.get_by_role("treeitem", name="README.md").first.click()
    expect(page.locator("#preview")).to_contain_text("# story")
    picture(page, "session")
    assert page.complaints == []

    # Back in the picker it is listed as running; stopping asks first.
    page.goto(f"http://{router.host}/")
    row = page.locator("li, article").filter(has_text="story").first
    expect(row).to_contain_text("Running")
    picture(page, "picker-running")

    router.api("POST", f"/sessions/{identifier}/stop")
    router.wait_for_state(identifier, "stopped")
    expect(row).to_contain_text("Stopped")

    # Opening the sleeping session's own address shows the starting page, which leads back to that address.
    held.touch()
    page.goto(f"http://{router.host_of(identifier)}/?x=1", wait_until="commit")
    expect(page.locator("body")).to_contain_text(re.compile("start|wak", re.I))
    picture(page, "waking")
    held.unlink()
    page.locator("#tree").wait_for()
    assert page.url == f"http://{router.host_of(identifier)}/?x=1"
    expect(page.locator("#tree")).to_contain_text("from-browser.txt")
    assert page.complaints == []


def test_a_wrong_repository_shows_the_reason_and_a_way_to_try_again(router, repositories, page):
    page.goto(f"http://{router.host}/")
    fill(page, repositories.url("no-such-repository.git"), "main")
    page.get_by_role("button", name="Start session").click()
    reason = page.get_by_text(re.compile("no repository|not found|does not exist", re.I)).first
    expect(reason).to_be_visible()
    picture(page, "refused")
    # What was typed is still there, to be corrected and sent again.
    fill(page, repositories.story, "feature/one")
    page.get_by_role("button", name="Start session").click()
    page.wait_for_url(re.compile(rf"\.localhost:{router.port}/"))
    assert page.complaints == []


def test_a_session_that_cannot_start_shows_its_cause_and_retry(router, repositories, page):
    """The repository vanishes between the form and the clone."""
    url = repositories.make("vanishing")
    made = router.create(url, "main")
    router.api("POST", f"/sessions/{made['hash']}/stop")
    router.wait_for_state(made["hash"], "stopped")
    agent = router.folder / "state"
    clones = [path for path in agent.rglob("*") if path.name == ".git" and made["hash"] in str(path)]
    assert clones, "where are the clones?"
    shutil.rmtree(clones[0].parent)
    (repositories.folder / "vanishing.git").rename(repositories.folder / "gone.git")
    page.goto(f"http://{router.host}/session/{made['hash']}")
    expect(page.get_by_role("button", name="Try again")).to_be_visible(timeout=30_000)
    expect(page.locator(".start-cause")).to_be_visible()
    picture(page, "failed")
    (repositories.folder / "gone.git").rename(repositories.folder / "vanishing.git")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url(re.compile(rf"^http://{made['hash']}\.localhost:{router.port}/"))
    assert page.complaints == []


def test_a_page_in_one_session_reaches_neither_another_session_nor_the_picker(router, repositories, page):
    one = router.create(repositories.story, "main")
    other = router.create(repositories.story, "feature/one")
    page.goto(one["url"])
    page.locator("#tree").wait_for()
    script = """async (target) => {
        const attempt = async (run) => { try { return await run(); } catch (error) { return "refused"; } };
        return {
            read: await attempt(async () => (await fetch(target + "/", {credentials: "include"})).status),
            order: await attempt(async () => {
                const answer = await fetch(target + "/session", {method: "POST", mode: "no-cors", body: "{}"});
                return answer.type;
            }),
            socket: await attempt(() => new Promise((resolve) => {
                const socket = new WebSocket(target.replace("http", "ws") + "/pty/x/connect");
                socket.onopen = () => resolve("open");
                socket.onerror = () => resolve("refused");
            })),
        };
    }"""
    for target in [other["url"].rstrip("/"), router.origin]:
        tried = page.evaluate(script, target)
        assert tried["read"] == "refused", (target, tried)
        assert tried["socket"] == "refused", (target, tried)
    # The simple POST reached the gateway, which let it go no further: nothing was made in the other session.
    sessions = router.request("GET", "/session", router.session_host(other)).json()
    assert sessions == []
