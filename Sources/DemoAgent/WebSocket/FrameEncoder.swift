/// Writes the frames that a server sends: whole, unmasked, no extension (RFC 6455 §5).
package enum FrameEncoder {
    /// A text frame; the bytes must be UTF-8.
    package static func text(_ bytes: some Collection<UInt8>) -> [UInt8] { frame(.text, bytes) }

    /// A binary frame.
    package static func binary(_ bytes: some Collection<UInt8>) -> [UInt8] { frame(.binary, bytes) }

    /// The answer to a ping, with the same bytes.
    package static func pong(_ bytes: [UInt8]) -> [UInt8] { frame(.pong, bytes) }

    /// A close with a code, or without one as the answer to a close without one.
    package static func close(_ code: UInt16?) -> [UInt8] {
        frame(.close, code.map { [UInt8($0 >> 8), UInt8($0 & 0xff)] } ?? [])
    }

    private static func frame(_ opcode: Opcode, _ bytes: some Collection<UInt8>) -> [UInt8] {
        let count = bytes.count
        var frame: [UInt8] = []
        frame.reserveCapacity(count + 10)
        frame.append(0x80 | opcode.rawValue)
        switch count {
        case ...125:
            frame.append(UInt8(count))
        case ...0xffff:
            frame.append(126)
            frame.append(contentsOf: [UInt8(count >> 8), UInt8(count & 0xff)])
        default:
            frame.append(127)
            for shift in stride(from: 56, through: 0, by: -8) { frame.append(UInt8((count >> shift) & 0xff)) }
        }
        frame.append(contentsOf: bytes)
        return frame
    }
}
