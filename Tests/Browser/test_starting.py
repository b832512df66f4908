"""The screen between wanting a session and being in it."""

from playwright.sync_api import expect

from mock_router import CLONE_FAILURE, MockRouter

SHOP = "https://github.com/acme/webshop"


def test_stages_are_shown_as_they_happen_and_the_session_opens(mock: MockRouter, open_page):
    mock.hold.clear()
    hash_ = mock.add(SHOP, "work", "creating", stage="initializing")
    page = open_page(f"{mock.url}/session/{hash_}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Starting your session")
    expect(page.locator(".start-subject")).to_have_text("acme/webshop · work")
    current = page.locator("[aria-current=step]")
    expect(current).to_contain_text("Making room")
    mock.set(hash_, stage="preparing")
    expect(current).to_contain_text("Fetching the repository")
    expect(page.locator(".stage[data-state=done]")).to_have_count(2)
    expect(page).to_have_title("Starting your session · acme/webshop")
    mock.set(hash_, stage="readying")
    expect(current).to_contain_text("Waiting for its first answer")
    mock.set(hash_, state="running")
    page.locator("h1", has_text=f"Session {hash_}").wait_for()


def test_the_path_asked_for_is_kept_within_the_session(mock: MockRouter, open_page):
    hash_ = mock.add(SHOP, "work", "running")
    page = open_page(f"{mock.url}/session/{hash_}?path=/a/b%3Fc=d", wait=False)
    expect(page.locator("#path")).to_have_text("/a/b?c=d")
    page.goto(f"{mock.url}/session/{hash_}?path=//evil.example/x")
    expect(page.locator("#path")).to_have_text("/")
    assert hash_ in page.url


def test_back_leads_to_the_list_and_not_into_a_loop(mock: MockRouter, open_page):
    hash_ = mock.add(SHOP, "work", "stopped", title="Sleeper")
    page = open_page(mock.url)
    page.get_by_role("link", name="Sleeper").click()
    page.locator("h1", has_text=f"Session {hash_}").wait_for()
    page.go_back()
    expect(page.get_by_role("link", name="Sleeper")).to_be_visible()
    assert page.url == mock.url + "/"


def test_a_stopped_session_is_woken(mock: MockRouter, open_page):
    hash_ = mock.add(SHOP, "work", "stopped")
    page = open_page(f"{mock.url}/session/{hash_}", wait=False)
    page.locator("h1", has_text=f"Session {hash_}").wait_for()
    assert len(mock.did("POST", f"/api/sessions/{hash_}/resume")) == 1


def test_a_start_that_waits_for_the_old_agent_to_end_is_not_called_stopped(mock: MockRouter, open_page):
    hash_ = mock.add(SHOP, "work", "stopping")
    # The order is taken; nothing begins yet.
    mock.faults[("POST", ".*/resume")] = (200, {"hash": hash_, "state": "creating", "url": None})
    page = open_page(f"{mock.url}/session/{hash_}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Stopping first")
    mock.set(hash_, state="stopped")
    page.wait_for_timeout(500)
    expect(page.locator(".start")).to_have_attribute("data-state", "creating")
    mock.set(hash_, state="creating", stage="initializing")
    expect(page.get_by_role("heading", level=1)).to_have_text("Waking your session")
    mock.set(hash_, state="running")
    page.locator("h1", has_text=f"Session {hash_}").wait_for()


def test_a_failure_shows_cause_hint_log_and_ways_on(mock: MockRouter, open_page):
    hash_ = mock.add("https://github.com/acme/webshp", "work", "creating", stage="initializing", description="Do it")
    page = open_page(f"{mock.url}/session/{hash_}")
    expect(page.locator("[aria-current=step]")).to_be_visible()
    mock.set(hash_, stage="preparing")
    expect(page.locator("[aria-current=step]")).to_contain_text("Fetching")
    mock.set(hash_, state="failed", failure=CLONE_FAILURE)
    expect(page.get_by_role("heading", level=1)).to_have_text("This session could not start")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    problem = page.locator(".start-problem")
    expect(problem).to_contain_text(CLONE_FAILURE["message"])
    expect(problem).to_contain_text(CLONE_FAILURE["hint"])
    expect(problem).to_contain_text("fatal: repository")
    expect(page.locator(".stage[data-state=failed]")).to_contain_text("Fetching the repository")
    page.get_by_role("button", name="Try again").click()
    page.locator("h1", has_text=f"Session {hash_}").wait_for()


def test_a_failed_start_can_be_changed(mock: MockRouter, open_page):
    hash_ = mock.add("https://github.com/acme/webshp", "work", "failed", failure=CLONE_FAILURE, description="Do it")
    page = open_page(f"{mock.url}/session/{hash_}")
    page.get_by_role("link", name="Change and start anew").click()
    expect(page.get_by_role("combobox", name="Repository")).to_have_value("https://github.com/acme/webshp")
    expect(page.get_by_role("textbox", name="Work on branch")).to_have_value("work")
    expect(page.get_by_role("textbox", name="What shall it do?")).to_have_value("Do it")


def test_a_retry_that_is_refused_says_why(mock: MockRouter, open_page):
    hash_ = mock.add(SHOP, "work", "failed", failure=CLONE_FAILURE)
    mock.faults[("POST", ".*/resume")] = (429, {"error": "You run 5 sessions, the most allowed.", "code": "too_many_running"})
    page = open_page(f"{mock.url}/session/{hash_}")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".start-cause")).to_have_text("You run 5 sessions, the most allowed.")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_the_log_unfolds_and_grows(mock: MockRouter, open_page):
    hash_ = mock.add(SHOP, "work", "creating", stage="preparing")
    mock.logs[hash_] = "Cloning into 'repo'...\n"
    page = open_page(f"{mock.url}/session/{hash_}")
    assert mock.did("GET", f"/api/sessions/{hash_}/log") == []
    page.get_by_text("Log", exact=True).click()
    expect(page.locator(".log-text")).to_contain_text("Cloning into")
    mock.logs[hash_] += "Receiving objects: 42%\n"
    expect(page.locator(".log-text")).to_contain_text("42%")


def test_a_start_is_followed_over_broken_connections(mock: MockRouter, open_page):
    hash_ = mock.add(SHOP, "work", "creating", stage="preparing")
    page = open_page(f"{mock.url}/session/{hash_}")
    expect(page.locator("[aria-current=step]")).to_contain_text("Fetching")
    mock.drop_streams()
    mock.set(hash_, stage="starting")
    expect(page.locator("[aria-current=step]")).to_contain_text("Starting the agent")
    mock.refuse_streams = True
    mock.drop_streams()
    mock.set(hash_, state="running")
    page.locator("h1", has_text=f"Session {hash_}").wait_for()


def test_a_start_can_be_stopped(mock: MockRouter, open_page):
    hash_ = mock.add(SHOP, "work", "creating", stage="preparing")
    page = open_page(f"{mock.url}/session/{hash_}")
    page.locator(".start-buttons").get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Stop session").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This session was stopped")
    page.get_by_role("button", name="Start").click()
    page.locator("h1", has_text=f"Session {hash_}").wait_for()


def test_somebody_elses_session_does_not_exist(mock: MockRouter, open_page):
    page = open_page(f"{mock.url}/session/0123456789ab")
    expect(page.get_by_role("heading", level=1)).to_have_text("This session does not exist")
    page.get_by_role("link", name="Back to sessions").click()
    expect(page.get_by_role("heading", name="New session")).to_be_visible()


def test_an_address_that_means_nothing_says_so(mock: MockRouter, open_page):
    page = open_page(f"{mock.url}/nothing/here")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")


def test_a_sleeping_session_host_wakes_and_keeps_its_address(mock: MockRouter, open_page):
    hash_ = mock.add(SHOP, "work", "stopped")
    mock.hold.clear()
    address = f"http://{hash_}.{mock.host}/some/file?line=3"
    page = open_page(address)
    expect(page.get_by_role("heading", level=1)).to_have_text("Waking your session…")
    expect(page).to_have_title("Waking your session…")
    mock.hold.set()
    expect(page.locator("#path")).to_have_text("/some/file?line=3")
    assert page.url == address


def test_a_failed_session_host_leads_to_the_picker(mock: MockRouter, open_page):
    hash_ = mock.add(SHOP, "work", "failed", failure=CLONE_FAILURE)
    page = open_page(f"http://{hash_}.{mock.host}/")
    page.get_by_role("link", name="Show the reason").click()
    expect(page.locator(".start-cause")).to_have_text(CLONE_FAILURE["message"])


def test_a_waking_session_leads_to_its_progress_and_back_to_its_address(mock: MockRouter, open_page):
    mock.hold.clear()
    hash_ = mock.add(SHOP, "work", "stopped")
    page = open_page(f"http://{hash_}.{mock.host}/some/file?line=3")
    page.get_by_role("link", name="Show progress").click()
    expect(page.locator("[aria-current=step]")).to_be_visible()
    mock.hold.set()
    expect(page.locator("#path")).to_have_text("/some/file?line=3")


def test_a_wake_that_fails_says_so(mock: MockRouter, open_page):
    mock.fail_next = CLONE_FAILURE
    hash_ = mock.add(SHOP, "work", "stopped")
    page = open_page(mock.address(hash_), locale="de-DE")
    expect(page.get_by_role("heading", level=1)).to_have_text("Deine Sitzung konnte nicht starten")


def test_a_sleeping_session_host_works_without_script(mock: MockRouter, open_page):
    hash_ = mock.add(SHOP, "work", "stopped")
    page = open_page(mock.address(hash_), java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_have_text(["Waking your session…", "Deine Sitzung wacht auf…"])
    page.locator("h1", has_text=f"Session {hash_}").wait_for()
