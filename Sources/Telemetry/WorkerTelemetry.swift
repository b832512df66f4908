internal import Synchronization

/// What one worker counts: written by its thread only, read by anybody.
///
/// A record is an index and a relaxed load and store; nothing is locked, allocated or ordered, so a reader may see one
/// counter of a request before another. Counters wrap at 2^64.
public final class WorkerTelemetry: Sendable {
    /// The row of cells described by `Layout`.
    private let cells: Cells
    /// Records for the access log; nil if there is none.
    public let accessLog: AccessRing?

    /// - Parameter accessLog: where access records go, if they are wanted.
    public init(accessLog: AccessRing? = nil) {
        cells = Cells(count: Layout.count)
        self.accessLog = accessLog
    }

    /// Counts a finished request; status 0 means that its answer broke off.
    ///
    /// Pass no times for event streams and tunnels, whose length says nothing about speed.
    public func request(
        _ kind: RouteKind, _ method: MethodClass, status: Int, microseconds: UInt64? = nil,
        firstByteMicroseconds: UInt64? = nil
    ) {
        cells.add(1, at: Layout.request(kind, method, StatusClass(status: status)))
        if let microseconds { cells.observe(microseconds, at: Layout.duration(kind)) }
        if let firstByteMicroseconds { cells.observe(firstByteMicroseconds, at: Layout.firstByte(kind)) }
    }

    /// Counts bytes of bodies and tunnels.
    public func bytes(_ direction: ByteDirection, _ way: ByteWay, _ count: Int) {
        cells.add(UInt64(truncatingIfNeeded: count), at: Layout.bytes(direction, way))
    }

    /// Counts a session's failure to answer.
    public func upstreamFault(_ fault: UpstreamFault) { cells.add(1, at: Layout.faults + Int(fault.rawValue)) }

    /// Counts an answer that the gateway gave in place of a route.
    public func refusal(_ reason: RefusalReason) { cells.add(1, at: Layout.refusals + Int(reason.rawValue)) }

    /// Counts how late the loop came to something that was due.
    public func loopLag(microseconds: UInt64) { cells.observe(microseconds, at: Layout.loopLag) }

    /// Adds to a number that only grows.
    public func count(_ counter: Counter, _ amount: UInt64 = 1) {
        cells.add(amount, at: Layout.counters + Int(counter.rawValue))
    }

    /// Takes over a number that something else counts, such as the loop.
    public func set(_ counter: Counter, _ value: UInt64) {
        cells.set(value, at: Layout.counters + Int(counter.rawValue))
    }

    /// Moves a number up or down.
    public func adjust(_ gauge: Gauge, by change: Int) {
        cells.add(UInt64(bitPattern: Int64(change)), at: Layout.gauges + Int(gauge.rawValue))
    }

    /// Takes over a number that something else keeps, such as a pool.
    public func set(_ gauge: Gauge, _ value: Int) {
        cells.set(UInt64(bitPattern: Int64(value)), at: Layout.gauges + Int(gauge.rawValue))
    }

    /// Everything counted so far; may be called from any thread.
    public func snapshot() -> TelemetrySnapshot { TelemetrySnapshot(cells: cells.values()) }
}

/// A row of numbers with one writer and any number of readers.
private final class Cells: Sendable {
    // Immutable after init; what it points to is atomic. A cache line of slack keeps two workers' rows apart.
    private nonisolated(unsafe) let row: UnsafeMutablePointer<Atomic<UInt64>>
    private let count: Int

    init(count: Int) {
        self.count = count
        row = .allocate(capacity: count + 16)
        for index in 0..<(count + 16) { (row + index).initialize(to: Atomic(0)) }
    }

    deinit {
        row.deinitialize(count: count + 16)
        row.deallocate()
    }

    func add(_ amount: UInt64, at index: Int) {
        // One writer: a load and a store do what a locked addition would, for a tenth of its price.
        row[index].store(row[index].load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    func set(_ value: UInt64, at index: Int) { row[index].store(value, ordering: .relaxed) }

    func observe(_ microseconds: UInt64, at histogram: Int) {
        add(1, at: histogram + HistogramBuckets.index(microseconds))
        add(microseconds, at: histogram + HistogramBuckets.count)
    }

    func values() -> [UInt64] { (0..<count).map { row[$0].load(ordering: .relaxed) } }
}
