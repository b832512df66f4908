import Synchronization

/// Counts the event streams of each identity.
final class StreamLimiter: Sendable {
    private let limit: Int
    private let open = Mutex<[String: Int]>([:])

    init(limit: Int) { self.limit = limit }

    /// A place for one stream, given back when the lease is let go; nil if the identity has no more.
    func lease(for identity: String) -> StreamLease? {
        let admitted = open.withLock { open in
            guard open[identity, default: 0] < limit else { return false }
            open[identity, default: 0] += 1
            return true
        }
        return admitted ? StreamLease(limiter: self, identity: identity) : nil
    }

    /// How many streams an identity has.
    func count(of identity: String) -> Int { open.withLock { $0[identity] ?? 0 } }

    fileprivate func giveBack(_ identity: String) {
        open.withLock { open in
            guard let count = open[identity], count > 1 else {
                open[identity] = nil
                return
            }
            open[identity] = count - 1
        }
    }
}

/// One open stream's place.
final class StreamLease: Sendable {
    private let limiter: StreamLimiter
    private let identity: String

    fileprivate init(limiter: StreamLimiter, identity: String) {
        self.limiter = limiter
        self.identity = identity
    }

    deinit { limiter.giveBack(identity) }
}
