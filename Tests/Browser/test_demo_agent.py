"""The demo agent's own page, without a router: files, terminal, conversation, keyboard; and its terminal's model."""

import subprocess

import pytest
from playwright.sync_api import Page, expect

from harness.router import ROOT, binary, clean_environment


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    """The address of a demo agent for a small repository."""
    folder = tmp_path_factory.mktemp("demo") / "small"
    (folder / "src").mkdir(parents=True)
    (folder / "README.md").write_text("# Small\n")
    (folder / "src" / "main.c").write_text("int main(void) { return 0; }\n")
    process = subprocess.Popen(
        [binary(), "demo-agent", "--port", "0"], cwd=folder, stdout=subprocess.PIPE, text=True,
        env=clean_environment(RESOURCES_DIR=ROOT / "Resources", SHELL="/bin/bash", PS1="$ "))
    line = process.stdout.readline()
    assert "demo agent" in line
    yield line.rsplit(" ", 1)[1].strip()
    process.terminate()
    assert process.wait(40) == 0


def terminal(page: Page):
    expect(page.locator("#terminal-state")).to_have_text("Connected")
    return page.locator("#terminal")


def test_the_page_says_that_it_is_a_demo_and_loads_nothing_from_elsewhere(open_page, agent):
    page = open_page(agent, wait=False)
    requested = []
    page.on("request", lambda request: requested.append(request.url))
    page.reload()
    terminal(page)
    expect(page.locator(".badge")).to_have_text("Demo agent")
    expect(page.get_by_text("no model answers")).to_be_visible()
    expect(page.locator("#repository")).to_have_text("small")
    assert all(url.startswith(agent) for url in requested), requested


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_terminal_runs_a_shell_and_new_files_appear_in_the_tree(open_page, agent, theme):
    page = open_page(agent, theme=theme)
    terminal(page).click()
    page.keyboard.type(f"printf '\\e[1;31mred\\e[0m %s %s\\n' $((6 * 7)) {theme}; touch made-{theme}.txt\n")
    expect(page.locator("#terminal .row", has_text=f"red 42 {theme}")).to_be_visible()
    expect(page.locator("#terminal .bold.fg-1", has_text="red").last).to_be_visible()
    expect(page.get_by_role("treeitem", name=f"made-{theme}.txt")).to_be_visible()


def test_a_reloaded_page_finds_its_shell_as_it_was(open_page, agent):
    page = open_page(agent)
    terminal(page).click()
    page.keyboard.type("kept=yes; echo told $((1 + 1))\n")
    expect(page.locator("#terminal .row", has_text="told 2").last).to_be_visible()
    page.reload()
    terminal(page).click()
    expect(page.locator("#terminal .row", has_text="told 2").last).to_be_visible()
    page.keyboard.type("echo kept is $kept\n")
    expect(page.locator("#terminal .row", has_text="kept is yes")).to_be_visible()


def test_an_ended_shell_says_so_and_another_can_be_started(open_page, agent):
    page = open_page(agent)
    terminal(page).click()
    page.keyboard.type("exit\n")
    expect(page.locator("#terminal-state")).to_have_text("Ended")
    page.get_by_role("button", name="New shell").click()
    terminal(page)
    page.keyboard.type("echo new $((3 + 3))\n")
    expect(page.locator("#terminal .row", has_text="new 6")).to_be_visible()


def test_files_are_read_with_the_keyboard_alone(open_page, agent):
    page = open_page(agent)
    terminal(page)
    tree = page.get_by_role("tree")
    tree.get_by_role("treeitem", name="README.md").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(tree.get_by_role("treeitem", name="src")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#preview")).to_contain_text("int main(void)")
    page.locator("#terminal-input").focus()
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#preview")).to_be_focused()


def test_a_prompt_is_answered_honestly_and_can_be_stopped(open_page, agent):
    page = open_page(agent)
    prompt = page.get_by_label("Prompt")
    prompt.fill("What is here?")
    prompt.press("Enter")
    answer = page.locator(".message.assistant").last
    expect(answer).to_contain_text("No model is behind it")
    expect(answer).to_contain_text("Install opencode")
    expect(page.locator("#event-list")).to_contain_text("session.idle")
    prompt.fill("/wait 60")
    prompt.press("Enter")
    stop = page.get_by_role("button", name="Stop")
    stop.click()
    expect(stop).to_be_hidden()


def test_a_phone_shows_everything_without_scrolling_sideways(open_page, agent):
    page = open_page(agent, size={"width": 390, "height": 844})
    terminal(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for name in ["Files", "Terminal", "Conversation", "Events"]:
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


# Bytes, and what a screen of 10 x 4 shows then; the cursor as (column, row). ECMA-48 and xterm's control sequences.
SCREENS = [
    ("ab\r\ncd", ["ab", "cd", "", ""], (2, 1)),
    ("abcdefghijkl", ["abcdefghij", "kl", "", ""], (2, 1)),
    ("abcdefghij\r\nk", ["abcdefghij", "k", "", ""], (1, 1)),
    ("1\r\n2\r\n3\r\n4\r\n5", ["2", "3", "4", "5"], (1, 3)),
    ("abc\b\bX", ["aXc", "", "", ""], (2, 0)),
    ("a\tb", ["a       b", "", "", ""], (9, 0)),
    ("abcdef\r\x1b[3C\x1b[K", ["abc", "", "", ""], (3, 0)),
    ("abcdef\x1b[3D\x1b[1K", ["    ef", "", "", ""], (3, 0)),
    ("one\r\ntwo\x1b[2J", ["", "", "", ""], (3, 1)),
    ("\x1b[3;5Hx\x1b[Ay", ["", "     y", "    x", ""], (6, 1)),
    ("abcdef\x1b[3G\x1b[2P", ["abef", "", "", ""], (2, 0)),
    ("abcdef\x1b[3G\x1b[2@", ["ab  cdef", "", "", ""], (2, 0)),
    ("abcdef\x1b[3G\x1b[2X", ["ab  ef", "", "", ""], (2, 0)),
    ("1\r\n2\r\n3\x1b[1;1H\x1b[L", ["", "1", "2", "3"], (0, 0)),
    ("1\r\n2\r\n3\x1b[1;1H\x1b[M", ["2", "3", "", ""], (0, 0)),
    ("1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\n", ["1", "3", "", "4"], (0, 2)),
    ("1\r\n2\x1b[1;1H\x1bM", ["", "1", "2", ""], (0, 0)),
    ("ab\x1b7cd\x1b8X", ["abXd", "", "", ""], (3, 0)),
    ("main\x1b[?1049hother\x1b[?1049l", ["main", "", "", ""], (4, 0)),
    ("\x1b]0;title\x07a\x1b]2;t\x1b\\b\x1bPx\x1b\\c", ["abc", "", "", ""], (3, 0)),
    ("\x1b(0lqk\x1b(Bq", ["┌─┐q", "", "", ""], (4, 0)),
    ("\x1b[?25l\x1b[?2004h\x1b[>4;1m\x1b[!pa", ["a", "", "", ""], (1, 0)),
    ("日本e\u0301", ["日本e\u0301", "", "", ""], (5, 0)),
]


def test_the_screen_shows_what_a_terminal_shows_however_its_bytes_are_cut(open_page, agent):
    page = open_page(agent)
    seen = page.evaluate(
        """async (texts) => {
          const { Screen } = await import("/demo-agent/screen.js");
          const show = (pieces) => {
            const screen = new Screen({ columns: 10, rows: 4 });
            for (const piece of pieces) screen.write(piece);
            return [screen.lines.map((line) => line.map((cell) => cell.text).join("").trimEnd()), [screen.x, screen.y]];
          };
          return texts.map((text) => [show([text]), show([...text])]);
        }""", [text for text, _, _ in SCREENS])
    for (text, lines, cursor), (whole, pieces) in zip(SCREENS, seen):
        assert whole == [lines, list(cursor)], repr(text)
        assert pieces == whole, repr(text)
