import Logging
import Sessions

/// One line for everything that somebody may have to answer for; no secrets, no bodies.
struct AuditLog: Sendable {
    let logger: Logger

    enum Event: String {
        case created = "session created"
        case resumed = "session resumed"
        case stopped = "session stopped"
        case deleted = "session deleted"
        case attachRead = "attach password read"
        case attachRotated = "attach password changed"
        case portShared = "port shared"
        case portUnshared = "port no longer shared"
        case tokenGiven = "git token given to a session"
        case tokenRenewed = "git token renewed"
        case denied = "access denied"
        case adminRead = "sessions of everybody listed"
        case imagePulled = "image pulled"
        case secretsChanged = "user secrets changed"
    }

    func record(
        _ event: Event, _ request: APIRequest, session: SessionID? = nil, _ more: [String: String] = [:]
    ) {
        record(
            event, email: request.caller?.email, requestID: request.requestID, session: session,
            more.merging(["peer": request.peer]) { $1 })
    }

    /// The same for somebody who asks in another's name: a session in its owner's.
    func record(
        _ event: Event, email: String, _ request: APIRequest, session: SessionID, _ more: [String: String]
    ) {
        record(
            event, email: email, requestID: request.requestID, session: session,
            more.merging(["peer": request.peer]) { $1 })
    }

    func record(
        _ event: Event, email: String?, requestID: String, session: SessionID?, _ more: [String: String] = [:]
    ) {
        var metadata: Logger.Metadata = more.mapValues { "\($0)" }
        metadata["email"] = "\(email ?? "-")"
        metadata["request"] = "\(requestID)"
        if let session { metadata["session"] = "\(session)" }
        logger.log(level: event == .denied ? .warning : .notice, "\(event.rawValue)", metadata: metadata)
    }
}
