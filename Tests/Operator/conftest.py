"""A cluster, and the world around an operator."""

import pytest

from fake_cluster import Cluster
from harness.router import binary
from harness.waiting import eventually
from operator_world import MANIFEST, World


@pytest.fixture(scope="session")
def operator_cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), binary(), role=MANIFEST)
    yield cluster
    cluster.close()
    assert not cluster.unconditional, f"deleted without a UID: {cluster.unconditional}"


@pytest.fixture
def world(operator_cluster, tmp_path):
    world = World(operator_cluster, tmp_path)
    yield world
    world.close()


@pytest.fixture
def settles(world):
    """Waits until everything is as it should be."""

    def settles(operator=None, seconds=60):
        def explain():
            log = operator.log_path.read_text()[-3000:] if operator else ""
            return f"{world.differences()}\n{log}"
        eventually(lambda: not world.differences(), seconds, explain)
    return settles
