/// Reads the chunked coding (RFC 9112 §7.1) without touching the payload.
///
/// It says how many bytes to drop from the front of the buffer and how many payload bytes follow; the caller moves
/// those (copies or splices), reports them with `payloadMoved`, and asks again. A line is consumed only once it is
/// complete, so a buffer of `chunkLineLimit` bytes (`trailerLimit` for trailers) always suffices. Chunk extensions are
/// checked and dropped (RFC 9112 §7.1.1); trailer fields are checked, and those that may be passed on are kept.
public struct ChunkReader: Sendable {
    /// What to do next with the bytes given.
    public enum Step: Equatable, Sendable {
        /// Drop `consumed` bytes and come back with more behind what is left.
        case needMore(consumed: Int)
        /// Drop `consumed` bytes; behind them `length` payload bytes follow, never zero.
        case chunk(consumed: Int, length: UInt64)
        /// Drop `consumed` bytes; the last chunk and the trailers are complete.
        case end(consumed: Int)
    }

    private enum State: Sendable { case size, payload, payloadEnd, trailers, done }

    /// Bytes of a chunk-size line, its CRLF included.
    public static let chunkLineLimit = 256
    /// Bytes of all trailer lines together.
    public static let trailerLimit = 8 << 10

    private var state = State.size
    private var remaining: UInt64 = 0
    private var trailerBytes = 0

    /// The trailer lines that may be passed on, each with its CRLF, as they can be written behind a last chunk.
    ///
    /// Empty without trailers, and then nothing was allocated for it.
    public private(set) var trailers: [UInt8] = []

    /// Makes a reader at the start of a chunked body.
    public init() {}

    /// Whether the whole body has been read.
    public var isComplete: Bool { state == .done }

    /// Reports that `count` payload bytes of the current chunk were taken out of the stream.
    ///
    /// When the chunk is complete, `next` expects the CRLF behind it.
    public mutating func payloadMoved(_ count: UInt64) {
        precondition(state == .payload && count <= remaining, "more payload moved than the chunk has")
        remaining -= count
        if remaining == 0 { state = .payloadEnd }
    }

    /// The next step, given the unread bytes of the stream.
    ///
    /// While payload is due, it repeats `chunk` with what is left of it and consumes nothing.
    public mutating func next(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Step {
        let span = bytes.bytes
        var offset = 0
        while true {
            switch state {
            case .payload: return .chunk(consumed: offset, length: remaining)
            case .done: return .end(consumed: offset)
            case .payloadEnd:
                guard offset < span.byteCount else { return .needMore(consumed: offset) }
                guard span.byte(offset) == ASCII.carriageReturn else { throw .malformedChunkEnd }
                guard offset + 1 < span.byteCount else { return .needMore(consumed: offset) }
                guard span.byte(offset + 1) == ASCII.lineFeed else { throw .malformedChunkEnd }
                offset += 2
                state = .size
            case .size:
                guard let size = try Self.sizeLine(span, &offset) else { return .needMore(consumed: offset) }
                remaining = size
                state = size == 0 ? .trailers : .payload
            case .trailers:
                guard try trailerLine(span, &offset) else { return .needMore(consumed: offset) }
            }
        }
    }

    /// Reads one chunk-size line and moves `offset` behind it; nil, without moving, if it is not complete.
    private static func sizeLine(_ bytes: RawSpan, _ offset: inout Int) throws(WireError) -> UInt64? {
        let limit = min(bytes.byteCount, offset + chunkLineLimit)
        var size: UInt64 = 0
        var index = offset
        while index < limit, let digit = hexValue(bytes.byte(index)) {
            // Sixteen digits would overflow the signed counts that follow; leading zeros count, too.
            guard index - offset < 15 else { throw .malformedChunkSize }
            size = size << 4 | UInt64(digit)
            index += 1
        }
        guard index < limit else { return nil }
        guard index > offset else { throw .malformedChunkSize }
        let sizeEnd = index
        if bytes.byte(index) == UInt8(ascii: ";") {
            index += 1
            while index < limit, isExtensionByte(bytes.byte(index)) { index += 1 }
        }
        guard index < limit else {
            if limit - offset == chunkLineLimit { throw .chunkExtensionTooLong }
            return nil
        }
        guard bytes.byte(index) == ASCII.carriageReturn else { throw .malformedChunkSize }
        guard index + 1 < limit else {
            if limit - offset == chunkLineLimit { throw .chunkExtensionTooLong }
            return nil
        }
        guard bytes.byte(index + 1) == ASCII.lineFeed, areExtensions(bytes, sizeEnd, index) else {
            throw .malformedChunkSize
        }
        offset = index + 2
        return size
    }

    /// Whether the rest of a size line is extensions, `;name`, `;name=token` or `;name="quoted"` each, or nothing.
    ///
    /// They are dropped, but what is none shows that its sender sees the line end elsewhere. White space may stand where
    /// the grammar has it, around semicolon and equals sign.
    private static func areExtensions(_ bytes: RawSpan, _ start: Int, _ end: Int) -> Bool {
        var index = start
        while index < end {
            guard bytes.byte(index) == UInt8(ascii: ";") else { return false }
            let name = skip(.whitespace, bytes, index + 1, end)
            index = skip(.token, bytes, name, end)
            guard index > name else { return false }
            var next = skip(.whitespace, bytes, index, end)
            if next < end, bytes.byte(next) == UInt8(ascii: "=") {
                let value = skip(.whitespace, bytes, next + 1, end)
                index = skip(.token, bytes, value, end)
                if index == value {
                    guard let quoteEnd = endOfQuotedString(bytes, value, end) else { return false }
                    index = quoteEnd
                }
                next = skip(.whitespace, bytes, index, end)
            }
            // White space ends no line.
            guard next < end || next == index else { return false }
            index = next
        }
        return true
    }

    /// The first offset from `start` on whose byte is not in the set, or `end`.
    private static func skip(_ set: ByteSet, _ bytes: RawSpan, _ start: Int, _ end: Int) -> Int {
        var index = start
        while index < end, set.contains(bytes.byte(index)) { index += 1 }
        return index
    }

    /// The offset behind the closing quote of the string that begins at `start` (RFC 9110 §5.6.4); nil if there is none.
    private static func endOfQuotedString(_ bytes: RawSpan, _ start: Int, _ end: Int) -> Int? {
        guard start < end, bytes.byte(start) == UInt8(ascii: "\"") else { return nil }
        var index = start + 1
        while index < end {
            switch bytes.byte(index) {
            case UInt8(ascii: "\""): return index + 1
            case UInt8(ascii: "\\"): index += 2
            default: index += 1
            }
        }
        return nil
    }

    /// Printable ASCII, space and tab. A line ends at its CRLF, whatever is quoted.
    private static func isExtensionByte(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x7F || byte == ASCII.tab
    }

    /// Reads one line of the trailer section; false, without moving, if it is not complete.
    private mutating func trailerLine(_ bytes: RawSpan, _ offset: inout Int) throws(WireError) -> Bool {
        let allowed = Self.trailerLimit - trailerBytes
        let limit = min(bytes.byteCount, offset + allowed)
        var end = bytes.firstControl(from: offset, to: limit)
        while end < limit, bytes.byte(end) == ASCII.tab { end = bytes.firstControl(from: end + 1, to: limit) }
        if end < limit, bytes.byte(end) != ASCII.carriageReturn { throw .malformedTrailer }
        guard end + 1 < limit else {
            if limit - offset == allowed { throw .trailersTooLarge }
            return false
        }
        guard bytes.byte(end + 1) == ASCII.lineFeed else { throw .malformedTrailer }
        trailerBytes += end + 2 - offset
        if end == offset {
            state = .done
        } else {
            try keepTrailer(bytes, offset, end)
        }
        offset = end + 2
        return true
    }

    /// Checks `name: value` and keeps it if it may be passed on.
    private mutating func keepTrailer(_ bytes: RawSpan, _ start: Int, _ end: Int) throws(WireError) {
        let colon = bytes.first(UInt8(ascii: ":"), from: start, to: end)
        guard colon < end, bytes.isAll(.token, start, colon) else { throw .malformedTrailer }
        let names = FieldNameTable.shared
        let name =
            names.find(in: bytes, start: start, count: colon - start)
            ?? names.family(of: bytes, start: start, count: colon - start)
        switch name {
        case .other, .etag, .date, .server:
            let value = bytes.trimmed(colon + 1, end)
            for index in start..<colon { trailers.append(bytes.byte(index)) }
            trailers.append(UInt8(ascii: ":"))
            trailers.append(ASCII.space)
            for index in value.start..<value.end { trailers.append(bytes.byte(index)) }
            trailers.append(ASCII.carriageReturn)
            trailers.append(ASCII.lineFeed)
        default:
            // Framing, routing, identity, caching and the like are decided by then (RFC 9110 §6.5.1).
            throw .forbiddenTrailer
        }
    }
}
