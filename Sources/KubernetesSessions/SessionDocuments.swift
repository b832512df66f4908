internal import KubernetesAPI
internal import Sessions

/// The documents of a session's objects; values in, JSON out.
enum SessionDocuments {
    typealias Settings = KubernetesSessionSettings

    /// The session's disk; its annotations are the record of the session.
    static func claim(
        _ specification: SessionSpecification, attachPassword: String, now: Timestamp, _ settings: Settings
    ) -> JSONValue {
        var annotations = [
            Annotation.email: specification.key.email, Annotation.branch: specification.key.branch,
            Annotation.sourceBranch: specification.sourceBranch, Annotation.createdAt: now.description,
            Annotation.attachPassword: attachPassword, Annotation.lastActivity: now.description,
            Annotation.activitySource: Activity.Source.created.rawValue,
        ]
        annotations[Annotation.repository] = specification.key.repositoryURL
        annotations[Annotation.initialMessage] = specification.initialMessage
        var spec: JSONValue = [
            "accessModes": ["ReadWriteOnce"],
            "resources": ["requests": ["storage": .string(settings.storageSize)]],
        ]
        if let storageClass = settings.storageClass { spec["storageClassName"] = .string(storageClass) }
        return [
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": [
                "name": .string(ObjectNames.claim(specification.id)), "labels": ObjectNames.labels(specification.id),
                "annotations": .strings(annotations),
            ],
            "spec": spec,
        ]
    }

    /// Seconds that a session's pod has to end; its agent is told before, so this is for what does not listen.
    static let grace = 10

    /// Under which name the original keeps a token, whose ever it is.
    static let tokenKey = "GITHUB_TOKEN"

    /// The secret with the owner's token for the repository's host.
    ///
    /// Its claim owns it: whatever a replica stores that has not seen the session go, goes as well.
    static func gitSecret(_ id: SessionID, token: String, claim uid: String) -> JSONValue {
        [
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": [
                "name": .string(ObjectNames.gitSecret(id)), "labels": ObjectNames.labels(id),
                "ownerReferences": owner(id, uid),
            ],
            "stringData": [tokenKey: .string(token)],
        ]
    }

    /// The session's claim as the owner of another object.
    static func owner(_ id: SessionID, _ uid: String) -> JSONValue {
        [
            [
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": .string(ObjectNames.claim(id)),
                "uid": .string(uid),
            ]
        ]
    }

    /// What a pod is told that nobody can guess.
    struct PodSecrets {
        /// For calls from the pod to the router.
        var callback: String
        /// The agent's own password: keeps other pods out.
        var agent: String
    }

    /// The pod that runs a session once.
    static func pod(
        _ id: SessionID, _ session: Session, secrets: PodSecrets, now: Timestamp, _ settings: Settings
    ) -> JSONValue {
        var annotations = [
            Annotation.lastActivity: now.description, Annotation.activitySource: Activity.Source.resumed.rawValue,
            Annotation.email: session.owner, Annotation.branch: session.key.branch,
            Annotation.sourceBranch: session.sourceBranch,
        ]
        annotations[Annotation.repository] = session.key.repositoryURL
        var containers = [agent(id, session, secrets, settings)]
        if let image = settings.chromiumImage { containers.append(chromium(image)) }
        if let settings = settings.editor { containers.append(editor(settings)) }
        var spec: JSONValue = [
            "restartPolicy": "Always", "automountServiceAccountToken": false, "enableServiceLinks": false,
            "terminationGracePeriodSeconds": .number(grace),
            "securityContext": podSecurity,
            "initContainers": [initialisation(id, session, secrets, settings)], "containers": .array(containers),
            "volumes": [
                ["name": "home", "persistentVolumeClaim": ["claimName": .string(ObjectNames.claim(id))]],
                ["name": "config", "configMap": ["name": .string(settings.configMap), "optional": true]],
            ],
        ]
        if let secret = settings.imagePullSecret { spec["imagePullSecrets"] = [["name": .string(secret)]] }
        return [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(ObjectNames.pod(id)), "labels": ObjectNames.labels(id),
                "annotations": .strings(annotations),
            ],
            "spec": spec,
        ]
    }

    /// The pod that pulls an image and runs its agent for a moment, on a disk that goes with it.
    static func pull(
        _ name: String, image: String, password: String, seconds: Int, _ settings: Settings
    ) -> JSONValue {
        let environment = [
            ("HOME", Settings.home), ("SESSION_DIRECTORY", Settings.home), ("OPENCODE_SERVER_PASSWORD", password),
            ("OPENCODE_DISABLE_AUTOUPDATE", "true"),
        ]
        var container = agentContainer(password: password, environment, settings)
        container["image"] = .string(image)
        container["imagePullPolicy"] = "Always"
        container["workingDir"] = .string(Settings.home)
        return passing(
            name, labels: [ObjectNames.managerLabel: ObjectNames.manager, ObjectNames.kindLabel: ObjectNames.pullKind],
            container, home: ["name": "home", "emptyDir": [:]], restart: "Always", seconds: seconds, settings)
    }

    /// The pod whose agent tells what a sleeping session's disk holds: no keys, no plugins of the repository's.
    static func reader(_ id: SessionID, password: String, seconds: Int, _ settings: Settings) -> JSONValue {
        let environment = [
            ("HOME", Settings.home), ("SESSION_DIRECTORY", Settings.repositoryFolder),
            ("OPENCODE_SERVER_PASSWORD", password), ("OPENCODE_DISABLE_AUTOUPDATE", "true"),
            ("OPENCODE_DISABLE_PROJECT_CONFIG", "true"),
        ]
        return passing(
            ObjectNames.exportPod(id),
            labels: [
                ObjectNames.hashLabel: id.description, ObjectNames.managerLabel: ObjectNames.manager,
                ObjectNames.exportLabel: "true",
            ], agentContainer(password: password, environment, settings),
            home: ["name": "home", "persistentVolumeClaim": ["claimName": .string(ObjectNames.claim(id))]],
            restart: "Never", seconds: seconds, settings)
    }

    /// A pod that only the router asks; the kubelet ends it where no router is left to do that.
    private static func passing(
        _ name: String, labels: [String: String], _ container: JSONValue, home: JSONValue, restart: JSONValue,
        seconds: Int, _ settings: Settings
    ) -> JSONValue {
        var container = container
        container["volumeMounts"] = [["name": "home", "mountPath": .string(Settings.home)]]
        var spec: JSONValue = [
            "restartPolicy": restart, "automountServiceAccountToken": false, "enableServiceLinks": false,
            "terminationGracePeriodSeconds": 0, "activeDeadlineSeconds": .number(seconds),
            "securityContext": podSecurity, "containers": [container], "volumes": [home],
        ]
        if let secret = settings.imagePullSecret { spec["imagePullSecrets"] = [["name": .string(secret)]] }
        return [
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name), "labels": .strings(labels)],
            "spec": spec,
        ]
    }

    // MARK: Containers

    private static let podSecurity: JSONValue = [
        "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000, "runAsNonRoot": true,
        // A large disk is not walked through at every start.
        "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": ["type": "RuntimeDefault"],
    ]

    /// Pod Security Standard "restricted", on each container by itself.
    private static let security: JSONValue = [
        "allowPrivilegeEscalation": false, "privileged": false, "runAsNonRoot": true, "runAsUser": 1000,
        "runAsGroup": 1000, "capabilities": ["drop": ["ALL"]], "seccompProfile": ["type": "RuntimeDefault"],
    ]

    private static func initialisation(
        _ id: SessionID, _ session: Session, _ secrets: PodSecrets, _ settings: Settings
    ) -> JSONValue {
        var environment = [
            ("HOME", Settings.home), ("SESSION_HOME", Settings.home),
            ("SESSION_DIRECTORY", Settings.repositoryFolder),
            ("SESSION_REPOSITORY", session.key.repositoryURL ?? ""), ("SESSION_BRANCH", session.key.branch),
            ("SESSION_SOURCE_BRANCH", session.sourceBranch), ("SESSION_USER_EMAIL", session.owner),
            ("GIT_ALLOW_PROTOCOL", settings.gitProtocols.joined(separator: ":")),
        ]
        environment += [
            ("SESSION_CREDENTIAL_HELPER", settings.credentialScript),
            (
                "SESSION_TOKEN_HOSTS",
                settings.tokenHosts.entries.map { "\($0.user)@\($0.host)" }.joined(separator: " ")
            ),
            ("OPENCODE_SESSION_HASH", id.description), ("OPENCODE_POD_SECRET", secrets.callback),
        ]
        if let url = settings.routerURL { environment.append(("OPENCODE_ROUTER_URL", url)) }
        return [
            "name": .string(ContainerName.initialisation), "image": .string(settings.image),
            "command": ["/bin/sh", "-c", .string(unexpanded(settings.initScript)), "session-init"],
            "env": .array((variables(environment).elements ?? []) + [startToken(id)]),
            "resources": resources(settings), "securityContext": security,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [["name": "home", "mountPath": .string(Settings.home)]],
        ]
    }

    private static func agent(
        _ id: SessionID, _ session: Session, _ secrets: PodSecrets, _ settings: Settings
    ) -> JSONValue {
        var environment = [
            ("HOME", Settings.home), ("SESSION_DIRECTORY", Settings.repositoryFolder),
            ("OPENCODE_SERVER_PASSWORD", secrets.agent), ("OPENCODE_POD_SECRET", secrets.callback),
            ("OPENCODE_SESSION_HASH", id.description), ("OPENCODE_USER_EMAIL", session.owner),
            ("OPENCODE_DISABLE_AUTOUPDATE", "true"), ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*"),
        ]
        if settings.chromiumImage != nil {
            environment.append(("PLAYWRIGHT_MCP_CDP_ENDPOINT", "http://localhost:9222"))
        }
        if let url = settings.routerURL { environment.append(("OPENCODE_ROUTER_URL", url)) }
        if let domain = settings.externalDomain { environment.append(("OPENCODE_ROUTER_EXTERNAL_DOMAIN", domain)) }
        if let url = settings.metricsURL { environment.append(("VICTORIA_METRICS_URL", url)) }
        // Under names of their own: a variable of the container would win over the user's, which come from a Secret.
        for (use, model) in settings.models.sorted(by: { $0.key < $1.key }) {
            environment.append(("DEFAULT_OPENCODE_MODEL_\(use)", model))
        }
        let own = Set(environment.map(\.0))
        environment = settings.environment.filter { !own.contains($0.name) } + environment
        var container = agentContainer(password: secrets.agent, environment, settings)
        container["env"] = .array((container["env"]?.elements ?? []) + [startToken(id)])
        // The later wins: what a user sets is stronger than what everybody has.
        container["envFrom"] = [
            secretReference(settings.apiKeySecret), secretReference(ObjectNames.gitSecret(id)),
            secretReference(ObjectNames.userSecret(session.owner)),
        ]
        container["volumeMounts"] = [
            ["name": "home", "mountPath": .string(Settings.home)],
            ["name": "config", "mountPath": .string(Settings.home + "/.opencode"), "readOnly": true],
        ]
        return container
    }

    /// What every agent's container has, whatever it is for.
    private static func agentContainer(
        password: String, _ environment: [(String, String)], _ settings: Settings
    ) -> JSONValue {
        var list = variables(environment).elements ?? []
        list.append(podAddress)
        return [
            "name": .string(ContainerName.agent), "image": .string(settings.image),
            "command": ["/bin/sh", "-c", .string(unexpanded(settings.agentScript)), "session-agent"],
            "workingDir": .string(Settings.repositoryFolder), "env": .array(list),
            "ports": [["name": "http", "containerPort": .number(Int(Settings.agentPort))]],
            "readinessProbe": readiness(password: password),
            "resources": resources(settings), "securityContext": security,
            "terminationMessagePolicy": "FallbackToLogsOnError",
        ]
    }

    private static func readiness(password: String) -> JSONValue {
        let credentials = Base64.encode("opencode:\(password)")
        return [
            "httpGet": [
                "path": "/global/health", "port": .number(Int(Settings.agentPort)),
                "httpHeaders": [["name": "Authorization", "value": .string("Basic \(credentials)")]],
            ],
            "initialDelaySeconds": 1, "periodSeconds": 2, "timeoutSeconds": 3, "failureThreshold": 20,
        ]
    }

    private static let podAddress: JSONValue = [
        "name": "POD_IP", "valueFrom": ["fieldRef": ["fieldPath": "status.podIP"]],
    ]

    private static func chromium(_ image: String) -> JSONValue {
        [
            "name": "chromium", "image": .string(image), "securityContext": security,
            "resources": [
                "requests": ["cpu": "100m", "memory": "256Mi"], "limits": ["cpu": "1", "memory": "1Gi"],
            ],
        ]
    }

    /// Sees the session's files and nothing else: no key, no secret, no variable of the agent's.
    private static func editor(_ settings: Settings.Editor) -> JSONValue {
        [
            "name": .string(ContainerName.editor), "image": .string(settings.image), "securityContext": security,
            "env": variables([("HOME", Settings.home), ("EDITOR_PORT", "\(settings.port)")]),
            "ports": [["name": "editor", "containerPort": .number(Int(settings.port))]],
            "resources": [
                "requests": ["cpu": "50m", "memory": "32Mi"], "limits": ["cpu": "200m", "memory": "128Mi"],
            ],
            "volumeMounts": [["name": "home", "mountPath": .string(Settings.home)]],
        ]
    }

    private static func resources(_ settings: Settings) -> JSONValue {
        var requests = ["cpu": settings.cpuRequest, "memory": settings.memoryRequest]
        requests = requests.filter { !$0.value.isEmpty }
        var limits: [String: String] = [:]
        limits["cpu"] = settings.cpuLimit
        limits["memory"] = settings.memoryLimit
        return ["requests": .strings(requests), "limits": .strings(limits.filter { !$0.value.isEmpty })]
    }

    private static func variables(_ list: [(String, String)]) -> JSONValue {
        .array(list.map { ["name": .string($0.0), "value": .string(unexpanded($0.1))] })
    }

    /// The owner's token as it was when the pod began, for a git that cannot reach the router.
    private static func startToken(_ id: SessionID) -> JSONValue {
        [
            "name": "OPENCODE_GIT_TOKEN",
            "valueFrom": [
                "secretKeyRef": [
                    "name": .string(ObjectNames.gitSecret(id)), "key": .string(tokenKey), "optional": true,
                ]
            ],
        ]
    }

    private static func secretReference(_ name: String) -> JSONValue {
        ["secretRef": ["name": .string(name), "optional": true]]
    }

    /// The text such that the kubelet's expansion of `$(NAME)` gives it back unchanged: it reads `$$` as one `$`.
    static func unexpanded(_ text: String) -> String { text.replacing("$", with: "$$") }
}

/// The containers of a session's pod.
enum ContainerName {
    static let initialisation = "init"
    static let agent = "opencode"
    static let editor = "editor"
}
