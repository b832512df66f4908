import FoundationEssentials
import HTTPClient
package import Sessions
import Synchronization

/// The APIs of the agents that were asked, by their incarnation.
final class KnownGenerations: Sendable {
    let fixed: AgentGeneration?
    private let known = Mutex<[String: AgentGeneration]>([:])

    /// So many are remembered; to ask again costs one request.
    private static let limit = 1000

    init(fixed: AgentGeneration?) { self.fixed = fixed }

    subscript(incarnation: String) -> AgentGeneration? {
        get { fixed ?? known.withLock { $0[incarnation] } }
        set {
            known.withLock { known in
                if known.count >= Self.limit { known = [:] }
                known[incarnation] = newValue
            }
        }
    }
}

extension AgentClient {
    private struct Info: Decodable {
        // Any object will do: what an older agent gives for this address is its page.
        private enum Names: CodingKey {}
        init(from decoder: any Decoder) throws { _ = try decoder.container(keyedBy: Names.self) }
    }

    package func generation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> AgentGeneration {
        if let known = generations[endpoint.incarnation] { return known }
        let answer = try await send(.get, "/api/info", at: endpoint)
        // An agent that has not begun is no older agent.
        guard answer.status < 500 else { throw AgentFailure("GET /api/info: status \(answer.status)") }
        let isInfo = answer.status == 200 && (try? JSONDecoder().decode(Info.self, from: Data(answer.body))) != nil
        let generation: AgentGeneration = isInfo ? .v2 : .v1
        generations[endpoint.incarnation] = generation
        return generation
    }
}

/// A list as either API gives it: bare, or beside a cursor.
struct AgentList<Element: Decodable>: Decodable {
    var elements: [Element]

    private enum Names: String, CodingKey { case items, data }

    init(from decoder: any Decoder) throws {
        if let bare = try? decoder.singleValueContainer().decode([Element].self) {
            elements = bare
        } else {
            let container = try decoder.container(keyedBy: Names.self)
            elements =
                try container.decodeIfPresent([Element].self, forKey: .items)
                ?? container.decode([Element].self, forKey: .data)
        }
    }
}

/// One object as either API gives it: bare, or as the answer's data.
struct AgentObject<Content: Decodable>: Decodable {
    var content: Content

    private enum Names: CodingKey { case data }

    init(from decoder: any Decoder) throws {
        if let bare = try? Content(from: decoder) {
            content = bare
        } else {
            content = try decoder.container(keyedBy: Names.self).decode(Content.self, forKey: .data)
        }
    }
}
