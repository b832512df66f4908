import HTTPTypes
import Sessions

/// What git asks when a server wants to know who is asking, and what it is told (gitcredentials(7), git-credential(1)).
enum GitCredential {
    /// The longest question; git's own are a few hundred bytes.
    private static let limit = 4096

    /// Which server asks, out of git's question: lines of `name=value`, of which an empty one is the last.
    ///
    /// Attributes that are not needed are passed over; one that comes twice, or a value with a control byte, makes the
    /// question none: two readers could understand it differently.
    static func question(_ body: [UInt8]) throws(APIError) -> (scheme: String, host: String) {
        guard body.count <= limit else { throw malformed }
        var scheme: String?
        var host: String?
        for line in body.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            if line.isEmpty { break }
            guard line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }), let equals = line.firstIndex(of: UInt8(ascii: "=")),
                let text = String(validating: line[line.index(after: equals)...], as: UTF8.self)
            else { throw malformed }
            switch String(decoding: line[..<equals], as: UTF8.self) {
            case "protocol" where scheme == nil: scheme = text
            case "host" where host == nil: host = text
            case "protocol", "host", "url": throw malformed
            default: break
            }
        }
        guard let scheme, let host else { throw malformed }
        return (scheme, host)
    }

    /// What git is told; both texts are free of line breaks.
    static func answer(user: String, token: String) -> String { "username=\(user)\npassword=\(token)\n" }

    private static let malformed = APIError(
        .badRequest, "invalid_credential_question",
        "The body must be what git gives a credential helper: lines of name=value with \"protocol\" and \"host\", once each."
    )
}

extension RouterAPI {
    /// Tells a pod's git the owner's present token, if it belongs to the server that wants one.
    func gitCredential(of session: Session, _ request: APIRequest) async throws(APIError) -> APIResponse {
        guard credentialRequests.admits(session.id.description, at: uptime) else { throw .tooManyRequests }
        let (scheme, host) = try GitCredential.question(request.body)
        let id = session.id
        guard let user = settings.tokenHosts.user(scheme: scheme, host: host) else {
            // Not the host itself: it is whatever the session made up.
            audit.record(.denied, email: session.owner, request, session: id, ["why": "no host of tokens"])
            throw Self.noCredential
        }
        let token = try await order { () async throws(SessionRuntimeError) in try await runtime.gitToken(of: id) }
        guard let token, TokenHosts.isToken(token) else { throw Self.noCredential }
        audit.record(.tokenGiven, email: session.owner, request, session: id, ["host": host.lowercased()])
        return .text(GitCredential.answer(user: user, token: token))
    }

    /// One answer for a host that no token belongs to and an owner who has none.
    private static let noCredential = APIError(
        .notFound, "no_credential", "There is no token of this session's owner for that server.")
}
