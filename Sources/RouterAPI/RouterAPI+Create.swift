import HTTPTypes
import Identity
import Sessions

extension RouterAPI {
    private struct CreateBody: Decodable {
        var repoUrl: String?
        var branch: String?
        var sourceBranch: String?
        var initialMessage: String?
    }

    /// The longest first prompt, in bytes: it is stored beside the session's other notes.
    private static var messageLimit: Int { 64 << 10 }

    func createSession(_ request: APIRequest, _ caller: APICaller) async throws(APIError) -> APIResponse {
        let body = try request.decodeBody(as: CreateBody.self)
        let message = body.initialMessage.flatMap { $0.isEmpty ? nil : $0 }
        if let message, message.utf8.count > Self.messageLimit {
            throw .badRequest("message_too_long", "\"initialMessage\" must not be longer than 64 KiB.")
        }
        let snapshot = try loadedSnapshot()

        // The key trims; what is checked below is what is used.
        let key = SessionKey(email: caller.email, repositoryURL: Self.given(body.repoUrl), branch: body.branch ?? "")
        let wish: Wish
        if let url = key.repositoryURL {
            try check(repository: url)
            try check(branch: key.branch, field: "branch")
            wish = Wish(id: Self.id(of: key), key: key, message: message, token: request.gitToken)
        } else {
            // Nothing is there yet to branch from; the project begins on its own branch.
            let branch = key.branch.isEmpty ? "main" : key.branch
            try check(branch: branch, field: "branch")
            let blank = SessionKey(email: caller.email, repositoryURL: nil, branch: branch)
            wish = Wish(id: Self.id(of: blank), key: blank, message: message, token: request.gitToken)
        }
        let source = Self.given(body.sourceBranch)
        if let source { try check(branch: source, field: "sourceBranch") }

        let existing = snapshot[wish.id]
        try await starts.run(wish.id, owner: caller.email, limits: settings.limits, directory: directory) {
            () async throws(APIError) in
            let specification = SessionSpecification(
                id: wish.id, key: wish.key,
                sourceBranch: try await sourceBranch(source, of: wish, existing: existing),
                initialMessage: wish.message, gitToken: wish.token)
            try await order { () throws(SessionRuntimeError) in try await runtime.create(specification) }
            renewal.begins(wish.id, with: wish.token)
            audit.record(existing == nil ? .created : .resumed, request, session: wish.id)
            await settleStart(of: wish.id, before: existing)
        }
        var response = APIResponse.json(
            ["hash": .string(wish.id.description), "url": nil, "state": "creating"], status: .created)
        response.headers[.location] = "/api/sessions/\(wish.id)"
        return response
    }

    /// What is to be made, apart from the branch it starts from.
    private struct Wish: Sendable {
        var id: SessionID
        var key: SessionKey
        var message: String?
        var token: String?
    }

    private static func id(of key: SessionKey) -> SessionID {
        SessionID(digest: Digest.sha256(key.digestInput(blankProjectID: Random.uuid()).utf8))
    }

    /// The text without white space around it; nil if nothing is left.
    private static func given(_ text: String?) -> String? {
        guard let text, let first = text.firstIndex(where: { !$0.isWhitespace }),
            let last = text.lastIndex(where: { !$0.isWhitespace })
        else { return nil }
        return String(text[first...last])
    }

    func check(repository url: String) throws(APIError) {
        do throws(RepositoryURLProblem) {
            _ = try settings.repositories.check(url)
        } catch {
            switch error {
            case .schemeNotAllowed, .hostNotAllowed:
                throw APIError(.badRequest, "repository_not_allowed", error.message)
            default: throw .badRequest("invalid_repository", error.message)
            }
        }
    }

    private func check(branch: String, field: String) throws(APIError) {
        do throws(BranchNameProblem) {
            _ = try BranchName(branch)
        } catch .empty {
            throw .badRequest("missing_field", "\(field) is required.")
        } catch {
            throw .badRequest("invalid_branch", "\"\(field)\" \(error.message).")
        }
    }

    /// Where the session's branch starts: as wished, if the remote has it; else its own name or the remote's default.
    private func sourceBranch(
        _ wished: String?, of wish: Wish, existing: Session?
    ) async throws(APIError) -> String {
        guard let url = wish.key.repositoryURL else { return wished ?? wish.key.branch }
        // The folder is there already; its remote may be down today. After a failure the wish may be a better one.
        if let existing {
            guard case .failed = existing.state else { return existing.sourceBranch }
        }
        // Other transports (file, ssh) are git's own; there the clone finds out.
        let scheme = url.prefix { $0 != ":" }.lowercased()
        guard let branches, scheme == "https" || scheme == "http" else { return wished ?? wish.key.branch }
        let list: RemoteBranchList
        do throws(RemoteFailure) {
            list = try await branches.branches(of: url, token: wish.token)
        } catch {
            throw Self.failure(error, of: url)
        }
        // An empty repository has no branch to miss.
        guard !list.names.isEmpty else { return wished ?? list.defaultBranch ?? wish.key.branch }
        if let wished {
            guard list.names.contains(wished) else {
                throw .badRequest("branch_not_found", "Branch \"\(wished)\" not found on \(url).")
            }
            return wished
        }
        if list.names.contains(wish.key.branch) { return wish.key.branch }
        guard let main = list.defaultBranch, list.names.contains(main) else {
            throw .badRequest(
                "source_branch_required",
                "\(url) names no default branch; say in \"sourceBranch\" which branch to start from.")
        }
        return main
    }

    static func failure(_ failure: RemoteFailure, of url: String) -> APIError {
        switch failure {
        case .unreachable(let reason):
            APIError(.badGateway, "repository_unreachable", "\(url) cannot be read: \(reason)")
        case .refused(let reason): APIError(.badRequest, "repository_not_allowed", reason)
        case .status(let status, let reason):
            APIError(.badGateway, "repository_unreachable", "\(url) cannot be read (\(status)): \(reason)")
        }
    }
}
