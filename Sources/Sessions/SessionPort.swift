/// Who may reach a port of a session.
package enum PortVisibility: String, Hashable, Sendable, CaseIterable {
    /// The session's owner only, as long as nothing else was said.
    case owner
    /// Everybody who is signed in to the installation.
    case signedIn = "signed-in"
    /// Whoever knows the address.
    case everyone = "public"
}

/// What an owner said about one port: who else may reach it, and for how long.
package struct PortRule: Hashable, Sendable, CustomStringConvertible {
    package var visibility: PortVisibility
    /// From then on it is the owner's alone again; nil: until the owner says otherwise.
    package var expiresAt: Timestamp?

    package init(_ visibility: PortVisibility, until expiresAt: Timestamp? = nil) {
        self.visibility = visibility
        self.expiresAt = expiresAt
    }

    /// Takes what `description` gives; anything else is nil.
    package init?(_ text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard let visibility = PortVisibility(rawValue: String(words[0])), visibility != .owner, words.count <= 2 else {
            return nil
        }
        if words.count == 2 {
            guard let end = Timestamp(words[1]) else { return nil }
            self.init(visibility, until: end)
        } else {
            self.init(visibility)
        }
    }

    /// `public`, or `public 2026-01-31T09:05:07.250Z`: how it is stored.
    package var description: String {
        expiresAt.map { "\(visibility.rawValue) \($0)" } ?? visibility.rawValue
    }

    /// Whether the rule has not ended at this time.
    package func isInForce(at now: Timestamp) -> Bool { expiresAt.map { now < $0 } ?? true }
}

/// The ports of a session that may be reached at all.
package struct PortPolicy: Hashable, Sendable {
    /// Those of the agent and of sidecars: each would be a way past the agent's password, or a debugger.
    package var denied: Set<UInt16>

    /// More detected ports than this are not kept, nor are more rules.
    package static let limit = 64

    package init(denied: Set<UInt16> = []) { self.denied = denied }

    /// 1024 to 65535, except the denied ones.
    package func admits(_ port: Int) -> UInt16? {
        guard let port = UInt16(exactly: port), port >= 1024, !denied.contains(port) else { return nil }
        return port
    }

    /// What is worth keeping of a report: admitted ports, once each, in order.
    package func keeps(_ reported: [Int]) -> [UInt16] {
        Array(Set(reported.compactMap(admits)).sorted().prefix(Self.limit))
    }
}
