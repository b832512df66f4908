import HTTPTypes
import Sessions

extension RouterAPI {
    private struct ProgressBody: Decodable {
        var type: String
        var sessionID: String
        var title: String?
        var partID: String?
        var messageID: String?
        var text: String?
        /// Milliseconds since 1970.
        var time: Double?
    }

    /// A pod tells what was said in it.
    func reportProgress(of session: Session, _ request: APIRequest) async throws(APIError) -> APIResponse {
        guard let messages else { throw .notSupported("messages of sessions") }
        let event = try progressEvent(try request.decodeJSON(as: ProgressBody.self))
        let id = session.id
        try await order { () throws(SessionRuntimeError) in try await messages.take(event, of: id) }
        if case .title(let title) = event, title != session.title, !title.isEmpty {
            let line = String(title.map { $0.isNewline ? " " : $0 }.prefix(200))
            try await order { () throws(SessionRuntimeError) in
                try await runtime.annotate(id, title: line, attachPassword: nil, conversationID: nil)
            }
        }
        return .json(["ok": true])
    }

    private func progressEvent(_ body: ProgressBody) throws(APIError) -> ProgressEvent {
        let invalid = APIError.badRequest("invalid_event", "Invalid event payload")
        if body.type == "session.title" {
            guard let title = body.title else { throw invalid }
            return .title(title)
        }
        let roles: [String: SessionMessage.Role] = ["message.user": .user, "message.assistant": .assistant]
        guard let role = roles[body.type], let part = body.partID, let message = body.messageID,
            let text = body.text, let time = body.time.flatMap({ Int64(exactly: $0.rounded()) }),
            [part, message, body.sessionID].allSatisfy({ (1...256).contains($0.utf8.count) })
        else { throw invalid }
        return .message(
            SessionMessage(
                partID: part, messageID: message, sessionID: body.sessionID, role: role, text: text, time: time,
                heardAt: now().milliseconds))
    }

    /// What was said in a session, running or not, and what is being said.
    func streamProgress(
        _ id: SessionID, _ request: APIRequest, _ caller: APICaller
    ) async throws(APIError) -> APIResponse {
        _ = try find(id, request, caller)
        guard let messages else { throw .notSupported("messages of sessions") }
        let updates = try await order { () throws(SessionRuntimeError) in try await messages.updates(of: id) }
        return try stream(MessageEvents(), updates, request)
    }
}

/// `GET /api/sessions/:h/progress/stream`: all that was said, then each message that is new or has changed.
struct MessageEvents: EventSource {
    private var told: [String: SessionMessage]?
    private var title: String?

    var hasEnded: Bool { false }

    mutating func events(for log: MessageLog) -> [ServerSentEvent] {
        defer {
            told = Dictionary(log.messages.map { ($0.partID, $0) }) { $1 }
            title = log.title
        }
        guard let told else { return [snapshot(log)] }
        // A title that changed is told with everything, as the reader got it first.
        guard log.title == title else { return [snapshot(log)] }
        return log.messages.filter { told[$0.partID] != $0 }.map {
            ServerSentEvent(name: "message", data: Self.json($0))
        }
    }

    private func snapshot(_ log: MessageLog) -> ServerSentEvent {
        var members: [(String, JSON)] = []
        if let title = log.title { members.append(("title", .string(title))) }
        members.append(("messages", .array(log.messages.map(Self.json))))
        return ServerSentEvent(name: "snapshot", data: .object(members))
    }

    private static func json(_ message: SessionMessage) -> JSON {
        [
            "type": .string("message.\(message.role.rawValue)"), "partID": .string(message.partID),
            "messageID": .string(message.messageID), "sessionID": .string(message.sessionID),
            // What it is called when it is reported, and what readers of the original's streams look at.
            "role": .string(message.role.rawValue),
            "text": .string(message.text), "time": .number(Int(message.time)),
        ]
    }
}
