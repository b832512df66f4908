/// Where each number stands in a worker's row of cells.
///
/// A cell's place is arithmetic on constants, so recording is an index and an addition.
enum Layout {
    static let kinds = RouteKind.allCases.count
    static let methods = MethodClass.allCases.count
    static let statuses = StatusClass.allCases.count
    static let ways = ByteWay.allCases.count
    /// One histogram: its buckets, then its sum in microseconds.
    static let histogram = HistogramBuckets.count + 1

    static let requests = 0
    static let durations = requests + kinds * methods * statuses
    static let firstBytes = durations + kinds * histogram
    static let loopLag = firstBytes + kinds * histogram
    static let bytes = loopLag + histogram
    static let faults = bytes + ByteDirection.allCases.count * ways
    static let refusals = faults + UpstreamFault.allCases.count
    static let counters = refusals + RefusalReason.allCases.count
    static let gauges = counters + Counter.allCases.count
    static let count = gauges + Gauge.allCases.count

    static func request(_ kind: RouteKind, _ method: MethodClass, _ status: StatusClass) -> Int {
        requests + (Int(kind.rawValue) * methods + Int(method.rawValue)) * statuses + Int(status.rawValue)
    }

    static func duration(_ kind: RouteKind) -> Int { durations + Int(kind.rawValue) * histogram }

    static func firstByte(_ kind: RouteKind) -> Int { firstBytes + Int(kind.rawValue) * histogram }

    static func bytes(_ direction: ByteDirection, _ way: ByteWay) -> Int {
        bytes + Int(direction.rawValue) * ways + Int(way.rawValue)
    }
}

/// The upper bounds of all latency histograms.
public enum HistogramBuckets {
    /// Microseconds, ascending; what is above the last goes to one more bucket.
    public static let bounds: [UInt64] = [
        500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
        10_000_000, 30_000_000, 60_000_000,
    ]

    /// Buckets of one histogram, the one without a bound included.
    public static let count = 17

    /// The bucket that a measurement falls in.
    static func index(_ microseconds: UInt64) -> Int {
        // Most requests end in the first few buckets, where a walk beats a search; constants, so that no array is
        // touched on the byte path.
        if microseconds <= 500 { return 0 }
        if microseconds <= 1_000 { return 1 }
        if microseconds <= 2_500 { return 2 }
        if microseconds <= 5_000 { return 3 }
        if microseconds <= 10_000 { return 4 }
        if microseconds <= 25_000 { return 5 }
        if microseconds <= 50_000 { return 6 }
        if microseconds <= 100_000 { return 7 }
        if microseconds <= 250_000 { return 8 }
        if microseconds <= 500_000 { return 9 }
        if microseconds <= 1_000_000 { return 10 }
        if microseconds <= 2_500_000 { return 11 }
        if microseconds <= 5_000_000 { return 12 }
        if microseconds <= 10_000_000 { return 13 }
        if microseconds <= 30_000_000 { return 14 }
        if microseconds <= 60_000_000 { return 15 }
        return 16
    }
}
