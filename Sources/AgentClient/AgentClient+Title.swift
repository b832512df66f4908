import HTTPClient
package import Sessions

extension AgentClient: TitledAgent {
    private struct Conversation: Decodable { var title: String? }

    package func title(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String? {
        let list = try await call(.get, "/session?limit=1&roots=true", as: [Conversation].self, at: endpoint)
        // What opencode writes until it has thought of a title.
        guard let title = list.first?.title, !title.hasPrefix("New session - ") else { return nil }
        return title
    }
}
