"""Fixtures of all tests through the real binary."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "Support"))

from harness.repositories import GuardedRepositories, Repositories  # noqa: E402
from harness.router import Router, binary  # noqa: E402


# Routers that run or ran, in the order of their start.
STARTED = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """A failure shows what the routers that run wrote last: what a crowded machine did once may not come again."""
    report = yield
    if report.failed:
        running = [router for router in STARTED if router.process.poll() is None]
        for router in sorted(running, key=lambda router: router.log_path.stat().st_mtime)[-2:]:
            last = router.log_path.read_text(errors="replace").splitlines()[-40:]
            report.sections.append((f"the last lines of the router on port {router.port}", "\n".join(last)))
    return report


@pytest.fixture(scope="session")
def repositories(tmp_path_factory):
    """A git server with one repository, `story`."""
    server = Repositories(tmp_path_factory.mktemp("repositories"))
    server.story = server.make("story")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The same by https and for holders of good tokens only; which are good, a test says."""
    server = GuardedRepositories(tmp_path_factory.mktemp("guarded"))
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
        STARTED.append(router)
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


def pytest_addoption(parser):
    parser.addoption(
        "--real-cluster", action="store_true",
        help="clusters are namespaces of a real API server, whose programs are in the folder KUBERNETES_BINARIES")


def pytest_collection_modifyitems(config, items):
    """What needs a fault that only the double has is not asked of a real server."""
    if config.getoption("--real-cluster"):
        doubles = [item for item in items if item.get_closest_marker("double")]
        config.hook.pytest_deselected(items=doubles)
        items[:] = [item for item in items if item not in doubles]


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory):
    """A real API server with its store and controllers."""
    from control_plane import ControlPlane

    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    yield plane
    plane.close()


@pytest.fixture(scope="session")
def make_cluster(request, tmp_path_factory):
    """Starts doubles of an API server; ends them, and the sessions in them, with the tests."""
    from fake_cluster import Cluster

    plane = None
    if request.config.getoption("--real-cluster"):
        from real_cluster import RealCluster
        plane = request.getfixturevalue("control_plane")
    made = []

    def make(**options):
        folder = tmp_path_factory.mktemp("cluster")
        cluster = RealCluster(folder, binary(), plane) if plane else Cluster(folder, binary(), **options)
        made.append(cluster)
        return cluster

    yield make
    # One of the same name made since would go in its place.
    unconditional = [deletion for cluster in made for deletion in cluster.unconditional]
    for cluster in made:
        cluster.close()
    assert not unconditional, f"deleted without a UID: {unconditional}"


@pytest.fixture(scope="module")
def cluster(make_cluster):
    return make_cluster()


@pytest.fixture(scope="session")
def start_in(start_router):
    """Starts a router whose sessions are pods of a cluster."""

    def start(cluster, **settings):
        return start_router(**{
            "SESSION_RUNTIME": "kubernetes", "KUBECONFIG": cluster.kubeconfig(),
            "OPENCODE_IMAGE": "registry.test/opencode:1", "OPENCODE_NAMESPACE": cluster.namespace, "AGENT_COMMAND": None,
            "STATE_DIR": None, **settings})

    return start


@pytest.fixture(scope="module")
def cluster_router(start_in, cluster):
    """A router in development mode whose sessions are pods, that the tests of one file share."""
    router = start_in(cluster)
    yield router
    router.stop()
