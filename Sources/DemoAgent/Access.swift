internal import HTTPWire
internal import Identity

internal import struct FoundationEssentials.Data

/// Who may use the agent: everybody who reaches it, or who knows the password.
struct Access: Sendable {
    /// What `Authorization: Basic` must carry (RFC 7617); nil lets everybody in.
    private let credentials: [UInt8]?

    init(username: String, password: String?) {
        credentials = password.map { Array(Data("\(username):\($0)".utf8).base64EncodedString().utf8) }
    }

    /// The refusal, or nil for a request that may go on.
    func refusal(of request: Request) -> Response? {
        if let credentials, request.method != .options, !isKnown(request, credentials) {
            var response = Response.failure(401, "UnauthorizedError", "The demo agent asks for its password.")
            response.fields.append(("WWW-Authenticate", #"Basic realm="demo agent""#))
            return response
        }
        // This is a shell on somebody's machine: another site's page must not reach it through their browser.
        if !isSameOrigin(request) && (!request.method.isSafe || request.upgrade == .webSocket) {
            return .failure(403, "ForbiddenError", "A page of another site may not do this.")
        }
        return nil
    }

    private func isKnown(_ request: Request, _ credentials: [UInt8]) -> Bool {
        // As in opencode, the query's token goes before the header.
        if let token = request.query["auth_token"] { return constantTimeEqual(Array(token.utf8), credentials) }
        guard let value = request.field("authorization") else { return false }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "basic" else { return false }
        return constantTimeEqual(Array(parts[1].utf8), credentials)
    }

    /// Whether the request names no origin or the host it is for. The scheme is not compared: a proxy in front may
    /// speak TLS.
    private func isSameOrigin(_ request: Request) -> Bool {
        guard request.fields.contains(where: { $0.name == "origin" }) else { return true }
        guard let origin = request.field("origin")?.lowercased() else { return false }
        for (scheme, port) in [("http://", ":80"), ("https://", ":443")] where origin.hasPrefix(scheme) {
            func bare(_ authority: some StringProtocol) -> String {
                authority.hasSuffix(port) ? String(authority.dropLast(port.count)) : String(authority)
            }
            return bare(origin.dropFirst(scheme.count)) == bare(request.authority)
        }
        return false
    }
}
