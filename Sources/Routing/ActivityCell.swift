import Synchronization

/// When a session was last used, and how many tunnels it has open; written by every worker, read by the idle policy.
///
/// One cell lives as long as its session, across all route tables. Times are milliseconds of one clock, the same for all who
/// write and read; a monotonic one keeps jumps of the wall clock out. Both values are relaxed: they are hints about time,
/// and order nothing else.
public final class ActivityCell: Sendable {
    private let used: Atomic<Int64>
    private let tunnels = Atomic<Int>(0)
    private let tokenSeen = Atomic<Int64>(.min / 2)

    /// Makes a cell for a session that was last used at this time, in milliseconds on the monotonic clock.
    public init(lastUse milliseconds: Int64 = 0) {
        used = Atomic(milliseconds)
    }

    /// The time of the last use, in milliseconds on the monotonic clock; zero if never.
    public var lastUse: Int64 { used.load(ordering: .relaxed) }

    /// The number of tunnels open now.
    public var openTunnels: Int { tunnels.load(ordering: .relaxed) }

    /// Notes a use at this time, in milliseconds on the monotonic clock; a time before the last use changes nothing.
    ///
    /// - Returns: whether it was noted, which it is twice a second at most.
    @discardableResult
    public func touch(at milliseconds: Int64) -> Bool {
        // Half a second is more than precise enough, and keeps busy workers from writing one cache line in turns.
        guard milliseconds > used.load(ordering: .relaxed) &+ 500 else { return false }
        used.max(milliseconds, ordering: .relaxed)
        return true
    }

    /// Whether it is time to look at the owner's git token again: for one request a minute it is.
    public func isTokenDue(at milliseconds: Int64) -> Bool {
        let last = tokenSeen.load(ordering: .relaxed)
        guard milliseconds &- last >= 60_000 else { return false }
        return tokenSeen.compareExchange(expected: last, desired: milliseconds, ordering: .relaxed).exchanged
    }

    /// Notes that a tunnel was opened; the caller owes one `closeTunnel`.
    public func openTunnel(at milliseconds: Int64) {
        tunnels.wrappingAdd(1, ordering: .relaxed)
        touch(at: milliseconds)
    }

    /// Notes that a tunnel was closed.
    public func closeTunnel(at milliseconds: Int64) {
        tunnels.wrappingSubtract(1, ordering: .relaxed)
        touch(at: milliseconds)
    }
}
