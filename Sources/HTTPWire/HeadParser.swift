/// Turns the head that a buffer begins with into its parsed form, or refuses it; what follows the head is not looked at.
///
/// It refuses, it never repairs: whatever two readers could see differently is an error, because the connection behind
/// the ingress carries many people's requests (RFC 9112 §11.2). The storage of the head that is filled is reused. After
/// an error the head's content is unspecified.
public enum HeadParser {
    /// One field line starting at `offset`, which moves behind it; nil at the empty line that ends the head.
    @inline(__always)
    static func nextField(
        in bytes: RawSpan, at offset: inout Int, names: FieldNameTable, foldable: inout Bool
    ) throws(WireError) -> Field? {
        let start = offset
        let end = bytes.byteCount
        guard start < end else { throw .incompleteHead }
        let first = bytes.byte(start)
        if first == ASCII.carriageReturn {
            guard start &+ 1 < end else { throw .incompleteHead }
            guard bytes.byte(start &+ 1) == ASCII.lineFeed else { throw .bareCarriageReturn }
            offset = start &+ 2
            return nil
        }
        guard first != ASCII.space, first != ASCII.tab else { throw .obsoleteFolding }

        let colon = bytes.first(UInt8(ascii: ":"), from: start, to: end)
        let name: FieldName
        if let found = names.find(in: bytes, start: start, count: colon &- start) {
            name = found
            // The search above ends at `end` without a colon, and a known name may end there, too.
            guard colon < end else { throw .incompleteHead }
        } else {
            name = try unknownName(in: bytes, start: start, colon: colon, foldable: &foldable)
        }

        var valueStart = colon &+ 1
        while valueStart < end, bytes.byte(valueStart) == ASCII.space || bytes.byte(valueStart) == ASCII.tab {
            valueStart &+= 1
        }
        let lineEnd = try endOfLine(in: bytes, from: valueStart)
        var valueEnd = lineEnd
        while valueEnd > valueStart,
            bytes.byte(valueEnd &- 1) == ASCII.space || bytes.byte(valueEnd &- 1) == ASCII.tab
        {
            valueEnd &-= 1
        }
        offset = lineEnd &+ 2
        return Field(
            name: ByteRange(start: start, count: colon &- start),
            value: ByteRange(start: valueStart, count: valueEnd &- valueStart), known: name)
    }

    /// Checks a name that the table does not hold, byte by byte, and says which family it belongs to.
    @inline(never)
    private static func unknownName(
        in bytes: RawSpan, start: Int, colon: Int, foldable: inout Bool
    ) throws(WireError) -> FieldName {
        for index in start..<colon {
            let byte = bytes.byte(index)
            if ByteSet.token.contains(byte) {
                if byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") { foldable = true }
                continue
            }
            switch byte {
            case ASCII.space, ASCII.tab:
                let rest = bytes.trimmed(index, colon)
                throw rest.start == rest.end && colon < bytes.byteCount ? .whitespaceBeforeColon : .malformedFieldName
            case 0: throw .nulByte
            case ASCII.lineFeed: throw .bareLineFeed
            case ASCII.carriageReturn:
                guard index + 1 < bytes.byteCount else { throw .incompleteHead }
                throw bytes.byte(index + 1) == ASCII.lineFeed ? .malformedFieldName : .bareCarriageReturn
            default: throw .malformedFieldName
            }
        }
        guard colon > start else { throw .malformedFieldName }
        guard colon < bytes.byteCount else { throw .incompleteHead }
        return names(bytes, start, colon)
    }

    private static func names(_ bytes: RawSpan, _ start: Int, _ end: Int) -> FieldName {
        FieldNameTable.shared.family(of: bytes, start: start, count: end - start)
    }

    /// Offset of the CR that ends the line; tabs are passed over, any other control byte is refused.
    @inline(__always)
    static func endOfLine(in bytes: RawSpan, from start: Int) throws(WireError) -> Int {
        let end = bytes.byteCount
        var found = bytes.firstControl(from: start, to: end)
        while found < end, bytes.byte(found) == ASCII.tab { found = bytes.firstControl(from: found &+ 1, to: end) }
        guard found < end else { throw .incompleteHead }
        guard bytes.byte(found) == ASCII.carriageReturn else { throw HeadScanner.refusal(of: bytes.byte(found)) }
        guard found &+ 1 < end else { throw .incompleteHead }
        guard bytes.byte(found &+ 1) == ASCII.lineFeed else { throw .bareCarriageReturn }
        return found
    }

    /// 0 or 1 for `HTTP/1.0` and `HTTP/1.1`; other versions of HTTP are `unsupportedVersion`, anything else is nil.
    @inline(__always)
    static func minorVersion(in bytes: RawSpan, from start: Int, to end: Int) throws(WireError) -> UInt8? {
        guard end - start == 8, bytes.spells("HTTP/", at: start, count: 5) else { return nil }
        let major = bytes.byte(start + 5) &- UInt8(ascii: "0")
        let minor = bytes.byte(start + 7) &- UInt8(ascii: "0")
        guard major <= 9, minor <= 9, bytes.byte(start + 6) == UInt8(ascii: ".") else { return nil }
        guard major == 1, minor <= 1 else { throw .unsupportedVersion }
        return minor
    }
}
