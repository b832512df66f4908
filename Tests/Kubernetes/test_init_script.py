"""The script that prepares a session's repository, run for real against real repositories."""

import os
import shutil
import subprocess

import pytest

from harness.repositories import git
from harness.router import ROOT

SCRIPT = ROOT / "Resources" / "session-init.sh"


class Disk:
    """A session's disk, and the init container on it."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.home.mkdir()
        self.repository = self.home / "repo"
        self.outside = folder / "outside"
        self.outside.mkdir()

    def run(self, repository="", branch="main", source=None, protocols="http", code=0, **more):
        done = subprocess.run(
            ["/bin/sh", "-c", SCRIPT.read_text(), "session-init"], cwd=self.outside, capture_output=True, text=True,
            timeout=60, env={
                "PATH": os.environ["PATH"], "SESSION_HOME": str(self.home), "SESSION_DIRECTORY": str(self.repository),
                "SESSION_REPOSITORY": repository, "SESSION_BRANCH": branch, "SESSION_SOURCE_BRANCH": source or branch,
                "SESSION_USER_EMAIL": "ann@example.com", "GIT_ALLOW_PROTOCOL": protocols, **more})
        assert done.returncode == code, done.stdout + done.stderr
        assert list(self.outside.iterdir()) == [], "something was written where it does not belong"
        return done.stdout + done.stderr

    def branch(self):
        return git("symbolic-ref", "--short", "HEAD", folder=self.repository)

    def status(self):
        return git("status", "--porcelain", folder=self.repository)


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path)


def test_an_existing_branch_is_checked_out_and_follows_its_remote(disk, repositories):
    disk.run(repositories.story, "feature/one", "main")
    assert disk.branch() == "feature/one"
    assert (disk.repository / "branch.txt").read_text() == "feature/one\n"
    assert git("rev-parse", "--abbrev-ref", "@{upstream}", folder=disk.repository) == "origin/feature/one"


def test_a_new_branch_begins_at_its_source(disk, repositories):
    disk.run(repositories.story, "my/work", "feature/one")
    assert disk.branch() == "my/work"
    assert (disk.repository / "branch.txt").exists() and disk.status() == ""


def test_a_second_start_changes_nothing(disk, repositories):
    disk.run(repositories.story, "work", "main")
    (disk.repository / "new.txt").write_text("mine\n")
    git("add", "-A", folder=disk.repository)
    git("commit", "--quiet", "-m", "Mine", folder=disk.repository)
    head = git("rev-parse", "HEAD", folder=disk.repository)
    disk.run(repositories.story, "work", "main")
    assert git("rev-parse", "HEAD", folder=disk.repository) == head


def test_changes_that_are_not_committed_stay_untouched(disk, repositories):
    disk.run(repositories.story, "work", "main")
    git("checkout", "--quiet", "-b", "elsewhere", folder=disk.repository)
    (disk.repository / "README.md").write_text("changed\n")
    (disk.repository / "new.txt").write_text("new\n")
    before = disk.status()
    said = disk.run(repositories.story, "work", "main")
    assert disk.status() == before and disk.branch() == "elsewhere" and "left as it is" in said
    assert (disk.repository / "README.md").read_text() == "changed\n"


def test_a_remote_that_is_down_does_not_keep_a_clone_from_starting(disk, repositories):
    disk.run(repositories.story, "main")
    git("remote", "set-url", "origin", "http://127.0.0.1:1/gone.git", folder=disk.repository)
    assert "cannot be asked" in disk.run(repositories.story, "main")


def test_a_branch_that_is_nowhere_is_code_11_and_leaves_nothing(disk, repositories):
    disk.run(repositories.story, "nowhere", "neither", code=11)
    assert not disk.repository.exists() and not (disk.home / ".session-init").exists()


def test_a_repository_that_does_not_exist_is_code_10_with_git_s_words(disk, repositories):
    said = disk.run(repositories.url("missing.git"), "main", code=10)
    assert "not found" in said


def test_an_empty_repository_gets_the_session_s_branch(disk, repositories):
    bare = repositories.folder / "empty.git"
    shutil.rmtree(bare, ignore_errors=True)
    git("init", "--quiet", "--bare", bare)
    disk.run(repositories.url("empty.git"), "begin", "main")
    assert disk.branch() == "begin"


def test_a_blank_project_begins_with_an_empty_commit(disk):
    disk.run("", "main")
    assert git("log", "--format=%s %ae", folder=disk.repository) == "Begin ann@example.com"


def test_a_start_that_was_killed_is_begun_anew(disk, repositories):
    (disk.home / ".session-init" / ".git").mkdir(parents=True)
    disk.repository.mkdir()
    disk.run(repositories.story, "main")
    assert disk.status() == "" and disk.branch() == "main"


def test_files_in_the_way_are_not_destroyed(disk, repositories):
    disk.repository.mkdir()
    (disk.repository / "precious").write_text("x")
    disk.run(repositories.story, "main", code=13)
    assert (disk.repository / "precious").read_text() == "x"


@pytest.mark.parametrize("branch", [
    "$(touch pwned)", "`touch${IFS}pwned`", ";touch${IFS}pwned", "a'b\"c", "a&&b", "--upload-pack=touch", "-b", "a b",
    "a\nb", "x|y", "$HOME", "../../up", "HEAD:x", "ä/ö",
])
def test_hostile_branch_names_do_nothing_but_fail_or_become_branches(disk, repositories, branch):
    environment = {"PATH": os.environ["PATH"]}
    valid = not branch.startswith("-") and subprocess.run(
        ["git", "check-ref-format", f"refs/heads/{branch}"], env=environment).returncode == 0
    disk.run(repositories.story, branch, "main", code=0 if valid else 12)
    if valid:
        assert disk.branch() == branch
    assert not list(disk.home.rglob("pwned"))


@pytest.mark.parametrize("repository", [
    "ext::sh -c 'touch pwned'", "file:///etc", "--upload-pack=touch pwned", "/etc", "git://127.0.0.1/x",
    "http://127.0.0.1:1/$(touch pwned)", "http://127.0.0.1:1/`touch pwned`;touch pwned", "-u", "ssh://x/-oProxyCommand=touch",
])
def test_hostile_repositories_do_nothing_but_fail(disk, repository):
    said = disk.run(repository, "main", protocols="https", code=12 if repository.startswith("-") else 10)
    assert not list(disk.home.rglob("pwned")), said
    assert not disk.repository.exists()


HELPER = {
    "SESSION_CREDENTIAL_HELPER": (ROOT / "Resources" / "git-credential.sh").read_text(),
    "SESSION_TOKEN_HOSTS": "x-access-token@github.com oauth2@git.example:8443", "OPENCODE_GIT_TOKEN": "gho_marker"}


def fill(disk, host, **more):
    """What git finds out about a server, in the pod's environment without a router."""
    return subprocess.run(
        ["git", "credential", "fill"], input=f"protocol=https\nhost={host}\n\n", capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(disk.home), "OPENCODE_GIT_TOKEN": "gho_marker",
             "GIT_TERMINAL_PROMPT": "0", **more}, cwd=disk.outside).stdout


def test_the_token_is_for_its_servers_alone_and_in_no_file(disk, repositories):
    disk.run(repositories.story, "main", **HELPER)
    for path in disk.home.rglob("*"):
        if path.is_file():
            assert b"gho_marker" not in path.read_bytes(), path
    assert "username=x-access-token\npassword=gho_marker\n" in fill(disk, "github.com")
    assert "username=oauth2\npassword=gho_marker\n" in fill(disk, "git.example:8443")
    for host in ("evil.example", "git.example", "github.com:8443", "gist.github.com", "github.com.evil.example"):
        assert "gho_marker" not in fill(disk, host), host


def test_a_user_s_own_github_token_is_stronger_and_for_github_only(disk, repositories):
    disk.run(repositories.story, "main", **HELPER)
    assert "password=own\n" in fill(disk, "github.com", GITHUB_TOKEN="own")
    assert "password=gho_marker\n" in fill(disk, "git.example:8443", GITHUB_TOKEN="own")
    assert "password=gho_marker\n" in fill(disk, "github.com", GITHUB_TOKEN="gho_marker")
    for broken in ("a\nusername=evil", "a b", "a\rb", "ä"):
        assert "evil" not in fill(disk, "github.com", GITHUB_TOKEN=broken)
        assert "password" not in fill(disk, "github.com", GITHUB_TOKEN=broken)


def test_a_disk_of_before_is_brought_up_to_date_and_a_user_s_own_choice_stays(disk, repositories):
    # As the original leaves it: a store of its own, and the token in it.
    secrets = disk.home / ".git-credentials"
    secrets.write_text("https://oauth2:gho_stale@github.com\nhttps://me:mine@elsewhere.example\n")
    configuration = disk.home / ".gitconfig"
    configuration.write_text(
        "[credential]\n\thelper = store\n[credential \"https://github.com\"]\n"
        "\thelper = \"!f() { test \\\"$1\\\" = get && printf \\\"password=%s\\\" \\\"$GITHUB_TOKEN\\\"; }; f\"\n"
        "[credential \"https://git.example:8443\"]\n\thelper = !own\n")
    for _ in range(2):
        disk.run(repositories.story, "main", **HELPER)
    assert secrets.read_text() == "https://me:mine@elsewhere.example\n"
    assert "username=x-access-token\npassword=gho_marker\n" in fill(disk, "github.com")
    text = configuration.read_text()
    assert "GITHUB_TOKEN" not in text and text.count("git-credential.sh") == 1 and "helper = !own" in text


def test_the_deployment_s_models_give_way_to_the_user_s(tmp_path):
    agent = tmp_path / "opencode"
    agent.write_text("#!/bin/sh\nenv\n")
    agent.chmod(0o755)
    said = subprocess.run(
        ["/bin/sh", ROOT / "Resources" / "session-agent.sh"], check=True, capture_output=True, text=True, timeout=60, env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), "SESSION_DIRECTORY": str(tmp_path),
            "DEFAULT_OPENCODE_MODEL_CODING": "acme/large", "DEFAULT_OPENCODE_MODEL_THINKING": "acme/deep",
            "OPENCODE_MODEL_THINKING": "own/deep"}).stdout.splitlines()
    assert "OPENCODE_MODEL_CODING=acme/large" in said
    assert "OPENCODE_MODEL_THINKING=own/deep" in said
    assert not [line for line in said if line.startswith("OPENCODE_MODEL_RESEARCH=")]


def test_all_scripts_are_clean_to_shellcheck():
    assert shutil.which("shellcheck"), "Tests/Support/install.sh packages test brings shellcheck"
    for name in ("session-init.sh", "session-agent.sh", "git-credential.sh"):
        subprocess.run(["shellcheck", ROOT / "Resources" / name], check=True)
