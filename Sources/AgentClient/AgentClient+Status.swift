import HTTPClient
package import Sessions

extension AgentClient: AgentStatusProbe {
    private struct Status: Decodable { var type: String }
    private struct Pending: Decodable {}

    /// Busy, retrying or idle by the agent's own list of what works; busy with an open question or permission is waiting
    /// for a person.
    package func status(of session: Session, at endpoint: SessionEndpoint) async -> AgentStatus {
        do throws(AgentFailure) {
            // Idle conversations are absent; children are listed beside their parents.
            let (statuses, questions) = try await statuses(at: endpoint)
            let types = Set(statuses.values.map(\.type)).subtracting(["idle", "paused"])
            guard !types.isEmpty else { return .idle }
            guard types != ["retry"] else { return .retrying }
            return await isWaiting(questions, at: endpoint) ? .waitingForHuman : .busy
        } catch {
            return .unknown
        }
    }

    /// What works, by conversation, and where what people are asked can be read.
    private func statuses(
        at endpoint: SessionEndpoint
    ) async throws(AgentFailure) -> (statuses: [String: Status], questions: [String]) {
        if try await generation(at: endpoint) == .v2,
            // The first agents of the newer API still answered this question by the older one.
            let active = try? await call(
                .get, "/api/session/active", as: AgentObject<[String: Status]>.self, at: endpoint)
        {
            return (active.content, ["/api/permission/request", "/api/question/request", "/api/form"])
        }
        let statuses = try await call(.get, "/session/status", as: [String: Status].self, at: endpoint)
        return (statuses, ["/permission", "/question"])
    }

    /// Whether a person is asked something; an agent that does not say so is at work.
    private func isWaiting(_ lists: [String], at endpoint: SessionEndpoint) async -> Bool {
        for list in lists {
            let pending = try? await call(.get, list, as: AgentList<Pending>.self, at: endpoint)
            if let pending, !pending.elements.isEmpty { return true }
        }
        return false
    }
}
