"""Real repositories over real smart HTTP."""

import subprocess
import sys
from pathlib import Path

SERVER = Path(__file__).resolve().parents[1] / "git_http_server.py"


def git(*arguments, folder=None):
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *identity, *map(str, arguments)], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


class Repositories:
    """A folder of bare repositories and the server in front of them."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, SERVER, "--root", self.folder], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/{path}"

    def make(self, name, branches=("main", "feature/one")):
        """A repository with some files on `main` and a file of its own on every other branch; returns its URL."""
        bare = self.folder / f"{name}.git"
        work = self.folder / f"{name}.work"
        git("init", "--quiet", work)
        (work / "README.md").write_text(f"# {name}\n")
        (work / "src").mkdir()
        (work / "src" / "main.txt").write_text("hello\n")
        git("add", "-A", folder=work)
        git("commit", "--quiet", "-m", "First", folder=work)
        git("branch", "-M", branches[0], folder=work)
        for branch in branches[1:]:
            git("checkout", "--quiet", "-b", branch, branches[0], folder=work)
            (work / "branch.txt").write_text(branch + "\n")
            git("add", "-A", folder=work)
            git("commit", "--quiet", "-m", f"On {branch}", folder=work)
        git("checkout", "--quiet", branches[0], folder=work)
        git("clone", "--quiet", "--bare", work, bare)
        return self.url(f"{name}.git")
