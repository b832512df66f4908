/// One thing that was said in a session, as the session's own process told it.
package struct SessionMessage: Hashable, Codable, Sendable {
    package enum Role: String, Hashable, Codable, Sendable { case user, assistant }

    /// Names it: what comes later under the same name takes its place.
    package var partID: String
    package var messageID: String
    /// The agent's own id of the conversation.
    package var sessionID: String
    package var role: Role
    package var text: String
    /// When it was said, in milliseconds since 1970, by the session's clock.
    package var time: Int64
    /// When the router heard it, by the router's clock: of two texts under one name the one heard later holds.
    package var heardAt: Int64

    package init(
        partID: String, messageID: String, sessionID: String, role: Role, text: String, time: Int64, heardAt: Int64
    ) {
        self.partID = partID
        self.messageID = messageID
        self.sessionID = sessionID
        self.role = role
        self.text = text
        self.time = time
        self.heardAt = heardAt
    }
}

/// What was said last in a session, bounded: the newest messages, cut where they are long.
package struct MessageLog: Hashable, Codable, Sendable {
    package private(set) var title: String?
    /// In the order in which they were first heard.
    package private(set) var messages: [SessionMessage] = []

    /// How many messages are kept, how many bytes of each, and how many bytes in all: they live in one small object.
    package static let countLimit = 200
    package static let textLimit = 8 << 10
    package static let sizeLimit = 192 << 10

    package init() {}

    /// Takes the title.
    package mutating func put(title: String) { self.title = Self.cut(title, to: 400) }

    /// Takes a message: a new one at the end, a known one in its place, an older text of a known one not at all.
    package mutating func put(_ message: SessionMessage) {
        var message = message
        message.text = Self.cut(message.text, to: Self.textLimit)
        if let index = messages.lastIndex(where: { $0.partID == message.partID }) {
            guard messages[index].heardAt <= message.heardAt else { return }
            messages[index] = message
        } else {
            messages.append(message)
        }
        var size = messages.reduce(0) { $0 + $1.size }
        var surplus = max(0, messages.count - Self.countLimit)
        for message in messages.prefix(surplus) { size -= message.size }
        while size > Self.sizeLimit, surplus < messages.count - 1 {
            size -= messages[surplus].size
            surplus += 1
        }
        messages.removeFirst(surplus)
    }

    /// The text's beginning, cut between two characters, with a mark where more stood.
    private static func cut(_ text: String, to limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: limit - 3)
        while end > text.startIndex, end.samePosition(in: text) == nil { end = text.utf8.index(before: end) }
        return text[..<end] + "…"
    }
}

extension SessionMessage {
    /// About what it takes when it is stored.
    fileprivate var size: Int {
        text.utf8.count + partID.utf8.count + messageID.utf8.count + sessionID.utf8.count + 96
    }
}

/// What a session tells of its conversation.
package enum ProgressEvent: Hashable, Sendable {
    case title(String)
    case message(SessionMessage)
}

extension MessageLog {
    /// Takes an event.
    package mutating func put(_ event: ProgressEvent) {
        switch event {
        case .title(let title): put(title: title)
        case .message(let message): put(message)
        }
    }
}

/// Keeps what was said, next to the session's other objects; gone with the session.
package protocol MessageStore: Sendable {
    /// What is stored; empty if nothing is.
    func messages(of id: SessionID) async throws(SessionRuntimeError) -> MessageLog
    /// Adds these to what is stored, whatever somebody else has added meanwhile; returns what is stored then.
    func add(_ events: [ProgressEvent], to id: SessionID) async throws(SessionRuntimeError) -> MessageLog
    /// What another router stored, as it comes; ends at once where there is no other.
    func messageChanges() -> AsyncStream<(SessionID, MessageLog)>
}
