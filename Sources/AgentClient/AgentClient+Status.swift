import HTTPClient
package import Sessions

extension AgentClient: AgentStatusProbe {
    private struct Status: Decodable { var type: String }
    private struct Pending: Decodable {}

    /// Busy, retrying or idle by `GET /session/status`; busy with an open question or permission is waiting for a person.
    package func status(of session: Session, at endpoint: SessionEndpoint) async -> AgentStatus {
        do throws(AgentFailure) {
            // Idle conversations are absent; children are listed beside their parents.
            let statuses = try await call(.get, "/session/status", as: [String: Status].self, at: endpoint)
            let types = Set(statuses.values.map(\.type)).subtracting(["idle"])
            guard !types.isEmpty else { return .idle }
            guard types.contains("busy") else { return types == ["retry"] ? .retrying : .busy }
            return await isWaiting(at: endpoint) ? .waitingForHuman : .busy
        } catch {
            return .unknown
        }
    }

    /// Whether a person is asked something; an agent that does not say so is at work.
    private func isWaiting(at endpoint: SessionEndpoint) async -> Bool {
        for list in ["/permission", "/question"] {
            let pending = try? await call(.get, list, as: [Pending].self, at: endpoint)
            if let pending, !pending.isEmpty { return true }
        }
        return false
    }
}
