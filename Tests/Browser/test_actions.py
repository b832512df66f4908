"""What can be done with a session from the list."""

from playwright.sync_api import Page, expect

from mock_router import MockRouter
from test_home import group_of, row

LOGIN = "Fix the login redirect loop in Safari"
WEBHOOKS = "Retry failed webhooks with back-off"
GUIDE = "Rewrite the getting-started guide"


def menu(page: Page, title: str, item: str):
    page.get_by_role("button", name=f"More for {title}").click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def test_stopping_asks_then_shows_at_once(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    menu(page, LOGIN, "Stop")
    expect(page.get_by_role("dialog")).to_contain_text("acme/webshop · fix-login-loop")
    seeded.hold.clear()
    page.get_by_role("button", name="Stop session").click()
    expect(row(page, LOGIN)).to_contain_text("Stopping")
    seeded.hold.set()
    expect(row(page, LOGIN)).to_contain_text("Stopped")
    assert group_of(page, LOGIN) == "stopped"


def test_no_means_no(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    menu(page, LOGIN, "Stop")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    menu(page, LOGIN, "Delete…")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_timeout(100)
    assert seeded.did("POST", ".*/stop") == [] and seeded.did("DELETE", ".*") == []


def test_a_refused_stop_is_taken_back_and_can_be_tried_again(seeded: MockRouter, open_page):
    fault = ("POST", ".*/stop")
    seeded.faults[fault] = (503, {"error": "The cluster does not answer.", "code": "runtime_unavailable"})
    page = open_page(seeded.url)
    menu(page, LOGIN, "Stop")
    page.get_by_role("button", name="Stop session").click()
    note = page.locator(".toast-error")
    expect(note).to_contain_text("could not be stopped. The cluster does not answer.")
    assert group_of(page, LOGIN) == "running"
    expect(row(page, LOGIN).locator(".row-state")).to_have_text("Running")
    del seeded.faults[fault]
    note.get_by_role("button", name="Try again").click()
    expect(row(page, LOGIN)).to_contain_text("Stopped")


def test_deleting_names_what_is_lost(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    menu(page, LOGIN, "Delete…")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("every uncommitted change")
    expect(dialog.get_by_role("textbox")).to_have_count(0)
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.get_by_role("button", name="Delete session").click()
    expect(row(page, LOGIN)).to_have_count(0)
    expect(page.locator(".toast")).to_contain_text("is deleted")


def test_unpushed_work_is_only_deleted_by_name(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    menu(page, WEBHOOKS, "Delete…")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("It has uncommitted changes.")
    expect(dialog).to_contain_text("It has 2 commits that were not pushed.")
    button = page.get_by_role("button", name="Delete session")
    expect(button).to_be_disabled()
    dialog.get_by_role("textbox").fill("retry-webhook")
    expect(button).to_be_disabled()
    dialog.get_by_role("textbox").fill("retry-webhooks")
    dialog.get_by_role("textbox").press("Enter")
    expect(row(page, WEBHOOKS)).to_have_count(0)


def test_a_refused_delete_brings_the_row_back(seeded: MockRouter, open_page):
    seeded.faults[("DELETE", ".*")] = (409, {"error": "The volume is still attached.", "code": "conflict"})
    page = open_page(seeded.url)
    menu(page, LOGIN, "Delete…")
    page.get_by_role("button", name="Delete session").click()
    expect(page.locator(".toast-error")).to_contain_text("The volume is still attached.")
    expect(row(page, LOGIN).locator(".row-state")).to_have_text("Running")


def test_what_is_gone_already_counts_as_deleted(seeded: MockRouter, open_page):
    seeded.faults[("DELETE", ".*")] = (404, {"error": "There is no such session.", "code": "session_not_found"})
    page = open_page(seeded.url)
    menu(page, LOGIN, "Delete…")
    page.get_by_role("button", name="Delete session").click()
    expect(page.locator(".toast")).to_contain_text("is deleted")


def test_the_delete_key_asks_for_the_focused_row(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    page.get_by_role("link", name=GUIDE).focus()
    page.keyboard.press("Delete")
    expect(page.get_by_role("dialog")).to_contain_text("acme/docs")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name=GUIDE)).to_be_focused()


def test_a_stopped_session_starts_in_place(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    seeded.hold.clear()
    page.get_by_role("button", name=f"Start {GUIDE}").click()
    expect(row(page, GUIDE)).to_contain_text("Starting")
    seeded.hold.set()
    expect(row(page, GUIDE).locator(".row-state")).to_have_text("Running")
    assert page.url == seeded.url + "/"


def test_a_failed_session_is_tried_again_in_place(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    page.get_by_role("button", name="Try acme/webshp again").click()
    expect(row(page, "acme/webshp").locator(".row-state")).to_have_text("Running")


def test_links_and_commands_are_copied(seeded: MockRouter, open_page):
    page = open_page(seeded.url, permissions=["clipboard-read", "clipboard-write"])
    hash_ = row(page, LOGIN).get_attribute("data-hash")
    menu(page, LOGIN, "Copy link")
    expect(page.locator(".toast")).to_contain_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"{seeded.url}/session/{hash_}"
    for title, conversation in ((LOGIN, " -s ses_1a2b3c"), (WEBHOOKS, "")):
        hash_ = row(page, title).get_attribute("data-hash")
        menu(page, title, "Copy attach command")
        expect(page.locator(".toast", has_text="Command copied")).to_have_count(1)
        assert page.evaluate("navigator.clipboard.readText()") \
            == f"opencode attach http://attach-{hash_}.{seeded.host} --password {'0' * 32}{conversation}"
        page.locator(".toast", has_text="Command copied").get_by_role("button", name="Dismiss").click()


def test_logs_are_saved_as_a_file(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    hash_ = row(page, LOGIN).get_attribute("data-hash")
    seeded.logs[hash_] = "Cloning\n"
    with page.expect_download() as download:
        menu(page, LOGIN, "Download log")
    assert download.value.suggested_filename == f"session-{hash_}.log"
    assert "==== init ====\nCloning" in open(download.value.path()).read()


def test_a_session_opens_in_a_new_tab(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    with page.expect_popup() as popup:
        menu(page, LOGIN, "Open in new tab")
    popup.value.locator("h1", has_text="Session ").wait_for()


def test_the_editor_opens_where_a_running_session_has_one(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    hash_ = row(page, LOGIN).get_attribute("data-hash")
    page.get_by_role("button", name=f"More for {LOGIN}").click()
    editor = page.get_by_role("menuitem", name="Open editor")
    expect(editor).to_have_attribute("href", f"http://editor-{hash_}.{seeded.host}/")
    expect(editor).to_have_attribute("target", "_blank")
    page.keyboard.press("Escape")
    page.get_by_role("button", name=f"More for {WEBHOOKS}").click()
    expect(page.get_by_role("menuitem", name="Conversation")).to_be_visible()
    expect(editor).to_have_count(0)


def test_keeping_puts_the_stop_off(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    expect(row(page, LOGIN)).to_contain_text("stops in 13 minutes")
    menu(page, LOGIN, "Keep running")
    expect(row(page, LOGIN)).to_contain_text("stops in 15 minutes")


def test_the_idle_time_of_one_session_is_set(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    menu(page, LOGIN, "Idle stop…")
    field = page.get_by_role("spinbutton", name="Minutes without use")
    expect(field).to_have_value("15")
    field.fill("1000")
    expect(page.get_by_role("button", name="Set")).to_be_disabled()
    field.fill("40")
    page.get_by_role("button", name="Set").click()
    expect(row(page, LOGIN)).to_contain_text("stops in 38 minutes")
    assert seeded.did("PUT", ".*/idle-timeout") == [{"minutes": 40}]


def test_the_menu_is_worked_with_the_keyboard(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    button = page.get_by_role("button", name=f"More for {LOGIN}")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Open", exact=True)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="Delete…")).to_be_focused()
    page.keyboard.press("s")
    expect(page.get_by_role("menuitem", name="Stop", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(button).to_be_focused()
