import Testing

@testable import DemoAgent

/// A client's frame, masked with a key of its own.
func clientFrame(
    _ first: UInt8, _ payload: [UInt8], key: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]
) -> [UInt8] {
    var frame: [UInt8] = [first]
    switch payload.count {
    case ...125: frame.append(0x80 | UInt8(payload.count))
    case ...0xffff: frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xff)]
    default:
        frame.append(0x80 | 127)
        frame += (0..<8).map { UInt8((payload.count >> (56 - 8 * $0)) & 0xff) }
    }
    return frame + key + payload.enumerated().map { $1 ^ key[$0 & 3] }
}

@Suite("Frames of a WebSocket")
struct FrameDecoderTests {
    private func decode(
        _ pieces: [[UInt8]], from sender: FrameDecoder.Sender = .client, limit: Int = 1 << 20
    ) throws -> [WebSocketMessage] {
        var decoder = FrameDecoder(from: sender, maximumMessage: limit)
        var messages: [WebSocketMessage] = []
        for piece in pieces { messages += try piece.withUnsafeBytes { try decoder.receive($0) } }
        return messages
    }

    /// Everything that may come on one connection: short, fragmented around a ping, medium, long, empty, close.
    private static func conversation(long: Int) -> (bytes: [UInt8], messages: [WebSocketMessage]) {
        let medium = [UInt8](repeating: 0x61, count: 300)
        let long = (0..<long).map { UInt8(truncatingIfNeeded: $0) }
        let text = Array("h\u{e9}llo".utf8)
        let bytes =
            clientFrame(0x81, Array("Hello".utf8)) + clientFrame(0x01, Array(text[..<2]))
            + clientFrame(0x89, Array("are you there".utf8)) + clientFrame(0x00, [])
            + clientFrame(0x80, Array(text[2...])) + clientFrame(0x82, medium)
            + clientFrame(0x82, long, key: [0, 1, 2, 3]) + clientFrame(0x81, []) + clientFrame(0x8a, [])
            + clientFrame(0x88, [0x03, 0xe8] + Array("bye".utf8))
        return (
            bytes,
            [
                .text(Array("Hello".utf8)), .ping(Array("are you there".utf8)), .text(text), .binary(medium),
                .binary(long), .text([]), .pong([]), .close(code: 1000),
            ]
        )
    }

    @Test("The same bytes give the same messages, byte by byte", arguments: [200, 66_000])
    func byteByByte(long: Int) throws {
        let (bytes, messages) = Self.conversation(long: long)
        #expect(try decode(bytes.map { [$0] }) == messages)
    }

    @Test("The same bytes give the same messages, cut in two anywhere")
    func everySplit() throws {
        let (bytes, messages) = Self.conversation(long: 200)
        for cut in 0...bytes.count {
            #expect(try decode([Array(bytes[..<cut]), Array(bytes[cut...])]) == messages, "cut at \(cut)")
        }
    }

    @Test("Bytes behind a close are not looked at")
    func behindClose() throws {
        #expect(try decode([clientFrame(0x88, []) + [0xff, 0xff]]) == [.close(code: nil)])
    }

    @Test(
        "What the protocol does not allow ends the connection",
        arguments: [
            ([0x81, 0x01, 0x61], WebSocketFailure.protocolError, "not masked"),
            (clientFrame(0xc1, [0x61]), .protocolError, "reserved bit"),
            (clientFrame(0x83, []), .protocolError, "unknown opcode"),
            (clientFrame(0x80, [0x61]), .protocolError, "continues nothing"),
            (clientFrame(0x01, [0x61]) + clientFrame(0x81, [0x61]), .protocolError, "new message inside one"),
            (clientFrame(0x09, []), .protocolError, "fragmented ping"),
            (clientFrame(0x89, [UInt8](repeating: 0, count: 126)), .protocolError, "long ping"),
            ([0x82, 0xfe, 0x00, 0x7d, 0, 0, 0, 0], .protocolError, "length in two bytes that fits in one"),
            ([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0], .protocolError, "eight bytes that fit in two"),
            ([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .protocolError, "top bit of the length"),
            (clientFrame(0x88, [0x03]), .protocolError, "half a close code"),
            (clientFrame(0x88, [0x03, 0xed]), .protocolError, "close code 1005"),
            (clientFrame(0x88, [0x0b, 0xb7]), .protocolError, "close code 2999"),
            (clientFrame(0x88, [0x03, 0xe8, 0xff]), .invalidText, "close reason"),
            (clientFrame(0x81, [0xc3, 0x28]), .invalidText, "text"),
            (clientFrame(0x01, [0xc3]) + clientFrame(0x80, []), .invalidText, "text cut short"),
        ] as [([UInt8], WebSocketFailure, String)])
    func refusal(bytes: [UInt8], expected: WebSocketFailure, what: String) {
        #expect(throws: expected) { try decode([bytes]) }
        #expect(throws: expected) { try decode(bytes.map { [$0] }) }
    }

    @Test("A message that is too big is refused at its header, fragments counted together")
    func tooBig() throws {
        let header = Array(clientFrame(0x82, [UInt8](repeating: 0, count: 1001)).prefix(8))
        #expect(throws: WebSocketFailure.tooBig) { try decode([header], limit: 1000) }
        let fragments =
            clientFrame(0x02, [UInt8](repeating: 0, count: 600)) + clientFrame(0x80, [UInt8](repeating: 0, count: 401))
        #expect(throws: WebSocketFailure.tooBig) { try decode([fragments], limit: 1000) }
        #expect(try decode([clientFrame(0x82, [UInt8](repeating: 7, count: 1000))], limit: 1000).count == 1)
    }

    @Test("What the server writes, a client reads", arguments: [0, 1, 125, 126, 65_535, 65_536])
    func roundTrip(count: Int) throws {
        let payload = [UInt8](repeating: 0x78, count: count)
        #expect(try decode([FrameEncoder.text(payload)], from: .server) == [.text(payload)])
        #expect(try decode([FrameEncoder.binary(payload)], from: .server) == [.binary(payload)])
        #expect(throws: WebSocketFailure.protocolError) { try decode([FrameEncoder.text(payload)], from: .client) }
    }

    @Test("The example of RFC 6455 §1.3 gets its accept value")
    func accept() {
        #expect(webSocketAccept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }
}
