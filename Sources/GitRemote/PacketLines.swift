/// One packet of git's pkt-line format (gitprotocol-common).
package enum Packet: Equatable, Sendable {
    /// `0000`
    case flush
    /// `0001`
    case delimiter
    /// `0002`
    case responseEnd
    /// A payload; a line's `\n` is still there.
    case data([UInt8])
}

/// Why bytes are not pkt-lines.
package enum PacketProblem: Error, Equatable, Sendable {
    /// Not four hexadecimal digits, or `0003`.
    case malformedLength
    /// More than the 65,520 bytes that the format allows.
    case tooLong
    /// The bytes ended inside a packet.
    case truncated
}

/// Cuts a stream of bytes into packets, however the stream was cut before.
///
/// Holds at most one incomplete packet and the piece it was given last.
package struct PacketLines: Sendable {
    /// Longest packet, its own four digits included (LARGE_PACKET_MAX).
    package static let maximumLength = 65520

    private var buffer: [UInt8] = []
    private var position = 0

    package init() {}

    /// Whether every byte that came belongs to a packet that was handed out.
    package var isAtBoundary: Bool { position == buffer.count }

    /// Takes the next piece of the stream.
    package mutating func append(_ bytes: some Collection<UInt8>) {
        if position > 0 {
            buffer.removeFirst(position)
            position = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next complete packet; nil when more bytes are needed.
    package mutating func next() throws(PacketProblem) -> Packet? {
        guard buffer.count - position >= 4 else {
            // A wrong digit is wrong whether or not the others came.
            for byte in buffer[position...] where Self.digit(byte) == nil { throw .malformedLength }
            return nil
        }
        var length = 0
        for byte in buffer[position..<position + 4] {
            guard let digit = Self.digit(byte) else { throw .malformedLength }
            length = length << 4 | digit
        }
        switch length {
        case 0, 1, 2:
            position += 4
            return length == 0 ? .flush : length == 1 ? .delimiter : .responseEnd
        case 3: throw .malformedLength
        case let length where length > Self.maximumLength: throw .tooLong
        default:
            guard buffer.count - position >= length else { return nil }
            defer { position += length }
            return .data(Array(buffer[position + 4..<position + length]))
        }
    }

    /// Says that no byte follows.
    package func finish() throws(PacketProblem) {
        guard isAtBoundary else { throw .truncated }
    }

    /// One packet with this text.
    package static func line(_ text: String) -> [UInt8] {
        let length = String(text.utf8.count + 4, radix: 16)
        return Array(String(repeating: "0", count: 4 - length.count).utf8) + Array(length.utf8) + Array(text.utf8)
    }

    private static func digit(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x30...0x39: Int(byte) - 0x30
        case 0x41...0x46: Int(byte) - 0x41 + 10
        case 0x61...0x66: Int(byte) - 0x61 + 10
        default: nil
        }
    }
}
