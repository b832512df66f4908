"""Takes the pictures of the documentation: ``python Tests/Browser/screenshots.py docs/images`` (or another folder).

With ``--all`` it takes every screen in both themes, both languages and two sizes, to be looked at.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

from mock_router import CLONE_FAILURE, MockRouter, seed  # noqa: E402
from screens import admin, conversation, delete, home, lost, previews, share  # noqa: E402

# System fonts differ from machine to machine; the pictures use what Debian calls fonts-inter and fonts-jetbrains-mono.
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><include ignore_missing="yes">/etc/fonts/fonts.conf</include>
<alias binding="same"><family>ui-sans-serif</family><prefer><family>Inter</family></prefer></alias>
<alias binding="same"><family>ui-monospace</family><prefer><family>JetBrains Mono</family></prefer></alias>
</fontconfig>"""


def form(mock: MockRouter, page: Page) -> None:
    home(mock, page)
    page.get_by_role("combobox").first.fill("acme/")
    expect(page.get_by_role("option").first).to_be_visible()
    page.wait_for_timeout(600)


def menu(mock: MockRouter, page: Page) -> None:
    home(mock, page)
    page.locator(".row .icon-button").nth(1).click()


def starting(mock: MockRouter, page: Page) -> None:
    hash_ = mock.add("https://github.com/acme/webshop", "calm-otter-42", "creating", stage="initializing")
    mock.logs[hash_] = "Cloning into 'repo'...\nremote: Enumerating objects: 2481, done.\nReceiving objects:  61% (1514/2481)\n"
    page.goto(f"{mock.url}/session/{hash_}")
    expect(page.locator("[aria-current=step]")).to_be_visible()
    for stage in ("configuring", "preparing"):
        page.wait_for_timeout(900)
        mock.set(hash_, stage=stage)
    page.locator("summary").click()
    page.wait_for_timeout(1800)


def waking_with_conversation(mock: MockRouter, page: Page) -> None:
    home(mock, page)
    hash_ = page.locator(".row", has_text="fix-login-loop").get_attribute("data-hash")
    mock.set(hash_, state="creating", stage="preparing", activity={"at": mock.sessions[hash_]["lastActivity"], "source": "resumed"})
    page.goto(f"{mock.url}/session/{hash_}")
    expect(page.get_by_role("article").last).to_be_visible()


def failed(mock: MockRouter, page: Page) -> None:
    hash_ = mock.add("https://github.com/acme/webshp", "calm-otter-42", "creating", stage="initializing")
    page.goto(f"{mock.url}/session/{hash_}")
    for stage in ("configuring", "preparing"):
        page.wait_for_timeout(400)
        mock.set(hash_, stage=stage)
    page.wait_for_timeout(1300)
    mock.set(hash_, state="failed", failure=CLONE_FAILURE)
    expect(page.locator(".start-problem")).to_be_visible()


def settings(mock: MockRouter, page: Page) -> None:
    mock.secrets.update(GITHUB_TOKEN="x", OPENAI_API_KEY="x")
    page.goto(f"{mock.url}/settings")
    expect(page.locator(".variable-name").first).to_be_visible()


def waking(mock: MockRouter, page: Page) -> None:
    mock.hold.clear()
    page.goto(mock.address(mock.add("https://github.com/acme/webshop", "asleep", "stopped")))
    page.wait_for_timeout(1200)


def could_not_wake(mock: MockRouter, page: Page) -> None:
    page.goto(mock.address(mock.add("https://github.com/acme/webshop", "asleep", "failed", failure=CLONE_FAILURE)))


def missing(mock: MockRouter, page: Page) -> None:
    page.goto(f"{mock.url}/nothing")


def empty(mock: MockRouter, page: Page) -> None:
    mock.sessions.clear()
    page.goto(mock.url)
    expect(page.locator(".list-empty")).to_be_visible()


SCREENS = [home, form, menu, conversation, previews, share, delete, starting, waking_with_conversation, failed, settings, admin, waking, could_not_wake, lost, missing, empty]
# Of the documentation: name, screen, theme, width, height.
PICTURES = [
    ("picker.png", home, "light", 1200, 1150),
    ("picker-dark.png", home, "dark", 1200, 1150),
    ("starting.png", starting, "light", 1000, 720),
    ("failure.png", failed, "light", 1000, 760),
    ("conversation.png", conversation, "light", 1000, 760),
    ("share.png", share, "dark", 1000, 760),
    ("phone.png", home, "dark", 390, 844),
]


def take(browser, folder: Path, name: str, screen, theme: str, width: int, height: int, locale: str = "en-US") -> None:
    mock = MockRouter().start()
    seed(mock)
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, locale=locale, reduced_motion="reduce")
    page = context.new_page()
    screen(mock, page)
    page.mouse.move(0, 0)
    page.wait_for_timeout(350)
    page.screenshot(path=folder / name)
    context.close()
    mock.hold.set()
    mock.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as fonts:
        fonts.write(FONTS)
        fonts.flush()
        os.environ["FONTCONFIG_FILE"] = fonts.name
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            if not options.all:
                for name, screen, theme, width, height in PICTURES:
                    if options.only in name:
                        take(browser, options.folder, name, screen, theme, width, height)
            else:
                for screen in SCREENS:
                    if options.only not in screen.__name__:
                        continue
                    for theme, locale in (("light", "en-US"), ("dark", "de-DE" if screen is not delete else "en-US")):
                        for size, width, height in (("desk", 1200, 900), ("phone", 390, 844)):
                            take(browser, options.folder, f"{screen.__name__}-{size}-{theme}.png", screen, theme, width, height, locale)
            browser.close()


if __name__ == "__main__":
    main()
