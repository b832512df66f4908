internal import Synchronization

/// What is remembered of each identity, or each peer, while it asks: how fast, how many streams it has open, and whether it
/// was met before.
///
/// A fixed array that all workers share, one account per cell, found by a keyed digest: no lock, no allocation, and memory
/// that does not depend on who asks. It is shared because a limit of each worker would be another limit wherever the
/// kernel puts somebody's connections. Accuracy: the rate is exact across workers; two identities whose digests meet in one
/// cell (one in 16,384) share one budget.
final class Accounts: Sendable {
    /// One identity's cell. Everything is relaxed: the numbers order nothing else.
    private struct Cell: ~Copyable {
        /// The digest of whoever asked last; zero is nobody.
        let holder = Atomic<UInt64>(0)
        /// When the budget is full again, in monotonic microseconds.
        let replenished = Atomic<UInt64>(0)
        let streams = Atomic<Int>(0)
    }

    /// Whose account it is.
    struct Number: Equatable {
        fileprivate let digest: UInt64
        fileprivate var index: Int { Int(truncatingIfNeeded: digest) & (Accounts.count - 1) }

        /// - Parameter digest: a keyed digest of the identity, so that nobody can choose whose cell to share.
        init(digest: UInt64) { self.digest = digest | 1 << 63 }
    }

    private static let count = 1 << 14
    private static let second: UInt64 = 1_000_000

    // Immutable after init; what it points to is atomic.
    private nonisolated(unsafe) let cells: UnsafeMutablePointer<Cell>
    /// Microseconds that one request takes from the budget; zero is no limit.
    private let price: UInt64
    private let streamLimit: Int

    /// - Parameters:
    ///   - requestsPerSecond: what each may ask, in a burst or evenly; zero is no limit.
    ///   - streams: how many event streams each may hold.
    init(requestsPerSecond: Int, streams: Int) {
        price = requestsPerSecond > 0 ? max(1, Self.second / UInt64(requestsPerSecond)) : 0
        streamLimit = streams
        cells = .allocate(capacity: Self.count)
        for index in 0..<Self.count { (cells + index).initialize(to: Cell()) }
    }

    deinit {
        cells.deinitialize(count: Self.count)
        cells.deallocate()
    }

    /// Takes one request from the budget; false if a second's worth is spent (the generic cell rate algorithm).
    func admits(_ number: Number, at now: UInt64) -> Bool {
        guard price > 0 else { return true }
        let index = number.index
        var known = cells[index].replenished.load(ordering: .relaxed)
        while true {
            let start = max(known, now)
            guard start - now <= Self.second - price else { return false }
            let (done, present) = cells[index].replenished.weakCompareExchange(
                expected: known, desired: start + price, ordering: .relaxed)
            if done { return true }
            known = present
        }
    }

    /// Whether somebody else held the cell before: then they may be new, and whoever cares looks closer.
    func meets(_ number: Number) -> Bool {
        let index = number.index
        guard cells[index].holder.load(ordering: .relaxed) != number.digest else { return false }
        cells[index].holder.store(number.digest, ordering: .relaxed)
        return true
    }

    /// Takes a place for an event stream, which the caller gives back; false if there is none.
    func takeStream(_ number: Number) -> Bool {
        let (_, open) = cells[number.index].streams.add(1, ordering: .relaxed)
        if open <= streamLimit { return true }
        giveBackStream(number)
        return false
    }

    func giveBackStream(_ number: Number) { cells[number.index].streams.subtract(1, ordering: .relaxed) }
}
