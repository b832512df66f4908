"""What only a real API server can say. `make real-cluster` runs these, beside the tests of Tests/Kubernetes."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def real(request):
    assert request.config.getoption("--real-cluster"), "these tests need --real-cluster and KUBERNETES_BINARIES"
