"""The objects of deployment/kubernetes under the names that this stack has always had."""

from pathlib import Path

import yaml

KUBERNETES = Path(__file__).resolve().parent.parent / "kubernetes"
NAMESPACE = "code"
# Keys whose values are names of objects; `app.kubernetes.io/name` and container names are none of them.
REFERENCES = {"name", "serviceAccountName", "secretName"}
NAMES = {
    "opencode-router": "code", "opencode-router-attach": "code-attach", "opencode-router-pods": "code-pods",
    "opencode-router-metrics": "code-metrics",
}


def documents(*paths):
    """All objects of the files, renamed and moved to this stack's namespace."""
    found = []
    for path in paths:
        found += [renamed(each) for each in yaml.safe_load_all((KUBERNETES / path).read_text()) if each]
    for each in found:
        if each["kind"] == "Namespace":
            each["metadata"]["name"] = NAMESPACE
        else:
            each["metadata"]["namespace"] = NAMESPACE
    return found


def base():
    """Everything that the kustomize base lists."""
    listed = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text())["resources"]
    return documents(*[Path("base") / name for name in listed])


def renamed(value, key=None):
    if isinstance(value, dict):
        return {name: renamed(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [renamed(each, key) for each in value]
    if key in REFERENCES and value in NAMES:
        return NAMES[value]
    if key == "namespace" and value == "opencode":
        return NAMESPACE
    return value
