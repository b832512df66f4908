"""The routers of these tests run their sessions in a cluster."""

import pytest


@pytest.fixture(scope="module")
def router(cluster_router):
    return cluster_router
