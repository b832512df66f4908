"""docs/migration.md tells the truth about what the original router had."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
VARIABLES = """
OPENCODE_IMAGE ROUTER_DOMAIN PORT ATTACH_PORT ATTACH_ROUTE_PREFIX ROUTE_SUFFIX ROUTER_PROTO OPENCODE_NAMESPACE
IDLE_TIMEOUT_MINUTES API_KEY_SECRET_NAME CONFIG_MAP_NAME IMAGE_PULL_SECRET_NAME STORAGE_CLASS STORAGE_SIZE
CHROMIUM_IMAGE DEFAULT_GIT_REPO PUBLIC_DIR OPENCODE_ROUTER_URL OPENCODE_ROUTER_EXTERNAL_DOMAIN ADMIN_SECRET
DEBUG_HEADERS DEV_EMAIL DEV_VITE_URL DEV_POD_PROXY_TARGET MOCK_K8S KUBECONFIG OPENCODE_PORT EDITOR_PORT
EDITOR_ROUTE_PREFIX EDITOR_IMAGE VICTORIA_METRICS_URL ARCHIVE_DIR ARCHIVE_TIMEOUT_MS ARCHIVE_STRICT_MODE
ARCHIVE_TEMP_POD_TIMEOUT_MS OPENCODE_MODEL_THINKING OPENCODE_MODEL_CODING OPENCODE_MODEL_RESEARCH OPENCODE_API POD_ENV
""".split()
ROUTES = """
GET /api/sessions | POST /api/sessions | GET /api/sessions/stream | GET /api/sessions/suggest-branch
GET /api/sessions/{hash} | GET /api/sessions/{hash}/events | GET /api/sessions/{hash}/progress/stream
GET /api/sessions/{hash}/attach-info | POST /api/sessions/{hash}/resume | DELETE /api/sessions/{hash}
POST /api/sessions/{hash}/progress | POST /api/sessions/{hash}/ports | GET /api/sessions/{hash}/ports
GET /api/user/secret | POST /api/user/secret | DELETE /api/user/secret | GET /api/user/repos
GET /api/user/repos/branches | POST /api/admin/pull-image
""".strip().replace("\n", " | ").split(" | ")


def rows(page):
    """The first two cells of every table row that begins with code."""
    return dict(re.findall(r"^\| `([^`]+)` \| ([^|]*) \|", (DOCS / page).read_text(), re.M))


MIGRATION = rows("migration.md")
# The router's own settings; the Cloudflare operator's, some of the same name, follow them.
SETTINGS = {}
for line in (DOCS / "configuration.md").read_text().splitlines():
    if match := re.match(r"\| `([A-Z0-9_]+)` \|", line):
        SETTINGS.setdefault(match.group(1), line)
# Whatever the reference lists under a name of the original must belong to the router: the operator alone has this one.
OPERATOR_ONLY = {"OPENCODE_PORT"}


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_of_the_original_acts_as_the_page_says(name):
    line = SETTINGS.get(name) if name not in OPERATOR_ONLY else None
    is_replaced = line is None or "Replaced by" in line
    fate = MIGRATION[name]
    if fate in ("same", "changed"):
        assert not is_replaced, f"{name} is said to be {fate}"
    else:
        assert fate == "replaced" and is_replaced, f"{name}: {fate}"


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_of_the_original_is_there_as_the_page_says(route):
    documented = rows("api.md")
    fate = MIGRATION[route]
    assert fate in ("same", "changed", "not yet"), fate
    assert (route in documented) == (fate != "not yet"), f"{route} is said to be {fate}"


def test_the_page_names_nothing_that_the_original_did_not_have():
    assert set(MIGRATION) == set(VARIABLES) | set(ROUTES)
