#!/usr/bin/env python3
"""Runs every test of the project and ends with one line: `N passed, N failed`.

Without arguments all stages run, in order; with names, only those. A stage that fails does not stop the next, so that
one run tells everything; the exit code is 1 if anything failed.
"""

import os
import re
import resource
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
SANITIZED = "LinuxIO,Telemetry,Observability,HTTPWire,DataPlane,TLS,HTTPClient,Assets"


def at_a_time(files):
    """For tests that wait more than they compute: so many files of them at a time."""
    return [*PYTEST, "-n", str(files), "--dist", "loadfile"]


class Stage:
    """One command, and how to count what it says."""

    def __init__(self, name, command, pattern=None, environment=None, limit=1500, beside=False):
        self.name = name
        self.command = command
        # Groups `passed` and `failed`; without a pattern the stage itself is one test.
        self.pattern = pattern
        self.environment = environment or {}
        # Seconds that it is waited for.
        self.limit = limit
        # It has what the stages after it leave of the processors, and is waited for at the end.
        self.beside = beside

    def start(self):
        print(f"\n=== {self.name}: {' '.join(self.command)}{' (beside the next)' if self.beside else ''}", flush=True)
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = LOGS / f"{self.name}.log"
        self.started = time.monotonic()
        with open(self.log, "wb") as log:
            try:
                self.process = subprocess.Popen(
                    self.command, cwd=ROOT, env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=subprocess.STDOUT, preexec_fn=yield_to_others if self.beside else None)
            except FileNotFoundError as missing:
                log.write(str(missing).encode())
                self.process = None

    def finish(self):
        """Returns how many tests passed and failed."""
        worked, code = processor_seconds(), -1
        if self.process:
            try:
                code = self.process.wait(self.limit)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                with open(self.log, "a") as log:
                    log.write(f"\nstopped after {self.limit} s")
        output = self.log.read_text(errors="replace")
        passed, failed = self.count(output, code)
        lines = output.rstrip().splitlines()
        if failed:
            # What failed, then what came last; the whole is in the stage's log.
            telling = re.compile(r"✘|error:|Fatal|crashed|ERROR:|WARNING: ThreadSanitizer|FAILED| at /.*:[0-9]+:[0-9]+$")
            print("\n".join([line[:500] for line in lines if telling.search(line)][:200]))
            print(f"--- the end of {self.log.relative_to(ROOT)}")
        print("\n".join(line[:500] for line in lines[-150 if failed else -3:]))
        print(f"=== {self.name}: {passed} passed, {failed} failed in {time.monotonic() - self.started:.0f} s"
              f" ({processor_seconds() - worked:.0f} s of processor time)", flush=True)
        return passed, failed

    def count(self, output, code):
        passed, failed = self.pattern(output) if self.pattern else (0, 0)
        if code != 0:
            return passed, max(failed, 1)
        return (passed, failed) if self.pattern else (1, 0)


def yield_to_others():
    """Has this process run when nobody else wants to: who waits for an event is not kept waiting by it."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def processor_seconds():
    """What all commands that ended so far took of the processors: what a stage costs however busy the machine is."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
        ["swift", "test", "--sanitize", kind, "--scratch-path", f".build-{kind}"],
        swift_testing, {"SWIFT_BACKTRACE": "enable=no", "ONLY_TESTS_OF": SANITIZED, **WIDTH, **options}, limit=1800)


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
    Stage("deployment", at_a_time(2) + ["Tests/Deployment", "Tests/Documentation"], pytest),
    # Twelve minutes of processor time, while the stages of the next lines wait more than they compute.
    Stage("fuzz", ["Tests/Fuzz/run.sh", "60"], beside=True),
    Stage("end-to-end", at_a_time(3) + ["Tests/EndToEnd"], pytest, limit=1800),
    # Half an hour of this is `make soak`.
    Stage("soak", [sys.executable, "Tests/Soak/soak.py", "--seconds", "40"], limit=300),
    # Sessions as pods, against a double of the API server that runs them.
    Stage("kubernetes", at_a_time(3) + ["Tests/Kubernetes"], pytest, limit=1200),
    # The Cloudflare operator, against doubles of both APIs.
    Stage("operator", at_a_time(2) + ["Tests/Operator"], pytest, limit=900),
    Stage("browser", at_a_time(2) + ["Tests/Browser"], pytest),
    Stage("differential", PYTEST + ["Tests/Differential"], pytest),
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
    results = []
    for stage in chosen:
        stage.start()
        if not stage.beside:
            results.append((stage.name, *stage.finish()))
    results += [(stage.name, *stage.finish()) for stage in chosen if stage.beside]
    print()
    for name, passed, failed in results:
        print(f"  {name:12} {passed:5} passed {failed:4} failed")
    failed = sum(result[2] for result in results)
    print(f"{sum(result[1] for result in results)} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
