/// What makes a session one session: who, which repository, which branch.
package struct SessionKey: Hashable, Sendable {
    /// The owner's address, trimmed and lower-cased.
    package let email: String
    /// The repository's address as the owner gave it, trimmed; nil for a blank project.
    package let repositoryURL: String?
    /// The session's branch, trimmed.
    package let branch: String

    /// Trims all three and lower-cases the address, so that equal keys hash equally (contract A1).
    package init(email: String, repositoryURL: String?, branch: String) {
        self.email = email.trimmed.lowercased()
        self.repositoryURL = repositoryURL.map(\.trimmed)
        self.branch = branch.trimmed
    }

    /// The text whose SHA-256 names the session; a blank project puts a random UUID in place of `repository:branch`.
    package func digestInput(blankProjectID: String = "") -> String {
        guard let repositoryURL else { return "\(email):\(blankProjectID)" }
        return "\(email):\(repositoryURL):\(branch)"
    }
}

/// The name of a session in hosts, objects and the API: twelve lower-case hexadecimal digits.
package struct SessionID: Hashable, Sendable, CustomStringConvertible, Comparable {
    /// The 48 bits that the digits spell.
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue & 0xffff_ffff_ffff
    }

    /// Takes exactly twelve digits of `0-9a-f`; anything else is nil.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count == 12 else { return nil }
        var value: UInt64 = 0
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt64(byte - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(byte - 0x61 + 10)
            default: return nil
            }
        }
        rawValue = value
    }

    /// Takes the first six bytes of a digest of at least six bytes.
    package init(digest: some Sequence<UInt8>) {
        rawValue = digest.prefix(6).reduce(0) { $0 << 8 | UInt64($1) }
    }

    package var description: String {
        let digits = String(rawValue, radix: 16)
        return String(repeating: "0", count: 12 - digits.utf8.count) + digits
    }

    package static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }
}

extension String {
    /// Without white space at both ends, as JavaScript's `trim` would leave it for the inputs that pass validation.
    var trimmed: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }
}
