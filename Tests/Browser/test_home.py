"""The first screen: the form and the list."""

import re

import pytest
from playwright.sync_api import Page, expect

from mock_router import CLONE_FAILURE, MockRouter, ago

SHOP = "https://github.com/acme/webshop"


def repository(page: Page):
    return page.get_by_role("combobox", name="Repository")


def branch(page: Page):
    return page.get_by_role("textbox", name="Work on branch")


def prompt(page: Page):
    return page.get_by_role("textbox", name="What shall it do?")


def row(page: Page, title: str):
    return page.locator(".row", has=page.get_by_role("link", name=title, exact=True))


def group_of(page: Page, title: str) -> str:
    return page.locator(".group", has=page.get_by_role("link", name=title, exact=True)).get_attribute("data-group")


def test_sessions_stand_in_groups_with_state_in_words(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    expect(page.locator(".row")).to_have_count(7)
    assert [text.split("\n")[0] for text in page.locator(".group:visible h3").all_inner_texts()] \
        and page.locator(".group:visible").evaluate_all("all => all.map(one => one.dataset.group)") \
        == ["running", "creating", "failed", "stopped"]
    login = row(page, "Fix the login redirect loop in Safari")
    expect(login).to_contain_text("Running")
    expect(login).to_contain_text("acme/webshop")
    expect(login).to_contain_text("fix-login-loop")
    expect(login).to_contain_text("2 minutes ago")
    expect(login).to_contain_text("stops in 13 minutes")
    expect(login.locator("time-ago")).to_have_attribute("title", re.compile(r"20\d\d"))
    expect(row(page, "Retry failed webhooks with back-off")).to_contain_text("agent at work")
    expect(row(page, "Retry failed webhooks with back-off")).to_contain_text("uncommitted changes · 2 not pushed")
    expect(row(page, "Upgrade the ingress to v3")).to_contain_text("Starting · Fetching the repository")
    expect(row(page, "acme/webshp")).to_contain_text(CLONE_FAILURE["message"])


def test_an_empty_list_says_what_to_do(mock: MockRouter, open_page):
    page = open_page(mock.url)
    expect(page.get_by_text("No sessions yet")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_be_hidden()


def test_a_change_of_state_moves_the_row_and_is_announced(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    title = "Rewrite the getting-started guide"
    expect(row(page, title)).to_be_visible()
    assert group_of(page, title) == "stopped"
    hash_ = row(page, title).get_attribute("data-hash")
    seeded.set(hash_, state="running")
    expect(page.locator("[data-group=running] .row").first).to_contain_text(title)
    expect(page.locator("[role=status]", has_text=f"{title}: Running.")).to_be_attached()


def test_use_does_not_reorder_the_list(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    titles = page.locator("[data-group=running] .row-title")
    expect(titles).to_have_count(2)
    before = titles.all_inner_texts()
    hash_ = row(page, before[1]).get_attribute("data-hash")
    seeded.set(hash_, activity={"at": ago(seconds=0), "source": "request"})
    expect(row(page, before[1])).to_contain_text("now")
    assert titles.all_inner_texts() == before


def test_text_of_others_is_text(mock: MockRouter, open_page):
    hostile = '<img src=x onerror="document.title=1">'
    mock.add(SHOP, "x", "running", title=hostile, url="javascript:alert(1)")
    page = open_page(mock.url)
    expect(page.get_by_role("link", name=hostile)).to_be_visible()
    hash_ = next(iter(mock.sessions))
    mock.sessions[hash_]["url"] = "javascript:alert(1)"
    mock.tell()
    expect(page.get_by_role("link", name=hostile)).to_have_attribute("href", f"/session/{hash_}")
    assert page.title() == "OpenCode"


def test_the_filter_narrows_by_text_and_state(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    search = page.get_by_role("searchbox", name="Filter sessions")
    search.fill("checkout")
    expect(page.locator(".row:visible")).to_have_count(1)
    search.fill("nothing like this")
    expect(page.get_by_text("No session matches.")).to_be_visible()
    page.get_by_role("button", name="Clear filter").click()
    expect(page.locator(".row:visible")).to_have_count(7)
    page.get_by_role("button", name=re.compile("^Stopped")).click()
    expect(page.locator(".row:visible")).to_have_count(3)
    expect(page.get_by_role("button", name=re.compile("^Stopped"))).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name=re.compile("^All")).click()
    expect(page.locator(".row:visible")).to_have_count(7)


def test_a_session_is_made_with_the_keyboard_alone(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    expect(repository(page)).to_be_focused()
    page.keyboard.type("acme/pay")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(repository(page)).to_have_value("https://github.com/acme/payments")
    expect(branch(page)).to_be_focused()
    expect(branch(page)).to_have_value("calm-otter-42")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(prompt(page)).to_be_focused()
    page.keyboard.type("First line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second line")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/session/|localhost:\d+/$"))
    expect(page.locator("h1")).to_contain_text(re.compile("Session [0-9a-f]{12}"))
    assert seeded.did("POST", "/api/sessions") == [{
        "repoUrl": "https://github.com/acme/payments", "branch": "calm-otter-42", "initialMessage": "First line\nsecond line"}]


def test_source_branches_come_from_the_remote(mock: MockRouter, open_page):
    page = open_page(mock.url)
    repository(page).fill("https://git.example.org/team/thing.git")
    source = page.get_by_role("combobox", name="Start from")
    source.click()
    source.fill("rel")
    page.get_by_role("option", name="release/2.4").click()
    expect(source).to_have_value("release/2.4")
    expect(branch(page)).to_be_focused()


@pytest.mark.parametrize(("typed", "sent"), [
    ("acme/webshop", "https://github.com/acme/webshop"),
    ("git@gitlab.example.org:team/app.git", "https://gitlab.example.org/team/app.git"),
    ("ssh://git@gitlab.example.org/team/app.git", "https://gitlab.example.org/team/app.git"),
    ("codeberg.org/forgejo/forgejo", "https://codeberg.org/forgejo/forgejo"),
    ("  https://github.com/acme/webshop  ", "https://github.com/acme/webshop"),
    ("http://127.0.0.1:1234/story.git", "http://127.0.0.1:1234/story.git"),
])
def test_addresses_may_be_typed_as_people_know_them(mock: MockRouter, open_page, typed, sent):
    page = open_page(mock.url)
    repository(page).fill(typed)
    branch(page).fill("work")
    page.get_by_role("button", name="Start session").click()
    page.locator("h1", has_text="Session ").wait_for()
    assert mock.did("POST", "/api/sessions")[0]["repoUrl"] == sent


@pytest.mark.parametrize(("repo", "name", "reason", "field"), [
    ("", "", "Which repository?", "Repository"),
    ("not an address", "x", "This is not the address of a repository.", "Repository"),
    ("acme/webshop", "with space", "Git does not take this", "Work on branch"),
    ("acme/webshop", "-x", "Git does not take this", "Work on branch"),
    ("acme/webshop", "a..b", "Git does not take this", "Work on branch"),
    ("acme/webshop", "x.lock", "Git does not take this", "Work on branch"),
    ("https://forbidden.example/a/b", "x", "Allowed are github.com", "Repository"),
])
def test_a_refusal_stands_beside_its_field(mock: MockRouter, open_page, repo, name, reason, field):
    page = open_page(mock.url)
    repository(page).fill(repo)
    branch(page).fill(name)
    page.get_by_role("button", name="Start session").click()
    expect(page.locator(".problem:visible")).to_contain_text(reason)
    control = page.get_by_label(field, exact=True).and_(page.locator("input[type=text]"))
    expect(control).to_have_attribute("aria-invalid", "true")
    expect(control).to_be_focused()
    assert page.url == mock.url + "/"


def test_a_missing_source_branch_is_told_at_its_field(mock: MockRouter, open_page):
    page = open_page(mock.url + "/?repo=acme/webshop&branch=x&from=nowhere")
    page.get_by_role("button", name="Start session").click()
    expect(page.locator(".field-source .problem")).to_contain_text('Branch "nowhere" not found')


def test_two_submits_send_one_request(mock: MockRouter, open_page):
    page = open_page(mock.url)
    repository(page).fill("acme/webshop")
    branch(page).fill("once")
    page.evaluate("""() => {
        const form = document.querySelector('.composer');
        form.requestSubmit(); form.requestSubmit(); form.requestSubmit();
    }""")
    page.locator("h1", has_text="Session ").wait_for()
    assert len(mock.did("POST", "/api/sessions")) == 1


def test_a_session_that_exists_is_opened(seeded: MockRouter, open_page):
    page = open_page(seeded.url + f"/?repo={SHOP}&branch=fix-login-loop")
    expect(page.get_by_text("You have this session already")).to_be_visible()
    page.get_by_role("button", name="Open session").click()
    page.locator("h1", has_text="Session ").wait_for()
    assert seeded.did("POST", "/api/sessions") == []


def test_a_link_fills_the_form_once(mock: MockRouter, open_page):
    page = open_page(mock.url + "/?repo=acme/webshop&branch=idea&from=develop&prompt=Try%20it")
    expect(repository(page)).to_have_value("acme/webshop")
    expect(branch(page)).to_have_value("idea")
    expect(page.get_by_role("combobox", name="Start from")).to_have_value("develop")
    expect(prompt(page)).to_have_value("Try it")
    assert page.url == mock.url + "/"
    assert mock.did("POST", "/api/sessions") == []


def test_an_unfinished_form_survives_loading_again(mock: MockRouter, open_page):
    page = open_page(mock.url)
    repository(page).fill("acme/webshop")
    prompt(page).fill("Half a thought")
    page.reload()
    expect(prompt(page)).to_have_value("Half a thought")
    expect(repository(page)).to_have_value(re.compile("acme/webshop"))


def test_a_started_form_is_empty_afterwards(mock: MockRouter, open_page):
    page = open_page(mock.url)
    repository(page).fill("acme/webshop")
    branch(page).fill("done")
    prompt(page).fill("Do it")
    prompt(page).press("Enter")
    page.locator("h1", has_text="Session ").wait_for()
    page.goto(mock.url)
    expect(repository(page)).to_have_value("")
    expect(prompt(page)).to_have_value("")


def test_a_blank_project_needs_no_repository(mock: MockRouter, open_page):
    page = open_page(mock.url)
    page.get_by_role("radio", name="Blank project").check()
    expect(repository(page)).to_be_hidden()
    prompt(page).fill("A receipt scanner")
    prompt(page).press("Enter")
    page.locator("h1", has_text="Session ").wait_for()
    assert mock.did("POST", "/api/sessions") == [{"branch": "main", "initialMessage": "A receipt scanner"}]


def test_single_keys_reach_form_and_filter_unless_switched_off(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    expect(page.locator(".row")).to_have_count(7)
    page.locator(".row-title").first.focus()
    page.keyboard.press("f")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".row-title").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".row-title").nth(1)).to_be_focused()
    page.keyboard.press("/")
    expect(repository(page)).to_be_focused()
    page.evaluate("localStorage.setItem('shortcuts', 'off')")
    page.reload()
    page.locator(".row-title").first.focus()
    page.keyboard.press("/")
    expect(page.locator(".row-title").first).to_be_focused()


def test_a_running_session_opens_at_its_own_address(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    page.get_by_role("link", name="Fix the login redirect loop in Safari").click()
    page.locator("h1", has_text="Session ").wait_for()
    page.go_back()
    expect(page.locator(".row")).to_have_count(7)


def test_repository_features_that_are_missing_are_not_missed(mock: MockRouter, open_page):
    mock.missing |= {"/api/user/repos", "/api/user/repos/branches", "/api/sessions/suggest-branch"}
    page = open_page(mock.url)
    repository(page).fill("acme/webshop")
    expect(branch(page)).to_have_value(re.compile(r"^[a-z]+-[a-z]+-\d\d$"))
    expect(page.locator(".toast, .problem:visible, .banner:visible")).to_have_count(0)


def test_without_the_stream_the_list_is_asked_for(seeded: MockRouter, open_page):
    seeded.missing.add("/api/sessions/stream")
    page = open_page(seeded.url)
    expect(page.locator(".row")).to_have_count(7)
    expect(page.locator(".banner")).to_be_hidden()
