"""Settings and administration."""

import re

from playwright.sync_api import expect

from mock_router import MockRouter


def test_theme_and_language_are_kept(mock: MockRouter, open_page):
    page = open_page(mock.url + "/settings")
    page.get_by_role("radio", name="Dark").check()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    page.get_by_role("radio", name="Deutsch").check()
    expect(page.get_by_role("heading", level=1)).to_have_text("Einstellungen")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.goto(mock.url)
    expect(page.get_by_role("heading", name="Neue Sitzung")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_variables_are_written_and_never_read(mock: MockRouter, open_page):
    mock.secrets["GITHUB_TOKEN"] = "old"
    page = open_page(mock.url + "/settings")
    expect(page.locator(".variable-name")).to_have_text(["GITHUB_TOKEN"])
    page.get_by_label("Name", exact=True).fill("api_key")
    page.get_by_label("Value", exact=True).fill("one")
    page.get_by_role("button", name="Add variable").click()
    expect(page.locator(".variable-name")).to_have_text(["API_KEY", "GITHUB_TOKEN"])
    page.get_by_role("button", name="Replace the value of GITHUB_TOKEN").click()
    page.get_by_role("textbox", name="Replace the value of GITHUB_TOKEN").fill("new")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast").last).to_contain_text("GITHUB_TOKEN is saved")
    assert mock.secrets == {"GITHUB_TOKEN": "new", "API_KEY": "one"}
    page.get_by_role("button", name="Delete API_KEY").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".variable-name")).to_have_text(["GITHUB_TOKEN"])
    assert mock.secrets == {"GITHUB_TOKEN": "new"}


def test_a_name_that_may_not_be_is_refused_with_the_reason(mock: MockRouter, open_page):
    page = open_page(mock.url + "/settings")
    page.get_by_label("Name", exact=True).fill("1X")
    page.get_by_label("Value", exact=True).fill("x")
    page.get_by_role("button", name="Add variable").click()
    expect(page.get_by_role("alert").filter(has_text="A name has letters")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("PATH")
    page.get_by_role("button", name="Add variable").click()
    expect(page.get_by_role("alert").filter(has_text="would change how the session itself runs")).to_be_visible()


def test_running_sessions_can_be_restarted_for_new_values(mock: MockRouter, open_page):
    hash_ = mock.add("https://github.com/acme/webshop", "work", "running")
    page = open_page(mock.url + "/settings")
    page.get_by_label("Name", exact=True).fill("KEY")
    page.get_by_label("Value", exact=True).fill("x")
    page.get_by_role("button", name="Add variable").click()
    expect(page.get_by_text("1 running session still has the old values.")).to_be_visible()
    page.get_by_role("button", name="Restart").click()
    page.get_by_role("dialog").get_by_role("button", name="Restart").click()
    for _ in range(400):
        if mock.did("POST", f"/api/sessions/{hash_}/resume") and mock.sessions[hash_]["state"] == "running":
            break
        page.wait_for_timeout(50)
    assert mock.sessions[hash_]["state"] == "running"
    assert len(mock.did("POST", f"/api/sessions/{hash_}/stop")) == 1


def test_variables_hide_where_the_router_has_none(mock: MockRouter, open_page):
    mock.missing.add("/api/user/secret")
    page = open_page(mock.url + "/settings")
    expect(page.get_by_text("Version 1.0.0")).to_be_visible()
    expect(page.get_by_text("Environment variables")).to_be_hidden()


def test_an_own_idle_time_goes_with_new_sessions(mock: MockRouter, open_page):
    page = open_page(mock.url + "/settings")
    page.get_by_role("switch", name=re.compile("My own time")).check()
    page.get_by_role("spinbutton").fill("45")
    page.get_by_role("spinbutton").blur()
    page.goto(mock.url + "/?repo=acme/webshop&branch=x")
    page.get_by_role("button", name="Start session").click()
    page.locator("h1", has_text="Session ").wait_for()
    assert mock.did("PUT", ".*/idle-timeout") == [{"minutes": 45}]


def test_administrators_see_and_stop_everything(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    page.get_by_role("link", name="Administration").click()
    expect(page.locator("tbody tr")).to_have_count(10)
    expect(page.locator(".totals")).to_contain_text("5 of 50")
    page.get_by_role("searchbox").fill("kim@")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("searchbox").fill("fix-login")
    page.get_by_role("button", name="Stop Fix the login").click()
    expect(page.get_by_role("dialog")).to_contain_text("dana@example.com")
    page.get_by_role("button", name="Stop session").click()
    expect(page.locator("tbody tr .cell-state")).to_contain_text("Stopp")
    assert len(seeded.did("POST", ".*/stop")) == 1


def test_a_thousand_sessions_do_not_fill_the_administrators_table(mock: MockRouter, open_page):
    for index in range(1000):
        mock.add("https://github.com/acme/webshop", f"task-{index:04}", "stopped")
    page = open_page(mock.url + "/admin")
    expect(page.get_by_text("803 more. The filter finds them.")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(201)
    page.get_by_role("searchbox").fill("task-0999")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_everybody_else_sees_no_administration(mock: MockRouter, open_page):
    mock.admin = False
    page = open_page(mock.url)
    expect(page.get_by_text(mock.email)).to_be_visible()
    expect(page.get_by_role("link", name="Administration")).to_have_count(0)
    page.goto(mock.url + "/admin")
    expect(page.get_by_text("Only administrators see this page.")).to_be_visible()
