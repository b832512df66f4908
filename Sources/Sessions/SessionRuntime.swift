/// What is needed to make a session; every string was validated by the API.
package struct SessionSpecification: Hashable, Sendable {
    package var id: SessionID
    package var key: SessionKey
    package var sourceBranch: String
    package var initialMessage: String?
    /// The owner's access token for the repository's host, if the request carried one; never logged, never stored in
    /// an annotation.
    package var gitToken: String?

    package init(
        id: SessionID, key: SessionKey, sourceBranch: String, initialMessage: String? = nil, gitToken: String? = nil
    ) {
        self.id = id
        self.key = key
        self.sourceBranch = sourceBranch
        self.initialMessage = initialMessage
        self.gitToken = gitToken
    }
}

/// What a runtime tells about its sessions, in order.
package enum SessionChange: Sendable {
    /// Everything there is; sent first, and again after any gap.
    case snapshot([Session])
    case updated(Session)
    case removed(SessionID)
    /// The runtime cannot see its sessions now; what was said before may be out of date. A snapshot ends it.
    case stale(reason: String)
}

/// Which log of a session to read.
package enum SessionLog: String, Sendable {
    /// Preparing the folder: clone, checkout.
    case initialisation = "init"
    /// The agent itself.
    case agent
}

/// Why a runtime refused or failed an order, in words that reach the person who gave it.
package enum SessionRuntimeError: Error, Sendable {
    case notFound(SessionID)
    /// The order does not fit the session's present state.
    case conflict(message: String)
    /// The runtime (API server, disk, process table) cannot do it now.
    case unavailable(message: String)
    case failed(SessionFailure)
}

/// The port that both runtimes fill: sessions as pods, or as processes of this machine.
///
/// Orders return once they are durably accepted; progress arrives through `changes()`. Every order is idempotent.
package protocol SessionRuntime: Sendable {
    /// Makes the session and starts it; one that exists is resumed instead.
    func create(_ specification: SessionSpecification) async throws(SessionRuntimeError)
    /// Starts a stopped or failed session; waits for a stop under way to end first. `gitToken` as in `create`.
    func resume(_ id: SessionID, gitToken: String?) async throws(SessionRuntimeError)
    /// Ends the agent; the session's folder stays.
    func stop(_ id: SessionID, reason: String) async throws(SessionRuntimeError)
    /// Ends the agent and removes the folder; a session that does not exist is `notFound`.
    func delete(_ id: SessionID) async throws(SessionRuntimeError)
    /// The last lines of a log, as text of at most `limit` bytes.
    func log(_ id: SessionID, _ log: SessionLog, limit: Int) async throws(SessionRuntimeError) -> String
    /// Stores when the session was last used.
    func record(_ activity: Activity, of id: SessionID) async throws(SessionRuntimeError)
    /// Stores the title, attach password or conversation id that became known; nil leaves a field as it is.
    func annotate(
        _ id: SessionID, title: String?, attachPassword: String?, conversationID: String?
    ) async throws(SessionRuntimeError)
    /// Stores which API the session's agent speaks.
    func setAgentGeneration(_ generation: AgentGeneration, of id: SessionID) async throws(SessionRuntimeError)
    /// Stores the owner's own idle time; nil goes back to the installation's.
    func setIdleTimeout(minutes: Int?, of id: SessionID) async throws(SessionRuntimeError)
    /// Stores what listens in the session's present run, in place of what was said before.
    func setDetectedPorts(_ ports: [UInt16], of id: SessionID) async throws(SessionRuntimeError)
    /// Stores who may reach a port; nil makes it the owner's alone.
    func setPortRule(_ rule: PortRule?, for port: UInt16, of id: SessionID) async throws(SessionRuntimeError)
    /// Puts a newer token of the owner in the place of the one of before; a session that rests stays as it is.
    func setGitToken(_ token: String, of id: SessionID) async throws(SessionRuntimeError)
    /// The owner's newest token that was stored for the session; nil if there is none.
    func gitToken(of id: SessionID) async throws(SessionRuntimeError) -> String?
    /// Lets `body` ask an agent what a session that does not run holds: starts one that serves nothing else where that can
    /// be had, else the session itself, and ends it afterwards.
    ///
    /// - Parameter limit: so long the agent may take to answer.
    func read(
        _ id: SessionID, within limit: Duration, _ body: @escaping @Sendable (SessionEndpoint) async -> Void
    ) async throws(SessionRuntimeError)
    /// Snapshot first, then every change; ends when the runtime shuts down. One consumer.
    func changes() -> AsyncStream<SessionChange>
}

extension SessionRuntime {
    /// What a runtime without such agents answers.
    package func read(
        _ id: SessionID, within limit: Duration, _ body: @escaping @Sendable (SessionEndpoint) async -> Void
    ) async throws(SessionRuntimeError) {
        throw .unavailable(message: "This installation starts no agents for reading.")
    }

    /// A runtime without a place for it keeps the installation's.
    package func setAgentGeneration(
        _ generation: AgentGeneration, of id: SessionID
    ) async throws(SessionRuntimeError) {}

    /// A runtime without a place for it keeps none.
    package func setGitToken(_ token: String, of id: SessionID) async throws(SessionRuntimeError) {}

    /// A runtime without a place for it has none.
    package func gitToken(of id: SessionID) async throws(SessionRuntimeError) -> String? { nil }

    /// What a runtime without a place for it answers.
    package func setIdleTimeout(minutes: Int?, of id: SessionID) async throws(SessionRuntimeError) {
        throw .unavailable(message: "This installation keeps no idle time per session.")
    }

    /// What a runtime without a place for them answers.
    package func setDetectedPorts(_ ports: [UInt16], of id: SessionID) async throws(SessionRuntimeError) {
        throw .unavailable(message: "This installation keeps no ports of sessions.")
    }

    /// What a runtime without a place for it answers.
    package func setPortRule(
        _ rule: PortRule?, for port: UInt16, of id: SessionID
    ) async throws(SessionRuntimeError) {
        throw .unavailable(message: "This installation keeps no ports of sessions.")
    }
}
