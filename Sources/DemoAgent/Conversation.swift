/// One of the agent's sessions in opencode's sense: a conversation, kept in memory only.
struct Conversation: Sendable {
    struct Message: Sendable {
        enum Role: String, Sendable { case user, assistant }

        let id: String
        let partID: String
        let role: Role
        let created: Int
        var completed: Int?
        var text: String
        var isAborted = false
    }

    let id: String
    let parentID: String?
    var title: String
    let directory: String
    let created: Int
    var updated: Int
    var messages: [Message] = []
    var isBusy = false

    /// Session.Info.
    var json: JSON {
        var fields: [(name: String, value: JSON)] = [
            ("id", .string(id)), ("slug", "demo"), ("projectID", "demo"), ("directory", .string(directory)),
            ("title", .string(title)), ("version", .string(DemoAgent.version)),
            ("time", ["created": .integer(created), "updated": .integer(updated)]),
        ]
        if let parentID { fields.insert(("parentID", .string(parentID)), at: 1) }
        return .object(fields)
    }

    /// What `GET /session/:id/message` answers.
    var messagesJSON: JSON {
        .array(messages.map { ["info": $0.info(in: id), "parts": [$0.part(in: id)]] })
    }
}

extension Conversation.Message {
    /// Message.Info.
    func info(in session: String) -> JSON {
        var time: [(name: String, value: JSON)] = [("created", .integer(created))]
        if let completed { time.append(("completed", .integer(completed))) }
        var fields: [(name: String, value: JSON)] = [
            ("id", .string(id)), ("sessionID", .string(session)), ("role", .string(role.rawValue)),
            ("time", .object(time)),
        ]
        if role == .assistant {
            fields += [("providerID", "demo"), ("modelID", "none"), ("mode", "demo"), ("cost", 0)]
        }
        if isAborted {
            fields.append(("error", ["name": "MessageAbortedError", "data": ["message": "Stopped."]]))
        }
        return .object(fields)
    }

    /// The message's only part, its text.
    func part(in session: String) -> JSON {
        [
            "id": .string(partID), "sessionID": .string(session), "messageID": .string(id), "type": "text",
            "text": .string(text),
        ]
    }
}
