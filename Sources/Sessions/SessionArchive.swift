/// Keeps what was said in sessions beyond their deletion.
package protocol SessionArchive: Sendable {
    /// Keeps what a session's agent knows; called before the session is deleted, and may take minutes.
    ///
    /// - Throws: why it could not be kept, where the session must not be deleted then.
    func keep(_ session: Session) async throws(ArchiveFailure)
    /// What is kept of somebody's sessions, newest first.
    func list(of owner: String) async throws(ArchiveFailure) -> [ArchivedSession]
    /// A kept session as the bytes of a JSON document, read as they are asked for; nil if this owner has none of that id.
    func open(_ id: String, of owner: String) async throws(ArchiveFailure) -> AsyncStream<[UInt8]>?
}

/// A session that was kept.
package struct ArchivedSession: Hashable, Sendable {
    /// Names it among its owner's: the session's hash and when it was kept.
    package var id: String
    package var session: SessionID
    package var archivedAt: Timestamp
    package var bytes: Int
    package var repositoryURL: String?
    package var branch: String?
    package var title: String?

    package init(
        id: String, session: SessionID, archivedAt: Timestamp, bytes: Int, repositoryURL: String? = nil,
        branch: String? = nil, title: String? = nil
    ) {
        self.id = id
        self.session = session
        self.archivedAt = archivedAt
        self.bytes = bytes
        self.repositoryURL = repositoryURL
        self.branch = branch
        self.title = title
    }
}

/// Why a session was not kept, or what was kept cannot be read; a sentence for the owner each.
package enum ArchiveFailure: Error, Hashable, Sendable {
    /// The session's agent did not tell what it knows.
    case agent(String)
    /// There was no agent to ask, and none could be started in time.
    case noAgent(String)
    /// The archive's disk.
    case disk(String)
}

/// The part of an agent's API that an archive needs.
package protocol ExportableAgent: Sendable {
    /// Gives all conversations, with all messages, to `sink` as members of a JSON object that is already open.
    ///
    /// The agent is not believed: what it calls JSON is well nested, or this fails.
    ///
    /// - Throws: `AgentFailure`, or what `sink` throws.
    func export(
        at endpoint: SessionEndpoint, until deadline: ContinuousClock.Instant,
        to sink: @Sendable ([UInt8]) async throws -> Void
    ) async throws
}
