import FoundationEssentials
package import HTTPClient

/// A user's token, which never shows in texts.
package struct GitCredentials: Sendable, CustomStringConvertible, CustomReflectable {
    let token: String

    package init(token: String) { self.token = token }

    package var description: String { "a token" }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Which servers a user's token belongs to; nobody else ever sees it.
package struct TokenPolicy: Sendable {
    /// The user name that goes with a token, by `host` or, for another port than 443, `host:port`.
    private let users: [String: String]

    /// A token of github.com, with the user name that GitHub documents for tokens.
    package static let github = TokenPolicy(users: ["github.com": "x-access-token"])

    /// `users` gives the user name that goes with a token, by host (`gitlab.example.com`, `git.example.com:8443`).
    package init(users: [String: String]) {
        self.users = Dictionary(users.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    /// The Authorization field for this server; nil if the token is not its, or the connection would be readable.
    package func authorization(_ credentials: GitCredentials?, for origin: HTTPOrigin) -> ClientField? {
        guard let credentials, origin.scheme == .https, let user = users[origin.authority] else { return nil }
        let pair = Data("\(user):\(credentials.token)".utf8).base64EncodedString()
        return ClientField("Authorization", "Basic \(pair)")
    }
}
