import FoundationEssentials
package import HTTPClient
package import Sessions

/// What the gateway itself asks of agents, by opencode's HTTP API; every call ends within a few seconds.
///
/// Its calls go straight to the agent and never count as use.
package struct AgentClient: Sendable {
    let http: HTTPClient
    let generations: KnownGenerations

    /// The largest answer that is read: a list of conversations may carry long titles.
    private static let answerLimit = 4 << 20

    /// - Parameter generation: the API that all agents speak; nil asks each of them.
    package init(_ http: HTTPClient, generation: AgentGeneration? = nil) {
        self.http = http
        generations = KnownGenerations(fixed: generation)
    }

    /// An answer of that shape with that status, or why there is none.
    func call<Answer: Decodable>(
        _ method: ClientMethod, _ target: String, body: (any Encodable & Sendable)? = nil, as type: Answer.Type,
        at endpoint: SessionEndpoint
    ) async throws(AgentFailure) -> Answer {
        let answer = try await send(method, target, body: body, at: endpoint)
        guard answer.status == 200 else { throw AgentFailure("\(method.rawValue) \(target): status \(answer.status)") }
        do {
            // An address that the agent does not know gives its page, with status 200 (a single-page application).
            return try JSONDecoder().decode(type, from: Data(answer.body))
        } catch {
            throw AgentFailure("\(method.rawValue) \(target): an answer of another shape")
        }
    }

    func send(
        _ method: ClientMethod, _ target: String, body: (any Encodable & Sendable)? = nil,
        at endpoint: SessionEndpoint
    ) async throws(AgentFailure) -> CollectedResponse {
        var request = try request(method, target, at: endpoint)
        if let body {
            guard let bytes = try? JSONEncoder().encode(body) else { throw AgentFailure("a body that is no JSON") }
            request.fields.append(ClientField("Content-Type", "application/json"))
            request.body = Array(bytes)
        }
        request.timeouts.total = .seconds(5)
        do throws(HTTPClientError) {
            return try await http.collect(request, limit: Self.answerLimit)
        } catch {
            throw AgentFailure("\(method.rawValue) \(target): \(error)")
        }
    }

    /// A request to the agent, with the password that it asks for.
    func request(
        _ method: ClientMethod, _ target: String, at endpoint: SessionEndpoint
    ) throws(AgentFailure) -> ClientRequest {
        guard let address = IPAddress(endpoint.address),
            let url = try? HTTPURL(
                origin: HTTPOrigin(scheme: .http, host: .address(address), port: endpoint.port), target: target)
        else { throw AgentFailure("no agent can be at \(endpoint.address)") }
        var request = ClientRequest(method, url)
        if let password = endpoint.password {
            let credentials = Data("opencode:\(password)".utf8).base64EncodedString()
            request.fields.append(ClientField("Authorization", "Basic \(credentials)"))
        }
        return request
    }
}
