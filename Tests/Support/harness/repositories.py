"""Real repositories over real smart HTTP."""

import base64
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

    def __init__(self, folder, *options):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, SERVER, "--root", self.folder, *map(str, options)], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.terminate()
        self.process.wait(40)

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


class GuardedRepositories(Repositories):
    """The same by https, for holders of a token only; which tokens are good may change at any time."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = folder / "certificate.pem"
        key, self.tokens, self.trace = folder / "key.pem", folder / "tokens", folder / "trace"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
             "-out", self.authority, "-subj", "/CN=git", "-days", "2", "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True, capture_output=True)
        self.accept()
        self.trace.touch()
        super().__init__(
            folder / "root", "--tokens", self.tokens, "--trace", self.trace, "--certificate", self.authority, "--key", key)

    @property
    def server(self):
        """Host and port, as git's credential protocol has them."""
        return f"127.0.0.1:{self.port}"

    def url(self, path):
        return f"https://{self.server}/private/{path}"

    def accept(self, *tokens):
        """From now on these are good, and no others."""
        self.tokens.write_text("\n".join(tokens) + "\n")

    def shown(self):
        """The users and tokens that the server was ever shown, in order."""
        fields = [line.split(" ", 2)[2] for line in self.trace.read_text().splitlines()]
        return [base64.b64decode(field[6:]).decode() for field in fields if field.startswith("Basic ")]
