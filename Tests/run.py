#!/usr/bin/env python3
"""Runs every test of the project and ends with one line: `N passed, N failed`.

Without arguments all stages run, in order; with names, only those. A stage that fails does not stop the next, so that
one run tells everything; the exit code is 1 if anything failed.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".build" / "test-logs"
# A crash tells the thread that crashed, not all of them.
BACKTRACE = {"SWIFT_BACKTRACE": "enable=yes,threads=crashed,limit=30,images=none,registers=none,color=no"}
# Tests with deadlines of their own starve when hundreds run at once on two cores.
WIDTH = {"SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH": "8"}
PYTEST = [sys.executable, "-m", "pytest", "-q", "--durations=15"]
RELEASE = ["swift", "build", "-c", "release", "--static-swift-stdlib"]
# Parts in which threads or raw memory meet.
SANITIZED = "LinuxIO|Telemetry|Observability|HTTPWire|DataPlane|TLS|HTTPClient|Assets"


class Stage:
    """One command, and how to count what it says."""

    def __init__(self, name, command, pattern=None, environment=None, limit=1500):
        self.name = name
        self.command = command
        # Groups `passed` and `failed`; without a pattern the stage itself is one test.
        self.pattern = pattern
        self.environment = environment or {}
        self.limit = limit

    def run(self):
        """Returns how many tests passed and failed."""
        print(f"\n=== {self.name}: {' '.join(self.command)}", flush=True)
        start = time.monotonic()
        try:
            done = subprocess.run(
                self.command, cwd=ROOT, env={**os.environ, **self.environment}, timeout=self.limit,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
            output, code = done.stdout, done.returncode
        except subprocess.TimeoutExpired as expired:
            output = (expired.stdout or b"").decode(errors="replace") + f"\nstopped after {self.limit} s"
            code = -1
        except FileNotFoundError as missing:
            output, code = str(missing), -1
        passed, failed = self.count(output, code)
        LOGS.mkdir(parents=True, exist_ok=True)
        (LOGS / f"{self.name}.log").write_text(output)
        lines = output.rstrip().splitlines()
        if failed:
            # What failed, then what came last; the whole is in the stage's log.
            telling = re.compile(r"✘|error:|Fatal|crashed|ERROR:|WARNING: ThreadSanitizer|FAILED| at /.*:[0-9]+:[0-9]+$")
            print("\n".join([line[:500] for line in lines if telling.search(line)][:200]))
            print(f"--- the end of {LOGS.relative_to(ROOT) / self.name}.log")
        print("\n".join(line[:500] for line in lines[-150 if failed else -3:]))
        print(f"=== {self.name}: {passed} passed, {failed} failed in {time.monotonic() - start:.0f} s", flush=True)
        return passed, failed

    def count(self, output, code):
        passed, failed = self.pattern(output) if self.pattern else (0, 0)
        if code != 0:
            return passed, max(failed, 1)
        return (passed, failed) if self.pattern else (1, 0)


def swift_testing(output):
    """Counts `Test "…" passed` lines: suites do not count, parameterised tests count once."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    passed = len(re.findall(r"^\W+Test (?!run|case).* passed after", plain, re.M))
    failed = len(re.findall(r"^\W+Test (?!run|case).* failed after", plain, re.M))
    return passed, failed


def pytest(output):
    last = output.rstrip().splitlines()[-1] if output.strip() else ""
    numbers = {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|error)", last)}
    return numbers.get("passed", 0), numbers.get("failed", 0) + numbers.get("error", 0)


def sanitizer(kind, options):
    return Stage(
        kind,
        ["swift", "test", "--sanitize", kind, "--scratch-path", f".build-{kind}", "--filter", f"^({SANITIZED})Tests"],
        swift_testing, {"SWIFT_BACKTRACE": "enable=no", **WIDTH, **options}, limit=1800)


STAGES = [
    Stage("format", ["swift", "format", "lint", "--strict", "-r", "Sources", "Tests", "Package.swift"]),
    Stage("layers", PYTEST + ["Tests/Repository"], pytest),
    # Every floor imports only what Package.swift allows, and no warning stays.
    Stage(
        "build", ["swift", "build", "--build-tests", "--explicit-target-dependency-import-check", "error"], None,
        {"WARNINGS_AS_ERRORS": "1"}),
    Stage("unit", ["swift", "test", "--explicit-target-dependency-import-check", "error"], swift_testing,
          {"WARNINGS_AS_ERRORS": "1", **BACKTRACE, **WIDTH}),
    Stage("release", RELEASE + ["--product", "opencode-router"], None, limit=1800),
    Stage("binary", PYTEST + ["Tests/Binary"], pytest),
    # The image's final stage around that binary, on a Debian made here.
    Stage("image", PYTEST + ["Tests/Image"], pytest, limit=900),
    Stage("deployment", PYTEST + ["Tests/Deployment", "Tests/Documentation"], pytest),
    # They wait more than they compute: two files at a time.
    Stage("end-to-end", PYTEST + ["-n", "2", "--dist", "loadfile", "Tests/EndToEnd"], pytest, limit=1800),
    # Half an hour of this is `make soak`.
    Stage("soak", [sys.executable, "Tests/Soak/soak.py", "--seconds", "40"], limit=300),
    # Sessions as pods, against a double of the API server that runs them.
    Stage("kubernetes", PYTEST + ["Tests/Kubernetes"], pytest, limit=1200),
    # The Cloudflare operator, against doubles of both APIs.
    Stage("operator", PYTEST + ["Tests/Operator"], pytest, limit=900),
    Stage("browser", PYTEST + ["Tests/Browser"], pytest),
    Stage("differential", PYTEST + ["Tests/Differential"], pytest),
    Stage("fuzz", ["Tests/Fuzz/run.sh", "60"]),
    sanitizer("thread", {
        "TSAN_OPTIONS": f"halt_on_error=0 suppressions={ROOT}/Tests/Support/thread-sanitizer.suppressions"}),
    # LeakSanitizer blames XCTest itself.
    sanitizer("address", {"ASAN_OPTIONS": "detect_leaks=0"}),
]


def main(names):
    unknown = set(names) - {stage.name for stage in STAGES}
    if unknown:
        sys.exit(f"no such stage: {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in STAGES)}")
    chosen = [stage for stage in STAGES if not names or stage.name in names]
    results = [(stage.name, *stage.run()) for stage in chosen]
    print()
    for name, passed, failed in results:
        print(f"  {name:12} {passed:5} passed {failed:4} failed")
    failed = sum(result[2] for result in results)
    print(f"{sum(result[1] for result in results)} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
