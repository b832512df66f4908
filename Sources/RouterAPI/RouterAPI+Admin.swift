import HTTPTypes
import Identity
import Sessions

extension RouterAPI {
    /// An administrator by address, or whoever holds the admin secret.
    func isAdmin(_ request: APIRequest) -> Bool {
        if request.caller?.isAdmin == true { return true }
        guard let secret = adminKey.value, !secret.isEmpty, let given = request.headers[.xAdminSecret] else {
            return false
        }
        // Digests have one length, so that the time tells nothing of the secret's.
        return constantTimeEqual(Digest.sha256(given.utf8), Digest.sha256(secret.utf8))
    }

    func listEverything(_ request: APIRequest) throws(APIError) -> APIResponse {
        let snapshot = try loadedSnapshot()
        audit.record(.adminRead, request)
        let running = snapshot.sessions.count {
            switch $0.state {
            case .creating, .running: true
            case .stopping, .stopped, .failed: false
            }
        }
        func bound(_ number: Int) -> JSON { number > 0 ? .number(number) : .null }
        return conditional(
            [
                "sessions": presenter.sessions(snapshot.sessions, in: snapshot),
                "totals": ["sessions": .number(snapshot.sessions.count), "running": .number(running)],
                "limits": [
                    "sessionsPerUser": bound(settings.limits.perUser),
                    "runningPerUser": bound(settings.limits.runningPerUser),
                    "runningTotal": bound(settings.limits.runningTotal),
                ],
                "stale": .bool(!snapshot.inSync), "staleReason": JSON(snapshot.staleReason),
            ], request)
    }

    private struct PullBody: Decodable {
        var image: String
        var updateConfig: Bool?
    }

    /// Answers in the original's shape, `status` and `message`, when the image was ready or could not be.
    func pullImage(_ request: APIRequest) async throws(APIError) -> APIResponse {
        guard let images else { throw .notSupported("pulling images: its sessions do not run in a cluster") }
        let body = try request.decodeBody(as: PullBody.self)
        guard (1...512).contains(body.image.utf8.count), body.image.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else {
            throw .badRequest(
                "invalid_image", "\"image\" must be the name of an image, such as registry.example.com/a:1.")
        }
        do throws(SessionFailure) {
            try await images.pull(body.image)
        } catch {
            audit.record(.imagePulled, request, ["image": body.image, "failed": error.code])
            return .json(
                [
                    "status": "failed", "message": .string(error.message), "error": .string(error.message),
                    "code": .string(error.code), "hint": .string(error.hint), "log": JSON(error.log),
                ], status: .internalServerError)
        }
        audit.record(.imagePulled, request, ["image": body.image])
        var message = "The image \(body.image) was pulled, and its agent got ready."
        if body.updateConfig == true, body.image != images.sessionImage {
            // One replica's memory would forget it, and the others never know.
            message += " New sessions still run \(images.sessionImage): set OPENCODE_IMAGE to change that."
        }
        return .json(["status": "success", "message": .string(message)])
    }
}
