package import Sessions
import Synchronization

/// How sessions are kept.
package struct ArchiveSettings: Sendable {
    package var folder: String
    /// So long an agent may take to tell all it knows.
    package var exportTime: Duration
    /// So long the agent of a session that does not run may take to start.
    package var startTime: Duration
    /// Whether what cannot be kept must not be deleted.
    package var isStrict: Bool

    package init(folder: String, exportTime: Duration, startTime: Duration, isStrict: Bool) {
        self.folder = folder
        self.exportTime = exportTime
        self.startTime = startTime
        self.isStrict = isStrict
    }
}

/// What became of a session that was to be kept.
package enum ArchiveEvent: Sendable {
    case kept(SessionID, bytes: Int)
    case failed(SessionID, ArchiveFailure)
}

/// Asks agents for what was said before their sessions are deleted, and keeps it in a folder.
package actor Archivist: SessionArchive {
    private let settings: ArchiveSettings
    private let folder: ArchiveFolder
    private let runtime: any SessionRuntime
    private let agent: any ExportableAgent
    private let now: @Sendable () -> Timestamp
    private let report: @Sendable (ArchiveEvent) -> Void

    /// Exports at a time: each may be a pod that starts, and a document that is read through.
    private static let places = 4
    private var free = Archivist.places
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// - Parameters:
    ///   - now: the wall clock.
    ///   - report: told what becomes of each session.
    package init(
        _ settings: ArchiveSettings, runtime: any SessionRuntime, agent: any ExportableAgent,
        now: @escaping @Sendable () -> Timestamp, report: @escaping @Sendable (ArchiveEvent) -> Void
    ) throws(ArchiveFailure) {
        self.settings = settings
        folder = try ArchiveFolder(settings.folder)
        self.runtime = runtime
        self.agent = agent
        self.now = now
        self.report = report
    }

    /// Whether the folder can be written.
    package func check() async throws(ArchiveFailure) { try await folder.check() }

    package func list(of owner: String) async throws(ArchiveFailure) -> [ArchivedSession] {
        try await folder.list(of: owner)
    }

    package func open(_ id: String, of owner: String) async throws(ArchiveFailure) -> AsyncStream<[UInt8]>? {
        try await folder.open(id, of: owner)
    }

    package func keep(_ session: Session) async throws(ArchiveFailure) {
        await takePlace()
        defer { givePlaceBack() }
        do throws(ArchiveFailure) {
            if let bytes = try await export(session) { report(.kept(session.id, bytes: bytes)) }
        } catch {
            report(.failed(session.id, error))
            if settings.isStrict { throw error }
        }
    }

    /// The number of bytes kept; nil if there is nothing to keep.
    private func export(_ session: Session) async throws(ArchiveFailure) -> Int? {
        // What never began to talk has nothing to tell, and could not be asked.
        let hasSpoken = session.conversationID != nil || session.title != nil
        switch session.state {
        case .running(let endpoint): return try await write(session, endpoint)
        case .stopped, .stopping: break
        case .failed: guard hasSpoken else { return nil }
        case .creating:
            guard hasSpoken else { return nil }
            throw .noAgent("The session is starting. Wait until it runs, then delete it.")
        }
        let result = Mutex<Result<Int, ArchiveFailure>?>(nil)
        do throws(SessionRuntimeError) {
            try await runtime.read(session.id, within: settings.startTime) { endpoint in
                let outcome: Result<Int, ArchiveFailure>
                do throws(ArchiveFailure) { outcome = .success(try await self.write(session, endpoint)) } catch {
                    outcome = .failure(error)
                }
                result.withLock { $0 = outcome }
            }
        } catch {
            throw .noAgent(Self.sentence(error))
        }
        return try result.withLock { $0 }?.get()
    }

    private func write(_ session: Session, _ endpoint: SessionEndpoint) async throws(ArchiveFailure) -> Int {
        let draft = try await folder.draft(of: session, at: now())
        do {
            try await agent.export(at: endpoint, until: .now + settings.exportTime) { try await draft.append($0) }
        } catch let failure as ArchiveFailure {
            throw failure
        } catch {
            let reason = (error as? AgentFailure)?.message ?? "\(error)"
            throw .agent("The session's agent did not tell what was said: \(reason).")
        }
        try await draft.append(Array("}\n".utf8))
        try await draft.commit()
        return await draft.count
    }

    private static func sentence(_ error: SessionRuntimeError) -> String {
        switch error {
        case .notFound: "The session is gone."
        case .conflict(let message), .unavailable(let message): message
        case .failed(let failure): failure.message
        }
    }

    // MARK: Places

    private func takePlace() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    /// Gives the place to whoever has waited longest.
    private func givePlaceBack() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
