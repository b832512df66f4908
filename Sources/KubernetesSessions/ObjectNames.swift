internal import Identity
internal import KubernetesAPI
internal import Sessions

/// The names that a session's objects have; those of the original, so that its objects are ours.
enum ObjectNames {
    static func pod(_ id: SessionID) -> String { "opencode-session-\(id)" }
    /// The pod by which the original reads the disk of a session that does not run; never made here.
    static func exportPod(_ id: SessionID) -> String { "\(pod(id))-export" }
    static func claim(_ id: SessionID) -> String { "opencode-pvc-\(id)" }
    /// The secret with what was said in the session.
    static func messages(_ id: SessionID) -> String { "opencode-messages-\(id)" }
    static func gitSecret(_ id: SessionID) -> String { "opencode-github-\(id)" }

    /// The secret with a user's own environment: twelve digits of the address's SHA-256, as it is normalised.
    static func userSecret(_ email: String) -> String {
        "opencode-user-\(SessionID(digest: Digest.sha256(email.utf8)))"
    }

    static let hashLabel = "opencode.ai/session-hash"
    /// On pods that only read a session's disk; the original's name for it.
    static let exportLabel = "opencode.ai/export-pod"
    /// On objects that are watched for what is in them.
    static let kindLabel = "opencode.ai/kind"
    static let managerLabel = "app.kubernetes.io/managed-by"
    static let manager = "opencode-router"
    /// All pods and claims of sessions; hash labels first, for export pods of other tools have them, too.
    static let selector = "\(managerLabel)=\(manager),\(hashLabel)"

    /// A pod that pulls an image.
    static func pull(_ suffix: String) -> String { "opencode-pull-\(suffix)" }
    static let pullKind = "image-pull"
    /// All of those.
    static let pulls = "\(managerLabel)=\(manager),\(kindLabel)=\(pullKind)"

    static func labels(_ id: SessionID) -> JSONValue {
        .strings([hashLabel: id.description, managerLabel: manager])
    }

    /// The session whose pod this is; nil for pods of other purposes (`opencode-session-<hash>-export`).
    static func session(ofPod metadata: ObjectMeta) -> SessionID? { session(metadata, name: pod) }

    static func session(ofClaim metadata: ObjectMeta) -> SessionID? { session(metadata, name: claim) }

    private static func session(_ metadata: ObjectMeta, name: (SessionID) -> String) -> SessionID? {
        guard let id = metadata.labels?[hashLabel].flatMap({ SessionID($0) }), metadata.name == name(id) else {
            return nil
        }
        return id
    }
}

/// Annotations of claims and pods.
enum Annotation {
    private static let prefix = "opencode.ai/"
    static let email = prefix + "user-email"
    static let repository = prefix + "repo-url"
    static let branch = prefix + "branch"
    static let sourceBranch = prefix + "source-branch"
    static let createdAt = prefix + "created-at"
    static let attachPassword = prefix + "attach-password"
    static let initialMessage = prefix + "initial-message"
    static let conversation = prefix + "session-id"
    static let agentGeneration = prefix + "opencode-api"
    static let lastActivity = prefix + "last-activity"
    static let podSecret = prefix + "pod-secret"
    // Ours; the original passes over them.
    static let activitySource = prefix + "activity-source"
    static let title = prefix + "title"
    static let idleTimeout = prefix + "idle-timeout-minutes"
    static let startFailure = prefix + "start-failure"
    /// On the pod: what listens in it, `3000,5173`.
    static let ports = prefix + "ports"
    /// On the claim, one for each port, so that two changes of two ports never meet: who may reach it.
    static func portRule(_ port: UInt16) -> String { "\(portRules)\(port)" }
    static let portRules = prefix + "port-"
}
