"""What the tests of deployment/ share."""

import pytest
import yaml

from harness.checkers import KUBERNETES, run, tool


@pytest.fixture(scope="session")
def built():
    """What `kubectl kustomize` makes of a folder, as objects."""
    known = {}

    def build(folder):
        if folder not in known:
            done = run(tool("kubectl"), "kustomize", KUBERNETES / folder)
            assert done.returncode == 0, done.stderr
            known[folder] = [each for each in yaml.safe_load_all(done.stdout) if each]
        return known[folder]

    return build
