package import Sessions
internal import Synchronization

/// Sessions that exist in memory only, all with the same agent behind them: for working on the picker.
///
/// It begins with three sessions of one owner, one of them starting, and takes every order the real runtimes take. A
/// start goes through all stages; nothing is kept when the process ends.
package final class MockSessions: SessionRuntime {
    private struct Start {
        let number: Int
        let task: Task<Void, Never>
    }

    private struct Contents {
        var sessions: [SessionID: Session] = [:]
        /// The latest start of each session that was started.
        var starts: [SessionID: Start] = [:]
        var lastStart = 0
    }

    private let contents = Mutex(Contents())
    private let agent: @Sendable (SessionID) -> SessionEndpoint
    private let startTime: Duration
    private let now: @Sendable () -> Timestamp
    private let stream: AsyncStream<SessionChange>
    private let continuation: AsyncStream<SessionChange>.Continuation

    /// Makes the three sessions of `owner` and starts the third.
    ///
    /// - Parameters:
    ///   - agent: where a running session's agent listens; asked at each start.
    ///   - startTime: how long a start takes, over all its stages.
    ///   - now: the wall clock.
    package init(
        owner: String, startTime: Duration = .seconds(5), now: @escaping @Sendable () -> Timestamp,
        agent: @escaping @Sendable (SessionID) -> SessionEndpoint
    ) {
        self.agent = agent
        self.startTime = startTime
        self.now = now
        (stream, continuation) = AsyncStream.makeStream(of: SessionChange.self)
        let seeds = Self.seeds(owner: owner, now: now(), agent: agent)
        contents.withLock { contents in
            for session in seeds { contents.sessions[session.id] = session }
        }
        continuation.yield(.snapshot(seeds))
        for session in seeds where session.state == .creating(.initializing) { begin(session.id) }
    }

    /// Ends every start, and the stream of changes.
    package func shutDown() {
        let starts = contents.withLock { contents in
            defer { contents.starts = [:] }
            return Array(contents.starts.values)
        }
        for start in starts { start.task.cancel() }
        continuation.finish()
    }

    package func changes() -> AsyncStream<SessionChange> { stream }

    package func create(_ specification: SessionSpecification) async throws(SessionRuntimeError) {
        let isNew = contents.withLock { contents in
            guard contents.sessions[specification.id] == nil else { return false }
            let session = Session(
                id: specification.id, key: specification.key, sourceBranch: specification.sourceBranch,
                createdAt: now(), activity: Activity(at: now(), source: .created), state: .creating(.initializing),
                initialMessage: specification.initialMessage)
            contents.sessions[session.id] = session
            continuation.yield(.updated(session))
            return true
        }
        if isNew { begin(specification.id) } else { try await resume(specification.id, gitToken: nil) }
    }

    package func resume(_ id: SessionID, gitToken: String?) async throws(SessionRuntimeError) {
        let session = try session(id)
        switch session.state {
        case .creating, .running: return
        case .stopping, .stopped, .failed: begin(id)
        }
    }

    package func stop(_ id: SessionID, reason: String) async throws(SessionRuntimeError) {
        endStart(of: id)
        try change(id) { session in
            session.state = .stopped
            session.startedAt = nil
            session.podSecret = nil
        }
    }

    package func delete(_ id: SessionID) async throws(SessionRuntimeError) {
        endStart(of: id)
        let isKnown = contents.withLock { contents in
            guard contents.sessions.removeValue(forKey: id) != nil else { return false }
            continuation.yield(.removed(id))
            return true
        }
        guard isKnown else { throw .notFound(id) }
    }

    package func log(_ id: SessionID, _ log: SessionLog, limit: Int) async throws(SessionRuntimeError) -> String {
        let session = try session(id)
        return switch log {
        case .initialisation:
            "Nothing is fetched: this session is a mock of \(session.key.repositoryURL ?? "a blank project").\n"
        case .agent: "The demonstration agent answers for every session.\n"
        }
    }

    package func record(_ activity: Activity, of id: SessionID) async throws(SessionRuntimeError) {
        try change(id) { $0.activity = activity }
    }

    package func annotate(
        _ id: SessionID, title: String?, attachPassword: String?, conversationID: String?
    ) async throws(SessionRuntimeError) {
        try change(id) { session in
            session.title = title ?? session.title
            session.attachPassword = attachPassword ?? session.attachPassword
            session.conversationID = conversationID ?? session.conversationID
        }
    }

    package func setIdleTimeout(minutes: Int?, of id: SessionID) async throws(SessionRuntimeError) {
        try change(id) { $0.idleTimeoutMinutes = minutes }
    }

    package func setDetectedPorts(_ ports: [UInt16], of id: SessionID) async throws(SessionRuntimeError) {
        try change(id) { $0.detectedPorts = ports }
    }

    package func setPortRule(
        _ rule: PortRule?, for port: UInt16, of id: SessionID
    ) async throws(SessionRuntimeError) {
        try change(id) { $0.portRules[port] = rule }
    }

    // MARK: Starts

    /// Goes through the stages in equal steps; the session runs at the end. A later start or an end of this one stops it.
    private func begin(_ id: SessionID) {
        let step = startTime / Stage.allCases.count
        contents.withLock { contents in
            contents.lastStart += 1
            let number = contents.lastStart
            let task = Task {
                for stage in Stage.allCases.dropFirst() {
                    do { try await Task.sleep(for: step) } catch { return }
                    guard advance(id, in: number, to: .creating(stage)) else { return }
                }
                do { try await Task.sleep(for: step) } catch { return }
                _ = advance(id, in: number, to: .running(agent(id)))
            }
            contents.starts.updateValue(Start(number: number, task: task), forKey: id)?.task.cancel()
            contents.sessions[id]?.state = .creating(.initializing)
            if let session = contents.sessions[id] { continuation.yield(.updated(session)) }
        }
    }

    /// Moves a session on; false if this start is over.
    private func advance(_ id: SessionID, in start: Int, to state: SessionState) -> Bool {
        contents.withLock { contents in
            guard contents.starts[id]?.number == start, var session = contents.sessions[id] else { return false }
            session.state = state
            if case .running = state { session.startedAt = now() }
            contents.sessions[id] = session
            continuation.yield(.updated(session))
            return true
        }
    }

    private func endStart(of id: SessionID) {
        contents.withLock { $0.starts.removeValue(forKey: id) }?.task.cancel()
    }

    private func session(_ id: SessionID) throws(SessionRuntimeError) -> Session {
        guard let session = contents.withLock({ $0.sessions[id] }) else { throw .notFound(id) }
        return session
    }

    /// Changes are told in the order in which they are made.
    private func change(_ id: SessionID, _ edit: (inout Session) -> Void) throws(SessionRuntimeError) {
        let isKnown = contents.withLock { contents in
            guard var session = contents.sessions[id] else { return false }
            edit(&session)
            contents.sessions[id] = session
            continuation.yield(.updated(session))
            return true
        }
        guard isKnown else { throw .notFound(id) }
    }

    // MARK: Seeds

    /// A running session, a stopped one and one that starts; the first two were used before.
    private static func seeds(
        owner: String, now: Timestamp, agent: (SessionID) -> SessionEndpoint
    ) -> [Session] {
        func seed(
            _ id: UInt64, _ branch: String, _ message: String, age: Duration, _ state: (SessionID) -> SessionState
        ) -> Session {
            let id = SessionID(rawValue: id)
            let at = now.advanced(by: .zero - age)
            return Session(
                id: id,
                key: SessionKey(email: owner, repositoryURL: "https://github.com/acme/webshop", branch: branch),
                sourceBranch: "main", createdAt: at, activity: Activity(at: at, source: .created), state: state(id),
                initialMessage: message)
        }
        return [
            seed(0xabc1_23de_f456, "fix-login", "Fix the login redirect", age: .seconds(120)) { .running(agent($0)) },
            seed(0xdead_beef_1234, "upgrade-ingress", "Upgrade the ingress", age: .seconds(86_400)) { _ in .stopped },
            seed(0xcafe_0011_2233, "spelling", "Mend the spelling", age: .zero) { _ in .creating(.initializing) },
        ]
    }
}
