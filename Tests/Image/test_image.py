"""The image, built from the Dockerfile's final stage around the release binary, and its file system run for real."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Kept between runs: debootstrap takes its time.
WORK = ROOT / ".build" / "image"
STORAGE = ["--storage-driver", "vfs", "--root", str(WORK / "storage"), "--runroot", str(WORK / "run")]
TAG = "localhost/opencode-router:test"


def command(*words, **options):
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout.strip()


def buildah(*words):
    return command("buildah", *STORAGE, *words)


def size(folder):
    return int(command("du", "-sxB1", folder).split()[0])


@pytest.fixture(scope="module")
def image():
    """The image as buildah tells it, after a build by the script that people use."""
    assert os.geteuid() == 0, "building an image on a Debian of one's own needs root"
    shutil.rmtree(WORK / "storage", ignore_errors=True)
    WORK.mkdir(parents=True, exist_ok=True)
    binary = ROOT / ".build" / "release" / "opencode-router"
    assert binary.exists(), "build the release first: make build"
    said = command(
        ROOT / "scripts" / "build-image.sh", "--tag", TAG, "--binary", binary, "--from-debian", WORK / "debian",
        env={**os.environ, "BUILDAH_OPTIONS": " ".join(STORAGE)})
    assert said.splitlines()[-1] == TAG
    yield json.loads(buildah("inspect", "--type", "image", TAG))["Docker"]["config"]
    shutil.rmtree(WORK / "storage", ignore_errors=True)


@pytest.fixture(scope="module")
def root(image):
    """The image's file system."""
    container = buildah("from", "--pull-never", TAG)
    return Path(buildah("mount", container))


def inside(root, *words, **settings):
    """A command as the image's user on a read-only root, with /proc and an empty /tmp, as a cluster runs it."""
    script = ('mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && mount -t proc proc "$0/proc" '
              '&& mount -t tmpfs -o mode=1777 tmpfs "$0/tmp" && cd "$0" && exec chroot --userspec=1000:1000 "$0" "$@"')
    return (["unshare", "--mount", "--propagation", "private", "sh", "-c", script, root, *words],
            {"PATH": "/opt/opencode-router:/usr/bin:/bin:/usr/sbin:/sbin", **settings})


def run(root, *words, **settings):
    line, environment = inside(root, *words, **settings)
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60)


def test_it_says_who_runs_it_and_how(image):
    assert image["User"] == "1000:1000"
    assert image["Entrypoint"] == ["opencode-router"] and image["Cmd"] == ["serve"]
    assert image["Healthcheck"]["Test"] == ["CMD", "opencode-router", "healthcheck"]
    labels = image["Labels"]
    for name in ["title", "description", "source", "licenses", "version", "revision"]:
        assert labels[f"org.opencontainers.image.{name}"], labels
    version = command(ROOT / ".build" / "release" / "opencode-router", "version")
    assert version == f"opencode-router {labels['org.opencontainers.image.version']}"


def test_it_is_less_than_120_megabytes_beyond_its_base(root):
    # Both without what a slim image leaves out; the lists of packages are gone from both.
    grown = size(root) - size(WORK / "debian")
    print(f"{grown / 1e6:.1f} MB beyond the base")
    assert 0 < grown < 120e6, f"{grown / 1e6:.1f} MB"


def test_nobody_but_root_could_change_a_file_of_it(root):
    found = command("find", root / "opt", "(", "-not", "-uid", "0", "-o", "-perm", "/022", ")", "-not", "-type", "l")
    assert found == ""


def test_every_library_is_there(root):
    done = run(root, "ldd", "/opt/opencode-router/opencode-router")
    assert done.returncode == 0 and "not found" not in done.stdout, done.stdout + done.stderr


def test_it_serves_on_a_read_only_root_starts_fast_and_tells_its_health(root):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings = {"DEVELOPMENT": "true", "DEV_EMAIL": "dev@example.com", "SESSION_RUNTIME": "local", "STATE_DIR": "/tmp/state",
                "PORT": "0", "ATTACH_PORT": "0", "POD_PORT": "0", "METRICS_PORT": str(port), "LOG_FORMAT": "json",
                "AGENT_COMMAND": "opencode-router demo-agent --port {port}"}
    line, environment = inside(root, "opencode-router", "serve", **settings)
    process = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        for text in process.stderr:
            listening = json.loads(text)
            if listening["message"] == "listening":
                break
        else:
            raise AssertionError(f"it did not start: {process.wait()}")
        # unshare, sh and chroot have become the router by exec. Time on the processor, for the machine may be busy.
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        print(f"{seconds * 1000:.0f} ms of CPU until it listens, {listening['milliseconds']} ms by its own clock")
        assert seconds < 0.3
        end = time.monotonic() + 30
        while (done := run(root, "opencode-router", "healthcheck", "--path", "/readyz", METRICS_PORT=str(port))).returncode:
            assert time.monotonic() < end, done.stderr
            time.sleep(0.05)
        page = urllib.request.urlopen(f"http://127.0.0.1:{listening['port']}/", timeout=20)
        assert page.status == 200 and b"<html" in page.read()
    finally:
        process.terminate()
        process.wait(30)
    assert process.returncode == 0
    assert run(root, "opencode-router", "healthcheck", METRICS_PORT=str(port)).returncode == 1
