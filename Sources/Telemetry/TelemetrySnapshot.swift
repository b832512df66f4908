/// What one or several workers had counted at some moment.
package struct TelemetrySnapshot: Equatable, Sendable {
    private var cells: [UInt64]

    /// Nothing counted.
    package init() { cells = Array(repeating: 0, count: Layout.count) }

    init(cells: [UInt64]) { self.cells = cells }

    /// The sum of several workers.
    package init(_ workers: some Sequence<WorkerTelemetry>) {
        self = workers.reduce(into: TelemetrySnapshot()) { $0.add($1.snapshot()) }
    }

    /// Adds another worker's numbers.
    package mutating func add(_ other: TelemetrySnapshot) {
        for index in cells.indices { cells[index] &+= other.cells[index] }
    }

    package func requests(_ kind: RouteKind, _ method: MethodClass, _ status: StatusClass) -> UInt64 {
        cells[Layout.request(kind, method, status)]
    }

    package func duration(_ kind: RouteKind) -> HistogramSnapshot { histogram(Layout.duration(kind)) }

    package func firstByte(_ kind: RouteKind) -> HistogramSnapshot { histogram(Layout.firstByte(kind)) }

    package var loopLag: HistogramSnapshot { histogram(Layout.loopLag) }

    package func bytes(_ direction: ByteDirection, _ way: ByteWay) -> UInt64 { cells[Layout.bytes(direction, way)] }

    package func upstreamFaults(_ fault: UpstreamFault) -> UInt64 { cells[Layout.faults + Int(fault.rawValue)] }

    package func refusals(_ reason: RefusalReason) -> UInt64 { cells[Layout.refusals + Int(reason.rawValue)] }

    package subscript(_ counter: Counter) -> UInt64 { cells[Layout.counters + Int(counter.rawValue)] }

    package subscript(_ gauge: Gauge) -> Int64 { Int64(bitPattern: cells[Layout.gauges + Int(gauge.rawValue)]) }

    private func histogram(_ start: Int) -> HistogramSnapshot {
        HistogramSnapshot(
            buckets: Array(cells[start..<start + HistogramBuckets.count]),
            sumMicroseconds: cells[start + HistogramBuckets.count])
    }
}

/// A histogram's numbers: how many fell in each bucket (not cumulative), and what they came to.
package struct HistogramSnapshot: Equatable, Sendable {
    package var buckets: [UInt64]
    package var sumMicroseconds: UInt64

    package init(buckets: [UInt64], sumMicroseconds: UInt64) {
        self.buckets = buckets
        self.sumMicroseconds = sumMicroseconds
    }

    /// How many measurements there were.
    package var count: UInt64 { buckets.reduce(0, &+) }
}
