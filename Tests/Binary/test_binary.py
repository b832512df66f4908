"""The release binary itself: what is linked into it, and what it needs."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Support"))

from harness.router import ROOT  # noqa: E402

BINARY = ROOT / ".build" / "release" / "opencode-router"


@pytest.fixture(scope="module")
def symbols():
    assert BINARY.exists(), "build the release first: make build"
    done = subprocess.run(["nm", "--defined-only", BINARY], check=True, capture_output=True, text=True)
    return [line.split()[-1] for line in done.stdout.splitlines()]


def test_full_foundation_and_icu_are_not_linked(symbols):
    # Mangled names begin with the module's name and its length.
    unwanted = [name for name in symbols if name.startswith((
        "$s10Foundation", "$s30FoundationInternationalization", "$s14_FoundationICU", "uloc_", "ucal_", "u_strlen"))]
    assert unwanted[:5] == []


def test_swift_s_libraries_are_inside():
    done = subprocess.run(["ldd", BINARY], check=True, capture_output=True, text=True)
    assert "libswift" not in done.stdout and "libFoundation" not in done.stdout, done.stdout
    assert "not found" not in done.stdout


def test_it_is_small(tmp_path):
    stripped = tmp_path / "stripped"
    subprocess.run(["strip", "-o", stripped, BINARY], check=True)
    assert stripped.stat().st_size < 40 << 20
