/// Cuts a stream of bytes into lines, however the pieces come; a watch is one JSON document a line.
struct LineSplitter {
    private var rest: [UInt8] = []
    private var scanned = 0
    let limit: Int

    /// An object is at most 1.5 MiB in etcd, and JSON may be longer than protobuf.
    init(limit: Int = 8 << 20) { self.limit = limit }

    /// The lines that are complete now, without their ends; nil if a line is longer than the limit.
    mutating func lines(adding piece: [UInt8]) -> [[UInt8]]? {
        rest.append(contentsOf: piece)
        var lines: [[UInt8]] = []
        var start = 0
        while let end = rest[max(start, scanned)...].firstIndex(of: UInt8(ascii: "\n")) {
            var line = rest[start..<end]
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            if !line.isEmpty { lines.append(Array(line)) }
            start = end + 1
            scanned = start
        }
        if start > 0 { rest.removeFirst(start) }
        scanned = rest.count
        return rest.count <= limit ? lines : nil
    }

    /// Whether a line has begun and not ended: the stream was cut.
    var isMidLine: Bool { !rest.isEmpty }
}
