"""Sessions with a git token, and git as their own processes run it: with their environment, in their folder."""

import os
import subprocess


def run(environment, folder, *words, text=None, code=0):
    """git's output of both kinds; it has to end with this code, or with any if that is None."""
    done = subprocess.run(
        ["git", *words], cwd=folder, input=text or "", capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], "GIT_TERMINAL_PROMPT": "0", **environment})
    said = done.stdout + done.stderr
    assert code is None or done.returncode == code, said
    return said


def push(environment, folder, name, code=0):
    """Commits a file of this name and pushes the branch that is checked out."""
    (folder / name).write_text(name)
    author = ["-c", "user.name=Ann", "-c", "user.email=ann@example.test"]
    run(environment, folder, "add", "-A")
    run(environment, folder, *author, "commit", "--quiet", "-m", name)
    return run(environment, folder, "push", "origin", "HEAD", code=code)


def token(value):
    """How the ingress tells a person's git token."""
    return {"X-Auth-Request-Access-Token": value}


def started(router, guarded, owner, value):
    """A running session of the guarded server's story, whose owner came with this token when it was good."""
    guarded.accept(value)
    made = router.api(
        "POST", "/sessions", {"repoUrl": guarded.story, "branch": "work"}, email=owner, fields=token(value))
    return router.wait_for_state(made["hash"], "running", email=owner)


def question(server, scheme="https"):
    """What git asks a credential helper about a server."""
    return f"protocol={scheme}\nhost={server}\n"
