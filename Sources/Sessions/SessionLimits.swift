/// How many sessions there may be; zero means no limit.
package struct SessionLimits: Hashable, Sendable {
    /// MAX_SESSIONS_PER_USER: running or not.
    package var perUser: Int
    /// MAX_RUNNING_PER_USER
    package var runningPerUser: Int
    /// MAX_RUNNING_TOTAL
    package var runningTotal: Int

    package init(perUser: Int = 0, runningPerUser: Int = 0, runningTotal: Int = 0) {
        self.perUser = perUser
        self.runningPerUser = runningPerUser
        self.runningTotal = runningTotal
    }

    /// Why one more start must not happen now; nil if it may.
    ///
    /// - Parameters:
    ///   - id: the session to start; if it exists, it takes no new place, and if it runs, none at all.
    ///   - owner: its owner's normalised address.
    ///   - starting: starts under way that the snapshot may not show yet.
    package func refusal(
        starting id: SessionID, of owner: String, in snapshot: DirectorySnapshot,
        underWay starting: [SessionID: String] = [:]
    ) -> LimitRefusal? {
        var owned = 0
        var ownRunning: [Session] = []
        var running = 0
        for session in snapshot.sessions {
            if session.id == id {
                guard !session.state.takesPlace else { return nil }
                continue
            }
            let own = session.owner == owner
            let takesPlace = session.state.takesPlace || starting[session.id] != nil
            if own { owned += 1 }
            if takesPlace { running += 1 }
            if own && takesPlace { ownRunning.append(session) }
        }
        var unseen = 0
        for (other, its) in starting where other != id && snapshot[other] == nil {
            running += 1
            if its == owner { unseen += 1 }
        }
        if perUser > 0, snapshot[id] == nil, owned + unseen >= perUser { return .tooManySessions(limit: perUser) }
        if runningPerUser > 0, ownRunning.count + unseen >= runningPerUser {
            return .tooManyRunning(
                limit: runningPerUser, longestUnused: ownRunning.min { $0.activity.at < $1.activity.at })
        }
        if runningTotal > 0, running >= runningTotal { return .installationFull(limit: runningTotal) }
        return nil
    }
}

extension SessionState {
    /// Whether the session holds a place among the running ones.
    var takesPlace: Bool {
        switch self {
        case .creating, .running: true
        case .stopping, .stopped, .failed: false
        }
    }
}

/// Why a session may not start now.
package enum LimitRefusal: Hashable, Sendable {
    case tooManySessions(limit: Int)
    case tooManyRunning(limit: Int, longestUnused: Session?)
    case installationFull(limit: Int)

    /// Stable name, part of the API.
    package var code: String {
        switch self {
        case .tooManySessions: "too_many_sessions"
        case .tooManyRunning: "too_many_running"
        case .installationFull: "installation_full"
        }
    }

    /// A sentence for a person, with what to do.
    package var message: String {
        switch self {
        case .tooManySessions(let limit):
            return "You have as many sessions as are allowed (\(limit)). Delete one first."
        case .tooManyRunning(let limit, let session):
            let example = session.map { ", for example the longest unused, \"\($0.key.branch)\"" } ?? ""
            return "As many of your sessions run as are allowed at once (\(limit)). Stop one first\(example)."
        case .installationFull(let limit):
            return "As many sessions run here as are allowed at once (\(limit)). Try again when one has stopped."
        }
    }
}
