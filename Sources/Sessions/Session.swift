/// A moment as milliseconds since 1970-01-01T00:00:00Z; for records that people read, never for timers.
package struct Timestamp: Hashable, Comparable, Sendable {
    package let milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static func < (one: Self, other: Self) -> Bool { one.milliseconds < other.milliseconds }
}

/// How far a starting session has come; the order is the order of progress.
package enum Stage: String, Sendable, CaseIterable {
    case initializing, configuring, preparing, starting, readying
}

/// Why a session could not start or did not stay up.
package struct SessionFailure: Error, Hashable, Sendable {
    /// Stable snake_case name, part of the API.
    package var code: String
    /// A sentence for a person: what happened, to what.
    package var message: String
    /// What to do next.
    package var hint: String
    /// The last lines of the log that tell more, if any.
    package var log: String?

    package init(code: String, message: String, hint: String, log: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
        self.log = log
    }
}

/// Where a running session's agent listens, and which incarnation of it.
package struct SessionEndpoint: Hashable, Sendable {
    /// The pod's UID, or a local run's random id: connections are pooled by this, never by address.
    package var incarnation: String
    /// A numeric IPv4 or IPv6 address.
    package var address: String
    /// The agent's port.
    package var port: UInt16
    /// The agent's own password (HTTP Basic, user `opencode`), set by the gateway on every request; nil if it has none.
    package var password: String?
    /// The port of the editor beside the agent; nil if there is none, or it does not run.
    package var editorPort: UInt16?

    package init(
        incarnation: String, address: String, port: UInt16, password: String? = nil, editorPort: UInt16? = nil
    ) {
        self.incarnation = incarnation
        self.address = address
        self.port = port
        self.password = password
        self.editorPort = editorPort
    }
}

/// Derived from what exists, never stored (design: Sessions).
package enum SessionState: Hashable, Sendable {
    case creating(Stage)
    case running(SessionEndpoint)
    case stopping
    case stopped
    case failed(SessionFailure)

    /// The word of the API: creating, running, stopping, stopped or failed.
    package var name: String {
        switch self {
        case .creating: "creating"
        case .running: "running"
        case .stopping: "stopping"
        case .stopped: "stopped"
        case .failed: "failed"
        }
    }
}

/// When a session was last used, and by what sign.
package struct Activity: Hashable, Sendable {
    /// The signs that count as use (design: "Which signals mean in use").
    package enum Source: String, Sendable {
        case created, resumed, request, tunnel, agent, human, keepAlive = "keep-alive"
    }
    package var at: Timestamp
    package var source: Source

    package init(at: Timestamp, source: Source) {
        self.at = at
        self.source = source
    }
}

/// Work that is in a session's folder only, as it was when somebody last looked.
package struct UnsavedWork: Hashable, Sendable {
    /// Whether there are changes that are in no commit.
    package var hasUncommittedChanges: Bool
    /// How many commits are on no branch of the remote.
    package var unpushedCommits: Int

    package init(hasUncommittedChanges: Bool, unpushedCommits: Int) {
        self.hasUncommittedChanges = hasUncommittedChanges
        self.unpushedCommits = unpushedCommits
    }
}

/// One session as its objects (or the local state file) say.
package struct Session: Hashable, Sendable, Identifiable {
    package var id: SessionID
    package var key: SessionKey
    /// The branch that the session's branch was made from.
    package var sourceBranch: String
    package var createdAt: Timestamp
    package var activity: Activity
    package var state: SessionState
    package var initialMessage: String?
    package var title: String?
    /// Password of `opencode attach`, 32 hex digits; nil until one was made.
    package var attachPassword: String?
    /// The agent's own id of the conversation the first prompt opened (`ses_…`), for deep links.
    package var conversationID: String?
    /// The agent's API when it took the first prompt; nil is the older one, or nobody has asked.
    package var agentGeneration: AgentGeneration?
    /// When the present run began; nil when none runs or nobody knows.
    package var startedAt: Timestamp?
    /// The owner's own idle time in minutes; nil is the installation's.
    package var idleTimeoutMinutes: Int?
    /// What would be lost with the session's folder; nil if nobody has looked.
    package var unsavedWork: UnsavedWork?
    /// What the present run proves itself with when it calls the router, 64 hex digits; nil while nothing runs. No answer
    /// and no log line has it.
    package var podSecret: String?
    /// What listens in the present run beside the agent, as the run itself found out; in order.
    package var detectedPorts: [UInt16] = []
    /// Who else may reach which port; a port without a rule is the owner's alone.
    package var portRules: [UInt16: PortRule] = [:]

    package init(
        id: SessionID, key: SessionKey, sourceBranch: String, createdAt: Timestamp, activity: Activity,
        state: SessionState, initialMessage: String? = nil, title: String? = nil, attachPassword: String? = nil,
        conversationID: String? = nil, startedAt: Timestamp? = nil, idleTimeoutMinutes: Int? = nil,
        unsavedWork: UnsavedWork? = nil
    ) {
        self.id = id
        self.key = key
        self.sourceBranch = sourceBranch
        self.createdAt = createdAt
        self.activity = activity
        self.state = state
        self.initialMessage = initialMessage
        self.title = title
        self.attachPassword = attachPassword
        self.conversationID = conversationID
        self.startedAt = startedAt
        self.idleTimeoutMinutes = idleTimeoutMinutes
        self.unsavedWork = unsavedWork
    }

    /// The owner's normalised address.
    package var owner: String { key.email }
}
