"""What a Kubernetes API server says against a request: the documented rules for the kinds that the router uses.

Schemas (unknown members included) come from kubernetes-validate; here is what no schema tells: names, labels, sizes,
quantities, references inside a pod, what may not change, query parameters, media types, Pod Security "restricted".
"""

import base64
import re

import kubernetes_validate

# The server that is promised, and the newest one whose schemas there are.
VERSIONS = ("1.36", kubernetes_validate.latest_version())
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
WORD = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
QUANTITY = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|n|u|[eE][+-]?[0-9]+)?")
MICROTIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
ANNOTATIONS_LIMIT = 256 * 1024
SECRET_LIMIT = 1024 * 1024

PARAMETERS = {
    "list": {"labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch",
             "timeoutSeconds"},
    "watch": {"labelSelector", "fieldSelector", "watch", "resourceVersion", "allowWatchBookmarks", "timeoutSeconds",
              "sendInitialEvents", "resourceVersionMatch"},
    "get": set(), "log": {"container", "tailLines", "limitBytes", "previous", "follow", "sinceSeconds", "timestamps"},
    "create": {"fieldManager", "fieldValidation", "dryRun"}, "update": {"fieldManager", "fieldValidation", "dryRun"},
    "patch": {"fieldManager", "fieldValidation", "dryRun", "force"}, "delete": set(),
}
NUMBERS = {"limit", "timeoutSeconds", "tailLines", "limitBytes"}
DELETE_OPTIONS = {"kind", "apiVersion", "gracePeriodSeconds", "preconditions", "propagationPolicy", "dryRun",
                  "orphanDependents"}


def full(pattern, text):
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def quantity(text):
    """A quantity as a number."""
    units = {"m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
    number, unit = re.fullmatch(r"([+-]?[0-9.]+)([A-Za-z]*)", text).groups()
    return float(number) * units[unit]


def request(verb, query, pairs, fields, body):
    """What is wrong with a request before anybody looks at its object: (status, message) each."""
    if len(query) != len(pairs):
        yield 400, "a query parameter is given twice"
    for name in set(query) - PARAMETERS[verb]:
        yield 400, f"unknown query parameter {name} for {verb}"
    for name in NUMBERS & set(query):
        if not query[name].isdigit() or int(query[name]) < 1:
            yield 400, f"{name} is no number: {query[name]}"
    if "resourceVersionMatch" in query and "resourceVersion" not in query:
        yield 422, "resourceVersionMatch is forbidden unless resourceVersion is provided"
    if verb == "watch" and not query.get("resourceVersion", "").isdigit():
        yield 400, "a watch that begins nowhere"
    accept = fields.get("Accept", "*/*")
    if not any(kind in accept for kind in ("application/json", "*/*")):
        yield 406, f"only the following media types are accepted: application/json (got {accept})"
    if fields.get("Accept-Encoding", "identity") != "identity":
        yield 400, "an answer that is asked for compressed, which a watch would be, too"
    if verb in ("create", "update", "patch"):
        wanted = "application/merge-patch+json" if verb == "patch" else "application/json"
        if fields.get("Content-Type") != wanted:
            yield 415, f"the body of the request was in an unknown format: {fields.get('Content-Type')}"
        if query.get("fieldValidation") != "Strict":
            yield 400, "a write that does not ask for strict validation"
        if not 0 < len(query.get("fieldManager", "")) <= 128:
            yield 400, "a write that does not say who writes"
        if not isinstance(body, dict):
            yield 400, "no document"
    if verb == "delete" and body is not None:
        for name in set(body) - DELETE_OPTIONS:
            yield 400, f'strict decoding error: unknown field "{name}"'
        for name in set(body.get("preconditions", {})) - {"uid", "resourceVersion"}:
            yield 400, f'strict decoding error: unknown field "preconditions.{name}"'
        if body.get("kind") != "DeleteOptions" or body.get("apiVersion") != "v1":
            yield 400, "the body is no DeleteOptions"
        if body.get("propagationPolicy", "Background") not in ("Background", "Foreground", "Orphan"):
            yield 422, "propagationPolicy"


def metadata(meta, namespace):
    if not full(SUBDOMAIN, meta.get("name")) or len(meta["name"]) > 253:
        yield f"metadata.name: {meta.get('name')!r} is no DNS subdomain"
    if meta.get("namespace", namespace) != namespace:
        yield "the namespace of the object does not match the namespace of the request"
    for name, value in (meta.get("labels") or {}).items():
        key = name.rpartition("/")[2]
        if len(value) > 63 or not full(WORD, value) or not key or len(key) > 63 or not full(WORD, key):
            yield f"metadata.labels: invalid {name}={value}"
    notes = meta.get("annotations") or {}
    if any(not isinstance(value, str) for value in notes.values()):
        yield "metadata.annotations: not a string"
    elif sum(len(name.encode()) + len(value.encode()) for name, value in notes.items()) > ANNOTATIONS_LIMIT:
        yield "metadata.annotations: Too long: may not be more than 262144 bytes"
    for name in notes:
        prefix, slash, key = name.rpartition("/")
        if not key or len(key) > 63 or not full(WORD, key) or (slash and not full(SUBDOMAIN, prefix)):
            yield f"metadata.annotations: invalid name {name}"


def resources(path, given):
    for part in ("requests", "limits"):
        for name, value in given.get(part, {}).items():
            if not full(QUANTITY, value):
                yield f"{path}.resources.{part}.{name}: {value!r} is no quantity"
    for name, limit in given.get("limits", {}).items():
        if name in given.get("requests", {}) and quantity(given["requests"][name]) > quantity(limit):
            yield f"{path}.resources.requests: must be less than or equal to {name} limit"


def pod(value):
    spec = value["spec"]
    volumes = [volume["name"] for volume in spec.get("volumes", [])]
    names = []
    for volume in spec.get("volumes", []):
        if len(volume) != 2 or not full(LABEL, volume["name"]):
            yield f"spec.volumes: {volume['name']} must have exactly one source and a DNS label"
    for container in spec.get("initContainers", []) + spec["containers"]:
        name = container["name"]
        names.append(name)
        if not full(LABEL, name) or len(name) > 63:
            yield f"spec.containers: {name} is no DNS label"
        if not container.get("image", "").strip():
            yield f"{name}: image is required"
        yield from resources(name, container.get("resources", {}))
        variables = [variable["name"] for variable in container.get("env", [])]
        for variable in variables:
            if not full(VARIABLE, variable):
                yield f"{name}.env: {variable} is no environment variable"
        if len(set(variables)) != len(variables):
            yield f"{name}.env: a name is given twice"
        for variable in container.get("env", []):
            if "value" in variable and "valueFrom" in variable:
                yield f"{name}.env.{variable['name']}: may not have both value and valueFrom"
        paths = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        if len(set(paths)) != len(paths) or any(":" in path for path in paths):
            yield f"{name}.volumeMounts: mountPath must be unique and without a colon"
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f"{name}.volumeMounts: {mount['name']} is no volume"
            if mount.get("subPath", "").startswith("/") or ".." in mount.get("subPath", "").split("/"):
                yield f"{name}.volumeMounts: subPath must be relative and without dots"
        for port in container.get("ports", []):
            if not 0 < port["containerPort"] < 65536 or len(port.get("name", "")) > 15:
                yield f"{name}.ports: {port}"
    if len(set(names)) != len(names) or len(set(volumes)) != len(volumes):
        yield "spec: two containers or volumes have one name"


def claim(value):
    spec = value["spec"]
    if not spec.get("accessModes") or "storage" not in spec["resources"].get("requests", {}):
        yield "spec: accessModes and resources.requests.storage are required"
    if "storageClassName" in spec and not full(SUBDOMAIN, spec["storageClassName"]):
        yield "spec.storageClassName: empty means no class at all, left out the default"
    for name, size in spec["resources"]["requests"].items():
        if not full(QUANTITY, size) or quantity(size) <= 0:
            yield f"spec.resources.requests.{name}: {size!r}"


def secret(value):
    total = 0
    for name, text in {**value.get("data", {}), **value.get("stringData", {})}.items():
        if not full(KEY, name):
            yield f"data: {name!r} is no key"
        total += len(text)
    for text in value.get("data", {}).values():
        try:
            base64.b64decode(text, validate=True)
        except ValueError:
            yield "data: illegal base64 data"
    if total > SECRET_LIMIT:
        yield "data: Too long: may not be more than 1048576 bytes"


def lease(value):
    spec = value.get("spec", {})
    for name in ("acquireTime", "renewTime"):
        if name in spec and not full(MICROTIME, spec[name]):
            yield f"spec.{name}: {spec[name]!r} is no MicroTime"
    if spec.get("holderIdentity", "x") == "":
        yield "spec.holderIdentity: must not be empty"
    if spec.get("leaseDurationSeconds", 1) < 1 or spec.get("leaseTransitions", 0) < 0:
        yield "spec.leaseDurationSeconds: must be greater than 0"


OWN = {"pods": pod, "persistentvolumeclaims": claim, "secrets": secret, "leases": lease}


def document(kind, value, namespace):
    """What makes an object as a whole invalid."""
    yield from metadata(value["metadata"], namespace)
    if kind in OWN:
        try:
            for version in VERSIONS:
                kubernetes_validate.validate(value, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{'.'.join(map(str, error.path))}: {error.message}"
            return
        yield from OWN[kind](value)


def change(kind, before, after):
    """What may not become of an object."""
    for name in ("name", "namespace", "uid", "creationTimestamp"):
        if before["metadata"].get(name) != after["metadata"].get(name):
            yield f"metadata.{name}: field is immutable"
    if kind == "pods" and before["spec"] != after["spec"]:
        yield "spec: Forbidden: pod updates may not change fields other than image, activeDeadlineSeconds, tolerations"
    if kind == "persistentvolumeclaims" and before["spec"] != after["spec"]:
        yield "spec: Forbidden: spec is immutable after creation except resources.requests"
    if kind in ("pods", "persistentvolumeclaims") and before.get("status") != after.get("status"):
        yield "status: only by the subresource"
    if kind == "secrets" and before.get("type") != after.get("type"):
        yield "type: field is immutable"


def access_review(body):
    """What is wrong with a SelfSubjectAccessReview."""
    if body.get("apiVersion") != "authorization.k8s.io/v1" or body.get("kind") != "SelfSubjectAccessReview":
        yield "no SelfSubjectAccessReview"
    for name in set(body) - {"apiVersion", "kind", "metadata", "spec"}:
        yield f'unknown field "{name}"'
    if set(body.get("spec", {})) != {"resourceAttributes"}:
        yield "spec: exactly one of nonResourceAttributes or resourceAttributes must be specified"
    for name in set(body.get("spec", {}).get("resourceAttributes", {})) - {
            "namespace", "verb", "group", "version", "resource", "subresource", "name"}:
        yield f'unknown field "spec.resourceAttributes.{name}"'


def restricted(value):
    """What Pod Security "restricted" says against a pod (pod-security-standards, each control of both levels)."""
    spec = value["spec"]
    general = spec.get("securityContext", {})
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    for volume in spec.get("volumes", []):
        if set(volume) - allowed - {"name"}:
            yield f"restricted volume types ({volume['name']})"
    if any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        yield "host namespaces"
    if general.get("sysctls"):
        yield "forbidden sysctls"
    for container in spec.get("initContainers", []) + spec["containers"]:
        own, name = container.get("securityContext", {}), container["name"]
        capabilities = own.get("capabilities", {})
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"allowPrivilegeEscalation != false ({name})"
        if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
            yield f"unrestricted capabilities ({name})"
        if own.get("runAsNonRoot", general.get("runAsNonRoot")) is not True:
            yield f"runAsNonRoot != true ({name})"
        if own.get("runAsUser", general.get("runAsUser")) == 0:
            yield f"runAsUser=0 ({name})"
        if own.get("seccompProfile", general.get("seccompProfile", {})).get("type") not in ("RuntimeDefault", "Localhost"):
            yield f"seccompProfile ({name})"
        if own.get("privileged"):
            yield f"privileged ({name})"
        if own.get("procMount", "Default") != "Default":
            yield f"procMount ({name})"
        if any(port.get("hostPort") for port in container.get("ports", [])):
            yield f"hostPort ({name})"
        handlers = [container.get(probe, {}) for probe in ("readinessProbe", "livenessProbe", "startupProbe")]
        handlers += list(container.get("lifecycle", {}).values())
        if any(handler.get(kind, {}).get("host") for handler in handlers for kind in ("httpGet", "tcpSocket")):
            yield f"probe or lifecycle host ({name})"
        for profile in (own.get("appArmorProfile"), general.get("appArmorProfile")):
            if profile and profile.get("type") not in ("RuntimeDefault", "Localhost"):
                yield f"appArmorProfile ({name})"
