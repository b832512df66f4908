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

    package func firstConversation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String? {
        let list = try await call(.get, "/session?limit=1&roots=true", as: [Conversation].self, at: endpoint)
        return try list.first.map { conversation throws(AgentFailure) in try checked(conversation.id) }
    }

    package func openConversation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String {
        try checked(try await call(.post, "/session", body: Nothing(), as: Conversation.self, at: endpoint).id)
    }

    package func hasMessages(
        _ conversation: String, at endpoint: SessionEndpoint
    ) async throws(AgentFailure) -> Bool {
        let target = "/session/\(conversation)/message?limit=1"
        return try await !call(.get, target, as: [Message].self, at: endpoint).isEmpty
    }

    package func prompt(
        _ text: String, in conversation: String, at endpoint: SessionEndpoint
    ) async throws(AgentFailure) {
        let target = "/session/\(conversation)/prompt_async"
        let answer = try await send(.post, target, body: Prompt(parts: [.init(text: text)]), at: endpoint)
        guard (200..<300).contains(answer.status) else { throw AgentFailure("POST \(target): status \(answer.status)") }
    }

    /// The id goes into paths and links, so what an agent calls an id is not believed blindly.
    private func checked(_ id: String) throws(AgentFailure) -> String {
        let isPlain = id.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
                || $0 == UInt8(ascii: "_")
        }
        guard isPlain, (1...64).contains(id.utf8.count) else { throw AgentFailure("an id that is none") }
        return id
    }
}
