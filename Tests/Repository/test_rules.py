"""Rules about the sources themselves, which no compiler checks."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "Sources"
BYTE_PATH = ["HTTPWire", "Routing", "LinuxIO", "DataPlane"]
# What the byte path may import besides the project's own targets.
SYSTEM = {"Glibc", "Synchronization"}


def tracked():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def imports(file):
    """(module, line) of every import; the line tells a reason if it has a comment."""
    pattern = re.compile(r"^\s*(?:@\w+\s+)*(?:public |package |internal |fileprivate |private )?import "
                         r"(?:struct |class |enum |func |let |var |protocol )?(\w+)(.*)$", re.M)
    return [(match.group(1), match.group(0)) for match in pattern.finditer(file.read_text())]


def test_one_call_of_pytest_can_collect_every_test():
    """It tells modules apart by their names alone."""
    names = sorted(file.name for file in (ROOT / "Tests").rglob("test_*.py"))
    assert names == sorted(set(names))


@pytest.mark.parametrize("target", BYTE_PATH)
def test_the_byte_path_imports_no_foundation_and_no_logger(target):
    own = {folder.name for folder in SOURCES.iterdir()}
    for file in (SOURCES / target).rglob("*.swift"):
        for module, line in imports(file):
            assert module in own | SYSTEM, f"{file.relative_to(ROOT)}: {line.strip()}"
            assert module not in {"Observability", "RouterAPI", "LocalSessions", "HTTPClient"}, line


@pytest.mark.parametrize("target", ["HTTPWire", "Routing", "DataPlane"])
def test_the_byte_path_takes_no_lock(target):
    locks = re.compile(r"\b(Mutex<|Mutex\(|pthread_mutex|NSLock|DispatchSemaphore|os_unfair)")
    for file in (SOURCES / target).rglob("*.swift"):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            found = locks.search(line.split("//")[0])
            assert not found, f"{file.relative_to(ROOT)}:{number}: {line.strip()}"


def test_nobody_imports_full_foundation():
    for file in SOURCES.rglob("*.swift"):
        for module, line in imports(file):
            assert module not in {"Foundation", "FoundationNetworking", "FoundationInternationalization", "Dispatch"}, (
                f"{file.relative_to(ROOT)}: {line.strip()}")


def test_no_file_names_this_machine_s_folders():
    home = str(Path.home()) + "/"
    for file in tracked():
        content = file.read_bytes()
        for place in {str(ROOT) + "/", home}:
            assert place.encode() not in content, f"{file.relative_to(ROOT)} names {place}"


def test_links_inside_the_repository_resolve():
    for page in [file for file in tracked() if file.suffix == ".md"]:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target) or target.startswith("#"):
                continue
            path = (page.parent / target.partition("#")[0]).resolve()
            assert path.exists(), f"{page.relative_to(ROOT)}: {target}"


def test_scripts_are_executable():
    for file in tracked():
        if file.read_bytes()[:2] == b"#!" and file.suffix in ("", ".sh"):
            assert file.stat().st_mode & 0o100, file.relative_to(ROOT)
