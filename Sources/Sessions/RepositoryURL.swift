/// A repository's address, taken apart; only ``RepositoryURLPolicy`` makes one.
package struct RepositoryURL: Hashable, Sendable {
    /// Lower-case, one of the allowed schemes.
    package let scheme: String
    /// Lower-case and without a trailing dot; an IPv6 address keeps its brackets; empty for `file`.
    package let host: String
    /// The port as written; nil is the scheme's own.
    package let port: UInt16?
    /// Begins with "/".
    package let path: String
    /// The whole address as it was given.
    package let text: String
}

/// Which repository addresses sessions may be made of: a decision about text, before any name is resolved.
///
/// What the host name resolves to is checked where the connection is made. Whoever hands an accepted address to git
/// still passes `--` before it and limits the protocols.
package struct RepositoryURLPolicy: Hashable, Sendable {
    /// The longest address accepted, in bytes.
    package static let limit = 2048

    /// Lower-case schemes (ALLOWED_REPO_SCHEMES).
    package var schemes: [String]
    /// `host`, `host:port` or `*.domain` (ALLOWED_REPO_HOSTS); empty means any host.
    package var hosts: [String]

    package init(schemes: [String] = ["https"], hosts: [String] = []) {
        self.schemes = schemes.map { $0.lowercased() }
        self.hosts = hosts.map { $0.lowercased() }
    }

    /// The parts of an acceptable address; it is not trimmed here.
    package func check(_ text: String) throws(RepositoryURLProblem) -> RepositoryURL {
        guard !text.isEmpty else { throw .empty }
        guard text.utf8.count <= Self.limit else { throw .tooLong }
        guard text.utf8.first != UInt8(ascii: "-") else { throw .leadingDash }
        for byte in text.utf8 where byte <= 0x20 || byte >= 0x7f { throw .forbiddenCharacter(byte) }
        for byte in text.utf8 where Self.forbidden.contains(byte) { throw .forbiddenCharacter(byte) }

        guard let (scheme, rest) = Self.splitScheme(text) else {
            throw .noScheme(suggestion: Self.suggestion(for: text))
        }
        guard schemes.contains(scheme) else { throw .schemeNotAllowed(scheme, allowed: schemes) }
        if rest.utf8.contains(UInt8(ascii: "?")) || rest.utf8.contains(UInt8(ascii: "#")) { throw .queryOrFragment }

        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let (host, port) = try Self.splitAuthority(rest[..<slash], scheme: scheme)
        let path = rest[slash...]
        let segments = path.split(separator: "/")
        guard !segments.isEmpty else { throw .noPath }
        if segments.contains(where: { Self.isDots($0) }) { throw .dotSegment }

        let url = RepositoryURL(scheme: scheme, host: host, port: port, path: String(path), text: text)
        guard hosts.isEmpty || hosts.contains(where: { Self.matches($0, url) }) else {
            throw .hostNotAllowed(host, allowed: hosts)
        }
        return url
    }

    // A backslash is a slash to some readers; the others never stand unencoded in an address.
    private static let forbidden = Set("\\\"<>^`{|}".utf8)

    /// `scheme://rest` with a lower-case scheme, or nil; `ext::command` is none.
    private static func splitScheme(_ text: String) -> (scheme: String, rest: Substring)? {
        guard let colon = text.firstIndex(of: ":"), text[colon...].utf8.starts(with: "://".utf8) else { return nil }
        let scheme = text[..<colon].lowercased()
        guard let first = scheme.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first),
            scheme.utf8.allSatisfy({ $0.isLetterOrDigit || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") })
        else { return nil }
        return (scheme, text[colon...].dropFirst(3))
    }

    /// `git@host:owner/name`, as people copy it, has an https twin.
    private static func suggestion(for text: String) -> String? {
        guard let at = text.firstIndex(of: "@") else {
            guard let slash = text.firstIndex(of: "/"), text[..<slash].dropFirst().contains("."),
                !text[..<slash].contains(":")
            else { return nil }
            return "https://\(text)"
        }
        let parts = text[text.index(after: at)...].split(separator: ":", maxSplits: 1)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].utf8.starts(with: ":".utf8) else { return nil }
        return "https://\(parts[0])/\(parts[1])"
    }

    private static func splitAuthority(
        _ authority: Substring, scheme: String
    ) throws(RepositoryURLProblem) -> (host: String, port: UInt16?) {
        var rest = authority
        if let at = rest.lastIndex(of: "@") {
            // git over ssh needs its account's name; a password or a token never belongs in an address.
            let user = rest[..<at].utf8
            guard scheme == "ssh", let first = user.first, first.isLetterOrDigit,
                user.allSatisfy({ $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") })
            else { throw .userInfo }
            rest = rest[rest.index(after: at)...]
        }
        if scheme == "file" {
            guard rest.isEmpty else { throw .badHost(String(rest)) }
            return ("", nil)
        }
        var port: UInt16?
        if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("]") {
            let digits = rest[rest.index(after: colon)...]
            guard digits.utf8.allSatisfy(\.isDigit), let number = UInt16(digits), number > 0 else {
                throw .badPort(String(digits))
            }
            port = number
            rest = rest[..<colon]
        }
        let host = (rest.last == "." ? rest.dropLast() : rest).lowercased()
        guard !host.isEmpty else { throw .noHost }
        guard isHost(host) else { throw .badHost(host) }
        return (host, port)
    }

    /// A DNS name, a plain dotted IPv4 address or a bracketed IPv6 address.
    ///
    /// Numbers in other spellings (`0x7f.1`, `2130706433`, `127.1`) are none: resolvers disagree about them.
    private static func isHost(_ host: String) -> Bool {
        if host.hasPrefix("[") {
            let inner = host.dropFirst().dropLast()
            return host.hasSuffix("]") && inner.contains(":")
                && inner.utf8.allSatisfy { $0.isHexDigit || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }
        }
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        guard host.utf8.count <= 253, let last = labels.last else { return false }
        let plain = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") }
        }
        guard plain else { return false }
        let numeric = last.utf8.allSatisfy(\.isDigit) || last.hasPrefix("0x")
        guard numeric else { return true }
        return labels.count == 4
            && labels.allSatisfy { label in
                label.utf8.allSatisfy(\.isDigit) && UInt8(label) != nil && (label == "0" || label.first != "0")
            }
    }

    /// "." and "..", encoded or not.
    private static func isDots(_ segment: Substring) -> Bool {
        let decoded = segment.lowercased().replacingDotEscapes
        return decoded == "." || decoded == ".."
    }

    private static func matches(_ pattern: String, _ url: RepositoryURL) -> Bool {
        if pattern == "*" { return true }
        if pattern.hasPrefix("*.") {
            return url.host.hasSuffix(pattern.dropFirst()) && url.host != pattern.dropFirst(2)
        }
        if pattern == url.host { return true }
        guard let port = url.port else { return false }
        return pattern == "\(url.host):\(port)"
    }
}

/// Why an address was refused.
package enum RepositoryURLProblem: Error, Hashable, Sendable {
    case empty, tooLong, leadingDash, userInfo, noHost, noPath, queryOrFragment, dotSegment
    case forbiddenCharacter(UInt8)
    case noScheme(suggestion: String?)
    case schemeNotAllowed(String, allowed: [String])
    case badHost(String)
    case badPort(String)
    case hostNotAllowed(String, allowed: [String])

    /// A sentence for a person.
    package var message: String {
        switch self {
        case .empty: "The repository's address is empty."
        case .tooLong: "The repository's address is longer than \(RepositoryURLPolicy.limit) bytes."
        case .leadingDash: "The repository's address begins with \"-\"; write it as https://host/owner/name."
        case .userInfo: "The repository's address carries a user name or token; write it without."
        case .noHost: "The repository's address names no host."
        case .noPath: "The repository's address names a host but no repository on it."
        case .queryOrFragment: "The repository's address must not contain \"?\" or \"#\"."
        case .dotSegment: "The repository's address must not contain \".\" or \"..\" as a part of its path."
        case .forbiddenCharacter(let byte) where byte >= 0x80:
            "The repository's address contains characters outside ASCII; percent-encode them (a host as punycode)."
        case .forbiddenCharacter(let byte) where byte <= 0x20 || byte == 0x7f:
            "The repository's address contains spaces or control characters."
        case .forbiddenCharacter(let byte):
            "The repository's address contains \"\(Character(UnicodeScalar(byte)))\"."
        case .noScheme(let suggestion?): "The repository's address has no scheme; write \(suggestion) instead."
        case .noScheme: "The repository's address has no scheme; write it as https://host/owner/name."
        case .schemeNotAllowed(let scheme, let allowed):
            "Repositories over \(scheme):// are not allowed here; allowed: \(allowed.joined(separator: ", "))."
        case .badHost(let host): "\"\(host)\" is not a host name."
        case .badPort(let port): "\"\(port)\" is not a port; 1 to 65535 are."
        case .hostNotAllowed(let host, let allowed):
            "Repositories on \(host) are not allowed here; allowed: \(allowed.joined(separator: ", "))."
        }
    }
}

extension String {
    /// With every `%2e` read as the dot that it stands for.
    fileprivate var replacingDotEscapes: String {
        var result = ""
        var rest = self[...]
        while let character = rest.first {
            let escaped = rest.hasPrefix("%2e")
            result.append(escaped ? "." : character)
            rest = rest.dropFirst(escaped ? 3 : 1)
        }
        return result
    }
}

extension UInt8 {
    var isDigit: Bool { (0x30...0x39).contains(self) }
    var isLetterOrDigit: Bool { isDigit || (0x41...0x5a).contains(self) || (0x61...0x7a).contains(self) }
    var isHexDigit: Bool { isDigit || (0x41...0x46).contains(self) || (0x61...0x66).contains(self) }
}
