/// The git servers that users' access tokens belong to (GIT_TOKEN_HOSTS); nobody else is ever shown one.
///
/// A token comes from the sign-in, and a sign-in knows its provider, not the address that somebody typed: so the operator
/// names the servers, and a repository elsewhere is asked without a token.
package struct TokenHosts: Hashable, Sendable {
    /// One server, and the user's name that it wants beside a token.
    package struct Entry: Hashable, Sendable {
        /// Scheme, host and, if it is not the scheme's own, port: `https://git.example.com:8443`.
        package var origin: String
        package var user: String

        package init(origin: String, user: String) {
            self.origin = origin
            self.user = user
        }

        /// What follows the scheme: `git.example.com:8443`.
        package var host: String { origin.firstRange(of: "://").map { String(origin[$0.upperBound...]) } ?? origin }
    }

    package let entries: [Entry]

    /// For a sign-in by GitHub.
    package static let github = TokenHosts(entries: [Entry(origin: "https://github.com", user: "x-access-token")])

    package init(entries: [Entry]) { self.entries = entries }

    /// Reads `[user@]host[:port]` of each item; nil if one is none. Only https is spoken to them.
    package init?(_ items: [String]) {
        var entries: [Entry] = []
        for item in items {
            guard let entry = Entry(item) else { return nil }
            entries.append(entry)
        }
        self.entries = entries
    }

    /// The user's name that goes with a token at this server; nil if tokens do not belong there.
    ///
    /// `host` may carry a port, as in git's credential protocol.
    package func user(scheme: String, host: String) -> String? {
        let wanted = "\(scheme)://\(Entry.normalised(host))"
        return entries.first { $0.origin == wanted }?.user
    }

    /// Whether a text may be a token: visible ASCII and not absurdly long, so that it ends no line and no header.
    package static func isToken(_ text: String) -> Bool {
        (1...8192).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
}

extension TokenHosts.Entry {
    /// Reads `[user@]host[:port]`.
    ///
    /// Without a user it is the one that GitHub documents for tokens, or elsewhere `oauth2`, which GitLab asks for and
    /// Gitea takes.
    init?(_ text: String) {
        let halves = text.split(separator: "@", omittingEmptySubsequences: false)
        guard halves.count <= 2, let last = halves.last else { return nil }
        let host = Self.normalised(String(last))
        guard !host.isEmpty, host.utf8.allSatisfy(Self.isHostByte), host.utf8.first != UInt8(ascii: "-") else {
            return nil
        }
        let user = halves.count == 2 ? String(halves[0]) : host == "github.com" ? "x-access-token" : "oauth2"
        guard !user.isEmpty, user.utf8.allSatisfy({ Self.isHostByte($0) || $0 == UInt8(ascii: "_") }) else {
            return nil
        }
        self.init(origin: "https://\(host)", user: user)
    }

    /// In lower case, and without the port that https has anyway.
    static func normalised(_ host: String) -> String {
        let lower = host.lowercased()
        return lower.hasSuffix(":443") ? String(lower.dropLast(4)) : lower
    }

    /// What stands in a host or port, and in the names that servers give tokens' users.
    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: ":"):
            true
        default: false
        }
    }
}
