import HTTPTypes
import Logging
import Sessions

extension RouterAPI {
    func listArchives(_ caller: APICaller) async throws(APIError) -> APIResponse {
        let archives = try await archived { archive throws(ArchiveFailure) in try await archive.list(of: caller.email) }
        let list = archives.map { kept in
            JSON.object([
                ("id", .string(kept.id)), ("hash", .string(kept.session.description)),
                ("repoUrl", JSON(kept.repositoryURL)), ("branch", JSON(kept.branch)), ("title", JSON(kept.title)),
                ("archivedAt", .string(kept.archivedAt.description)), ("sizeBytes", .number(kept.bytes)),
            ])
        }
        return .json(["archives": .array(list)])
    }

    /// What an agent wrote, so a file to keep and never a page of ours.
    func getArchive(_ id: String, _ caller: APICaller) async throws(APIError) -> APIResponse {
        let stream = try await archived { archive throws(ArchiveFailure) in try await archive.open(id, of: caller.email)
        }
        guard let stream else {
            throw APIError(.notFound, "archive_not_found", "There is no such archive, or it is not yours.")
        }
        return APIResponse(
            status: .ok,
            headers: [
                .contentType: "application/json; charset=utf-8", .cacheControl: "no-store",
                .contentDisposition: "attachment; filename=\"opencode-\(id).json\"",
                .contentSecurityPolicy: "sandbox",
            ], body: .stream(stream))
    }

    private func archived<Result>(
        _ body: (any SessionArchive) async throws(ArchiveFailure) -> Result
    ) async throws(APIError) -> Result {
        guard let archive else { throw .notSupported("archives of deleted sessions") }
        do throws(ArchiveFailure) { return try await body(archive) } catch {
            logger.error("the archive cannot be read", metadata: ["reason": "\(error)"])
            throw APIError(
                .serviceUnavailable, "archive_unavailable", "The archive cannot be read now. Try again later.",
                headers: [.retryAfter: "5"])
        }
    }

    /// Keeps what was said in a session that is about to be deleted, where the installation wants that.
    func keep(_ session: Session) async throws(APIError) {
        guard let archive else { return }
        do throws(ArchiveFailure) { try await archive.keep(session) } catch {
            let sentence = "The session was not deleted, because what was said in it could not be kept."
            switch error {
            case .agent(let reason): throw APIError(.badGateway, "archive_failed", sentence, hint: reason)
            case .noAgent(let reason):
                throw APIError(
                    .serviceUnavailable, "archive_unavailable", sentence, hint: reason, headers: [.retryAfter: "5"])
            case .disk:
                // Where the disk is, is nobody's business but the operator's.
                throw APIError(
                    .serviceUnavailable, "archive_unavailable", sentence,
                    hint: "The archive cannot be written now; ask the operator to look at its disk.",
                    headers: [.retryAfter: "5"])
            }
        }
    }
}

extension HTTPField.Name {
    static let contentSecurityPolicy = Self("Content-Security-Policy")!
}
