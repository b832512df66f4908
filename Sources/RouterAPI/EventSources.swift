import Sessions

/// `GET /api/sessions/stream`: the caller's list, whole, at connect and whenever it changed.
struct SessionListEvents: EventSource {
    let owner: String
    let presenter: SessionPresenter
    private var told: (revision: UInt64, isStale: Bool)?

    init(owner: String, presenter: SessionPresenter) {
        self.owner = owner
        self.presenter = presenter
    }

    var hasEnded: Bool { false }
    /// A list is told whole, and may be long: the first change at once, those that follow together.
    var pace: Duration { .milliseconds(100) }

    mutating func events(for snapshot: DirectorySnapshot) -> [ServerSentEvent] {
        let state = (revision: snapshot.revision(of: owner), isStale: !snapshot.inSync)
        if let told, told == state { return [] }
        told = state
        return [ServerSentEvent(name: "sessions", data: presenter.list(of: owner, in: snapshot))]
    }
}

/// `GET /api/sessions/:h/events`: a start as it goes on, until the session runs or cannot.
struct StartEvents: EventSource {
    let id: SessionID
    let presenter: SessionPresenter
    private(set) var hasEnded = false
    private var state: String?
    private var stage: Stage?
    private var firstSeenRunning: ContinuousClock.Instant?

    /// So long, up to the next ping, the end waits for the conversation that the first prompt opens.
    private static let conversationTime = Duration.seconds(5)

    init(id: SessionID, presenter: SessionPresenter) {
        self.id = id
        self.presenter = presenter
    }

    mutating func events(for snapshot: DirectorySnapshot) -> [ServerSentEvent] {
        guard let session = snapshot[id] else {
            hasEnded = true
            return [error(message: "session not found", code: "session_not_found", hint: nil)]
        }
        var events: [ServerSentEvent] = []
        if session.state.name != state {
            state = session.state.name
            stage = nil
            events.append(ServerSentEvent(name: "state_change", data: ["state": .string(session.state.name)]))
        }
        switch session.state {
        case .creating(let now):
            guard now != stage else { break }
            stage = now
            events.append(
                ServerSentEvent(
                    name: "progress", data: ["stage": .string(now.rawValue), "message": .string(now.message)]))
        case .running:
            guard !isConversationExpected(of: session) else { break }
            hasEnded = true
            events.append(ServerSentEvent(name: "complete", data: ["url": JSON(presenter.url(of: session))]))
        case .failed(let failure):
            hasEnded = true
            events.append(error(message: failure.message, code: failure.code, hint: failure.hint))
        case .stopping, .stopped: break
        }
        return events
    }

    /// Whether the address is about to become the deep link to the first prompt's conversation.
    private mutating func isConversationExpected(of session: Session) -> Bool {
        guard session.initialMessage != nil, session.conversationID == nil else { return false }
        let now = ContinuousClock.now
        let since = firstSeenRunning ?? now
        firstSeenRunning = since
        return since.duration(to: now) < Self.conversationTime
    }

    private func error(message: String, code: String, hint: String?) -> ServerSentEvent {
        ServerSentEvent(
            name: "error", data: ["message": .string(message), "code": .string(code), "hint": JSON(hint)])
    }
}

extension SessionPresenter {
    /// The answer of `GET /api/sessions`: newest activity first.
    func list(of owner: String, in snapshot: DirectorySnapshot) -> JSON {
        .object([
            ("email", .string(owner)), ("sessions", sessions(snapshot.sessions(of: owner), in: snapshot)),
            ("stale", .bool(!snapshot.inSync)),
        ])
    }

    /// Those sessions, newest activity first.
    func sessions(_ sessions: [Session], in snapshot: DirectorySnapshot) -> JSON {
        .array(
            sessions.sorted { ($0.activity.at, $0.id) > ($1.activity.at, $1.id) }
                .map { json($0, verdict: snapshot.verdicts[$0.id]) })
    }
}
