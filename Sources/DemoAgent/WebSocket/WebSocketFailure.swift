/// Why a WebSocket is ended by this side; the raw value is the close code (RFC 6455 §7.4.1).
package enum WebSocketFailure: UInt16, Error, Equatable, Sendable {
    /// A frame that the protocol does not allow.
    case protocolError = 1002
    /// Text that is not UTF-8.
    case invalidText = 1007
    /// A message larger than this side takes.
    case tooBig = 1009
}

/// What arrives on a WebSocket, once frames are put together.
package enum WebSocketMessage: Equatable, Sendable {
    case text([UInt8])
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    /// The peer closes; nil if it gave no code.
    case close(code: UInt16?)
}

/// The four bits that say what a frame is (RFC 6455 §5.2).
enum Opcode: UInt8 {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xa

    var isControl: Bool { rawValue >= 0x8 }
}
