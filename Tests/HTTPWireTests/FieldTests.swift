import HTTPWire
import Testing

@Suite struct FieldTests {
    static func request(_ fields: String) -> String { "GET / HTTP/1.1\nHost: a\n\(fields)\n\n" }

    @Test(
        "A field's value loses the white space around it and nothing else",
        arguments: [
            ("X: y", "X: y"), ("X:y", "X: y"), ("X: \t y \t ", "X: y"), ("X:", "X: "), ("X: \t ", "X: "),
            ("X: a\tb  c", "X: a\tb  c"), ("X: \u{E9}\u{FF}", "X: \u{E9}\u{FF}"), ("X: a:b", "X: a:b"),
            ("!#$%&'*+-.^_`|~09azAZ: v", "!#$%&'*+-.^_`|~09azAZ: v"),
        ])
    func values(line: String, expected: String) throws {
        #expect(try parseRequest(Self.request(line)).fields == ["Host: a", expected])
    }

    @Test(
        "Field lines that readers see differently are refused",
        arguments: [
            (" X: y", WireError.obsoleteFolding), ("X: y\n z", .obsoleteFolding), ("X: y\n\tz", .obsoleteFolding),
            ("X : y", .whitespaceBeforeColon), ("X\t: y", .whitespaceBeforeColon), ("X \t : y", .whitespaceBeforeColon),
            ("Content-Length : 5", .whitespaceBeforeColon), ("Transfer-Encoding : chunked", .whitespaceBeforeColon),
            (": y", .malformedFieldName), ("X", .malformedFieldName), ("X y: z", .malformedFieldName),
            ("X(: y", .malformedFieldName), ("\"X\": y", .malformedFieldName), ("X\u{E9}: y", .malformedFieldName),
            ("X/y: z", .malformedFieldName), ("X@: y", .malformedFieldName), ("[X]: y", .malformedFieldName),
            ("X: y␀", .nulByte), ("X␀: y", .nulByte), ("X: y␍z", .bareCarriageReturn), ("X␍: y", .bareCarriageReturn),
            ("X: y␊Z: w", .bareLineFeed), ("X␊: y", .bareLineFeed), ("X: \u{1}", .controlByte),
            ("X: \u{7F}", .controlByte), ("X: \u{B}y", .controlByte), ("Content␍Length: 5", .bareCarriageReturn),
            ("\u{B}Transfer-Encoding: chunked", .malformedFieldName),
            ("Transfer-Encoding\u{B}: chunked", .malformedFieldName), ("Transfer-Encoding", .malformedFieldName),
            ("Host\u{C2}\u{A0}: b", .malformedFieldName),
        ])
    func refusal(lines: String, expected: WireError) {
        #expect(error { try parseRequest(Self.request(lines)) } == expected)
        #expect(error { try parseResponse("HTTP/1.1 200 OK\n\(lines)\n\n") } == expected)
    }

    @Test(
        "Names are recognised in any case, families by their beginning",
        arguments: [
            ("cOnTeNt-TyPe", FieldName.contentType), ("TE", .te), ("te", .te), ("Te1", .other), ("ETag", .etag),
            ("X-Forwarded-For", .xForwarded), ("x-forwarded-anything-else", .xForwarded), ("X-Forwarded", .other),
            ("X-Auth-Request-Email", .xAuthRequest), ("x-auth-request-preferred-username", .xAuthRequest),
            ("GAP-Auth", .gap), ("gap-other", .gap), ("Gap", .other), ("Proxy-Foo", .proxyOther),
            ("X-Admin-Secret", .xAdmin), ("x-admin-token", .xAdmin), ("X-Pod-Secret", .xPod),
            ("X-Pod-Anything", .xPod), ("Sec-WebSocket-Key", .secWebSocket), ("sec-websocket-foo", .secWebSocket),
            ("X_Auth_Request_Email", .underscored), ("Content_Length", .underscored), ("_", .underscored),
            ("GAP-Auth_", .gap), ("X-Forwarded-_", .xForwarded), ("Sec-WebSocket-Key_", .underscored),
            ("X.Auth.Request.Email", .other), ("Access-Control-Allow-Credentials", .accessControlAllowCredentials),
            ("Access-Control-Allow-Credential", .other), ("Bccess-Control-Allow-Credentials", .other),
            ("Xontent-length", .other), ("ontent-length", .other),
            ("Strict-Transport-Security", .strictTransportSecurity),
            ("Set-Cookie2", .setCookie), ("X-Request-ID", .xRequestID), ("Last-Event-ID", .lastEventID),
            ("Transfer\u{5F}Encoding", .underscored), ("Accept-Language", .other),
        ])
    func names(name: String, expected: FieldName) throws {
        #expect(try parseRequest(Self.request("\(name): 0")).names == [.host, expected])
    }

    @Test("Every single-byte change of a known name makes another name or no name")
    func neighbours() throws {
        for name in ["content-length", "transfer-encoding", "host", "te", "connection", "upgrade", "cookie"] {
            let original = Array(name.utf8)
            for index in original.indices {
                for byte in UInt8.min...UInt8.max {
                    var changed = original
                    changed[index] = byte
                    guard changed != original else { continue }
                    let sameLetter = byte == original[index] ^ 0x20 && original[index] != UInt8(ascii: "-")
                    let bytes = wire("GET / HTTP/1.1\nHost: a\n") + changed + wire(": 1\n\n")
                    let seen = try? parseRequest(bytes: bytes)
                    if !sameLetter, let seen { #expect(seen.names.last == .other || seen.names.last == .underscored) }
                }
            }
        }
    }

    @Test("Names that others fold into an identity name are flagged, and compared so")
    func lookAlikes() throws {
        for (name, flagged) in [("X_Auth_Request_Email", true), ("X.Y", true), ("X-Y", false), ("Cookie", false)] {
            #expect(try parseRequest(Self.request("\(name): 0")).hasFoldableNames == flagged)
        }
        let bytes = wire("GET / HTTP/1.1\nHost: a\nx_AUTH.request-Email: b\nX-Auth-Request-Emai: c\n\n")
        try bytes.withUnsafeBytes { buffer in
            var head = RequestHead()
            try HeadParser.parse(buffer, into: &head)
            let identity = Array("X-Auth-Request-Email".utf8)
            #expect(head.fields.map { $0.resembles(identity, in: buffer) } == [false, true, false])
            #expect(head.fields.map { $0.isNamed(identity, in: buffer) } == [false, false, false])
            #expect(head.fields[0].isNamed(Array("hOST".utf8), in: buffer))
        }
    }

    @Test("The byte classes are the RFCs' ones, wherever in a word the byte stands", arguments: UInt8.min...UInt8.max)
    func classes(byte: UInt8) throws {
        let token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        let isToken = token.utf8.contains(byte)
        let isTarget = byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "#") && byte != UInt8(ascii: "%")
        for padding in [0, 7, 13] {
            let before = [UInt8](repeating: UInt8(ascii: "x"), count: padding + 1)
            let after = [UInt8](repeating: UInt8(ascii: "y"), count: 17 - padding)
            let name = wire("GET / HTTP/1.1\nHost: a\n") + before + [byte] + after + wire(": z\n\n")
            // A colon ends the name earlier; the rest is then a value.
            #expect((error { try parseRequest(bytes: name) } == nil) == (isToken || byte == UInt8(ascii: ":")))
            let value = wire("GET / HTTP/1.1\nHost: a\nX: ") + before + [byte] + after + wire("\n\n")
            #expect((error { try parseRequest(bytes: value) } == nil) == (byte == 9 || byte >= 0x20 && byte != 0x7F))
            let target = wire("GET /") + before + [byte] + after + wire(" HTTP/1.1\nHost: a\n\n")
            #expect((error { try parseRequest(bytes: target) } == nil) == isTarget)
        }
    }
}
