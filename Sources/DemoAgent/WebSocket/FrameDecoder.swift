/// Turns the bytes of one direction of a WebSocket into messages, however the bytes are cut (RFC 6455 §5).
///
/// Bounded: a message larger than `maximumMessage` fails with `tooBig` as soon as a frame header announces it, before
/// its bytes are taken.
package struct FrameDecoder: Sendable {
    /// Which side sent the bytes: a client must mask its frames, a server must not (RFC 6455 §5.1).
    package enum Sender: Sendable { case client, server }

    private let sender: Sender
    private let maximumMessage: Int

    /// The bytes of the header of the present frame, as far as they have come; 2...14.
    private var header: [UInt8] = []
    private var frame: Frame?
    /// The data message that is being put together, over its fragments.
    private var message: [UInt8] = []
    private var messageOpcode: Opcode?
    private var control: [UInt8] = []
    private var isClosed = false

    private struct Frame {
        let opcode: Opcode
        let isFinal: Bool
        let mask: (UInt8, UInt8, UInt8, UInt8)
        let length: Int
        var received = 0
    }

    /// Makes a decoder for what `sender` sends.
    package init(from sender: Sender, maximumMessage: Int) {
        self.sender = sender
        self.maximumMessage = maximumMessage
    }

    /// Takes the next bytes and returns the messages that they complete, in order; nothing follows a close.
    ///
    /// After an error the decoder must not be used again: the connection is lost.
    package mutating func receive(_ bytes: UnsafeRawBufferPointer) throws(WebSocketFailure) -> [WebSocketMessage] {
        var messages: [WebSocketMessage] = []
        var index = 0
        while !isClosed {
            if frame == nil {
                guard index < bytes.count else { break }
                header.append(bytes[index])
                index += 1
                guard header.count >= 2, header.count == Self.headerLength(header) else { continue }
                frame = try readHeader()
                header.removeAll(keepingCapacity: true)
            }
            guard let present = frame else { break }
            let take = min(bytes.count - index, present.length - present.received)
            append(UnsafeRawBufferPointer(rebasing: bytes[index..<index + take]), to: present)
            index += take
            frame!.received += take
            guard present.received + take == present.length else { break }
            frame = nil
            if let complete = try finish(present) { messages.append(complete) }
        }
        return messages
    }

    /// How long the header is that starts with these two bytes.
    private static func headerLength(_ header: [UInt8]) -> Int {
        let extended =
            switch header[1] & 0x7f {
            case 126: 2
            case 127: 8
            default: 0
            }
        return 2 + extended + (header[1] & 0x80 != 0 ? 4 : 0)
    }

    private func readHeader() throws(WebSocketFailure) -> Frame {
        // No extension was agreed on, so the reserved bits are zero.
        guard header[0] & 0x70 == 0, let opcode = Opcode(rawValue: header[0] & 0x0f) else { throw .protocolError }
        let isFinal = header[0] & 0x80 != 0
        let isMasked = header[1] & 0x80 != 0
        guard isMasked == (sender == .client) else { throw .protocolError }

        let short = header[1] & 0x7f
        let lengthBytes = header[2..<header.count - (isMasked ? 4 : 0)]
        let long = lengthBytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        // The shortest form only, and never the top bit (RFC 6455 §5.2).
        if short == 126 && long < 126 { throw .protocolError }
        if short == 127 && (long < 65536 || long >> 63 != 0) { throw .protocolError }
        let length = lengthBytes.isEmpty ? UInt64(short) : long

        if opcode.isControl {
            guard isFinal, length <= 125 else { throw .protocolError }
        } else {
            guard (opcode == .continuation) == (messageOpcode != nil) else { throw .protocolError }
            guard length <= UInt64(maximumMessage - message.count) else { throw .tooBig }
        }
        let key = isMasked ? Array(header.suffix(4)) : [0, 0, 0, 0]
        return Frame(
            opcode: opcode, isFinal: isFinal, mask: (key[0], key[1], key[2], key[3]), length: Int(length))
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer, to frame: Frame) {
        let key = [frame.mask.0, frame.mask.1, frame.mask.2, frame.mask.3]
        let unmasked = bytes.enumerated().lazy.map { $1 ^ key[($0 + frame.received) & 3] }
        if frame.opcode.isControl {
            control.append(contentsOf: unmasked)
        } else {
            message.append(contentsOf: unmasked)
        }
    }

    /// Ends a frame whose last byte has come; nil if its message goes on.
    private mutating func finish(_ frame: Frame) throws(WebSocketFailure) -> WebSocketMessage? {
        if frame.opcode.isControl {
            defer { control.removeAll(keepingCapacity: true) }
            switch frame.opcode {
            case .ping: return .ping(control)
            case .pong: return .pong(control)
            default:
                isClosed = true
                return .close(code: try closeCode())
            }
        }
        if frame.opcode != .continuation { messageOpcode = frame.opcode }
        guard frame.isFinal else { return nil }
        let opcode = messageOpcode
        let complete = message
        messageOpcode = nil
        message = []
        guard opcode == .text else { return .binary(complete) }
        guard String(validating: complete, as: UTF8.self) != nil else { throw .invalidText }
        return .text(complete)
    }

    private func closeCode() throws(WebSocketFailure) -> UInt16? {
        if control.isEmpty { return nil }
        guard control.count >= 2 else { throw .protocolError }
        let code = UInt16(control[0]) << 8 | UInt16(control[1])
        // 1004...1006 and 1015 never travel; below 3000 the rest is not defined (RFC 6455 §7.4).
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: break
        default: throw .protocolError
        }
        guard String(validating: control[2...], as: UTF8.self) != nil else { throw .invalidText }
        return code
    }
}
