"""The way to the screens that are both looked at in pictures and held to the rules of quality."""

from playwright.sync_api import Page, expect

from mock_router import MockRouter


def home(mock: MockRouter, page: Page) -> None:
    page.goto(mock.url)
    expect(page.locator(".row")).to_have_count(7)


def panel(mock: MockRouter, page: Page, item: int) -> None:
    home(mock, page)
    page.locator(".row", has_text="fix-login-loop").locator(".icon-button").click()
    page.get_by_role("menuitem").nth(item).click()
    expect(page.get_by_role("dialog")).to_be_visible()


def conversation(mock: MockRouter, page: Page) -> None:
    panel(mock, page, 3)
    expect(page.get_by_role("article").last).to_be_focused()


def previews(mock: MockRouter, page: Page) -> None:
    panel(mock, page, 4)
    expect(page.locator(".port")).to_have_count(2)


def share(mock: MockRouter, page: Page) -> None:
    previews(mock, page)
    page.locator(".port .button").first.click()
    page.locator(".port-choice:visible input[value=public]").check()
    expect(page.locator(".port-warning:visible")).to_be_visible()


def delete(mock: MockRouter, page: Page) -> None:
    home(mock, page)
    page.get_by_role("link", name="Retry failed webhooks").focus()
    page.keyboard.press("Delete")
    expect(page.get_by_role("dialog")).to_be_visible()


def lost(mock: MockRouter, page: Page) -> None:
    home(mock, page)
    mock.refuse_streams = True
    mock.drop_streams()
    expect(page.locator(".banner")).to_be_visible()


def admin(mock: MockRouter, page: Page) -> None:
    page.goto(f"{mock.url}/admin")
    expect(page.locator("tbody tr")).to_have_count(10)
