"""What the tests of deployment/ share."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deployment" / "kubernetes"


def tool(name):
    """A checker of the tests' own installation, or else of the system."""
    found = shutil.which(Path(sys.executable).parent / name) or shutil.which(name)
    assert found, f"{name} is not installed: Tests/Support/install.sh"
    return found


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, **options)


@pytest.fixture(scope="session")
def built():
    """What `kubectl kustomize` makes of a folder, as objects."""
    known = {}

    def build(folder):
        if folder not in known:
            done = run(tool("kubectl"), "kustomize", KUBERNETES / folder)
            assert done.returncode == 0, done.stderr
            known[folder] = [each for each in yaml.safe_load_all(done.stdout) if each]
        return known[folder]

    return build
