"""Programs of others that judge what we write."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
KUBERNETES = ROOT / "deployment" / "kubernetes"


def tool(name):
    """A checker of the tests' own installation, or else of the system."""
    found = shutil.which(Path(sys.executable).parent / name) or shutil.which(name)
    assert found, f"{name} is not installed: Tests/Support/install.sh"
    return found


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, **options)
