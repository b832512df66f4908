internal import FoundationEssentials
package import HTTPClient

/// Asks an API server, one request at a time; decides nothing and repeats nothing.
package struct KubernetesClient: Sendable {
    package let access: ClusterAccess
    package let namespace: String
    private let http: HTTPClient
    /// Counts requests by verb and kind, for the budget of the byte path: zero.
    private let count: @Sendable (Verb, Resource) -> Void

    /// One page of 250 objects, each with a long prompt in its annotations.
    private static let answerLimit = 96 << 20

    package init(
        _ http: HTTPClient, access: ClusterAccess, namespace: String,
        count: @escaping @Sendable (Verb, Resource) -> Void = { _, _ in }
    ) {
        self.http = http
        self.access = access
        self.namespace = namespace
        self.count = count
    }

    /// Sends a request and decodes its answer.
    package func call<Answer: Decodable>(
        _ request: KubernetesRequest, as type: Answer.Type
    ) async throws(KubernetesError) -> Answer {
        let body = try await collect(request)
        do {
            return try JSONDecoder().decode(type, from: Data(body))
        } catch {
            throw KubernetesError(request, .malformed("the answer has another shape than expected"))
        }
    }

    /// Sends a request; the answer's body does not matter.
    package func perform(_ request: KubernetesRequest) async throws(KubernetesError) {
        _ = try await collect(request)
    }

    /// One object.
    package func get<Object: KubernetesObject>(
        _ type: Object.Type, _ name: String
    ) async throws(KubernetesError) -> Object {
        try await call(KubernetesRequest(.get, Object.resource, namespace: namespace, name: name), as: type)
    }

    /// One object; nil if there is none.
    package func find<Object: KubernetesObject>(
        _ type: Object.Type, _ name: String
    ) async throws(KubernetesError) -> Object? {
        do throws(KubernetesError) { return try await get(type, name) } catch {
            guard error.status == 404 else { throw error }
            return nil
        }
    }

    /// Makes an object of a document.
    package func create<Object: KubernetesObject>(
        _ document: JSONValue, as type: Object.Type
    ) async throws(KubernetesError) -> Object {
        try await call(
            KubernetesRequest(
                .create, Object.resource, namespace: namespace, name: nil, body: document), as: type)
    }

    /// Changes members of an object; null removes one (RFC 7396).
    package func patch<Object: KubernetesObject>(
        _ type: Object.Type, _ name: String, _ document: JSONValue
    ) async throws(KubernetesError) -> Object {
        try await call(
            KubernetesRequest(.patch, Object.resource, namespace: namespace, name: name, body: document), as: type)
    }

    /// Deletes one object; true if it was there.
    package func delete(
        _ resource: Resource, _ name: String, uid: String?, graceSeconds: Int? = nil
    ) async throws(KubernetesError) -> Bool {
        do throws(KubernetesError) {
            try await perform(
                .delete(resource, namespace: namespace, name: name, uid: uid, graceSeconds: graceSeconds))
            return true
        } catch {
            guard error.status == 404 else { throw error }
            return false
        }
    }

    /// The last lines of a container's log.
    package func log(
        pod: String, container: String, lines: Int, previous: Bool = false
    ) async throws(KubernetesError) -> String {
        var request = KubernetesRequest(
            .get, .pods, namespace: namespace, name: pod, subresource: "log",
            query: [(name: "container", value: container), (name: "tailLines", value: "\(lines)")])
        if previous { request.query.append((name: "previous", value: "true")) }
        return String(decoding: try await collect(request), as: UTF8.self)
    }

    /// Opens a stream of lines; no line for `silence` is an error.
    func stream(_ request: KubernetesRequest, silence: Duration) async throws(KubernetesError) -> ClientBody {
        let response: ClientResponse
        do throws(HTTPClientError) {
            var sent = try clientRequest(request)
            sent.timeouts.idle = silence
            count(request.verb, request.resource)
            response = try await http.send(sent)
        } catch {
            throw KubernetesError(request, Self.cause(error))
        }
        guard response.status == 200 else {
            let body = (try? await response.body.collect(limit: 1 << 20)) ?? []
            throw Self.failure(request, CollectedResponse(head: response.head, body: body))
        }
        return response.body
    }

    private func collect(_ request: KubernetesRequest) async throws(KubernetesError) -> [UInt8] {
        let answer: CollectedResponse
        do throws(HTTPClientError) {
            let sent = try clientRequest(request)
            count(request.verb, request.resource)
            answer = try await http.collect(sent, limit: Self.answerLimit)
        } catch {
            throw KubernetesError(request, Self.cause(error))
        }
        guard (200..<300).contains(answer.status) else { throw Self.failure(request, answer) }
        return answer.body
    }

    private func clientRequest(_ request: KubernetesRequest) throws(HTTPClientError) -> ClientRequest {
        // Every name and value in a target is escaped, so only a configured prefix could make this fail.
        guard let url = try? HTTPURL(origin: access.server, target: access.prefix + request.target) else {
            throw HTTPClientError(request.method, Self.nowhere, .invalidField(name: "target"))
        }
        var fields = [ClientField("Accept", "application/json")]
        var body: [UInt8]?
        do throws(AccessProblem) {
            if let token = try access.token?.read() {
                fields.append(ClientField("Authorization", "Bearer \(token.filter { !$0.isWhitespace })"))
            }
            if let document = request.body {
                guard let data = try? JSONEncoder().encode(document) else {
                    throw AccessProblem("a document that is no JSON")
                }
                body = Array(data)
                fields.append(ClientField("Content-Type", request.contentType))
            }
            var sent = ClientRequest(request.method, url, fields: fields, body: body)
            sent.tls = try access.tls()
            sent.timeouts.head = .seconds(20)
            return sent
        } catch {
            throw HTTPClientError(request.method, url, .unresolvable(reason: error.sentence))
        }
    }

    private static let nowhere: HTTPURL = try! HTTPURL("https://invalid/")

    private static func cause(_ error: HTTPClientError) -> KubernetesError.Cause {
        if case .cancelled = error.cause { return .cancelled }
        return .unreachable("\(error.cause)")
    }

    private static func failure(_ request: KubernetesRequest, _ answer: CollectedResponse) -> KubernetesError {
        let status = try? JSONDecoder().decode(StatusDocument.self, from: Data(answer.body))
        let text = String(decoding: answer.body.prefix(400), as: UTF8.self)
        let retry = answer.head["Retry-After"].flatMap(Int.init) ?? status?.details?.retryAfterSeconds
        return KubernetesError(
            request,
            .status(answer.status, reason: status?.reason ?? "", message: status?.message ?? text),
            retryAfter: retry)
    }
}
