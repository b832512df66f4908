"""A browser, a scripted router, and pages that fail the test when anything goes wrong in them."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

from mock_router import MockRouter, seed  # noqa: E402

DESK = {"width": 1200, "height": 900}
PHONE = {"width": 390, "height": 844}
# Two browsers on a crowded machine take their time; whoever waits in vain waits longer, nobody else does.
PATIENCE = 20_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser():
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[
            "--no-sandbox",
            # Where a test needs a domain that is not this machine by name.
            "--host-resolver-rules=MAP *.example.test 127.0.0.1"])
        yield browser
        browser.close()


@pytest.fixture
def mock():
    """A scripted router with nothing in it."""
    router = MockRouter(stage_seconds=0.1).start()
    yield router
    router.hold.set()
    router.stop()


@pytest.fixture
def seeded(mock):
    """A scripted router with a week's sessions."""
    seed(mock)
    return mock


@pytest.fixture
def open_page(browser):
    """Opens pages; a script error, a broken policy or a warning in one fails the test."""
    contexts = []
    complaints = []

    def listen(message):
        # What the tests provoke is refused answers, and hosts without https; the browser writes a line about each.
        provoked = re.search("Failed to load resource|origin was untrustworthy|Origin-Agent-Cluster", message.text)
        if message.type in ("error", "warning") and not provoked:
            complaints.append(message.text)

    def open_page(address: str, *, theme="light", locale="en-US", size=None, wait=True, **options) -> Page:
        context = browser.new_context(
            viewport=size or DESK, color_scheme=theme, locale=locale, timezone_id="Europe/Berlin", **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        if wait:
            page.locator("main").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
