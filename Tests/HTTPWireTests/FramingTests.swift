import HTTPWire
import Testing

@Suite struct FramingTests {
    @Test(
        "A request's body ends where its one unambiguous field says",
        arguments: [
            ("GET", "", BodyFraming.none, nil as UInt64?),
            ("POST", "", .none, nil),
            ("POST", "Content-Length: 0\n", .none, 0),
            ("POST", "Content-Length: 5\n", .length(5), 5),
            ("GET", "Content-Length: 5\n", .length(5), 5),
            ("DELETE", "content-length:\t007 \n", .length(7), 7),
            (
                "POST", "Content-Length: 9223372036854775807\n", .length(9_223_372_036_854_775_807),
                9_223_372_036_854_775_807
            ),
            ("POST", "Transfer-Encoding: chunked\n", .chunked, nil),
            ("POST", "transfer-encoding:CHUNKED \n", .chunked, nil),
        ])
    func bodies(method: String, fields: String, framing: BodyFraming, declared: UInt64?) throws {
        let head = try parseRequest("\(method) / HTTP/1.1\nHost: a\n\(fields)\n")
        #expect(head.framing == framing)
        #expect(head.declaredLength == declared)
    }

    static let ambiguous: [(String, WireError)] = [
        ("Content-Length: 5\nContent-Length: 5", .duplicateLength),
        ("Content-Length: 5\nContent-Length: 6", .conflictingLength),
        ("Content-Length: 5, 5", .malformedLength),
        ("Content-Length: 5,6", .malformedLength),
        ("Content-Length: +5", .malformedLength),
        ("Content-Length: -5", .malformedLength),
        ("Content-Length: 0x5", .malformedLength),
        ("Content-Length: 5 5", .malformedLength),
        ("Content-Length: 5.0", .malformedLength),
        ("Content-Length:", .malformedLength),
        ("Content-Length: \"5\"", .malformedLength),
        ("Content-Length: \u{FF15}", .malformedLength),
        ("Content-Length: 9223372036854775808", .malformedLength),
        ("Content-Length: 18446744073709551616", .malformedLength),
        ("Content-Length: 99999999999999999999999999", .malformedLength),
        ("Content-Length: 5\nTransfer-Encoding: chunked", .lengthWithTransferEncoding),
        ("Transfer-Encoding: chunked\nContent-Length: 0", .lengthWithTransferEncoding),
        ("Transfer-Encoding: chunked\nTransfer-Encoding: chunked", .malformedTransferEncoding),
        ("Transfer-Encoding: chunked, chunked", .malformedTransferEncoding),
        ("Transfer-Encoding: gzip, chunked", .unknownTransferEncoding),
        ("Transfer-Encoding: gzip;q=1, chunked", .malformedTransferEncoding),
        ("Transfer-Encoding: identity", .malformedTransferEncoding),
        ("Transfer-Encoding: chunked, identity", .malformedTransferEncoding),
        ("Transfer-Encoding: chunked, gzip, chunked", .malformedTransferEncoding),
        ("Transfer-Encoding: chunked;q=1", .malformedTransferEncoding),
        ("Transfer-Encoding: xchunked", .malformedTransferEncoding),
        ("Transfer-Encoding: \"chunked\"", .malformedTransferEncoding),
        ("Transfer-Encoding: , chunked", .malformedTransferEncoding),
        ("Transfer-Encoding: chunked,", .malformedTransferEncoding),
        ("Transfer-Encoding:", .malformedTransferEncoding),
        ("Transfer-Encoding: gzip\nTransfer-Encoding: chunked", .malformedTransferEncoding),
        ("Transfer-Encoding: chunked\nTransfer-Encoding: identity", .malformedTransferEncoding),
    ]

    @Test("Ambiguous lengths are refused in requests", arguments: ambiguous)
    func request(fields: String, expected: WireError) {
        #expect(error { try parseRequest("POST / HTTP/1.1\nHost: a\n\(fields)\n\n") } == expected)
    }

    @Test("Ambiguous lengths are refused in answers, to HEAD as well", arguments: ambiguous)
    func response(fields: String, expected: WireError) {
        #expect(error { try parseResponse("HTTP/1.1 200 OK\n\(fields)\n\n") } == expected)
        #expect(error { try parseResponse("HTTP/1.1 200 OK\n\(fields)\n\n", answering: .head) } == expected)
        #expect(error { try parseResponse("HTTP/1.1 204 No Content\n\(fields)\n\n") } == expected)
    }

    @Test("HTTP/1.0 knows no transfer codings")
    func http10() {
        let field = "Transfer-Encoding: chunked"
        #expect(error { try parseRequest("POST / HTTP/1.0\nHost: a\n\(field)\n\n") } == .transferEncodingInHTTP10)
        #expect(error { try parseResponse("HTTP/1.0 200 OK\n\(field)\n\n") } == .transferEncodingInHTTP10)
    }

    @Test(
        "A connection goes on or ends by version and Connection",
        arguments: [
            ("1.1", "", true), ("1.1", "Connection: close\n", false), ("1.1", "Connection: keep-alive\n", true),
            ("1.1", "Connection: Keep-Alive, CLOSE\n", false),
            ("1.1", "Connection: close\nConnection: keep-alive\n", false),
            ("1.0", "", false), ("1.0", "Connection: keep-alive\n", true),
            ("1.0", "Connection: close, keep-alive\n", false),
            ("1.1", "Connection: ,, ,close ,\n", false), ("1.1", "Connection:\n", true),
            ("1.1", "Proxy-Connection: close\n", true),
        ])
    func persistence(version: String, fields: String, expected: Bool) throws {
        #expect(try parseRequest("GET / HTTP/\(version)\nHost: a\n\(fields)\n").keepAlive == expected)
        let answer = try parseResponse("HTTP/\(version) 200 OK\nContent-Length: 1\n\(fields)\n")
        #expect(answer.keepAlive == expected)
    }

    @Test(
        "Connection may not name a field that somebody behind it relies on",
        arguments: [
            "Host", "content-length", "Transfer-Encoding", "Cookie", "Authorization", "X-Auth-Request-Email",
            "X-Forwarded-For", "X-Gateway-Key", "x-opencode-directory", "Origin", "Sec-Fetch-Site",
            "X_Auth_Request_Email", "Via", "GAP-Auth", "close, cookie", "Expect", "Sec-WebSocket-Key",
        ])
    func endToEnd(option: String) {
        let found = error { try parseRequest("GET / HTTP/1.1\nHost: a\nConnection: \(option)\n\n") }
        #expect(found == .connectionNamesEndToEndField)
    }

    @Test("An answer's Connection may not name its framing")
    func answerFraming() {
        let found = error { try parseResponse("HTTP/1.1 200 OK\nContent-Length: 1\nConnection: Content-Length\n\n") }
        #expect(found == .connectionNamesEndToEndField)
    }

    @Test("Other fields that Connection names end at the gateway")
    func hopByHop() throws {
        let head = try parseRequest(
            "GET / HTTP/1.1\nfoo: 1\nHost: a\nConnection: TE, FOO, x-hop\nTE: trailers\nFoo: 2\nBar: 3\nX-Hop: 4\n\n")
        #expect(head.names == [.hopByHop, .host, .connection, .hopByHop, .hopByHop, .other, .hopByHop])
        let answer = try parseResponse("HTTP/1.1 200 OK\nX-A: 1\nConnection: x-a\n\n")
        #expect(answer.names == [.hopByHop, .connection])
    }

    @Test("Connection options that are no tokens, or too many, are refused")
    func options() {
        for option in ["a b", "\"close\"", "clo/se", "close; x", "a@"] {
            let found = error { try parseRequest("GET / HTTP/1.1\nHost: a\nConnection: \(option)\n\n") }
            #expect(found == .malformedFieldValue)
        }
        let many = (0..<17).map { "f\($0)" }.joined(separator: ",")
        #expect(error { try parseRequest("GET / HTTP/1.1\nHost: a\nConnection: \(many)\n\n") } == .malformedFieldValue)
    }

    @Test("Expect is 100-continue or refused, and matters only before a body in HTTP/1.1")
    func expect() throws {
        func parse(_ version: String, _ fields: String) throws -> SeenRequest {
            try parseRequest("POST / HTTP/\(version)\nHost: a\n\(fields)\n\n")
        }
        #expect(try parse("1.1", "Expect: 100-Continue\nContent-Length: 1").expectsContinue)
        #expect(try parse("1.1", "Expect: 100-continue\nTransfer-Encoding: chunked").expectsContinue)
        #expect(try !parse("1.1", "Expect: 100-continue").expectsContinue)
        #expect(try !parse("1.0", "Expect: 100-continue\nContent-Length: 1").expectsContinue)
        for value in ["", "100-continue, x", "200-ok", "100-continue;q=1"] {
            #expect(error { try parse("1.1", "Expect: \(value)\nContent-Length: 1") } == .unknownExpectation)
        }
    }
}
