/// What one WebSocket client of a terminal has sent and is to be sent; decides, and moves no bytes itself.
///
/// What is kept of the output comes first, then a binary frame with the position reached, then what happens. A client
/// that reads too slowly skips output that is no longer kept, and is told the new position.
struct TerminalClient: Sendable {
    private static let messageLimit = 64 << 10
    private static let sliceSize = 64 << 10

    private var decoder = FrameDecoder(from: .client, maximumMessage: messageLimit)
    private var position: UInt64
    /// What was there when the client came is replay; its end is announced once.
    private let replayEnd: UInt64
    private var hasAnnounced = false
    private var isClosing = false

    /// Frames to be sent.
    private(set) var output: [UInt8] = []

    init(from cursor: TerminalCursor, of ring: TerminalRing) {
        switch cursor {
        case .position(let wanted): position = min(max(wanted, ring.start), ring.end)
        case .end: position = ring.end
        }
        replayEnd = ring.end
    }

    /// Whether the connection ends once `output` is sent.
    var isFinished: Bool { isClosing && output.isEmpty }

    /// Whether more of what the client sends is wanted.
    var isListening: Bool { !isClosing }

    /// Takes bytes of the client; returns the keystrokes in them.
    mutating func receive(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        guard !isClosing else { return [] }
        var keys: [UInt8] = []
        do {
            for message in try decoder.receive(bytes) {
                switch message {
                case .text(let bytes), .binary(let bytes): keys += bytes
                case .ping(let bytes): output += FrameEncoder.pong(bytes)
                case .pong: break
                case .close(let code): close(code)
                }
            }
        } catch {
            close(error.rawValue)
        }
        return keys
    }

    /// Puts the next piece of the terminal's output into `output`, if that is empty.
    mutating func prepare(from ring: TerminalRing, hasEnded: Bool) {
        guard output.isEmpty, !isClosing else { return }
        if !hasAnnounced && position >= replayEnd {
            hasAnnounced = true
            announce(position)
            return
        }
        let slice = ring.slice(from: position, limit: Self.sliceSize)
        if slice.from != position { announce(slice.from) }
        position = slice.to
        if !slice.bytes.isEmpty {
            output += FrameEncoder.text(slice.bytes)
        } else if hasEnded {
            close(1000)
        }
    }

    /// Marks the first bytes of `output` as sent.
    mutating func sent(_ count: Int) { output.removeFirst(count) }

    /// Ends the connection with this code.
    mutating func close(_ code: UInt16?) {
        guard !isClosing else { return }
        output += FrameEncoder.close(code)
        isClosing = true
    }

    private mutating func announce(_ position: UInt64) {
        output += FrameEncoder.binary([0] + Array(#"{"cursor":\#(position)}"#.utf8))
    }
}
