"""A cluster and routers that run their sessions there."""

import pytest

from fake_cluster import Cluster
from harness.router import binary


@pytest.fixture(scope="session")
def make_cluster(tmp_path_factory):
    made = []

    def make(**options):
        cluster = Cluster(tmp_path_factory.mktemp("cluster"), binary(), **options)
        made.append(cluster)
        return cluster

    yield make
    for cluster in made:
        cluster.close()


@pytest.fixture(scope="module")
def cluster(make_cluster):
    return make_cluster()


@pytest.fixture(scope="session")
def start_in(start_router):
    """Starts a router whose sessions are pods of a cluster."""

    def start(cluster, **settings):
        return start_router(
            SESSION_RUNTIME="kubernetes", KUBECONFIG=cluster.kubeconfig(), OPENCODE_IMAGE="registry.test/opencode:1",
            OPENCODE_NAMESPACE="opencode", AGENT_COMMAND=None, STATE_DIR=None,
            MAX_REQUESTS_PER_SECOND_PER_USER=100000, **settings)

    return start


@pytest.fixture(scope="module")
def router(start_in, cluster):
    router = start_in(cluster)
    yield router
    router.stop()
