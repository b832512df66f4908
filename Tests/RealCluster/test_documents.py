"""Every document that we write is read by the server as it is meant: whole."""

import json

import pytest
import yaml

from fake_cluster import Cluster
from harness.checkers import KUBERNETES, ROOT, run, tool
from harness.router import binary
from harness.waiting import eventually
from real_cluster import PATHS

FOLDERS = ["base", *sorted(f"overlays/{folder.name}" for folder in (KUBERNETES / "overlays").iterdir())]
# Kinds that other projects bring.
FOREIGN = set(yaml.safe_load((ROOT / "Tests/Deployment/custom-kinds.yaml").read_text()))
# What a server older than the promised ones does not have, with the minor version that brought it.
LATER = {"policy/v1": 21}
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding"}
# With everything that adds to a pod.
SETTINGS = {
    "CHROMIUM_IMAGE": "registry.test/chromium:1", "IMAGE_PULL_SECRET_NAME": "pull", "STORAGE_CLASS": "fast",
    "CONFIG_MAP_NAME": "opencode-config-dir", "API_KEY_SECRET_NAME": "opencode-api-keys"}


def lost(sent, answered, path=""):
    """Paths of what was sent and is not in the answer: older servers drop what they do not know."""
    if isinstance(sent, dict):
        for name, value in sent.items():
            if value not in (None, {}, []) and name != "stringData":
                if not isinstance(answered, dict) or name not in answered:
                    yield f"{path}.{name}"
                else:
                    yield from lost(value, answered[name], f"{path}.{name}")
    elif isinstance(sent, list):
        for index, value in enumerate(sent):
            if index >= len(answered):
                yield f"{path}[{index}]"
            else:
                yield from lost(value, answered[index], f"{path}[{index}]")


def served(plane, version):
    """The plural names of what the server has in a version, by kind."""
    found = plane.ask("GET", f"/api/{version}" if version == "v1" else f"/apis/{version}")
    return {each["kind"]: each["name"] for each in found["resources"] if "/" not in each["name"]}


def try_to_create(plane, document, namespace):
    version, kind = document["apiVersion"], document["kind"]
    where = f"/api/{version}" if version == "v1" else f"/apis/{version}"
    if kind not in CLUSTER_WIDE:
        where += f"/namespaces/{namespace}"
        document = {**document, "metadata": {**document["metadata"], "namespace": namespace}}
    answered = plane.ask(
        "POST", f"{where}/{served(plane, version)[kind]}?dryRun=All&fieldValidation=Strict", document)
    return list(lost(document, answered, kind))


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_server_takes_every_manifest_whole(make_cluster, control_plane, folder):
    cluster = make_cluster()
    done = run(tool("kubectl"), "kustomize", KUBERNETES / folder)
    assert done.returncode == 0, done.stderr
    for document in filter(None, yaml.safe_load_all(done.stdout)):
        if f"{document['apiVersion']}/{document['kind']}" in FOREIGN:
            continue
        minor = int(control_plane.ask("GET", "/version")["gitVersion"].split(".")[1])
        if minor < LATER.get(document["apiVersion"], 0):
            continue
        name = f"{document['kind']} {document['metadata']['name']}"
        if document["metadata"]["name"] == "opencode-router" and document["kind"] in ("Role", "RoleBinding", "ServiceAccount"):
            continue    # every namespace of these tests has them
        assert try_to_create(control_plane, document, cluster.namespace) == [], name


def test_the_server_takes_every_object_of_the_router_s_whole(
        make_cluster, control_plane, start_in, tmp_path_factory, repositories):
    """The documents as they leave the router, which the double hands over untouched."""
    double = Cluster(tmp_path_factory.mktemp("double"), binary())
    documents = []
    double.admission = lambda kind, value: "patch" in value or documents.append((kind, json.loads(json.dumps(value))))
    router = start_in(double, **SETTINGS)
    session = router.create(repositories.story, "main")
    containers = double.pods()[0]["spec"]["containers"]
    secret = next(each["value"] for each in containers[0]["env"] if each["name"] == "OPENCODE_POD_SECRET")
    router.api("POST", "/user/secret", {"secrets": {"MY_TOKEN": "s3cret"}})
    assert router.pod_call(session["hash"], "progress", {
        "type": "message.user", "partID": "p", "messageID": "m", "sessionID": "s", "text": "said", "time": 1},
        secret=secret).status == 200
    eventually(lambda: double.store.get("secrets", f"opencode-messages-{session['hash']}"))
    router.api("DELETE", f"/sessions/{session['hash']}")
    router.stop()
    double.close()
    assert {"pods", "persistentvolumeclaims", "secrets", "leases"} <= {kind for kind, _ in documents}
    cluster = make_cluster()
    for kind, document in documents:
        # What it belongs to is not in this cluster, and the server does not ask.
        answered = control_plane.ask(
            "POST", f"{PATHS[kind]}/namespaces/{cluster.namespace}/{kind}?dryRun=All&fieldValidation=Strict",
            {**document, "metadata": {**document["metadata"], "namespace": cluster.namespace}})
        assert list(lost(document, answered, kind)) == [], kind
