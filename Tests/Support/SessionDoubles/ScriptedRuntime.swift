package import Sessions
import Synchronization

/// A session runtime in memory: orders are noted and take effect at once; tests move sessions on, and script failures.
package final class ScriptedRuntime: SessionRuntime {
    /// An order as it arrived.
    package enum Order: Hashable, Sendable {
        case create(SessionSpecification)
        case resume(SessionID, gitToken: String?)
        case stop(SessionID, reason: String)
        case delete(SessionID)
        case log(SessionID, SessionLog, limit: Int)
        case record(SessionID, Activity)
        case annotate(SessionID)
        case setIdleTimeout(SessionID, Int?)
        case setDetectedPorts(SessionID, [UInt16])
        case setPortRule(SessionID, UInt16, PortRule?)
    }
    private struct State {
        var sessions: [SessionID: Session] = [:]
        var orders: [Order] = []
        var failure: SessionRuntimeError?
        var logs: [SessionID: String] = [:]
        var isSilent = false
        var gate: AsyncStream<Void>?
    }

    private let state = Mutex(State())
    private let stream: AsyncStream<SessionChange>
    private let continuation: AsyncStream<SessionChange>.Continuation

    package init(_ sessions: [Session] = [], tellsSnapshot: Bool = true) {
        (stream, continuation) = AsyncStream.makeStream(of: SessionChange.self)
        for session in sessions { state.withLock { $0.sessions[session.id] = session } }
        if tellsSnapshot { continuation.yield(.snapshot(sessions)) }
    }

    /// The orders so far, readings of the log and all.
    package var orders: [Order] { state.withLock { $0.orders } }

    /// Tells a change that no order caused.
    package func tell(_ change: SessionChange) {
        state.withLock { state in
            switch change {
            case .snapshot(let all):
                state.sessions = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })
            case .updated(let session): state.sessions[session.id] = session
            case .removed(let id): state.sessions[id] = nil
            case .stale: break
            }
            continuation.yield(change)
        }
    }

    /// Changes one session and tells it.
    package func change(_ id: SessionID, _ edit: (inout Session) -> Void) {
        state.withLock { state in
            guard var session = state.sessions[id] else { return }
            edit(&session)
            state.sessions[id] = session
            continuation.yield(.updated(session))
        }
    }

    package func move(_ id: SessionID, to new: SessionState) { change(id) { $0.state = new } }

    /// Every order fails like this, until it is set to nil.
    package func fail(with error: SessionRuntimeError?) { state.withLock { $0.failure = error } }

    /// Orders wait until something comes out of the stream.
    package func hold(until gate: AsyncStream<Void>?) { state.withLock { $0.gate = gate } }

    package func setLog(_ text: String, of id: SessionID) { state.withLock { $0.logs[id] = text } }

    /// The runtime shuts down.
    package func end() { continuation.finish() }

    package func changes() -> AsyncStream<SessionChange> { stream }

    package func create(_ specification: SessionSpecification) async throws(SessionRuntimeError) {
        try await take(.create(specification))
        let known = state.withLock { $0.sessions[specification.id] != nil }
        if known {
            move(specification.id, to: .creating(.initializing))
        } else {
            tell(
                .updated(
                    Session(
                        id: specification.id, key: specification.key, sourceBranch: specification.sourceBranch,
                        createdAt: .example, activity: Activity(at: .example, source: .created),
                        state: .creating(.initializing), initialMessage: specification.initialMessage)))
        }
    }

    package func resume(_ id: SessionID, gitToken: String?) async throws(SessionRuntimeError) {
        try await take(.resume(id, gitToken: gitToken), known: id)
        move(id, to: .creating(.initializing))
    }

    package func stop(_ id: SessionID, reason: String) async throws(SessionRuntimeError) {
        try await take(.stop(id, reason: reason), known: id)
        move(id, to: .stopped)
    }

    package func delete(_ id: SessionID) async throws(SessionRuntimeError) {
        try await take(.delete(id), known: id)
        tell(.removed(id))
    }

    package func log(_ id: SessionID, _ log: SessionLog, limit: Int) async throws(SessionRuntimeError) -> String {
        try await take(.log(id, log, limit: limit), known: id)
        return state.withLock { $0.logs[id] ?? "" }
    }

    package func record(_ activity: Activity, of id: SessionID) async throws(SessionRuntimeError) {
        try await take(.record(id, activity), known: id)
        change(id) { $0.activity = activity }
    }

    package func annotate(
        _ id: SessionID, title: String?, attachPassword: String?, conversationID: String?
    ) async throws(SessionRuntimeError) {
        try await take(.annotate(id), known: id)
        change(id) { session in
            session.title = title ?? session.title
            session.attachPassword = attachPassword ?? session.attachPassword
            session.conversationID = conversationID ?? session.conversationID
        }
    }

    package func setIdleTimeout(minutes: Int?, of id: SessionID) async throws(SessionRuntimeError) {
        try await take(.setIdleTimeout(id, minutes), known: id)
        change(id) { $0.idleTimeoutMinutes = minutes }
    }

    package func setDetectedPorts(_ ports: [UInt16], of id: SessionID) async throws(SessionRuntimeError) {
        try await take(.setDetectedPorts(id, ports), known: id)
        change(id) { $0.detectedPorts = ports }
    }

    package func setPortRule(
        _ rule: PortRule?, for port: UInt16, of id: SessionID
    ) async throws(SessionRuntimeError) {
        try await take(.setPortRule(id, port, rule), known: id)
        change(id) { $0.portRules[port] = rule }
    }

    private func take(_ order: Order, known id: SessionID? = nil) async throws(SessionRuntimeError) {
        let gate = state.withLock { state in
            state.orders.append(order)
            return state.gate
        }
        if let gate {
            for await _ in gate { break }
        }
        let (failure, isKnown) = state.withLock { ($0.failure, id.map($0.sessions.keys.contains) ?? true) }
        if let failure { throw failure }
        if let id, !isKnown { throw .notFound(id) }
    }
}

extension Timestamp {
    /// 2026-01-02T03:04:05.000Z
    package static let example = Timestamp(milliseconds: 1_767_323_045_000)
}

extension SessionEndpoint {
    package static let example = SessionEndpoint(incarnation: "run-1", address: "127.0.0.1", port: 4096)
}

extension Session {
    /// A session with a name made of a small number.
    package static func example(
        _ number: UInt64, owner: String = "ann@example.com", branch: String = "main",
        state: SessionState = .running(.example), activity: Timestamp = .example
    ) -> Session {
        Session(
            id: SessionID(rawValue: number),
            key: SessionKey(email: owner, repositoryURL: "https://example.com/team/app", branch: branch),
            sourceBranch: "main", createdAt: .example, activity: Activity(at: activity, source: .request),
            state: state)
    }
}
