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
}
