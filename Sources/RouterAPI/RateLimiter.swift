import Synchronization

/// A bucket that a second fills: a burst of one second's worth is free, then requests come as fast as it fills.
struct TokenBucket: Sendable {
    private var tokens: Double
    private var filled: Duration

    /// A full one.
    init(rate: Double, at now: Duration) {
        tokens = rate
        filled = now
    }

    /// Takes one token; false if there is none.
    mutating func take(rate: Double, at now: Duration) -> Bool {
        tokens = min(rate, tokens + max(0, (now - filled) / .seconds(1)) * rate)
        filled = now
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    /// Whether nobody has taken from it for so long that it is as good as new.
    func isFull(at now: Duration) -> Bool { now - filled >= .seconds(1) }
}

/// Bounds the requests per second of each identity.
final class RateLimiter: Sendable {
    private let rate: Double
    private let buckets = Mutex<[String: TokenBucket]>([:])

    /// Beyond this, buckets that nobody uses are thrown away.
    private static let manyBuckets = 4096

    /// - Parameter rate: requests per second; zero is no limit.
    init(rate: Int) { self.rate = Double(rate) }

    /// Whether one more request may go on, at this time of a monotonic clock.
    func admits(_ identity: String, at now: Duration) -> Bool {
        guard rate > 0 else { return true }
        return buckets.withLock { buckets in
            if buckets.count >= Self.manyBuckets, buckets[identity] == nil {
                buckets = buckets.filter { !$0.value.isFull(at: now) }
            }
            return buckets[identity, default: TokenBucket(rate: rate, at: now)].take(rate: rate, at: now)
        }
    }

    /// How many identities are remembered.
    var count: Int { buckets.withLock { $0.count } }
}
