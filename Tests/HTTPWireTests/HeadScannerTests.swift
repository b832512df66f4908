import HTTPWire
import Testing

@Suite struct HeadScannerTests {
    static let heads = [
        "GET / HTTP/1.1\nHost: a\n\n",
        "\nGET / HTTP/1.1\nHost: a\n\n",
        "POST /x?y HTTP/1.1\nHost: a.example\nContent-Length: 3\nX-Tab: a\tb\n\n",
        "HTTP/1.1 200 OK\nContent-Type: text/plain; charset=utf-8\nSet-Cookie: a=b\n\n",
    ]

    @Test("The end of a head is found wherever the bytes are cut in two", arguments: heads)
    func splits(head: String) throws {
        let bytes = wire(head)
        for cut in 0...bytes.count {
            var (early, scanner) = try onGuardPages(Array(bytes[..<cut])) { buffer in
                var scanner = HeadScanner(limits: .request)
                return (try scanner.scan(buffer), scanner)
            }
            #expect(early == (cut == bytes.count ? bytes.count : nil))
            if cut == bytes.count { scanner.reset() }
            #expect(try bytes.withUnsafeBytes { try scanner.scan($0) } == bytes.count)
        }
    }

    @Test("The end of a head is found when bytes come one at a time", arguments: heads)
    func trickle(head: String) throws {
        let bytes = wire(head)
        var scanner = HeadScanner(limits: .request)
        for count in 0..<bytes.count {
            #expect(try bytes[..<count].withUnsafeBytes { try scanner.scan($0) } == nil)
        }
        #expect(try bytes.withUnsafeBytes { try scanner.scan($0) } == bytes.count)
    }

    @Test("What follows a head is not looked at")
    func leftovers() throws {
        let bytes = wire("GET / HTTP/1.1\nHost: a\n\n␀␊␍")
        var scanner = HeadScanner(limits: .request)
        #expect(try bytes.withUnsafeBytes { try scanner.scan($0) } == bytes.count - 3)
    }

    @Test(
        "Bytes that no line may hold are refused as soon as they arrive",
        arguments: [
            ("GET / HTTP/1.1␊", WireError.bareLineFeed),
            ("GET / HTTP/1.1\nHost: a␍x", .bareCarriageReturn),
            ("GET / HTTP/1.1\nHost: a␍␍", .bareCarriageReturn),
            ("GET / HTTP/1.1\nHo␀", .nulByte),
            ("GET /\u{7F}", .controlByte),
            ("GET /\u{1B}", .controlByte),
            ("\u{16}\u{3}\u{1}", .controlByte),
            ("\n\n", .malformedRequestLine),
            ("GET / HTTP/1.1\n␊", .bareLineFeed),
        ])
    func refusal(head: String, expected: WireError) {
        let bytes = wire(head)
        for cut in 0..<bytes.count {
            let found = error {
                var scanner = HeadScanner(limits: .request)
                _ = try bytes[..<cut].withUnsafeBytes { try scanner.scan($0) }
                _ = try bytes.withUnsafeBytes { try scanner.scan($0) }
            }
            #expect(found == expected)
        }
    }

    @Test("Limits hold to the byte")
    func limits() {
        let limits = HeadLimits(line: 18, head: 40, fields: 2)
        func scan(_ text: String) -> WireError? {
            error {
                var scanner = HeadScanner(limits: limits)
                guard try wire(text).withUnsafeBytes({ try scanner.scan($0) }) != nil else { return }
            }
        }
        #expect(scan("GET /xy HTTP/1.1\n") == nil)
        #expect(scan("GET /xyz HTTP/1.1\n") == .lineTooLong)
        #expect(scan("GET /xyz HTTP/1.1x") == .lineTooLong)
        #expect(scan("GET /xyz HTTP/1.1") == nil)
        #expect(scan("GET /" + String(repeating: "x", count: 40)) == .lineTooLong)
        #expect(scan(String(repeating: "G", count: 17)) == nil)
        #expect(scan(String(repeating: "G", count: 18)) == .malformedMethod)
        #expect(scan(String(repeating: "G", count: 20) + " / HTTP/1.1\n") == .malformedMethod)
        #expect(scan("GET / HTTP/1.1111x") == .malformedRequestLine)
        #expect(scan("GET / HTTP/1.1111\n") == .malformedRequestLine)
        #expect(scan("GET / HTTP/1.1\na: b\nc: d\n\n") == nil)
        #expect(scan("GET / HTTP/1.1\na: b\nc: d\ne: f\n") == .tooManyFields)
        #expect(scan("GET / HTTP/1.1\na: bbbbbbbbbbbbbbbbb\n\n") == nil)
        #expect(scan("GET / HTTP/1.1\na: bbbbbbbbbbbbbbbbbb\n\n") == .headTooLarge)
        #expect(scan("GET / HTTP/1.1\na: bbbbbbbbbbbbbbbbbbbb") == nil)
        #expect(scan("GET / HTTP/1.1\na: bbbbbbbbbbbbbbbbbbbbb") == .headTooLarge)
    }
}
