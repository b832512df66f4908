internal import Identity

/// How many connections each peer holds, so that one cannot take them all.
///
/// The ingress is exempt: it speaks for everybody. IPv6 peers count by /64, which is what one host is usually given.
struct PeerQuota {
    /// 0 means no limit, and nothing is counted.
    private let limit: Int
    private let exempt: (PeerAddress) -> Bool
    private var open: [PeerAddress: Int] = [:]

    init(limit: Int, exempt: @escaping (PeerAddress) -> Bool) {
        self.limit = limit
        self.exempt = exempt
    }

    /// Whether the peer may have one more connection; if so, it is counted.
    mutating func admit(_ peer: PeerAddress) -> Bool {
        guard limit > 0, !exempt(peer) else { return true }
        guard open[Self.key(peer), default: 0] < limit else { return false }
        open[Self.key(peer), default: 0] += 1
        return true
    }

    /// Forgets a connection that `admit` counted.
    mutating func release(_ peer: PeerAddress) {
        guard limit > 0, let count = open[Self.key(peer)] else { return }
        open[Self.key(peer)] = count > 1 ? count - 1 : nil
    }

    private static func key(_ peer: PeerAddress) -> PeerAddress {
        peer.isIPv4 ? peer : PeerAddress(high: peer.high, low: 0)
    }
}
