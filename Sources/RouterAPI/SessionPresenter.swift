import Sessions

/// A session as the API shows it.
struct SessionPresenter: Sendable {
    let settings: APISettings

    /// The members that readers rely on, in a fixed order; a password is never among them.
    func json(_ session: Session, verdict: IdleVerdict?) -> JSON {
        var members: [(String, JSON)] = [
            ("hash", .string(session.id.description)),
            ("email", .string(session.owner)),
            // A text, as readers of the original's lists expect.
            ("repoUrl", .string(session.key.repositoryURL ?? "")),
            ("branch", .string(session.key.branch)),
            ("sourceBranch", .string(session.sourceBranch)),
            ("state", .string(session.state.name)),
            ("url", JSON(url(of: session))),
            ("createdAt", .string(session.createdAt.description)),
            ("lastActivity", .string(session.activity.at.description)),
            ("activity", activity(of: session)),
            ("idleTimeoutMinutes", minutes(settings.idle.timeout(of: session))),
        ]
        switch session.state {
        case .creating(let stage): members.append(("stage", .string(stage.rawValue)))
        case .failed(let failure): members.append(("failure", Self.failure(failure)))
        case .running:
            members.append(("keptBecause", JSON(verdict?.reason.code)))
            members.append(("stopsAt", JSON(stopTime(of: session, verdict: verdict)?.description)))
        case .stopping, .stopped: break
        }
        if let message = session.initialMessage { members.append(("description", .string(message))) }
        if let title = session.title { members.append(("title", .string(title))) }
        if let conversation = session.conversationID { members.append(("sessionId", .string(conversation))) }
        if let work = session.unsavedWork {
            members.append(("dirty", .bool(work.hasUncommittedChanges)))
            members.append(("unpushed", .number(work.unpushedCommits)))
        }
        if let attach = attachURL(of: session) { members.append(("attachUrl", .string(attach))) }
        if let editor = editorURL(of: session) { members.append(("editorUrl", .string(editor))) }
        return .object(members)
    }

    /// Where the session's files are edited; nil unless it runs with an editor.
    private func editorURL(of session: Session) -> String? {
        guard case .running(let endpoint) = session.state, endpoint.editorPort != nil else { return nil }
        return "\(settings.scheme)://\(settings.editorPrefix)\(session.id)\(settings.routeSuffix).\(settings.domain)"
    }

    /// Where the browser goes: the conversation itself once it is known; nil unless the session runs.
    func url(of session: Session) -> String? {
        guard case .running = session.state else { return nil }
        let base = "\(settings.scheme)://\(session.id)\(settings.routeSuffix).\(settings.domain)"
        guard let conversation = session.conversationID, let directory = settings.agentDirectory(session),
            conversation.utf8.allSatisfy({ $0 == UInt8(ascii: "_") || $0.isASCIILetterOrDigit })
        else { return base }
        let place =
            switch session.agentGeneration ?? settings.agentGeneration {
            case .v1: Base64.url(directory.utf8)
            // The newer page may show several servers, and finds this one by its address.
            case .v2: "server/\(Base64.url(base.utf8))"
            }
        return "\(base)/\(place)/session/\(conversation)"
    }

    /// Where `opencode attach` connects; nil where the installation serves no attach hosts.
    func attachURL(of session: Session) -> String? {
        guard let domain = settings.attachDomain else { return nil }
        return "\(settings.scheme)://\(settings.attachPrefix)\(session.id)\(settings.routeSuffix).\(domain)"
    }

    /// One failure, with what to do about it.
    static func failure(_ failure: SessionFailure) -> JSON {
        var members: [(String, JSON)] = [
            ("code", .string(failure.code)), ("message", .string(failure.message)), ("hint", .string(failure.hint)),
        ]
        if let log = failure.log { members.append(("log", .string(log))) }
        return .object(members)
    }

    /// When the session would stop: as the last sweep said, or by its stored activity until the first one.
    func stopTime(of session: Session, verdict: IdleVerdict?) -> Timestamp? {
        if let verdict { return verdict.stopsAt }
        let timeout = settings.idle.timeout(of: session)
        return timeout > .zero ? session.activity.at.advanced(by: timeout) : nil
    }

    private func activity(of session: Session) -> JSON {
        .object([
            ("at", .string(session.activity.at.description)), ("source", .string(session.activity.source.rawValue)),
        ])
    }

    private func minutes(_ duration: Duration) -> JSON { .number(Int(duration.components.seconds / 60)) }
}

/// RFC 4648 §5 without padding.
enum Base64 {
    static func url(_ bytes: some Sequence<UInt8>) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var output: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                output.append(alphabet[Int(bits >> UInt32(count) & 63)])
            }
        }
        if count > 0 { output.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
        return String(decoding: output, as: UTF8.self)
    }
}

extension UInt8 {
    var isASCIILetterOrDigit: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5a).contains(self) || (0x61...0x7a).contains(self)
    }
}

extension Stage {
    /// What happens in this stage, for a person.
    var message: String {
        switch self {
        case .initializing: "Finding a place for the session"
        case .configuring: "Setting up its surroundings"
        case .preparing: "Fetching the repository"
        case .starting: "Starting the agent"
        case .readying: "Waiting for the agent to answer"
        }
    }
}
