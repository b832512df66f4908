"""What README and docs tell people to type works, and every link leads to what it names."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.router import binary, clean_environment

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(file for file in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deployment").rglob("*.md")]
               if not {".venv", "node_modules"} & set(file.parts))
# What needs a cluster, a registry, another account, or runs for minutes; image and `make test` have tests of their own.
ELSEWHERE = re.compile(
    r"(make (run|test|image|release|bench|build)\b|kubectl |docker |pulumi |cd |cp |for |--from-literal|KUBECONFIG="
    r"|scripts/create-local-kubeconfig|\.venv/bin/|Tests/Bench/|perf |strip |stackcollapse)")


def blocks(kind):
    """(page, first line's number, text) of every fenced block with this info string."""
    found = []
    for page in PAGES:
        for match in re.finditer(rf"^```{kind}\n(.*?)^```", page.read_text(), re.M | re.S):
            line = page.read_text()[:match.start()].count("\n") + 2
            found.append(pytest.param(page, match[1], id=f"{page.relative_to(ROOT)}:{line}"))
    return found


@pytest.fixture
def workplace(tmp_path):
    """A copy of what blocks may name, for they may write; and the environment of a person with nothing set."""
    for name in ["deployment", "docs", "scripts", "Public", "Resources"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-r", ROOT / name, tmp_path / name], check=True)
    environment = clean_environment(
        PATH=f"{binary().parent}:{Path(sys.executable).parent}:{os.environ['PATH']}", MANPAGER="cat",
        XDG_STATE_HOME=tmp_path / "state", TERM="dumb")
    return tmp_path, environment


@pytest.mark.parametrize("page,text", blocks("sh run"))
def test_a_command_of_the_documentation_works(page, text, workplace):
    folder, environment = workplace
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.stdout[-1000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("page,text", blocks("sh serve"))
def test_a_server_of_the_documentation_starts_and_ends(page, text, workplace):
    folder, environment = workplace
    # Ports of the kernel's choice: those of the page may be taken on a machine that runs tests.
    environment |= {"PORT": "0", "ATTACH_PORT": "0", "POD_PORT": "0", "METRICS_PORT": "0", "DRAIN_DELAY_SECONDS": "0",
                    "SESSION_RUNTIME": "local", "LOG_FORMAT": "text"}
    process = subprocess.Popen(
        ["bash", "-euc", text], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "listening" in line:
                break
        else:
            raise AssertionError("".join(lines))
        os.killpg(process.pid, signal.SIGTERM)
        process.stderr.read()
        assert process.wait(60) in (0, -signal.SIGTERM)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("page,text", blocks("sh"))
def test_a_command_that_nobody_runs_here_could_not_run_here(page, text):
    """Else it has to be marked `sh run` or `sh serve`."""
    for command in re.sub(r"\\\n\s*", "", text).strip().splitlines():
        assert ELSEWHERE.match(command) or command.startswith("#"), command


def anchors(page):
    """The anchors of a page's titles, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    found = set()
    for title in re.findall(r"^#+ +(.+?) *#*$", text, re.M):
        title = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).replace("`", "")
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        number = 0
        while (name := anchor if number == 0 else f"{anchor}-{number}") in found:
            number += 1
        found.add(name)
    return found


def links(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    text = re.sub(r"`[^`\n]*`", "", text)
    return re.findall(r"\]\(<?([^)\s>]+)>?\)", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_what_it_names(page):
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert file.is_relative_to(ROOT), f"{target} leaves the repository"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{target}: no such section; there are {sorted(anchors(file))}"


def test_every_page_is_reached_from_the_readme():
    reached, queue = set(), [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in links(page):
            file = (page.parent / target.partition("#")[0]).resolve()
            if not re.match(r"[a-z]+:", target) and file.is_file() and file.suffix == ".md":
                queue.append(file)
            elif file.is_dir() and file.is_relative_to(ROOT / "docs"):
                queue += file.glob("*.md")
    missing = {str(page.relative_to(ROOT)) for page in PAGES} - {str(page.relative_to(ROOT)) for page in reached}
    assert not missing
