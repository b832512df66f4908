"""Alerts fire when they should and lead to a page that exists; the dashboard shows only what the router counts."""

import json
import re

import pytest
import yaml

from harness.checkers import KUBERNETES, ROOT, run, tool

MONITORING = KUBERNETES / "components" / "monitoring"


@pytest.fixture(scope="module")
def groups():
    return yaml.safe_load((MONITORING / "alerts.yaml").read_text())["spec"]


@pytest.fixture(scope="module")
def exported(start_router):
    """The names of all samples that a router exposes."""
    router = start_router()
    text = router.operations("/metrics").text
    router.stop()
    families = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    names = set(families)
    for name, kind in families.items():
        if kind == "histogram":
            names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    return names


def used(expression):
    return set(re.findall(r"\b(?:opencode_router|process)_\w+", expression))


def test_alerts_fire_when_they_should_and_only_then(groups, tmp_path):
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups))
    tests = (MONITORING / "alerts.test.yaml").read_text()
    (tmp_path / "alerts.test.yaml").write_text(tests)
    done = run(tool("promtool"), "check", "rules", "rules.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(tool("promtool"), "test", "rules", "alerts.test.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for rule in groups["groups"][0]["rules"]:
        assert f"alertname: {rule['alert']}" in tests, f"{rule['alert']} has no test"


def test_every_alert_leads_to_a_section_of_the_runbook(groups):
    text = (ROOT / "docs" / "operations.md").read_text()
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)}
    for rule in groups["groups"][0]["rules"]:
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page.endswith("/docs/operations.md") and anchor in anchors, anchor


def test_alerts_ask_for_numbers_that_exist(groups, exported):
    for rule in groups["groups"][0]["rules"]:
        names = used(rule["expr"])
        assert names and names <= exported, names - exported


def test_the_dashboard_asks_for_numbers_that_exist(exported):
    board = json.loads((ROOT / "Resources" / "grafana-dashboard.json").read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        for target in panel["targets"]:
            # The API server is only asked, and its calls only counted, with sessions on Kubernetes.
            names = {name for name in used(target["expr"]) if not name.startswith("opencode_router_kubernetes_")}
            assert names <= exported, f"{panel['title']}: {names - exported}"
