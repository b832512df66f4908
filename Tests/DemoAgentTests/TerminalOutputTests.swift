import Testing

@testable import DemoAgent

@Suite("A terminal's output as text")
struct TextStreamTests {
    @Test("Characters cut in two come out whole, wherever the cut is")
    func everySplit() {
        let text = Array("aé→🙂z€\u{10ffff}".utf8)
        for cut in 0...text.count {
            var stream = TextStream()
            let output = stream.receive(text[..<cut]) + stream.receive(text[cut...]) + stream.finish()
            #expect(output == text, "cut at \(cut)")
        }
        var stream = TextStream()
        #expect(text.flatMap { stream.receive([$0]) } == text)
    }

    @Test(
        "Bytes that are no UTF-8 become U+FFFD at once, so that nothing valid waits behind them",
        arguments: [
            ([0xff, 0x61], "\u{fffd}a"), ([0xc3, 0x28], "\u{fffd}("), ([0x80, 0x80], "\u{fffd}\u{fffd}"),
            ([0xed, 0xa0, 0x80, 0x62], "\u{fffd}\u{fffd}\u{fffd}b"), ([0xf5, 0x61], "\u{fffd}a"),
        ] as [([UInt8], String)])
    func repair(bytes: [UInt8], expected: String) {
        var stream = TextStream()
        #expect(String(decoding: stream.receive(bytes), as: UTF8.self) == expected)
        #expect(stream.finish().isEmpty)
    }

    @Test("A character that never gets its end is repaired when the stream ends")
    func unfinished() {
        var stream = TextStream()
        #expect(stream.receive([0x61, 0xf0, 0x9f]) == [0x61])
        #expect(String(decoding: stream.finish(), as: UTF8.self) == "\u{fffd}")
    }
}

@Suite("What is kept of a terminal's output")
struct TerminalRingTests {
    private func text(_ ring: TerminalRing, from position: UInt64) -> String {
        var position = position
        var bytes: [UInt8] = []
        while true {
            let slice = ring.slice(from: position, limit: 1000)
            if slice.bytes.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            #expect(String(validating: slice.bytes, as: UTF8.self) != nil, "a slice ends inside a character")
            bytes += slice.bytes
            position = slice.to
        }
    }

    @Test("Positions count UTF-16 code units, as clients count what they received")
    func positions() {
        var ring = TerminalRing(capacity: 1 << 20)
        var sent = ""
        for round in 0..<2000 {
            let piece = "\(round): é → 🙂\r\n"
            ring.append(Array(piece.utf8))
            sent += piece
        }
        #expect(ring.end == UInt64(sent.utf16.count))
        for position in stride(from: 0, through: sent.utf16.count, by: 997) {
            let index = String.Index(utf16Offset: position, in: sent)
            // In the middle of a surrogate pair the whole character is due to the next piece.
            guard let scalar = index.samePosition(in: sent.unicodeScalars) else { continue }
            #expect(text(ring, from: UInt64(position)) == String(sent[scalar...]))
        }
    }

    @Test("The oldest output is given up, and asking for it gives the oldest that is left")
    func bound() {
        var ring = TerminalRing(capacity: 10_000)
        for _ in 0..<1000 { ring.append([UInt8](repeating: 0x61, count: 100)) }
        ring.append(Array("end".utf8))
        #expect(ring.end == 100_003)
        #expect(ring.end - ring.start <= 10_000)
        #expect(ring.end - ring.start > 5000)
        let slice = ring.slice(from: 0, limit: 10)
        #expect(slice.from == ring.start)
        #expect(slice.to == ring.start + 10)
        #expect(text(ring, from: 0).hasSuffix("aend"))
    }

    @Test("A position ahead of the output, from before a restart, is moved to its end")
    func ahead() {
        var ring = TerminalRing(capacity: 1000)
        ring.append(Array("abc".utf8))
        let slice = ring.slice(from: 77, limit: 10)
        #expect(slice.bytes.isEmpty)
        #expect(slice.to == 3)
    }
}

@Suite("One client of a terminal")
struct TerminalClientTests {
    /// The messages that a client reads until nothing more is prepared.
    private func messages(_ client: inout TerminalClient, _ ring: TerminalRing, hasEnded: Bool = false) throws
        -> [WebSocketMessage]
    {
        var decoder = FrameDecoder(from: .server, maximumMessage: 1 << 20)
        var messages: [WebSocketMessage] = []
        while true {
            client.prepare(from: ring, hasEnded: hasEnded)
            if client.output.isEmpty { return messages }
            messages += try client.output.withUnsafeBytes { try decoder.receive($0) }
            client.sent(client.output.count)
        }
    }

    private func position(_ value: Int) -> WebSocketMessage { .binary([0] + Array("{\"cursor\":\(value)}".utf8)) }

    @Test("Replay, then its end, then what happens")
    func replay() throws {
        var ring = TerminalRing(capacity: 1 << 20)
        ring.append(Array("before".utf8))
        var client = TerminalClient(from: .position(2), of: ring)
        #expect(try messages(&client, ring) == [.text(Array("fore".utf8)), position(6)])
        ring.append(Array("after".utf8))
        #expect(try messages(&client, ring) == [.text(Array("after".utf8))])
        #expect(try messages(&client, ring, hasEnded: true) == [.close(code: 1000)])
        #expect(client.isFinished)
    }

    @Test("A client that wants no replay gets its position only")
    func fromEnd() throws {
        var ring = TerminalRing(capacity: 1 << 20)
        ring.append(Array("before".utf8))
        var client = TerminalClient(from: .end, of: ring)
        #expect(try messages(&client, ring) == [position(6)])
    }

    @Test("A client that was too slow is told where it goes on")
    func skipped() throws {
        var ring = TerminalRing(capacity: 5000)
        var client = TerminalClient(from: .position(0), of: ring)
        #expect(try messages(&client, ring) == [position(0)])
        for _ in 0..<100 { ring.append([UInt8](repeating: 0x61, count: 1000)) }
        let received = try messages(&client, ring)
        #expect(received.first == position(Int(ring.start)))
        #expect(received.count > 1)
    }

    @Test("Keys, pings and a close are taken from one read")
    func input() throws {
        let ring = TerminalRing(capacity: 1000)
        var client = TerminalClient(from: .end, of: ring)
        let bytes =
            clientFrame(0x81, Array("ls".utf8)) + clientFrame(0x89, [1, 2]) + clientFrame(0x82, [13])
            + clientFrame(0x88, [0x03, 0xe9])
        #expect(bytes.withUnsafeBytes { client.receive($0) } == Array("ls\r".utf8))
        #expect(client.output == FrameEncoder.pong([1, 2]) + FrameEncoder.close(1001))
        #expect(!client.isListening)
        client.sent(client.output.count)
        #expect(client.isFinished)
    }

    @Test("A client that breaks the protocol is told why")
    func failure() {
        var client = TerminalClient(from: .end, of: TerminalRing(capacity: 1000))
        #expect([0x81, 0x01, 0x61].withUnsafeBytes { client.receive($0) }.isEmpty)
        #expect(client.output == FrameEncoder.close(1002))
    }

    @Test(
        "The cursor of a query",
        arguments: [
            (nil, TerminalCursor.position(0)), ("0", .position(0)), ("17", .position(17)), ("-1", .end),
            ("-2", .position(0)), ("x", .position(0)),
        ] as [(String?, TerminalCursor)])
    func cursor(text: String?, expected: TerminalCursor) { #expect(TerminalCursor(text) == expected) }
}
