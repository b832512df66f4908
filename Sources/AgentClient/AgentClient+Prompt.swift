import HTTPClient
package import Sessions

extension AgentClient: PromptableAgent {
    private struct Conversation: Decodable { var id: String }
    private struct Message: Decodable {}
    private struct Nothing: Encodable {}
    private struct Prompt: Encodable {
        struct Part: Encodable {
            var type = "text"
            var text: String
        }
        var parts: [Part]
    }
    private struct NewerPrompt: Encodable {
        struct Text: Encodable { var text: String }
        var prompt: Text
    }

    /// Where conversations are, and how the newest one that no other made is asked for.
    func conversations(
        at endpoint: SessionEndpoint, limit: Int = 1
    ) async throws(AgentFailure) -> (path: String, newest: String) {
        switch try await generation(at: endpoint) {
        case .v1: ("/session", "/session?limit=\(limit)&roots=true")
        case .v2: ("/api/session", "/api/session?limit=\(limit)&order=desc&parentID=null")
        }
    }

    package func firstConversation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String? {
        let newest = try await conversations(at: endpoint).newest
        let list = try await call(.get, newest, as: AgentList<Conversation>.self, at: endpoint).elements
        return try list.first.map { conversation throws(AgentFailure) in try checked(conversation.id) }
    }

    package func openConversation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String {
        let path = try await conversations(at: endpoint).path
        let made = try await call(.post, path, body: Nothing(), as: AgentObject<Conversation>.self, at: endpoint)
        return try checked(made.content.id)
    }

    package func hasMessages(
        _ conversation: String, at endpoint: SessionEndpoint
    ) async throws(AgentFailure) -> Bool {
        let target = try await conversations(at: endpoint).path + "/\(conversation)/message?limit=1"
        return try await !call(.get, target, as: AgentList<Message>.self, at: endpoint).elements.isEmpty
    }

    package func spokenConversation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String? {
        let newest = try await conversations(at: endpoint, limit: Self.conversationLimit).newest
        let list = try await call(.get, newest, as: AgentList<Conversation>.self, at: endpoint).elements
        for conversation in list.prefix(Self.conversationLimit) {
            let id = try checked(conversation.id)
            if try await hasMessages(id, at: endpoint) { return id }
        }
        return nil
    }

    /// So many conversations are looked into for a message.
    private static var conversationLimit: Int { 20 }

    package func prompt(
        _ text: String, in conversation: String, at endpoint: SessionEndpoint
    ) async throws(AgentFailure) {
        let target: String
        let body: any Encodable & Sendable
        switch try await generation(at: endpoint) {
        case .v1:
            target = "/session/\(conversation)/prompt_async"
            body = Prompt(parts: [.init(text: text)])
        case .v2:
            target = "/api/session/\(conversation)/prompt"
            body = NewerPrompt(prompt: .init(text: text))
        }
        let answer = try await send(.post, target, body: body, at: endpoint)
        guard (200..<300).contains(answer.status) else { throw AgentFailure("POST \(target): status \(answer.status)") }
    }

    /// The id goes into paths and links, so what an agent calls an id is not believed blindly.
    func checked(_ id: String) throws(AgentFailure) -> String {
        guard isWord(id, of: 1...64, and: "_") else { throw AgentFailure("an id that is none") }
        return id
    }

    /// Whether it is so many of ASCII's letters and digits and of the other characters given.
    func isWord(_ text: String, of lengths: ClosedRange<Int>, and others: String) -> Bool {
        lengths.contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                    || others.utf8.contains(byte)
            }
    }
}
