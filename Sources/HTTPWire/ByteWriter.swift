/// Appends bytes to memory somebody else owns.
///
/// When something does not fit, nothing of it is written and `overflowed` is set for good: the caller checks once, at
/// the end.
public struct ByteWriter: ~Copyable {
    private let start: UnsafeMutableRawPointer?
    private let capacity: Int
    /// Bytes written so far.
    public private(set) var count = 0
    /// Whether something did not fit; what was written is then useless.
    public private(set) var overflowed = false

    /// Writes into `buffer` from its start; the memory must outlive the writer.
    public init(_ buffer: UnsafeMutableRawBufferPointer) {
        start = buffer.baseAddress
        capacity = buffer.count
    }

    /// What was written, valid as long as the memory is.
    public var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    /// Where the next `length` bytes go, already counted; nil on overflow.
    @inline(__always)
    private mutating func reserve(_ length: Int) -> UnsafeMutableRawPointer? {
        guard length <= capacity &- count, !overflowed, let start else {
            if length > 0 { overflowed = true }
            return nil
        }
        let place = start + count
        count &+= length
        return place
    }

    /// Appends `length` bytes from `source`.
    @inline(__always)
    private mutating func append(_ source: UnsafeRawPointer, _ length: Int) {
        guard let place = reserve(length) else { return }
        place.copyMemory(from: source, byteCount: length)
    }

    /// Appends bytes.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        append(source, bytes.count)
    }

    /// Appends constant text.
    // Inlined, for a copy of known length is a store or two.
    @inline(__always)
    public mutating func append(_ text: StaticString) {
        append(UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount)
    }

    /// Appends the bytes of an array.
    public mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    /// Appends one byte.
    public mutating func append(byte: UInt8) {
        reserve(1)?.storeBytes(of: byte, as: UInt8.self)
    }

    /// Appends a number in decimal digits.
    public mutating func append(decimal value: UInt64) {
        append(value, radix: 10)
    }

    /// Appends a number in lower-case hexadecimal digits.
    public mutating func append(hexadecimal value: UInt64) {
        append(value, radix: 16)
    }

    private mutating func append(_ value: UInt64, radix: UInt64) {
        var digits = 1
        var rest = value / radix
        while rest > 0 {
            digits += 1
            rest /= radix
        }
        guard let place = reserve(digits) else { return }
        rest = value
        for index in stride(from: digits - 1, through: 0, by: -1) {
            let digit = UInt8(truncatingIfNeeded: rest % radix)
            let character = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            place.storeBytes(of: character, toByteOffset: index, as: UInt8.self)
            rest /= radix
        }
    }

    /// Appends `name: value` and CRLF.
    public mutating func append(field name: StaticString, _ value: UnsafeRawBufferPointer) {
        append(name)
        append(": ")
        append(value)
        append("\r\n")
    }
}
