"""What one looks at beside the list: what is said in a session, and what listens in it."""

import re

from playwright.sync_api import Page, expect

from mock_router import ago, MockRouter
from test_actions import LOGIN, WEBHOOKS, menu
from test_home import row

SHOP = "https://github.com/acme/webshop"


def hash_of(page: Page, title: str) -> str:
    return row(page, title).get_attribute("data-hash")


def conversation(page: Page, title: str):
    menu(page, title, "Conversation")
    return page.get_by_role("dialog", name="Conversation")


def previews(page: Page, title: str):
    menu(page, title, "Previews…")
    return page.get_by_role("dialog", name="Previews")


def port(panel, number: int):
    return panel.locator(".port", has_text=re.compile(f"^{number}"))


# What is said


def test_what_was_said_is_shown_and_what_is_said_comes_live(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    hash_ = hash_of(page, LOGIN)
    panel = conversation(page, LOGIN)
    messages = panel.get_by_role("article")
    expect(messages).to_have_count(5)
    expect(messages.first).to_contain_text("Users on Safari end up in a redirect loop")
    expect(messages.first.locator(".message-who")).to_have_text("You")
    expect(messages.last.locator(".message-who")).to_have_text("Agent")
    expect(panel).to_contain_text("stops in 13 minutes")
    seeded.say(hash_, "I am", part="streamed")
    expect(messages.last.locator(".message-text")).to_have_text("I am")
    seeded.say(hash_, "I am done.", part="streamed")
    expect(messages.last.locator(".message-text")).to_have_text("I am done.")
    expect(messages).to_have_count(6)


def test_what_is_said_is_text_and_nothing_else(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    said = '<img src=x onerror="document.title=1"> <b>bold</b>\n\njavascript:alert(1)'
    seeded.say(hash_of(page, WEBHOOKS), said)
    message = conversation(page, WEBHOOKS).locator(".message-text")
    expect(message).to_have_text(said)
    assert message.evaluate("one => one.textContent") == said
    assert message.locator("*").count() == 0


def test_arrows_lead_through_the_messages_and_closing_leads_back(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    messages = conversation(page, LOGIN).get_by_role("article")
    expect(messages.last).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(messages.nth(3)).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    expect(messages.first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(messages.nth(1)).to_be_focused()
    # What comes meanwhile takes nobody's place.
    seeded.say(hash_of(page, LOGIN), "One more thing")
    expect(messages).to_have_count(6)
    expect(messages.nth(1)).to_be_focused()
    assert messages.evaluate_all("all => all.filter(one => one.tabIndex === 0).length") == 1
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name=f"More for {LOGIN}")).to_be_focused()


def test_a_conversation_without_end_stays_bounded(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    hash_ = hash_of(page, WEBHOOKS)
    messages = conversation(page, WEBHOOKS).get_by_role("article")
    expect(page.locator(".thread-note")).to_have_text("Nothing was said yet.")
    for number in range(230):
        seeded.say(hash_, f"Message {number}")
    expect(messages.last).to_contain_text("Message 229")
    expect(messages).to_have_count(200)
    expect(messages.first).to_contain_text("Message 30")


def test_a_broken_stream_comes_back_without_doubles(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    messages = conversation(page, LOGIN).get_by_role("article")
    expect(messages).to_have_count(5)
    seeded.drop_streams()
    seeded.say(hash_of(page, LOGIN), "Said meanwhile")
    expect(messages).to_have_count(6)
    expect(messages.last).to_contain_text("Said meanwhile")


def test_a_closed_panel_asks_for_nothing_more(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/progress/stream")):
        expect(conversation(page, LOGIN).get_by_role("article")).to_have_count(5)
        page.get_by_role("button", name="Close").click()


def test_a_router_that_keeps_nothing_says_so(seeded: MockRouter, open_page):
    seeded.missing |= {".*/progress/stream", ".*/ports"}
    page = open_page(seeded.url)
    expect(conversation(page, LOGIN)).to_contain_text("This router does not keep what is said.")
    page.keyboard.press("Escape")
    expect(previews(page, LOGIN)).to_contain_text("This router does not tell what listens in a session.")


def test_a_waking_session_shows_what_was_said_last(mock: MockRouter, open_page):
    mock.hold.clear()
    hash_ = mock.add(SHOP, "work", "stopped")
    mock.say(hash_, "Where were we?", "user")
    page = open_page(f"{mock.url}/session/{hash_}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Waking your session")
    expect(page.get_by_role("feed", name="Conversation").get_by_role("article")).to_contain_text("Where were we?")


# What listens


def test_a_preview_opens_in_a_new_tab(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    hash_ = hash_of(page, LOGIN)
    panel = previews(page, LOGIN)
    expect(panel.locator(".port-state")).to_have_text(["Only you", re.compile("^Everybody · ends in 1 hour")])
    link = port(panel, 5173).get_by_role("link")
    expect(link).to_have_attribute("href", f"http://5173-{hash_}.{seeded.host}/")
    expect(link).to_have_attribute("target", "_blank")
    expect(link).to_have_attribute("rel", "noopener")


def test_what_begins_to_listen_shows_up_by_itself(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    panel = previews(page, WEBHOOKS)
    expect(panel).to_contain_text("Nothing listens in this session yet")
    seeded.listening(hash_of(page, WEBHOOKS), 3000)
    expect(port(panel, 3000)).to_be_visible()


def test_making_public_warns_first_and_ends_by_itself(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    panel = previews(page, LOGIN)
    line = port(panel, 5173)
    line.get_by_role("button", name="Share port 5173…").click()
    expect(line.get_by_role("radio", name="Only you")).to_be_focused()
    expect(line.locator(".port-warning")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    expect(line.get_by_role("radio", name="Everybody who is signed in")).to_be_checked()
    expect(line.locator(".port-warning")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    expect(line.get_by_role("alert")).to_contain_text("Anybody on the network who knows or guesses this address")
    assert seeded.did("PUT", ".*/ports/5173") == []
    line.get_by_role("combobox", name="For how long").select_option("1 day")
    line.get_by_role("button", name="Make public").click()
    expect(line.locator(".port-state")).to_have_text("Everybody · ends tomorrow")
    assert seeded.did("PUT", ".*/ports/5173") == [{"visibility": "public", "expiresInMinutes": 1440}]
    expect(line.get_by_role("button", name="Share port 5173…")).to_be_focused()


def test_sharing_can_last_until_it_is_taken_back(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    panel = previews(page, LOGIN)
    line = port(panel, 8080)
    line.get_by_role("button", name="Share port 8080…").click()
    expect(line.get_by_role("radio", name="Everybody", exact=False).last).to_be_checked()
    line.get_by_role("radio", name="Everybody who is signed in").check()
    line.get_by_role("combobox", name="For how long").select_option("Until I take it back")
    line.get_by_role("button", name="Save").click()
    expect(line.locator(".port-state")).to_have_text("Everybody who is signed in · until you take it back")
    assert seeded.did("PUT", ".*/ports/8080") == [{"visibility": "signed-in"}]
    line.get_by_role("button", name="Share port 8080…").click()
    line.get_by_role("radio", name="Only you").check()
    line.get_by_role("button", name="Save").click()
    expect(line.locator(".port-state")).to_have_text("Only you")
    assert len(seeded.did("DELETE", ".*/ports/8080")) == 1


def test_a_refused_change_says_why_and_changes_nothing(seeded: MockRouter, open_page):
    seeded.faults[("PUT", ".*/ports/5173")] = (400, {"error": "At most 64 ports of a session can be shared.", "code": "too_many_ports"})
    page = open_page(seeded.url)
    line = port(previews(page, LOGIN), 5173)
    line.get_by_role("button", name="Share port 5173…").click()
    line.get_by_role("radio", name="Everybody who is signed in").check()
    line.get_by_role("button", name="Save").click()
    expect(line.get_by_role("alert")).to_have_text("At most 64 ports of a session can be shared.")
    expect(line.locator(".port-state")).to_have_text("Only you")


def test_a_port_is_named_before_anything_listens_there(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    panel = previews(page, WEBHOOKS)
    field = panel.get_by_role("spinbutton", name="Another port")
    field.fill("80")
    field.press("Enter")
    expect(panel.locator(".problem")).to_have_text("A port is a number from 1024 to 65535.")
    field.fill("4096")
    field.press("Enter")
    expect(panel.locator(".problem")).to_contain_text("belong to the session itself")
    field.fill("9000")
    field.press("Enter")
    expect(port(panel, 9000).get_by_role("link")).to_be_focused()
    expect(port(panel, 9000).locator(".port-state")).to_have_text("Only you · nothing listens there now")


def test_a_decision_in_the_making_is_not_taken_away(seeded: MockRouter, open_page):
    """The list is asked for again and again; what somebody is filling in stays."""
    page = open_page(seeded.url)
    hash_ = hash_of(page, LOGIN)
    panel = previews(page, LOGIN)
    line = port(panel, 5173)
    line.get_by_role("button", name="Share port 5173…").click()
    line.get_by_role("radio", name="Everybody who is signed in").check()
    seeded.listening(hash_, 3000, expiresAt=ago(minutes=-5))
    del seeded.ports[hash_][5173]
    expect(port(panel, 3000)).to_be_visible()
    expect(line.get_by_role("radio", name="Everybody who is signed in")).to_be_checked()
