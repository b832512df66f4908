"""Lost connections, ended sign-ins, restarted routers."""

import pytest
from playwright.sync_api import expect

from harness.ports import reserve_port
from mock_router import MockRouter
from test_actions import LOGIN, menu
from test_home import row


def test_a_lost_stream_comes_back_with_what_was_missed(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    expect(page.locator(".row")).to_have_count(7)
    seeded.refuse_streams = True
    seeded.drop_streams()
    expect(page.locator(".banner")).to_contain_text("No connection to the router. This list is from")
    seeded.add("https://github.com/acme/new", "missed", "stopped", title="Missed meanwhile")
    seeded.refuse_streams = False
    # The next attempt may have come by itself in this very moment.
    page.locator(".banner button").evaluate_all("all => all.forEach(one => one.click())")
    expect(page.locator(".banner")).to_be_hidden()
    expect(row(page, "Missed meanwhile")).to_be_visible()


def test_a_hidden_tab_gives_its_connection_back(seeded: MockRouter, open_page):
    page = open_page("about:blank", wait=False)
    page.clock.install()
    page.goto(seeded.url)
    page.clock.run_for(1000)
    expect(page.locator(".row")).to_have_count(7)

    def show(hidden: bool):
        page.evaluate("""hidden => {
            Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event('visibilitychange'));
        }""", hidden)

    assert seeded.streams == 1
    show(True)
    page.clock.run_for(61_000)
    # The scripted router notices a closed connection when it next writes to it.
    seeded.add("https://github.com/acme/new", "missed", "stopped", title="Missed meanwhile")
    for _ in range(1000):
        if seeded.streams == 0:
            break
        seeded.tell()
        page.wait_for_timeout(20)
    assert seeded.streams == 0
    show(False)
    page.clock.run_for(1000)
    expect(row(page, "Missed meanwhile")).to_be_visible()
    assert seeded.streams == 1


def test_a_short_gap_is_not_worth_a_word(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    expect(page.locator(".row")).to_have_count(7)
    seeded.drop_streams()
    seeded.add("https://github.com/acme/new", "missed", "stopped", title="Missed meanwhile")
    expect(row(page, "Missed meanwhile")).to_be_visible()
    expect(page.locator(".banner")).to_be_hidden()


def test_a_restarted_router_is_found_again(open_page):
    port = reserve_port()
    first = MockRouter(port, stage_seconds=0.1).start()
    first.add("https://github.com/acme/a", "b", "running", title="Before")
    page = open_page(first.url)
    expect(row(page, "Before")).to_be_visible()
    first.stop()
    expect(page.locator(".banner")).to_be_visible()
    second = MockRouter(port, stage_seconds=0.1).start()
    second.add("https://github.com/acme/a", "b", "stopped", title="After")
    expect(row(page, "After")).to_be_visible(timeout=20_000)
    expect(page.locator(".banner")).to_be_hidden()
    second.stop()


@pytest.mark.parametrize("how", ["401", "html", "redirect"])
def test_an_ended_sign_in_is_recognised(seeded: MockRouter, open_page, how):
    page = open_page(seeded.url)
    expect(page.locator(".row")).to_have_count(7)
    page.get_by_role("textbox", name="What shall it do?").fill("Not to be lost")
    seeded.expired = how
    seeded.drop_streams()
    expect(page.locator(".banner")).to_contain_text("Your sign-in has ended")
    seeded.expired = None
    page.get_by_role("button", name="Sign in again").click()
    expect(page.locator(".row")).to_have_count(7)
    expect(page.locator(".banner")).to_be_hidden()
    expect(page.get_by_role("textbox", name="What shall it do?")).to_have_value("Not to be lost")


def test_an_order_after_the_sign_in_ended_is_not_lost_silently(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    expect(page.locator(".row")).to_have_count(7)
    seeded.expired = "401"
    menu(page, LOGIN, "Stop")
    page.get_by_role("button", name="Stop session").click()
    expect(page.locator(".toast-error")).to_contain_text("nothing was changed")
    expect(page.locator(".banner")).to_contain_text("Your sign-in has ended")
    expect(row(page, LOGIN).locator(".row-state")).to_have_text("Running")


def test_being_offline_is_said(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    expect(page.locator(".row")).to_have_count(7)
    page.context.set_offline(True)
    seeded.drop_streams()
    expect(page.locator(".banner")).to_contain_text("You are offline")
    page.context.set_offline(False)
    expect(page.locator(".banner")).to_be_hidden()


def test_an_ingress_that_answers_for_the_router_is_no_sign_in(seeded: MockRouter, open_page):
    page = open_page(seeded.url)
    seeded.refuse_streams = True
    seeded.drop_streams()
    expect(page.locator(".banner")).to_contain_text("No connection to the router")


def test_a_failed_create_keeps_the_form(mock: MockRouter, open_page):
    mock.faults[("POST", "/api/sessions")] = (429, {"error": "You have 20 sessions, the most allowed.", "code": "too_many_sessions",
                                                    "hint": "Delete one you no longer need."})
    page = open_page(mock.url + "/?repo=acme/webshop&branch=x&prompt=Keep%20me")
    page.get_by_role("button", name="Start session").click()
    expect(page.locator(".problem:visible")).to_have_text("You have 20 sessions, the most allowed. Delete one you no longer need.")
    expect(page.get_by_role("textbox", name="What shall it do?")).to_have_value("Keep me")


def test_a_list_that_is_not_ready_says_so(mock: MockRouter, open_page):
    mock.faults[("GET", "/api/sessions/stream")] = (503, {"error": "The list of sessions is still being read.", "code": "directory_not_ready"})
    page = open_page(mock.url)
    expect(page.get_by_text("The list of sessions is still being read.")).to_be_visible()
    mock.faults.clear()
    expect(page.get_by_text("No sessions yet")).to_be_visible()


def test_a_stale_list_says_so(seeded: MockRouter, open_page):
    seeded.stale = True
    page = open_page(seeded.url)
    expect(page.get_by_text("this list may be out of date")).to_be_visible()
    seeded.stale = False
    seeded.tell()
    expect(page.get_by_text("this list may be out of date")).to_be_hidden()
