/// What kind of place an address points to, by the IANA special-purpose registries (RFC 6890 and its updates).
package enum AddressScope: String, Hashable, Sendable {
    /// Reachable from anywhere: somebody's public server.
    case global
    /// This machine.
    case loopback
    /// A private network (RFC 1918), or a local NAT64 prefix (RFC 8215).
    case privateNetwork
    /// The network between a provider and its customers (RFC 6598); clouds put internal services here.
    case sharedNetwork
    /// One link (RFC 3927, RFC 4291 §2.5.6); most clouds' metadata services are here.
    case linkLocal
    /// IPv6's private networks (RFC 4193) and the deprecated site-local ones.
    case uniqueLocal
    /// A cloud's metadata or host service outside of the ranges above.
    case metadata
    case multicast
    case unspecified
    /// Made for documents and benchmarks.
    case documentation
    /// A tunnel or transition address (Teredo, 6to4, IPv4-compatible) that hides where it leads.
    case tunnel
    /// Every other address that no public server has.
    case reserved
}

extension IPAddress {
    /// What kind of place this address points to; an IPv6 address that stands for an IPv4 one has that one's scope.
    package var scope: AddressScope {
        if let embedded = embeddedIPv4 { return embedded.scope }
        let table =
            switch self {
            case .v4: ScopeTable.ipv4
            case .v6: ScopeTable.ipv6
            }
        for range in table where isWithin(range.prefix, range.length) { return range.scope }
        switch self {
        case .v4: return .global
        // Only 2000::/3 has been handed out as global unicast (RFC 4291 §2.4 and the IANA registry).
        case .v6(let high, _): return high >> 61 == 1 ? .global : .reserved
        }
    }
}

/// The special ranges, narrower ones before those that contain them.
private enum ScopeTable {
    struct Range {
        let prefix: IPAddress
        let length: Int
        let scope: AddressScope

        init(_ prefix: String, _ length: Int, _ scope: AddressScope) {
            self.prefix = IPAddress(prefix)!
            self.length = length
            self.scope = scope
        }
    }

    static let ipv4: [Range] = [
        Range("0.0.0.0", 32, .unspecified),
        Range("0.0.0.0", 8, .reserved),
        Range("10.0.0.0", 8, .privateNetwork),
        Range("100.64.0.0", 10, .sharedNetwork),
        Range("127.0.0.0", 8, .loopback),
        // Azure's host service: a public address by number, and every virtual machine's privileged neighbour.
        Range("168.63.129.16", 32, .metadata),
        Range("169.254.0.0", 16, .linkLocal),
        Range("172.16.0.0", 12, .privateNetwork),
        Range("192.0.0.0", 24, .reserved),
        Range("192.0.2.0", 24, .documentation),
        Range("192.88.99.0", 24, .tunnel),
        Range("192.168.0.0", 16, .privateNetwork),
        Range("198.18.0.0", 15, .documentation),
        Range("198.51.100.0", 24, .documentation),
        Range("203.0.113.0", 24, .documentation),
        Range("224.0.0.0", 4, .multicast),
        Range("240.0.0.0", 4, .reserved),
    ]

    static let ipv6: [Range] = [
        Range("::", 128, .unspecified),
        Range("::1", 128, .loopback),
        Range("::", 96, .tunnel),
        Range("64:ff9b:1::", 48, .privateNetwork),
        Range("2001::", 32, .tunnel),
        Range("2001:2::", 48, .documentation),
        Range("2001::", 23, .reserved),
        Range("2001:db8::", 32, .documentation),
        Range("2002::", 16, .tunnel),
        Range("3fff::", 20, .documentation),
        Range("fc00::", 7, .uniqueLocal),
        Range("fe80::", 10, .linkLocal),
        Range("fec0::", 10, .uniqueLocal),
        Range("ff00::", 8, .multicast),
    ]
}
