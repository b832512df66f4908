/// Reads byte streams, one a line in hexadecimal, and says which requests the gateway's reader finds in each.
///
/// A line of output is the requests as `METHOD:target:host`, separated by spaces, then `|`, then `refused` if the
/// stream ends in a refusal, else `open`.
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
        var found: [String] = []
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
                let request = "\(head.methodText.string(in: bytes)):\(head.target.string(in: bytes)):\(host)"
                let body = UnsafeRawBufferPointer(rebasing: rest[size...])
                guard let length = try bodyLength(head.framing, in: body) else { break }
                found.append(request)
                offset += size + length
                if !head.keepAlive { break }
            }
        } catch {
            return found.joined(separator: " ") + "|refused"
        }
        return found.joined(separator: " ") + "|open"
    }

    /// How many bytes the body takes up in the stream; nil if it is not complete.
    private static func bodyLength(
        _ framing: BodyFraming, in bytes: UnsafeRawBufferPointer
    ) throws(WireError) -> Int? {
        switch framing {
        case .none, .untilClose: return 0
        case .length(let length): return length <= UInt64(bytes.count) ? Int(length) : nil
        case .chunked:
            var reader = ChunkReader()
            var offset = 0
            while true {
                switch try reader.next(UnsafeRawBufferPointer(rebasing: bytes[offset...])) {
                case .needMore: return nil
                case .end(let consumed): return offset + consumed
                case .chunk(let consumed, let length):
                    offset += consumed
                    guard length <= UInt64(bytes.count - offset) else { return nil }
                    offset += Int(length)
                    reader.payloadMoved(length)
                }
            }
        }
    }
}
