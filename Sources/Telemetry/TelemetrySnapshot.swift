/// What one or several workers had counted at some moment.
public struct TelemetrySnapshot: Equatable, Sendable {
    private var cells: [UInt64]

    /// Nothing counted.
    public init() { cells = Array(repeating: 0, count: Layout.count) }

    init(cells: [UInt64]) { self.cells = cells }

    /// The sum of several workers.
    public init(_ workers: some Sequence<WorkerTelemetry>) {
        self = workers.reduce(into: TelemetrySnapshot()) { $0.add($1.snapshot()) }
    }

    /// Adds another worker's numbers.
    public mutating func add(_ other: TelemetrySnapshot) {
        for index in cells.indices { cells[index] &+= other.cells[index] }
    }

    public func requests(_ kind: RouteKind, _ method: MethodClass, _ status: StatusClass) -> UInt64 {
        cells[Layout.request(kind, method, status)]
    }

    public func duration(_ kind: RouteKind) -> HistogramSnapshot { histogram(Layout.duration(kind)) }

    public func firstByte(_ kind: RouteKind) -> HistogramSnapshot { histogram(Layout.firstByte(kind)) }

    public var loopLag: HistogramSnapshot { histogram(Layout.loopLag) }

    public func bytes(_ direction: ByteDirection, _ way: ByteWay) -> UInt64 { cells[Layout.bytes(direction, way)] }

    public func upstreamFaults(_ fault: UpstreamFault) -> UInt64 { cells[Layout.faults + Int(fault.rawValue)] }

    public func refusals(_ reason: RefusalReason) -> UInt64 { cells[Layout.refusals + Int(reason.rawValue)] }

    public subscript(_ counter: Counter) -> UInt64 { cells[Layout.counters + Int(counter.rawValue)] }

    public subscript(_ gauge: Gauge) -> Int64 { Int64(bitPattern: cells[Layout.gauges + Int(gauge.rawValue)]) }

    private func histogram(_ start: Int) -> HistogramSnapshot {
        HistogramSnapshot(
            buckets: Array(cells[start..<start + HistogramBuckets.count]),
            sumMicroseconds: cells[start + HistogramBuckets.count])
    }
}

/// A histogram's numbers: how many fell in each bucket (not cumulative), and what they came to.
public struct HistogramSnapshot: Equatable, Sendable {
    public var buckets: [UInt64]
    public var sumMicroseconds: UInt64

    public init(buckets: [UInt64], sumMicroseconds: UInt64) {
        self.buckets = buckets
        self.sumMicroseconds = sumMicroseconds
    }

    /// How many measurements there were.
    public var count: UInt64 { buckets.reduce(0, &+) }
}
