import HTTPClient
package import Sessions

extension AgentClient: TitledAgent {
    private struct Conversation: Decodable { var title: String? }

    package func title(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String? {
        let newest = try await conversations(at: endpoint).newest
        let list = try await call(.get, newest, as: AgentList<Conversation>.self, at: endpoint).elements
        // What opencode writes until it has thought of a title.
        guard let title = list.first?.title, !title.hasPrefix("New session - ") else { return nil }
        return title
    }
}
