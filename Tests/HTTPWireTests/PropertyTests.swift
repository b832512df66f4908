import Glibc
import HTTPWire
import Testing

/// The properties of the fuzz targets, on generated messages and on the fuzzers' corpus.
@Suite struct PropertyTests {
    static let properties: [String: @Sendable (UnsafeRawBufferPointer) throws -> Void] = [
        "request-head": { try checkRequestHead($0) }, "response-head": { try checkResponseHead($0) },
        "chunks": { try checkChunks($0) }, "cookies": { try checkCookies($0) }, "host": { try checkHost($0) },
    ]

    static let pieces = Pieces()

    @Test("Every generated request keeps the properties", arguments: 0..<40)
    func requests(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        for _ in 0..<25 {
            let message = Self.pieces.request(&generator)
            try onGuardPages(message) { try checkRequestHead($0) }
        }
    }

    @Test("Every generated answer keeps the properties", arguments: 0..<40)
    func answers(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        for _ in 0..<25 {
            let message = Self.pieces.answer(&generator)
            try onGuardPages(message) { try checkResponseHead($0) }
        }
    }

    @Test("Every generated chunked body keeps the properties", arguments: 0..<40)
    func chunks(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        for _ in 0..<25 {
            let message = Self.pieces.chunks(&generator)
            try onGuardPages(message) { try checkChunks($0) }
        }
    }

    @Test("The fuzzers' corpus keeps the properties", arguments: properties.keys.sorted())
    func corpus(name: String) throws {
        let here = "\(#filePath)"
        let folder = here.dropLast("HTTPWireTests/PropertyTests.swift".count) + "Fuzz/corpus/\(name)"
        let inputs = try files(in: String(folder))
        #expect(!inputs.isEmpty)
        let property = try #require(Self.properties[name])
        for input in inputs { try onGuardPages(input) { try property($0) } }
    }

    private func files(in folder: String) throws -> [[UInt8]] {
        let directory = try #require(opendir(folder))
        defer { closedir(directory) }
        var contents: [[UInt8]] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard !name.hasPrefix("."), let file = fopen("\(folder)/\(name)", "r") else { continue }
            defer { fclose(file) }
            contents.append(
                [UInt8](unsafeUninitializedCapacity: 1 << 16) { $1 = fread($0.baseAddress, 1, $0.count, file) })
        }
        return contents
    }
}

/// Pieces of messages, put together at random; some break the message, most do not.
struct Pieces: Sendable {
    let lines = [
        "GET / HTTP/1.1", "GET /a/b?c=d HTTP/1.1", "POST http://a/x HTTP/1.1", "OPTIONS * HTTP/1.1", "HEAD /x HTTP/1.0",
        "POST / HTTP/1.1", "FOO //x HTTP/1.1",
    ]
    let statuses = [
        "HTTP/1.1 200 OK", "HTTP/1.1 304", "HTTP/1.0 404 Not Found", "HTTP/1.1 204 No Content", "HTTP/1.1 103 Hints",
        "HTTP/1.1 101 Switching Protocols",
    ]
    let names = [
        "Accept", "cookie", "Cookie", "Set-Cookie", "X-Custom", "x-forwarded-for", "X-Auth-Request-Email",
        "Remote-User",
        "X-Gateway-Key", "Authorization", "GAP-Auth", "Foo", "Bar", "Referrer-Policy", "Content-Security-Policy",
        "X_Under", "Keep-Alive", "TE", "Via", "Forwarded", "X-Real-IP", "Proxy-X", "Alt-Svc", "Date", "X.Dot",
    ]
    let values = [
        "", "x", "a=b; _oauth2_proxy=c; d=e", "_oauth2_proxy_0=x; Path=/", "a=b; Domain=c; Path=/", "=_oauth2=1",
        "\u{E9}\t\u{FF}", "\"quoted; a=b\"", "trailers", "a, b,, c", "  padded\t ", "behind ", "__Host-gw=1; domain",
        ";;=;",
    ]
    let special = [
        "Content-Length: 5", "Content-Length: 0", "Transfer-Encoding: chunked", "Connection: close",
        "Connection: keep-alive, foo", "Connection: Upgrade", "Upgrade: websocket", "Expect: 100-continue",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Content-Length: x",
    ]

    private func head(_ first: String, _ g: inout SeededGenerator) -> [UInt8] {
        var bytes = wire(first + "\n")
        for _ in 0..<Int.random(in: 0...8, using: &g) {
            let field =
                Bool.random(using: &g) ? "\(names.randomElement(using: &g)!):" : "\(names.randomElement(using: &g)!): "
            bytes += wire(field) + values.randomElement(using: &g)!.unicodeScalars.map { UInt8($0.value) } + [13, 10]
        }
        for line in special where Int.random(in: 0..<8, using: &g) == 0 { bytes += wire(line + "\n") }
        bytes += [13, 10]
        return mutated(bytes, &g)
    }

    private func mutated(_ bytes: [UInt8], _ g: inout SeededGenerator) -> [UInt8] {
        guard Int.random(in: 0..<4, using: &g) == 0 else { return bytes }
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...3, using: &g) {
            let index = Int.random(in: 0..<bytes.count, using: &g)
            switch Int.random(in: 0..<3, using: &g) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &g)
            case 1: bytes.remove(at: index)
            default: bytes.insert([0, 9, 10, 13, 32, 44, 58, 59, 61].randomElement(using: &g)!, at: index)
            }
        }
        return bytes
    }

    func request(_ g: inout SeededGenerator) -> [UInt8] {
        head(lines.randomElement(using: &g)! + "\nHost: a", &g)
    }

    func answer(_ g: inout SeededGenerator) -> [UInt8] {
        [UInt8.random(in: 0...255, using: &g)] + head(statuses.randomElement(using: &g)!, &g)
    }

    func chunks(_ g: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 0...4, using: &g) {
            let size = Int.random(in: 1...20, using: &g)
            bytes += wire(String(size, radix: 16) + ["", "", ";x", ";a=\"b\""].randomElement(using: &g)! + "\n")
            bytes += (0..<size).map { _ in UInt8.random(in: 0...255, using: &g) } + [13, 10]
        }
        bytes += wire(["0\n\n", "0\nX-A: b\n\n", "000;x\n\n", "0\n\nrest"].randomElement(using: &g)!)
        return mutated(bytes, &g)
    }
}
