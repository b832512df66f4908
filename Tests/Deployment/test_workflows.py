"""The workflows and scripts: correct, with no more rights than they need, and of versions that somebody chose."""

import re

import pytest
import yaml

from harness.checkers import ROOT, run, tool

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPTS = sorted(file for folder in ("scripts", "Tests", "Resources", ".ci")
                 for file in (ROOT / folder).rglob("*") if file.is_file() and file.read_bytes()[:2] == b"#!"
                 and b"sh\n" in file.read_bytes()[:30])


def test_actionlint_finds_nothing():
    assert WORKFLOWS
    done = run(tool("actionlint"), *WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_has_few_rights_a_queue_a_limit_and_pinned_actions(file):
    text = file.read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
        assert set(job.get("permissions", {})) <= {"contents", "packages"}
        assert job.get("permissions", {}).get("contents", "read") == "read"
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})", step["uses"]), step["uses"]
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
    # Text from outside reaches scripts by the environment only.
    for script in re.findall(r"run: \|?\s*(.*?)(?=\n      - |\Z)", text, re.S):
        assert "${{" not in script, script


def test_the_tests_of_a_push_are_those_of_this_machine():
    steps = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]["test"]["steps"]
    assert {"run": "make test"} in steps


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_shellcheck_finds_nothing(file):
    done = run(tool("shellcheck"), file)
    assert done.returncode == 0, done.stdout


def test_the_kubeconfig_of_a_service_account_is_nobody_else_s_to_read(tmp_path):
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\ncase \"$*\" in *cluster.server*) echo https://192.0.2.1:6443 ;; "
                       "*authority*) echo Q0E= ;; *'create token opencode-router --duration 2h') echo the-token ;; *) exit 1 ;; esac\n")
    kubectl.chmod(0o755)
    target = tmp_path / "kubeconfig"
    target.write_text("old")
    target.chmod(0o644)
    done = run(ROOT / "scripts/create-local-kubeconfig.sh", "--hours", "2", target,
               env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    assert target.stat().st_mode & 0o777 == 0o600
    written = yaml.safe_load(target.read_text())
    assert written["users"][0]["user"] == {"token": "the-token"}
    assert written["clusters"][0]["cluster"] == {
        "server": "https://192.0.2.1:6443", "certificate-authority-data": "Q0E="}
    assert run(ROOT / "scripts/create-local-kubeconfig.sh").returncode == 2
