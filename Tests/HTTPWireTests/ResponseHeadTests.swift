import HTTPWire
import Testing

@Suite struct ResponseHeadTests {
    @Test(
        "A status line is version, status and perhaps a reason",
        arguments: [
            ("HTTP/1.1 200 OK", 200, "OK"), ("HTTP/1.1 200 ", 200, ""), ("HTTP/1.1 200", 200, ""),
            ("HTTP/1.0 404 Not  Found ", 404, "Not  Found "), ("HTTP/1.1 599 \u{E9}\t!", 599, "\u{E9}\t!"),
            ("HTTP/1.1 100 Continue", 100, "Continue"),
        ])
    func statusLine(line: String, status: Int, reason: String) throws {
        let head = try parseResponse("\(line)\n\n")
        #expect(head.status == status)
        #expect(head.reason == reason)
    }

    @Test(
        "A status line that is not one is refused",
        arguments: [
            ("HTTP/1.1  200 OK", WireError.malformedStatusLine), ("HTTP/1.1 20 OK", .malformedStatusLine),
            ("HTTP/1.1 2000 OK", .malformedStatusLine), ("HTTP/1.1 2x0 OK", .malformedStatusLine),
            ("HTTP/1.1 099 OK", .malformedStatusLine), ("HTTP/1.1 600 OK", .malformedStatusLine),
            ("HTTP/1.1 -20 OK", .malformedStatusLine), ("HTTP/1.1\t200 OK", .malformedStatusLine),
            ("HTTP/1.1", .malformedStatusLine), ("", .malformedStatusLine), ("http/1.1 200 OK", .malformedStatusLine),
            ("ICY 200 OK", .malformedStatusLine), ("HTTP/1.1 200\tOK", .malformedStatusLine),
            ("HTTP/2.0 200 OK", .unsupportedVersion), ("HTTP/1.2 200 OK", .unsupportedVersion),
            ("HTTP/1.1 200 O␀K", .nulByte), ("HTTP/1.1 200 O␊K", .bareLineFeed),
            ("HTTP/1.1 200 O␍K", .bareCarriageReturn), ("GET / HTTP/1.1", .malformedStatusLine),
            ("\nHTTP/1.1 200 OK", .malformedStatusLine),
        ])
    func refusal(line: String, expected: WireError) {
        #expect(error { try parseResponse("\(line)\n\n") } == expected)
    }

    @Test(
        "What follows an answer depends on the request, the status and then the fields",
        arguments: [
            (Method.get, 200, "Content-Length: 5\n", BodyFraming.length(5), true),
            (.get, 200, "Content-Length: 0\n", .none, true),
            (.get, 200, "Transfer-Encoding: chunked\n", .chunked, true),
            (.get, 200, "", .untilClose, false),
            (.head, 200, "Content-Length: 5\n", .none, true),
            (.head, 200, "Transfer-Encoding: chunked\n", .none, true),
            (.head, 200, "", .none, true),
            (.get, 304, "Content-Length: 5\n", .none, true),
            (.get, 304, "", .none, true),
            (.get, 204, "", .none, true),
            (.get, 204, "Content-Length: 0\n", .none, true),
            (.get, 204, "Content-Length: 5\n", .none, false),
            (.get, 204, "Transfer-Encoding: chunked\n", .none, false),
            (.get, 103, "Link: </a>\n", .none, true),
            (.get, 100, "Content-Length: 0\n", .none, true),
            (.post, 500, "", .untilClose, false),
            (.get, 205, "", .untilClose, false),
        ])
    func bodies(method: Method, status: Int, fields: String, framing: BodyFraming, keepAlive: Bool) throws {
        let head = try parseResponse("HTTP/1.1 \(status) X\n\(fields)\n", answering: method)
        #expect(head.framing == framing)
        #expect(head.keepAlive == keepAlive)
    }

    @Test("An interim answer that announces a body is refused")
    func interimBody() {
        for field in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
            #expect(error { try parseResponse("HTTP/1.1 103 X\n\(field)\n\n") } == .conflictingLength)
        }
    }

    @Test("A head that has no end is refused; what follows one is not looked at")
    func exactness() throws {
        let text = "HTTP/1.1 200 OK\nServer: x\n\n"
        for count in 0..<text.utf8.count where count > 0 {
            #expect(error { try parseResponse(String(text.prefix(count))) } != nil || count == text.count)
        }
        #expect(try parseResponse(text + "\0x").byteCount == parseResponse(text).byteCount)
    }

    @Test(
        "An answer is delivered in a framing its client can read",
        arguments: [
            (UInt8(1), true, "Content-Length: 5\n", BodyFraming.length(5), true),
            (1, true, "Transfer-Encoding: chunked\n", .chunked, true),
            (0, true, "Transfer-Encoding: chunked\n", .untilClose, false),
            (0, true, "Content-Length: 5\n", .length(5), true),
            (0, false, "Content-Length: 5\n", .length(5), false),
            (1, true, "", .untilClose, false),
            (1, true, "Content-Length: 5\nConnection: close\n", .length(5), true),
        ])
    func delivery(minor: UInt8, keepAlive: Bool, fields: String, framing: BodyFraming, expected: Bool) throws {
        var request = RequestHead()
        request.minorVersion = minor
        request.keepAlive = keepAlive
        var response = ResponseHead()
        try wire("HTTP/1.1 200 OK\n\(fields)\n").withUnsafeBytes {
            try HeadParser.parse($0, into: &response, answering: .get, upgradeRequested: false)
        }
        let delivery = ResponseDelivery(of: response, to: request)
        #expect(delivery.framing == framing)
        #expect(delivery.keepAlive == expected)
        #expect(!ResponseDelivery(of: response, to: request, mayKeepAlive: false).keepAlive)
    }
}
