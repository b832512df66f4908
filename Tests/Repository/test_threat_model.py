"""The threat model names tests; each of them exists, and each threat has one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = (ROOT / "docs" / "threat-model.md").read_text().splitlines()
ROWS = [line for line in LINES if line.startswith("| ") and not line.startswith("| threat ")]
NAMED = re.compile(r"`(Tests/[^:`]+)::([^`]+)`")


@pytest.mark.parametrize("file, name", sorted({pair for line in LINES for pair in NAMED.findall(line)}))
def test_a_named_test_exists(file, name):
    text = (ROOT / file).read_text()
    if file.endswith(".py"):
        assert f"\ndef {name}(" in text
    else:
        # The name of a Swift test is its claim, which may stand on a line of its own.
        assert re.search(rf'@Test\(\s*"{re.escape(name)}"', text)


def test_every_threat_has_a_control_and_a_test():
    assert len(ROWS) > 25
    for row in ROWS:
        threat, control, proof = (cell.strip() for cell in row.strip("|").split(" | "))
        assert threat and control and NAMED.search(proof), row
