"""Fixtures of all tests through the real binary."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "Support"))

from harness.repositories import Repositories  # noqa: E402
from harness.router import Router  # noqa: E402


@pytest.fixture(scope="session")
def repositories(tmp_path_factory):
    """A git server with one repository, `story`."""
    server = Repositories(tmp_path_factory.mktemp("repositories"))
    server.story = server.make("story")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def start_router(tmp_path_factory):
    """Starts routers with settings of one's own; ends them with the tests."""
    started = []

    def start(**settings):
        router = Router(tmp_path_factory.mktemp("router"), **settings)
        started.append(router)
        return router

    yield start
    for router in started:
        router.stop()


@pytest.fixture(scope="module")
def router(start_router):
    """A router in development mode that the tests of one file share."""
    router = start_router()
    yield router
    router.stop()


@pytest.fixture(scope="module")
def session(router, repositories):
    """A running session of the story's repository."""
    return router.create(repositories.story, "main")


@pytest.fixture(scope="module")
def second_session(router, repositories):
    """Another running session of the same user."""
    return router.create(repositories.story, "feature/one")
