import FoundationEssentials
package import HTTPClient
import Sessions

extension AgentControl {
    /// Talks to agents as opencode expects it, with each agent's own password.
    package static func http(_ client: HTTPClient) -> AgentControl {
        AgentControl(
            isHealthy: { endpoint in
                guard let request = request(.get, "/global/health", endpoint, within: .seconds(2)),
                    let answer = try? await client.collect(request, limit: 64 << 10), answer.status == 200
                else { return false }
                // Any web server may have taken the port; only an agent says this.
                struct Health: Decodable { var healthy: Bool }
                return (try? JSONDecoder().decode(Health.self, from: Data(answer.body)))?.healthy == true
            },
            dispose: { endpoint in
                guard let request = request(.post, "/global/dispose", endpoint, within: .seconds(5)) else { return }
                _ = try? await client.collect(request, limit: 64 << 10)
            })
    }

    private static func request(
        _ method: ClientMethod, _ target: String, _ endpoint: SessionEndpoint, within limit: Duration
    ) -> ClientRequest? {
        guard let address = IPAddress(endpoint.address) else { return nil }
        let origin = HTTPOrigin(scheme: .http, host: .address(address), port: endpoint.port)
        guard let url = try? HTTPURL(origin: origin, target: target) else { return nil }
        var request = ClientRequest(method, url)
        if let password = endpoint.password {
            let credentials = Data("opencode:\(password)".utf8).base64EncodedString()
            request.fields.append(ClientField("Authorization", "Basic \(credentials)"))
        }
        request.timeouts.total = limit
        return request
    }
}
