internal import FoundationEssentials
package import HTTPClient

/// Asks an API server, one request at a time; decides nothing, and repeats only what the server itself has put off.
package struct KubernetesClient: Sendable {
    package let access: ClusterAccess
    package let namespace: String
    private let http: HTTPClient
    let observer: KubernetesObserver
    /// Where whoever asks again and again waits for a server that is away.
    let doorstep = Doorstep()

    /// One page of 250 objects, each with a long prompt in its annotations.
    private static let answerLimit = 96 << 20

    /// A log is read to show its end on a page; a session's agent decides how much there is.
    private static let logLimit = 1 << 20

    /// A server that is busy (429) is asked so often in all, and waited for so long at most each time.
    private static let attempts = 4
    private static let longestDelay = 5

    package init(
        _ http: HTTPClient, access: ClusterAccess, namespace: String,
        observer: KubernetesObserver = KubernetesObserver()
    ) {
        self.http = http
        self.access = access
        self.namespace = namespace
        self.observer = observer
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

    /// Deletes the object with that UID; true if it was there. 409 says that another one has its name by now.
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

    /// Deletes whatever has that name now, by its UID; true if there was something.
    package func remove<Object: KubernetesObject>(
        _ type: Object.Type, _ name: String
    ) async throws(KubernetesError) -> Bool {
        guard let object = try await find(type, name) else { return false }
        do throws(KubernetesError) { return try await delete(Object.resource, name, uid: object.metadata.uid) } catch {
            // Replaced in between: what was meant is gone, and what is there now is somebody else's newer wish.
            guard error.status == 409 else { throw error }
            return true
        }
    }

    /// The last lines of a container's log, 1 MiB of them at most.
    package func log(
        pod: String, container: String, lines: Int, previous: Bool = false
    ) async throws(KubernetesError) -> String {
        var lines = lines
        while true {
            let bytes = try await log(pod, container, lines, previous)
            // The server counts the bytes from the first of the lines: of longer ones it leaves out the end.
            guard bytes.count >= Self.logLimit, lines > 1 else { return String(decoding: bytes, as: UTF8.self) }
            lines = max(1, lines / 8)
        }
    }

    private func log(
        _ pod: String, _ container: String, _ lines: Int, _ previous: Bool
    ) async throws(KubernetesError) -> [UInt8] {
        var request = KubernetesRequest(
            .get, .pods, namespace: namespace, name: pod, subresource: "log",
            query: [
                (name: "container", value: container), (name: "tailLines", value: "\(lines)"),
                (name: "limitBytes", value: "\(Self.logLimit)"),
            ])
        if previous { request.query.append((name: "previous", value: "true")) }
        return try await collect(request)
    }

    /// Opens a stream of lines; no line for `silence` is an error.
    func stream(
        _ request: KubernetesRequest, silence: Duration, answer: Duration
    ) async throws(KubernetesError) -> ClientBody {
        let response: ClientResponse
        let begin = ContinuousClock.now
        do throws(HTTPClientError) {
            var sent = try clientRequest(request)
            sent.timeouts.idle = silence
            sent.timeouts.head = answer
            response = try await http.send(sent)
        } catch {
            note(request, nil, begin)
            throw KubernetesError(request, Self.cause(error))
        }
        note(request, response.status, begin)
        guard response.status == 200 else {
            let body = (try? await response.body.collect(limit: 1 << 20)) ?? []
            throw Self.failure(request, CollectedResponse(head: response.head, body: body))
        }
        return response.body
    }

    private func collect(_ request: KubernetesRequest) async throws(KubernetesError) -> [UInt8] {
        for attempt in 1... {
            let answer = try await answer(to: request)
            if (200..<300).contains(answer.status) { return answer.body }
            let failure = Self.failure(request, answer)
            // The server has not begun with it (API Priority and Fairness), so that even a create may be sent again.
            guard answer.status == 429, attempt < Self.attempts, let delay = failure.retryAfter,
                delay <= Self.longestDelay
            else { throw failure }
            let pause = Double(max(1, delay)) * Double.random(in: 1...1.5)
            do { try await Task.sleep(for: .milliseconds(Int(pause * 1000))) } catch {
                throw KubernetesError(request, .cancelled)
            }
        }
        preconditionFailure("a loop without an end")
    }

    private func answer(to request: KubernetesRequest) async throws(KubernetesError) -> CollectedResponse {
        let begin = ContinuousClock.now
        do throws(HTTPClientError) {
            let answer = try await http.collect(try clientRequest(request), limit: Self.answerLimit)
            note(request, answer.status, begin)
            return answer
        } catch {
            note(request, nil, begin)
            throw KubernetesError(request, Self.cause(error))
        }
    }

    private func note(_ request: KubernetesRequest, _ status: Int?, _ begin: ContinuousClock.Instant) {
        if status == nil { doorstep.stayedClosed() } else { doorstep.opened() }
        observer.called(
            KubernetesCall(
                verb: request.verb, resource: request.resource, subresource: request.subresource, status: status,
                duration: begin.duration(to: .now)))
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
