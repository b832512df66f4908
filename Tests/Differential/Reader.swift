/// Reads byte streams, one a line in hexadecimal, and says which requests the gateway's reader finds in each.
///
/// A line of output is JSON: the `requests` as `METHOD target host`, the `bodies` as their lengths (null if the stream
/// ends before the body does), and whether the stream ends in a refusal.
@main
struct Reader {
    static func main() {
        while let line = readLine() {
            var bytes: [UInt8] = []
            var digits = line.utf8.makeIterator()
            while let high = digits.next().flatMap(hexValue), let low = digits.next().flatMap(hexValue) {
                bytes.append(high << 4 | low)
            }
            print(bytes.withUnsafeBytes(requests))
        }
    }

    private static func requests(in stream: UnsafeRawBufferPointer) -> String {
        var requests: [String] = []
        var bodies: [String] = []
        var isRefused = false
        var offset = 0
        var head = RequestHead()
        do throws(WireError) {
            while offset < stream.count {
                let rest = UnsafeRawBufferPointer(rebasing: stream[offset...])
                var scanner = HeadScanner(limits: .request)
                guard let size = try scanner.scan(rest) else { break }
                let bytes = UnsafeRawBufferPointer(rebasing: rest[..<size])
                try HeadParser.parse(bytes, into: &head)
                let host = head.host.string(in: bytes).lowercased()
                let request = "\(head.methodText.string(in: bytes)) \(head.target.string(in: bytes)) \(host)"
                let body = UnsafeRawBufferPointer(rebasing: rest[size...])
                let length = try bodyLength(head.framing, in: body)
                requests.append(quoted(request))
                bodies.append(length.map { "\($0.payload)" } ?? "null")
                guard let length, head.keepAlive else { break }
                offset += size + length.wire
            }
        } catch {
            isRefused = true
        }
        return #"{"requests":[\#(requests.joined(separator: ","))],"bodies":[\#(bodies.joined(separator: ","))],"#
            + #""refused":\#(isRefused)}"#
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// How many bytes the body takes up in the stream, and how many it has; nil if it is not complete.
    private static func bodyLength(
        _ framing: BodyFraming, in bytes: UnsafeRawBufferPointer
    ) throws(WireError) -> (wire: Int, payload: UInt64)? {
        switch framing {
        case .none, .untilClose: return (0, 0)
        case .length(let length): return length <= UInt64(bytes.count) ? (Int(length), length) : nil
        case .chunked:
            var reader = ChunkReader()
            var offset = 0
            var payload: UInt64 = 0
            while true {
                switch try reader.next(UnsafeRawBufferPointer(rebasing: bytes[offset...])) {
                case .needMore: return nil
                case .end(let consumed): return (offset + consumed, payload)
                case .chunk(let consumed, let length):
                    offset += consumed
                    guard length <= UInt64(bytes.count - offset) else { return nil }
                    offset += Int(length)
                    payload += length
                    reader.payloadMoved(length)
                }
            }
        }
    }
}
