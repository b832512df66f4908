"""What tests of the proxy stand before."""

import pytest

from harness.upstream import ScriptedUpstream


@pytest.fixture(scope="module")
def shared():
    """An upstream for all tests of a file; each puts its own script in."""
    server = ScriptedUpstream()
    yield server
    server.close()


@pytest.fixture
def upstream():
    """An upstream of the test's own."""
    server = ScriptedUpstream()
    yield server
    server.close()
