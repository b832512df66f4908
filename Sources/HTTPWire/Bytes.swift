/// A set of ASCII bytes as two words, asked without touching memory.
struct ByteSet: Sendable {
    let low: UInt64
    let high: UInt64

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let word = byte & 0x40 == 0 ? low : high
        return byte < 0x80 && (word >> UInt64(byte & 0x3F)) & 1 == 1
    }

    /// `tchar` of RFC 9110 §5.6.2.
    static let token = ByteSet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
    /// What methods are made of: capitals, `-` and `_`.
    static let method = ByteSet(low: 0x0000_2000_0000_0000, high: 0x0000_0000_87FF_FFFE)
    /// `unreserved` and `sub-delims` of RFC 3986 §2, what a reg-name is made of besides percent-encoding.
    static let registeredName = ByteSet(low: 0x2BFF_7FD2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)
    /// Space and tab.
    static let whitespace = ByteSet(low: 0x0000_0001_0000_0200, high: 0)
    /// `HEXDIG`, letters in both cases.
    static let hexadecimal = ByteSet(low: 0x03FF_0000_0000_0000, high: 0x0000_007E_0000_007E)
    /// The alphabet of RFC 4648 §4 without padding.
    static let base64 = ByteSet(low: 0x03FF_8800_0000_0000, high: 0x07FF_FFFE_07FF_FFFE)
}

enum ASCII {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
}

/// The same byte in all eight places of a word.
@inline(__always)
private func repeated(_ byte: UInt8) -> UInt64 { 0x0101_0101_0101_0101 &* UInt64(byte) }

/// Sets the top bit of each byte that is zero; exact up to and including the lowest such byte, which is all we use.
@inline(__always)
private func zeroBytes(_ word: UInt64) -> UInt64 {
    (word &- repeated(0x01)) & ~word & repeated(0x80)
}

/// Sets the top bit of each byte that is a control byte (0x00-0x1F, 0x7F) and no other; no byte carries into the next.
@inline(__always)
private func controlBytes(_ word: UInt64) -> UInt64 {
    let low = word & repeated(0x7F)
    return (~(low &+ repeated(0x60)) | (low &+ repeated(0x01))) & ~word & repeated(0x80)
}

/// Letters of a word in lower case. Only bytes from 0x40 up change, so no control byte turns into `-` or a digit.
@inline(__always)
func lowercased(_ word: UInt64) -> UInt64 { word | ((word & repeated(0x40)) >> 1) }

/// An ASCII letter in lower case, any other byte as it is.
@inline(__always)
func asciiLowercased(_ byte: UInt8) -> UInt8 { byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte }

/// The value of a hexadecimal digit, nil for any other byte.
@inline(__always)
func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte &- UInt8(ascii: "a") &+ 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte &- UInt8(ascii: "A") &+ 10
    default: nil
    }
}

/// Reading bytes and finding the next interesting one, eight at a time.
///
/// Single accesses are bounds-checked by the span. The searches check their range once and then read without.
extension RawSpan {
    // The span's own checked loads compare twice as often as these need to.
    @inline(__always)
    func byte(_ offset: Int) -> UInt8 {
        precondition(UInt(bitPattern: offset) < UInt(bitPattern: byteCount))
        return uncheckedByte(offset)
    }

    /// Eight bytes, the first one lowest.
    @inline(__always)
    func word(_ offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset <= byteCount &- 8)
        return uncheckedWord(offset)
    }

    /// Eight bytes whose place a search has checked.
    @inline(__always)
    private func uncheckedWord(_ offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    @inline(__always)
    private func uncheckedByte(_ offset: Int) -> UInt8 { unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self) }

    /// Offset of the first control byte (0x00-0x1F, 0x7F) in `start..<end`, or `end`.
    @inline(__always)
    func firstControl(from start: Int, to end: Int) -> Int {
        precondition(start >= 0 && end <= byteCount)
        var offset = start
        while offset &+ 16 <= end {
            let found = controlBytes(uncheckedWord(offset))
            if found != 0 { return offset &+ found.trailingZeroBitCount / 8 }
            let next = controlBytes(uncheckedWord(offset &+ 8))
            if next != 0 { return offset &+ 8 &+ next.trailingZeroBitCount / 8 }
            offset &+= 16
        }
        while offset &+ 8 <= end {
            let found = controlBytes(uncheckedWord(offset))
            if found != 0 { return offset &+ found.trailingZeroBitCount / 8 }
            offset &+= 8
        }
        while offset < end {
            let byte = uncheckedByte(offset)
            if byte < 0x20 || byte == 0x7F { return offset }
            offset &+= 1
        }
        return end
    }

    /// Offset of the first `wanted` byte in `start..<end`, or `end`.
    @inline(__always)
    func first(_ wanted: UInt8, from start: Int, to end: Int) -> Int {
        precondition(start >= 0 && end <= byteCount)
        var offset = start
        while offset &+ 8 <= end {
            let found = zeroBytes(uncheckedWord(offset) ^ repeated(wanted))
            if found != 0 { return offset &+ found.trailingZeroBitCount / 8 }
            offset &+= 8
        }
        while offset < end {
            if uncheckedByte(offset) == wanted { return offset }
            offset &+= 1
        }
        return end
    }

    /// Offset of the first `?`, `#`, `%` or non-ASCII byte in `start..<end`, or `end`.
    @inline(__always)
    func firstTargetMark(from start: Int, to end: Int) -> Int {
        precondition(start >= 0 && end <= byteCount)
        var offset = start
        while offset &+ 8 <= end {
            let word = uncheckedWord(offset)
            let found =
                zeroBytes(word ^ repeated(UInt8(ascii: "?"))) | zeroBytes(word ^ repeated(UInt8(ascii: "#")))
                | zeroBytes(word ^ repeated(UInt8(ascii: "%"))) | (word & repeated(0x80))
            if found != 0 { return offset &+ found.trailingZeroBitCount / 8 }
            offset &+= 8
        }
        while offset < end {
            switch uncheckedByte(offset) {
            case UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: "%"), 0x80...0xFF: return offset
            default: offset &+= 1
            }
        }
        return end
    }

    /// Whether the `count` bytes at `start` spell `text` exactly.
    @inline(__always)
    func spells(_ text: StaticString, at start: Int, count: Int) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in 0..<count where byte(start &+ index) != text.utf8Start[index] { return false }
        return true
    }

    /// Whether the `count` bytes at `start` are `text`, which is in lower case, in any case.
    func equals(_ text: StaticString, at start: Int, count: Int) -> Bool {
        count == text.utf8CodeUnitCount && hasPrefix(text, at: start, count: count)
    }

    /// Whether the `count` bytes at `start` begin with `text`, which is in lower case, in any case.
    func hasPrefix(_ text: StaticString, at start: Int, count: Int) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount {
            if asciiLowercased(byte(start &+ index)) != text.utf8Start[index] { return false }
        }
        return true
    }

    /// `start..<end` without spaces and tabs at either end.
    @inline(__always)
    func trimmed(_ start: Int, _ end: Int) -> (start: Int, end: Int) {
        var start = start
        var end = end
        while start < end, byte(start) == ASCII.space || byte(start) == ASCII.tab { start &+= 1 }
        while end > start, byte(end &- 1) == ASCII.space || byte(end &- 1) == ASCII.tab { end &-= 1 }
        return (start, end)
    }

    /// Whether every byte of `start..<end` is in the set, and there is one.
    @inline(__always)
    func isAll(_ set: ByteSet, _ start: Int, _ end: Int) -> Bool {
        guard start < end else { return false }
        for index in start..<end where !set.contains(byte(index)) { return false }
        return true
    }
}

extension UnsafeRawBufferPointer {
    /// Offset of the first `wanted` byte from `start` on, or the count.
    public func first(_ wanted: UInt8, from start: Int) -> Int { bytes.first(wanted, from: start, to: count) }
}

/// Walks over the elements of a comma-separated list (RFC 9110 §5.6.1); empty elements are skipped.
struct ListCursor {
    private var offset: Int
    private let end: Int

    init(_ range: ByteRange) {
        offset = Int(range.start)
        end = offset + Int(range.count)
    }

    /// The next element without the white space around it.
    mutating func next(in bytes: RawSpan) -> (start: Int, end: Int)? {
        while offset < end {
            let comma = bytes.first(UInt8(ascii: ","), from: offset, to: end)
            let element = bytes.trimmed(offset, comma)
            offset = comma + 1
            if element.start < element.end { return element }
        }
        return nil
    }
}
