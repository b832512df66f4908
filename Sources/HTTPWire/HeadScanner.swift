/// Finds the end of a head as bytes arrive, never looking at a byte twice.
///
/// It refuses at once what no later byte can repair: bare CR, bare LF, other control bytes but the tab, a first line or
/// a head that is too long, too many lines. One empty line before a message is passed over (RFC 9112 §2.2); it counts
/// as part of the head, and `HeadParser` accepts it before requests only.
public struct HeadScanner: Sendable {
    private let limits: HeadLimits
    /// The first byte not looked at yet, or a CR whose LF has not arrived.
    private var position = 0
    private var lineStart = 0
    /// Complete lines, the empty one before a message not counted.
    private var lineCount = 0

    /// Makes a scanner at the start of a head.
    public init(limits: HeadLimits) { self.limits = limits }

    /// Whether nothing of the head has been looked at: then it may have come whole, and `HeadParser` finds its end itself.
    public var isAtStart: Bool { position == 0 }

    /// Forgets everything, for the next head on the connection.
    public mutating func reset() {
        position = 0
        lineStart = 0
        lineCount = 0
    }

    /// The size of the complete head including its last CRLF, or nil if more bytes are needed.
    ///
    /// `bytes` is always the whole buffer from the head's start: what was there at the last call, and more.
    public mutating func scan(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Int? {
        let span = bytes.bytes
        let end = min(span.byteCount, limits.head)
        while true {
            let found = span.firstControl(from: position, to: end)
            if found == end {
                position = end
                break
            }
            let byte = span.byte(found)
            if byte == ASCII.tab {
                position = found + 1
                continue
            }
            guard byte == ASCII.carriageReturn else { throw Self.refusal(of: byte) }
            guard found + 1 < end else {
                position = found
                break
            }
            guard span.byte(found + 1) == ASCII.lineFeed else { throw .bareCarriageReturn }
            position = found + 2
            if found == lineStart {
                if lineCount > 0 { return position }
                guard found == 0 else { throw .malformedRequestLine }
            } else {
                if lineCount == 0, position - lineStart > limits.line {
                    throw Self.refusal(ofLongLine: span, from: lineStart, limit: limits.line)
                }
                lineCount += 1
                if lineCount > limits.fields + 1 { throw .tooManyFields }
            }
            lineStart = position
        }
        if lineCount == 0, end - lineStart >= limits.line {
            throw Self.refusal(ofLongLine: span, from: lineStart, limit: limits.line)
        }
        if span.byteCount >= limits.head { throw .headTooLarge }
        return nil
    }

    /// The refusal that a first line beyond the limit deserves: it is the target that is too long, unless the method
    /// alone is, or what follows a target that is not (RFC 9112 §3).
    static func refusal(ofLongLine bytes: RawSpan, from start: Int, limit: Int) -> WireError {
        let end = start + limit
        let methodEnd = bytes.first(ASCII.space, from: start, to: end)
        guard methodEnd < end else { return .malformedMethod }
        let targetEnd = bytes.first(ASCII.space, from: methodEnd + 1, to: end)
        return targetEnd + " HTTP/1.1\r\n".utf8.count <= end ? .malformedRequestLine : .lineTooLong
    }

    /// The refusal a control byte deserves.
    static func refusal(of byte: UInt8) -> WireError {
        switch byte {
        case 0: .nulByte
        case ASCII.lineFeed: .bareLineFeed
        case ASCII.carriageReturn: .bareCarriageReturn
        default: .controlByte
        }
    }
}
