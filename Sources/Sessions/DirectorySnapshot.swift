/// Everything known about all sessions at one moment; a value, so that a reader never sees half a change.
package struct DirectorySnapshot: Sendable {
    /// Grows with every change that a reader could notice.
    package private(set) var revision: UInt64 = 0
    /// Whether the runtime has told everything at least once; before that, absence means nothing.
    package private(set) var isLoaded = false
    /// Whether the runtime has told everything and has not lost sight since.
    package private(set) var inSync = false
    /// Why the runtime cannot see its sessions now; what stands here may be out of date.
    package private(set) var staleReason: String?
    /// All sessions, by id.
    package private(set) var sessions: [Session] = []
    /// Why each running session is kept and when it would stop, from the last sweep.
    package private(set) var verdicts: [SessionID: IdleVerdict] = [:]

    private var ownerRevisions: [String: UInt64] = [:]

    package init() {}

    /// The session of that id.
    package subscript(id: SessionID) -> Session? {
        let index = index(of: id)
        return index < sessions.count && sessions[index].id == id ? sessions[index] : nil
    }

    /// The sessions of one owner (a normalised address), by id.
    package func sessions(of owner: String) -> [Session] {
        ownerRevisions[owner] == nil ? [] : sessions.filter { $0.owner == owner }
    }

    /// Grows with every change of one owner's sessions; zero if there never were any.
    package func revision(of owner: String) -> UInt64 { ownerRevisions[owner] ?? 0 }

    /// Takes in one change and says whom it concerns.
    package mutating func apply(_ change: SessionChange) -> DirectoryTouch {
        var touched = DirectoryTouch()
        switch change {
        case .snapshot(let all):
            touched.everyone = !inSync || staleReason != nil
            isLoaded = true
            inSync = true
            staleReason = nil
            replace(with: all, &touched)
        case .updated(let session): put(session, &touched)
        case .removed(let id): remove(id, &touched)
        case .stale(let reason):
            touched.everyone = inSync || staleReason != reason
            inSync = false
            staleReason = reason
        }
        note(touched)
        return touched
    }

    /// Takes in the verdicts of a sweep in place of all earlier ones.
    package mutating func apply(_ verdicts: [SessionID: IdleVerdict]) -> DirectoryTouch {
        var touched = DirectoryTouch()
        for session in sessions where verdicts[session.id] != self.verdicts[session.id] { touched.insert(session) }
        self.verdicts = verdicts.filter { self[$0.key] != nil }
        note(touched)
        return touched
    }

    private mutating func replace(with all: [Session], _ touched: inout DirectoryTouch) {
        var kept: Set<SessionID> = []
        for session in all {
            kept.insert(session.id)
            put(session, &touched)
        }
        for session in sessions where !kept.contains(session.id) { remove(session.id, &touched) }
    }

    private mutating func put(_ session: Session, _ touched: inout DirectoryTouch) {
        let index = index(of: session.id)
        if index < sessions.count, sessions[index].id == session.id {
            guard sessions[index] != session else { return }
            // A verdict is about one run.
            if sessions[index].state != session.state { verdicts[session.id] = nil }
            sessions[index] = session
        } else {
            sessions.insert(session, at: index)
        }
        touched.insert(session)
    }

    private mutating func remove(_ id: SessionID, _ touched: inout DirectoryTouch) {
        let index = index(of: id)
        guard index < sessions.count, sessions[index].id == id else { return }
        touched.insert(sessions.remove(at: index))
        verdicts[id] = nil
    }

    private mutating func note(_ touched: DirectoryTouch) {
        guard !touched.isEmpty else { return }
        revision += 1
        for owner in touched.owners { ownerRevisions[owner] = revision }
    }

    /// Where that id stands or would stand.
    private func index(of id: SessionID) -> Int {
        var low = 0
        var high = sessions.count
        while low < high {
            let middle = (low + high) / 2
            if sessions[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Whom a change of the directory concerns.
package struct DirectoryTouch: Hashable, Sendable {
    /// The view as a whole changed: it became in sync, or stale.
    package var everyone = false
    package var sessions: Set<SessionID> = []
    package var owners: Set<String> = []

    package init() {}

    var isEmpty: Bool { !everyone && sessions.isEmpty }

    mutating func insert(_ session: Session) {
        sessions.insert(session.id)
        owners.insert(session.owner)
    }
}

/// What a reader of the directory wants to hear of.
package enum DirectoryInterest: Hashable, Sendable {
    case everything
    case owner(String)
    case session(SessionID)

    func covers(_ touched: DirectoryTouch) -> Bool {
        switch self {
        case .everything: true
        case .owner(let owner): touched.everyone || touched.owners.contains(owner)
        case .session(let id): touched.everyone || touched.sessions.contains(id)
        }
    }
}
