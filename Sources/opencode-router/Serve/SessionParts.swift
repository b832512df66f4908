internal import Logging
internal import Observability
internal import RouterAPI
internal import Sessions

/// The session runtime with what belongs to it.
struct SessionParts: Sendable {
    var runtime: any SessionRuntime
    var directory: SessionDirectory
    var branches: (any BranchSource)?
    var catalogue: (any RepositoryCatalogue)?
    var probe: any AgentStatusProbe
    /// Ends what the runtime started.
    var shutdown: @Sendable () async -> Void
}

extension Server {
    /// Builds the runtime that the settings ask for.
    static func sessionParts(
        _ settings: Settings, readiness: Readiness, registry: MetricRegistry, logger: Logger
    ) async throws -> SessionParts {
        let runtime = NoSessions()
        return SessionParts(
            runtime: runtime, directory: SessionDirectory(runtime: runtime), probe: UnknownStatus(), shutdown: {})
    }
}

struct NoSessions: SessionRuntime {
    func create(_ specification: SessionSpecification) async throws(SessionRuntimeError) {
        throw .unavailable(message: "no runtime")
    }
    func resume(_ id: SessionID, gitToken: String?) async throws(SessionRuntimeError) { throw .notFound(id) }
    func stop(_ id: SessionID, reason: String) async throws(SessionRuntimeError) { throw .notFound(id) }
    func delete(_ id: SessionID) async throws(SessionRuntimeError) { throw .notFound(id) }
    func log(_ id: SessionID, _ log: SessionLog, limit: Int) async throws(SessionRuntimeError) -> String { "" }
    func record(_ activity: Activity, of id: SessionID) async throws(SessionRuntimeError) {}
    func annotate(
        _ id: SessionID, title: String?, attachPassword: String?, conversationID: String?
    ) async throws(SessionRuntimeError) {}
    func changes() -> AsyncStream<SessionChange> {
        AsyncStream { $0.yield(.snapshot([])) }
    }
}

struct UnknownStatus: AgentStatusProbe {
    func status(of session: Session, at endpoint: SessionEndpoint) async -> AgentStatus { .unknown }
}
