import HTTPTypes
import Sessions

/// The caller's environment variables: names come out, values only go in.
extension RouterAPI {
    func listSecrets(_ caller: APICaller) async throws(APIError) -> APIResponse {
        let names = try await keep { store in try await store.names(of: caller.email) }
        return .json(["hasSecret": .bool(!names.isEmpty), "keys": .array(names.map(JSON.string))])
    }

    private struct SecretsBody: Decodable { var secrets: [String: String] }
    private struct SecretBody: Decodable { var value: String }

    func replaceSecrets(_ request: APIRequest, _ caller: APICaller) async throws(APIError) -> APIResponse {
        let secrets = try request.decodeBody(as: SecretsBody.self).secrets
        guard !secrets.isEmpty else { throw .badRequest("invalid_field", "\"secrets\" must not be empty.") }
        guard secrets.count <= SecretName.countLimit else {
            throw .badRequest("invalid_field", "\"secrets\" must not have more than \(SecretName.countLimit) members.")
        }
        for (name, value) in secrets.sorted(by: { $0.key < $1.key }) { try check(name, value) }
        try await keep { store in try await store.replaceAll(of: caller.email, with: secrets) }
        audit.record(.secretsChanged, request, ["change": "replaced"])
        return .json(["success": true, "keys": .array(secrets.keys.sorted().map(JSON.string))])
    }

    func removeSecrets(_ request: APIRequest, _ caller: APICaller) async throws(APIError) -> APIResponse {
        try await keep { store in try await store.replaceAll(of: caller.email, with: [:]) }
        audit.record(.secretsChanged, request, ["change": "removed"])
        return .json(["success": true])
    }

    func putSecret(
        _ name: String, _ request: APIRequest, _ caller: APICaller
    ) async throws(APIError) -> APIResponse {
        let value = try request.decodeBody(as: SecretBody.self).value
        try check(name, value)
        let names = try await keep { store in try await store.names(of: caller.email) }
        guard names.contains(name) || names.count < SecretName.countLimit else {
            throw .badRequest("too_many_secrets", "You have \(SecretName.countLimit) variables; remove one first.")
        }
        try await keep { store in try await store.put(value, as: name, of: caller.email) }
        audit.record(.secretsChanged, request, ["change": "set", "name": "\(name)"])
        return .json(["success": true])
    }

    func removeSecret(
        _ name: String, _ request: APIRequest, _ caller: APICaller
    ) async throws(APIError) -> APIResponse {
        try await keep { store in try await store.remove(name, of: caller.email) }
        audit.record(.secretsChanged, request, ["change": "removed", "name": "\(name)"])
        return .json(["success": true])
    }

    private func check(_ name: String, _ value: String) throws(APIError) {
        if let problem = SecretName.problem(with: name) {
            throw .badRequest("invalid_secret_name", "The name \"\(name)\" \(problem).")
        }
        guard value.utf8.count <= SecretName.valueLimit, !value.utf8.contains(0) else {
            throw .badRequest(
                "invalid_secret_value",
                "The value of \"\(name)\" must not be longer than \(SecretName.valueLimit) bytes, nor contain NUL.")
        }
    }

    private func keep<Result>(
        _ body: (any UserSecretStore) async throws -> Result
    ) async throws(APIError) -> Result {
        guard let secrets else { throw .notSupported("personal environment variables") }
        do {
            return try await body(secrets)
        } catch {
            // The store's error may quote what it was given.
            throw APIError(
                .internalServerError, "secret_store_failed",
                "Your environment variables cannot be read or stored now. Try again later.")
        }
    }
}

/// The caller's repositories, by the token that the sign-in proxy passes on.
extension RouterAPI {
    func userRepositories(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let list = try await ask(request) { catalogue, token throws(RemoteFailure) in
            try await catalogue.repositories(token: token)
        }
        return .json(
            .array(
                list.map {
                    [
                        "name": .string($0.name), "fullName": .string($0.fullName), "url": .string($0.url),
                        "isPrivate": .bool($0.isPrivate), "defaultBranch": .string($0.defaultBranch),
                    ]
                }))
    }

    func userBranches(_ request: APIRequest) async throws(APIError) -> APIResponse {
        guard let repository = request.parameter("repo"), !repository.isEmpty else {
            throw .badRequest("missing_field", "\"repo\" is required.")
        }
        if repository.contains("://") { return try await remoteBranches(of: repository, request) }
        let parts = repository.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && part != "." && part != ".."
                && part.utf8.allSatisfy { $0.isASCIILetterOrDigit || "-_.".utf8.contains($0) }
        }
        guard parts.count == 2, isPlain else {
            throw .badRequest("invalid_field", "\"repo\" must be \"owner/name\" or a repository's address.")
        }
        let names = try await ask(request) { catalogue, token throws(RemoteFailure) in
            try await catalogue.branches(of: repository, token: token)
        }
        return .json(.array(names.map { ["name": .string($0)] }))
    }

    /// The same for any repository, by git's own protocol.
    private func remoteBranches(of url: String, _ request: APIRequest) async throws(APIError) -> APIResponse {
        guard let branches else { throw .notSupported("lists of branches") }
        try check(repository: url)
        do throws(RemoteFailure) {
            let list = try await branches.branches(of: url, token: request.gitToken)
            return .json(.array(list.names.map { ["name": .string($0), "default": .bool($0 == list.defaultBranch)] }))
        } catch {
            throw Self.failure(error, of: url)
        }
    }

    private func ask<Result: Sendable>(
        _ request: APIRequest,
        _ body: (any RepositoryCatalogue, String) async throws(RemoteFailure) -> Result
    ) async throws(APIError) -> Result {
        guard let catalogue else { throw .notSupported("lists of your repositories") }
        guard let token = request.gitToken else {
            throw APIError(.unauthorized, "token_required", "GitHub token required.")
        }
        do throws(RemoteFailure) {
            return try await body(catalogue, token)
        } catch {
            switch error {
            case .unreachable(let reason): throw APIError(.badGateway, "repository_host_unreachable", reason)
            case .refused(let reason): throw APIError(.badRequest, "repository_not_allowed", reason)
            case .status(let status, let reason):
                // What the host says of the caller's token is for the caller.
                let known = (400..<500).contains(status) ? HTTPResponse.Status(code: status) : .badGateway
                throw APIError(known, "repository_host_refused", reason)
            }
        }
    }
}
