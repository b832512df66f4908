/// Where a host ends and its port begins in `host [":" port]` (RFC 3986 §3.2), with its syntax checked.
///
/// Stricter than the grammar: no userinfo, no IPvFuture, no zone, at most 255 bytes of host, a port below 65536.
public struct Authority: Equatable, Sendable {
    /// The host, an IPv6 literal with its brackets.
    public var host: ByteRange
    /// The digits after the colon; empty if there are none.
    public var port: ByteRange

    /// Reads the bytes of `range` as an authority.
    public init(_ bytes: UnsafeRawBufferPointer, in range: ByteRange) throws(WireError) {
        try self.init(bytes.bytes, Int(range.start), Int(range.start) + Int(range.count))
    }

    init(_ bytes: RawSpan, _ start: Int, _ end: Int) throws(WireError) {
        guard start < end else { throw .malformedHost }
        var hostEnd = start
        if bytes.byte(start) == UInt8(ascii: "[") {
            hostEnd = bytes.first(UInt8(ascii: "]"), from: start, to: end)
            guard hostEnd < end, Self.isIPv6(bytes, start + 1, hostEnd) else { throw .malformedHost }
            hostEnd += 1
        } else {
            while hostEnd < end, bytes.byte(hostEnd) != UInt8(ascii: ":") {
                if !ByteSet.registeredName.contains(bytes.byte(hostEnd)) {
                    // A percent sign must be an escape; nobody decodes it, hosts are compared as they are.
                    guard bytes.byte(hostEnd) == UInt8(ascii: "%"), hostEnd + 2 < end,
                        bytes.isAll(.hexadecimal, hostEnd + 1, hostEnd + 3)
                    else { throw .malformedHost }
                    hostEnd += 2
                }
                hostEnd += 1
            }
        }
        guard hostEnd > start, hostEnd - start <= 255 else { throw .malformedHost }
        host = ByteRange(start: start, count: hostEnd - start)
        port = .empty
        guard hostEnd < end else { return }
        guard bytes.byte(hostEnd) == UInt8(ascii: ":") else { throw .malformedHost }
        port = ByteRange(start: hostEnd + 1, count: end - hostEnd - 1)
        guard port.isEmpty || Self.portNumber(bytes, port) != nil else { throw .malformedHost }
    }

    /// The number of a port of one to five digits, nil above 65535.
    static func portNumber(_ bytes: RawSpan, _ range: ByteRange) -> Int? {
        guard range.count >= 1, range.count <= 5 else { return nil }
        var value = 0
        for index in Int(range.start)..<Int(range.start) + Int(range.count) {
            let digit = bytes.byte(index) &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            value = value * 10 + Int(digit)
        }
        return value <= 65535 ? value : nil
    }

    /// `IPv6address` of RFC 3986 §3.2.2: eight groups, or fewer around one `::`, the last two perhaps as IPv4.
    private static func isIPv6(_ bytes: RawSpan, _ start: Int, _ end: Int) -> Bool {
        var offset = start
        var groups = 0
        var elided = false
        if offset + 1 < end, bytes.byte(offset) == UInt8(ascii: ":") {
            guard bytes.byte(offset + 1) == UInt8(ascii: ":") else { return false }
            elided = true
            offset += 2
        }
        while offset < end {
            var next = offset
            while next < end, ByteSet.hexadecimal.contains(bytes.byte(next)) { next += 1 }
            if next < end, bytes.byte(next) == UInt8(ascii: ".") {
                guard isIPv4(bytes, offset, end) else { return false }
                groups += 2
                return elided ? groups <= 7 : groups == 8
            }
            guard next > offset, next - offset <= 4 else { return false }
            groups += 1
            offset = next
            guard offset < end else { break }
            guard bytes.byte(offset) == UInt8(ascii: ":") else { return false }
            offset += 1
            guard offset < end else { return false }
            if bytes.byte(offset) == UInt8(ascii: ":") {
                guard !elided else { return false }
                elided = true
                offset += 1
            }
        }
        return elided ? groups <= 7 : groups == 8
    }

    private static func isIPv4(_ bytes: RawSpan, _ start: Int, _ end: Int) -> Bool {
        var offset = start
        for part in 0..<4 {
            let first = offset
            var value = 0
            while offset < end, offset - first < 3, bytes.byte(offset) &- UInt8(ascii: "0") <= 9 {
                value = value * 10 + Int(bytes.byte(offset) &- UInt8(ascii: "0"))
                offset += 1
            }
            guard offset > first, value <= 255 else { return false }
            // `dec-octet` has no leading zeros: some readers take them for octal.
            guard offset - first == 1 || bytes.byte(first) != UInt8(ascii: "0") else { return false }
            guard part < 3 else { break }
            guard offset < end, bytes.byte(offset) == UInt8(ascii: ".") else { return false }
            offset += 1
        }
        return offset == end
    }

    /// Whether two authorities name the same host and port; `defaultPort` stands for an absent or empty one.
    static func agree(_ bytes: RawSpan, _ one: Authority, _ other: Authority, defaultPort: Int) -> Bool {
        guard one.host.count == other.host.count else { return false }
        for index in 0..<Int(one.host.count) {
            let left = asciiLowercased(bytes.byte(Int(one.host.start) + index))
            let right = asciiLowercased(bytes.byte(Int(other.host.start) + index))
            guard left == right else { return false }
        }
        return (portNumber(bytes, one.port) ?? defaultPort) == (portNumber(bytes, other.port) ?? defaultPort)
    }
}
