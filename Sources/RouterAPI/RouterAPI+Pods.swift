import HTTPTypes
import Identity
import Sessions

/// What a pod may ask of the router, and nothing else: the pods' listener leads here only.
enum PodOperation: Hashable {
    case reportPorts(SessionID), reportProgress(SessionID), gitCredential(SessionID)

    /// The operation, or why there is none.
    static func of(_ method: HTTPRequest.Method, path: String) throws(APIError) -> PodOperation {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "api", parts[2] == "sessions",
            let id = SessionID(parts[3])
        else { throw .notFound }
        let table: [HTTPRequest.Method: PodOperation]
        switch parts[4] {
        case "progress": table = [.post: .reportProgress(id)]
        case "ports": table = [.post: .reportPorts(id)]
        case "git-credential": table = [.post: .gitCredential(id)]
        default: throw .notFound
        }
        guard let operation = table[method] else { throw .wrongMethod(allowed: Array(table.keys)) }
        return operation
    }

    /// Whose pod must be asking.
    var session: SessionID {
        switch self {
        case .reportPorts(let id), .reportProgress(let id), .gitCredential(let id): id
        }
    }
}

extension RouterAPI {
    /// Answers a request that came in on the pods' listener; every failure is an answer, too.
    ///
    /// Who asks is proven by `X-Pod-Secret` alone, and it opens that one session's routes.
    package func respond(toPod request: APIRequest) async -> APIResponse {
        await answer(request) { () async throws(APIError) in
            let operation = try PodOperation.of(request.method, path: request.path)
            let session = try authenticate(operation.session, request)
            switch operation {
            case .reportProgress: return try await reportProgress(of: session, request)
            case .reportPorts: return try await reportPorts(of: session, request)
            case .gitCredential: return try await gitCredential(of: session, request)
            }
        }
    }

    /// The session, if the request proves that its pod is asking; a session without a pod is answered like a wrong secret.
    private func authenticate(_ id: SessionID, _ request: APIRequest) throws(APIError) -> Session {
        let session = try loadedSnapshot()[id]
        // One field exactly: two would let two readers see two secrets.
        let given = request.headers[fields: .xPodSecret].map(\.value)
        // With no secret to compare to, something is compared all the same.
        let known = session?.podSecret ?? ""
        let isEqual = constantTimeEqual(Digest.sha256((given.first ?? "").utf8), Digest.sha256(known.utf8))
        guard isEqual, given.count == 1, let session, !known.isEmpty else {
            guard podFailures.admits(request.peer, at: uptime) else { throw .tooManyRequests }
            audit.record(.denied, request, session: id, ["why": "wrong pod secret"])
            throw APIError(.unauthorized, "pod_secret_wrong", "X-Pod-Secret is missing, or not that of this session.")
        }
        guard podRequests.admits(id.description, at: uptime) else { throw .tooManyRequests }
        return session
    }
}

extension HTTPField.Name {
    static let xPodSecret = Self("X-Pod-Secret")!
}
