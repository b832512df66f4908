import HTTPWire
import Testing

@Suite struct ChunkReaderTests {
    /// Decodes a stream whose first `cut` bytes arrive first; what follows the body is returned, too.
    static func decode(
        _ bytes: [UInt8], cut: Int
    ) throws -> (payload: String, rest: String, trailers: String, isComplete: Bool) {
        var reader = ChunkReader()
        var payload: [UInt8] = []
        var unread: [UInt8] = []
        for part in [bytes[..<cut], bytes[cut...]] {
            unread += part
            reading: while !reader.isComplete {
                let step = try onGuardPages(unread) { buffer in
                    // On a copy: this closure runs twice.
                    var copy = reader
                    let step = try copy.next(buffer)
                    return (step, copy)
                }
                reader = step.1
                switch step.0 {
                case .needMore(let consumed):
                    unread.removeFirst(consumed)
                    break reading
                case .chunk(let consumed, let length):
                    unread.removeFirst(consumed)
                    let count = min(unread.count, Int(length))
                    if count == 0 { break reading }
                    payload += unread.prefix(count)
                    unread.removeFirst(count)
                    reader.payloadMoved(UInt64(count))
                case .end(let consumed): unread.removeFirst(consumed)
                }
            }
        }
        return (text(payload), text(unread), text(reader.trailers), reader.isComplete)
    }

    @Test(
        "A chunked body is read the same wherever it is cut in two",
        arguments: [
            ("0\n\n", "", "", ""),
            ("5\nhello\n0\n\n", "hello", "", ""),
            ("5\nhello\n1\n!\n000\n\nGET /", "hello!", "GET /", ""),
            ("A;ext=1;q=\"a\\\";\"\n0123456789\n0;last\n\n", "0123456789", "", ""),
            ("1;a\t= b ;c=\"\"\nx\n0;a=b;!#$%&'*+-.^_`|~=0\n\n", "x", "", ""),
            ("a; \tx\n0123456789\n0\n\n", "0123456789", "", ""),
            ("00000000000001\nx\n0\n\n", "x", "", ""),
            ("1\nx\n0\nX-Check: abc\nETag:\t\"1\" \n\nrest", "x", "rest", "X-Check: abc\nETag: \"1\"\n"),
            ("2\n\n\n0\n\n", "\n", "", ""),
        ])
    func reading(stream: String, payload: String, rest: String, trailers: String) throws {
        let bytes = wire(stream)
        for cut in 0...bytes.count {
            let seen = try Self.decode(bytes, cut: cut)
            #expect(seen.payload == payload)
            #expect(seen.rest == rest)
            #expect(seen.trailers == trailers)
            #expect(seen.isComplete)
        }
    }

    @Test(
        "A chunked body that readers see differently is refused wherever it is cut in two",
        arguments: [
            ("\n", WireError.malformedChunkSize), (" 5\nhello", .malformedChunkSize),
            ("5 \nhello", .malformedChunkSize),
            ("5\t;x\nhello", .malformedChunkSize), ("0x5\nhello", .malformedChunkSize),
            ("+5\nhello", .malformedChunkSize),
            ("-1\nx", .malformedChunkSize), ("g\n", .malformedChunkSize), (";x\n", .malformedChunkSize),
            ("5,\nhello", .malformedChunkSize), ("5␊hello", .malformedChunkSize), ("5␍hello", .malformedChunkSize),
            ("5;a␊b\nhello", .malformedChunkSize), ("5;a␍b\nhello", .malformedChunkSize),
            ("5;␀\n", .malformedChunkSize),
            ("5;\nhello", .malformedChunkSize), ("5; \nhello", .malformedChunkSize),
            ("5;;\nhello", .malformedChunkSize), ("5;a;\nhello", .malformedChunkSize),
            ("5;a=\nhello", .malformedChunkSize), ("5;=b\nhello", .malformedChunkSize),
            ("5;a \nhello", .malformedChunkSize), ("5;a=b \nhello", .malformedChunkSize),
            ("5;a=b c\nhello", .malformedChunkSize), ("5;a b\nhello", .malformedChunkSize),
            ("5;a==b\nhello", .malformedChunkSize), ("5;a=b=c\nhello", .malformedChunkSize),
            ("5;a[\nhello", .malformedChunkSize), ("5;\"a\"\nhello", .malformedChunkSize),
            ("5;a=\"\nhello", .malformedChunkSize), ("5;a=\"\n\"\nhello", .malformedChunkSize),
            ("5;a=\"b\\\"\nhello", .malformedChunkSize), ("5;a=\"b\"c\nhello", .malformedChunkSize),
            ("0;\n\n", .malformedChunkSize),
            ("5;\u{E9}\n", .malformedChunkSize), ("5\u{C2}\u{A0}\n", .malformedChunkSize),
            ("1000000000000000\n", .malformedChunkSize), ("ffffffffffffffff\n", .malformedChunkSize),
            ("0000000000000001\nx", .malformedChunkSize), ("10000000000000000\n", .malformedChunkSize),
            ("5\nhelloX\n0\n\n", .malformedChunkEnd), ("5\nhello␊0\n\n", .malformedChunkEnd),
            ("5\nhello␍0\n\n", .malformedChunkEnd), ("5\nhello0\n\n", .malformedChunkEnd),
            ("0\nno colon\n\n", .malformedTrailer), ("0\nX : y\n\n", .malformedTrailer),
            ("0\n: y\n\n", .malformedTrailer),
            ("0\n X: y\n\n", .malformedTrailer), ("0\nX: y␊\n", .malformedTrailer), ("0\nX: ␀\n", .malformedTrailer),
            ("0\nX: y␍z\n", .malformedTrailer), ("0\nX: y\n z\n\n", .malformedTrailer), ("0\n␊", .malformedTrailer),
            ("0\n␍x", .malformedTrailer),
            ("0\nContent-Length: 5\n\n", .forbiddenTrailer), ("0\ntransfer-encoding: chunked\n\n", .forbiddenTrailer),
            ("0\nHost: b\n\n", .forbiddenTrailer), ("0\nAuthorization: x\n\n", .forbiddenTrailer),
            ("0\nCookie: x\n\n", .forbiddenTrailer), ("0\nSet-Cookie: x\n\n", .forbiddenTrailer),
            ("0\nX-Auth-Request-Email: x\n\n", .forbiddenTrailer), ("0\nX_Y: x\n\n", .forbiddenTrailer),
            ("0\nTrailer: x\n\n", .forbiddenTrailer), ("0\nContent-Type: x\n\n", .forbiddenTrailer),
            ("0\nConnection: close\n\n", .forbiddenTrailer), ("0\nX-Forwarded-For: x\n\n", .forbiddenTrailer),
        ])
    func refusal(stream: String, expected: WireError) {
        let bytes = wire(stream)
        for cut in 0...bytes.count {
            #expect(error { try Self.decode(bytes, cut: cut) } == expected)
        }
    }

    @Test("A body that is cut off is never complete")
    func truncation() throws {
        let bytes = wire("5;x\nhello\n0\nX: y\n\n")
        for count in 0..<bytes.count {
            #expect(try !Self.decode(Array(bytes[..<count]), cut: count / 2).isComplete)
        }
    }

    @Test("A size line is at most 256 bytes, trailers at most 8 KiB")
    func limits() throws {
        let longest = "1;" + String(repeating: "x", count: 252) + "\n"
        #expect(wire(longest).count == ChunkReader.chunkLineLimit)
        #expect(try Self.decode(wire(longest + "y\n0\n\n"), cut: 0).isComplete)
        let tooLong = "1;" + String(repeating: "x", count: 253)
        for stream in [tooLong + "\ny\n0\n\n", tooLong + "x", tooLong + "␍"] {
            #expect(error { try Self.decode(wire(stream), cut: 9) } == .chunkExtensionTooLong)
        }
        let line = "X: " + String(repeating: "y", count: 1019) + "\n"
        #expect(wire(line).count == 1024)
        let seven = "0\n" + String(repeating: line, count: 7)
        let last = "X: " + String(repeating: "y", count: 1017) + "\n\n"
        #expect(try Self.decode(wire(seven + last), cut: 100).isComplete)
        #expect(error { try Self.decode(wire(seven + "X: y" + last), cut: 100) } == .trailersTooLarge)
        #expect(error { try Self.decode(wire(seven + line + line), cut: 100) } == .trailersTooLarge)
        #expect(
            error { try Self.decode(wire("0\n" + String(repeating: "x", count: 8192)), cut: 100) } == .trailersTooLarge)
    }

    @Test("While payload is due, asking again changes nothing")
    func repetition() throws {
        var reader = ChunkReader()
        let bytes = wire("a\n0123456789\n0\n\n")
        func next(_ range: Range<Int>) throws -> ChunkReader.Step {
            try Array(bytes[range]).withUnsafeBytes { try reader.next($0) }
        }
        #expect(try next(0..<bytes.count) == .chunk(consumed: 3, length: 10))
        #expect(try next(3..<bytes.count) == .chunk(consumed: 0, length: 10))
        reader.payloadMoved(4)
        #expect(try next(7..<bytes.count) == .chunk(consumed: 0, length: 6))
        reader.payloadMoved(6)
        #expect(try next(13..<13) == .needMore(consumed: 0))
        #expect(try next(13..<15) == .needMore(consumed: 2))
        #expect(try next(15..<bytes.count) == .end(consumed: 5))
        #expect(try next(20..<20) == .end(consumed: 0))
    }
}
