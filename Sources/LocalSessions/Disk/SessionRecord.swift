import FoundationEssentials
import Sessions

/// What is stored of one session; its state is not among it, for that follows from the process that runs or does not.
struct SessionRecord: Codable, Hashable, Sendable {
    var id: String
    var email: String
    var repositoryURL: String?
    var branch: String
    var sourceBranch: String
    /// Milliseconds since 1970, like all moments here.
    var createdAt: Int64
    var activityAt: Int64
    var activitySource: String
    var initialMessage: String?
    var title: String?
    var attachPassword: String?
    var conversationID: String?
    /// Which API the agent speaks, in OPENCODE_API's words.
    var agentGeneration: String?
    var idleTimeoutMinutes: Int?
    /// Who else than the owner may reach a port, as `PortRule` writes it, by port.
    var portRules: [String: String]?
    /// Whether there were uncommitted changes in the folder, and how many commits only it had, when last looked.
    var isDirty: Bool?
    var unpushed: Int?
    /// Whether the owner ever came with a git token: then its git asks for the present one, also in a run that was begun
    /// by a visit and without one.
    var ownerHasToken: Bool?
    /// The agent that was started last, so that a router that starts after a crash can tell whether it still runs.
    var leader: Leader?
    /// The owner ordered the deletion; a router that finds this at its start finishes it.
    var isDeleted: Bool?

    /// A process, named so that no other process of this machine, now or later, has the same name.
    struct Leader: Codable, Hashable, Sendable {
        var pid: Int32
        var startTime: UInt64
        var bootID: String
    }
}

extension SessionRecord {
    /// The record of a new session.
    init(_ specification: SessionSpecification, at now: Timestamp) {
        self.init(
            id: specification.id.description, email: specification.key.email,
            repositoryURL: specification.key.repositoryURL, branch: specification.key.branch,
            sourceBranch: specification.sourceBranch, createdAt: now.milliseconds, activityAt: now.milliseconds,
            activitySource: Activity.Source.created.rawValue, initialMessage: specification.initialMessage,
            ownerHasToken: specification.gitToken.map { _ in true })
    }

    /// The session that this is a record of, in the state that was derived for it; nil if its id is none.
    func session(state: SessionState, startedAt: Timestamp?) -> Session? {
        guard let id = SessionID(id) else { return nil }
        var session = Session(
            id: id, key: SessionKey(email: email, repositoryURL: repositoryURL, branch: branch),
            sourceBranch: sourceBranch, createdAt: Timestamp(milliseconds: createdAt),
            activity: Activity(
                at: Timestamp(milliseconds: activityAt), source: Activity.Source(rawValue: activitySource) ?? .created),
            state: state, initialMessage: initialMessage, title: title, attachPassword: attachPassword,
            conversationID: conversationID, startedAt: startedAt, idleTimeoutMinutes: idleTimeoutMinutes,
            unsavedWork: unsavedWork)
        session.agentGeneration = agentGeneration.flatMap(AgentGeneration.init(rawValue:))
        for (port, text) in portRules ?? [:] {
            if let port = UInt16(port) { session.portRules[port] = PortRule(text) }
        }
        return session
    }

    private var unsavedWork: UnsavedWork? {
        guard let isDirty, let unpushed else { return nil }
        return UnsavedWork(hasUncommittedChanges: isDirty, unpushedCommits: unpushed)
    }
}
