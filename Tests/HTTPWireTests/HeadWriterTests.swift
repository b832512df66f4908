import HTTPWire
import Testing

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// The head a session receives for this request.
func rewritten(
    _ request: String, authorization: String? = nil, user: String? = nil,
    _ change: (inout RequestRewrite) -> Void = { _ in }
) throws -> String {
    var rewrite = RequestRewrite()
    rewrite.via = nil
    rewrite.authCookiePrefixes = [bytes("_oauth2")]
    rewrite.identityFieldName = bytes("X-Auth-Request-Email")
    change(&rewrite)
    return try onGuardPages(wire(request)) { buffer in
        var head = RequestHead()
        try HeadParser.parse(buffer, into: &head)
        let address = bytes("192.0.2.1")
        let requestID = bytes("id1")
        return address.withUnsafeBytes { address in
            requestID.withUnsafeBytes { requestID in
                let facts = ForwardedFacts(
                    clientAddress: address, requestID: requestID, authorization: authorization.map(bytes),
                    user: user.map(bytes))
                let bound = rewrite.byteCountBound(of: head, facts: facts)
                return withUnsafeTemporaryAllocation(byteCount: bound, alignment: 1) { memory in
                    var writer = ByteWriter(memory)
                    HeadWriter.write(
                        request: head, from: buffer, rewrite: rewrite, facts: facts, into: &writer)
                    return writer.overflowed ? "overflowed" : text(writer.written)
                }
            }
        }
    }
}

/// The head a browser receives for this answer.
func rewritten(
    response: String, answering method: Method = .get, upgradeRequested: Bool = false, keepAlive: Bool = true,
    clientMinorVersion: UInt8 = 1, rewrite: borrowing ResponseRewrite = ResponseRewrite()
) throws -> String {
    try onGuardPages(wire(response)) { buffer in
        var head = ResponseHead()
        try HeadParser.parse(buffer, into: &head, answering: method, upgradeRequested: upgradeRequested)
        var request = RequestHead()
        request.minorVersion = clientMinorVersion
        let delivery = ResponseDelivery(of: head, to: request, mayKeepAlive: keepAlive)
        let requestID = bytes("id1")
        return requestID.withUnsafeBytes { requestID in
            let bound = rewrite.byteCountBound(of: head, requestIDCount: requestID.count)
            return withUnsafeTemporaryAllocation(byteCount: bound, alignment: 1) { memory in
                var writer = ByteWriter(memory)
                HeadWriter.write(
                    response: head, from: buffer, rewrite: rewrite, delivery: delivery, requestID: requestID,
                    into: &writer)
                return writer.overflowed ? "overflowed" : text(writer.written)
            }
        }
    }
}

@Suite struct RequestWriterTests {
    static func forwarding(_ host: String = "a") -> String {
        "X-Forwarded-For: 192.0.2.1\nX-Forwarded-Host: \(host)\nX-Forwarded-Proto: https\nX-Request-Id: id1\n\n"
    }

    @Test("A request is written anew: Host first, fields in their one shape, framing and forwarding by the gateway")
    func plain() throws {
        let sent = """
            POST http://A.example:8443/p?q HTTP/1.1
            accept:*/*
            host:  a.example:8443\t
            X-Custom:   two  words \t
            Content-Length: 007
            Accept-Encoding: gzip


            """
        let expected = """
            POST /p?q HTTP/1.1
            Host: a.example:8443
            accept: */*
            X-Custom: two  words
            Accept-Encoding: gzip
            Content-Length: 7

            """
        #expect(try rewritten(sent) == expected + Self.forwarding("a.example:8443"))
    }

    @Test(
        "However a field is spaced, it is written in one shape",
        arguments: ["X: y", "X:y", "X:\ty", "X: y ", "X: y\t", "X:  y", "X:\t y", "X:y\t ", "X: \ty"])
    func spacing(field: String) throws {
        for fields in [field, "A: b\n\(field)", "\(field)\nA: b", "A: b\n\(field)\nTE: c\nA: b"] {
            let seen = try rewritten("GET / HTTP/1.1\n\(fields)\nHost: a\n\n")
            let expected = fields.replacing(field, with: "X: y").replacing("TE: c\n", with: "")
            #expect(seen == "GET / HTTP/1.1\nHost: a\n\(expected)\n" + Self.forwarding())
            let answer = try rewritten(response: "HTTP/1.1 304 X\n\(fields)\n\n")
            #expect(answer == "HTTP/1.1 304 X\n\(expected)\nX-Request-Id: id1\n\n")
        }
    }

    @Test("HTTP/1.0 requests go on as HTTP/1.1, with an empty port dropped")
    func version() throws {
        let sent = "GET / HTTP/1.0\nHost: a:\n\n"
        #expect(try rewritten(sent) == "GET / HTTP/1.1\nHost: a\n" + Self.forwarding())
    }

    @Test(
        "Framing is the gateway's word",
        arguments: [
            ("Transfer-Encoding:   CHUNKED\n", "Transfer-Encoding: chunked\n"),
            ("content-length: 5\n", "Content-Length: 5\n"), ("Content-Length: 0\n", "Content-Length: 0\n"), ("", ""),
        ])
    func framing(field: String, expected: String) throws {
        let sent = "POST / HTTP/1.1\nHost: a\n\(field)\n"
        #expect(try rewritten(sent) == "POST / HTTP/1.1\nHost: a\n" + expected + Self.forwarding())
    }

    @Test(
        "What must not reach a session does not",
        arguments: [
            "Connection: keep-alive", "Connection: foo\nFoo: 1", "Keep-Alive: 5", "TE: trailers", "Trailer: X",
            "Expect: 100-continue", "Upgrade: h2c", "HTTP2-Settings: x", "Proxy-Connection: close",
            "Proxy-Authorization: x", "Proxy-Authenticate: x", "Proxy-Whatever: x", "Authorization: Basic x",
            "Forwarded: for=x", "X-Forwarded-For: x", "X-Forwarded-Access-Token: x", "X-Forwarded-Email: x",
            "X-Forwarded-Whatever: x", "X-Real-IP: x", "X-Request-ID: x", "X-Auth-Request-Email: x",
            "X-Auth-Request-Access-Token: x", "x-auth-request-Whatever: x", "GAP-Auth: x", "GAP-Signature: x",
            "X-Admin-Secret: x", "X-Pod-Secret: x", "X-Attach-Password: x", "Set-Cookie: _oauth2_proxy=x",
            "X_Auth_Request_Email: x", "some_name: x", "Sec-WebSocket-Key: x", "Sec-WebSocket-Protocol: x",
            "Cookie: _oauth2_proxy=x", "Cookie: _oauth2_proxy=x; _oauth2_proxy_csrf=y", "Cookie: ", "Cookie: ;; ;",
        ])
    func dropped(field: String) throws {
        let sent = "GET / HTTP/1.1\n\(field)\nHost: a\n\(field)\n\n"
        #expect(try rewritten(sent) == "GET / HTTP/1.1\nHost: a\n" + Self.forwarding())
    }

    @Test(
        "What a session needs reaches it",
        arguments: [
            "Cookie: oc_locale=en", "Origin: https://a", "Referer: https://a/", "Accept-Encoding: br, gzip",
            "Range: bytes=0-1", "If-None-Match: \"x\"", "Sec-Fetch-Site: same-origin", "Last-Event-ID: 5",
            "x-opencode-directory: %2Fhome", "Content-Type: text/plain", "User-Agent: x", "Via: 1.1 edge",
            "X.Dotted: x",
        ])
    func kept(field: String) throws {
        let sent = "GET / HTTP/1.1\nHost: a\n\(field)\n\n"
        #expect(try rewritten(sent) == "GET / HTTP/1.1\nHost: a\n\(field)\n" + Self.forwarding())
    }

    @Test("Configured names stay here in any spelling of case, configured values arrive")
    func configured() throws {
        let sent = "GET / HTTP/1.1\nHost: a\nremote-USER: alice\nx-gateway-key: s3cret\nCookie: a=b\n\n"
        let seen = try rewritten(sent, authorization: "Basic b3A6cHc=", user: "alice@example.com") { rewrite in
            rewrite.hostOverride = bytes("10.0.0.7:4096")
            rewrite.identityFieldName = bytes("Remote-User")
            rewrite.secretFieldName = bytes("X-Gateway-Key")
            rewrite.dropsAllCookies = true
            rewrite.publicProto = bytes("http")
            rewrite.via = bytes("opencode-router")
        }
        let expected = """
            GET / HTTP/1.1
            Host: 10.0.0.7:4096
            Authorization: Basic b3A6cHc=
            X-Forwarded-For: 192.0.2.1
            X-Forwarded-Host: a
            X-Forwarded-Proto: http
            X-Forwarded-User: alice@example.com
            X-Request-Id: id1
            Via: 1.1 opencode-router


            """
        #expect(seen == expected)
    }

    @Test("A WebSocket handshake keeps its own fields and gets a clean Connection")
    func webSocket() throws {
        let sent = """
            GET /pty HTTP/1.1
            Host: a
            Connection: keep-alive, Upgrade, foo
            Foo: 1
            Upgrade: WebSocket
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
            Sec-WebSocket-Version: 13
            Origin: https://a


            """
        let expected = """
            GET /pty HTTP/1.1
            Host: a
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
            Sec-WebSocket-Version: 13
            Origin: https://a
            Connection: Upgrade
            Upgrade: websocket

            """
        #expect(try rewritten(sent) == expected + Self.forwarding())
    }

    @Test(
        "Cookies are taken out one by one, in every line",
        arguments: [
            ("a=b; _oauth2_proxy=x; c=d", "Cookie: a=b; c=d\n"), ("_oauth2_proxy_0=x;c=d", "Cookie: c=d\n"),
            ("a=b;_OAuth2_proxy=x", "Cookie: a=b\n"), ("a=_oauth2_proxy=x", "Cookie: a=_oauth2_proxy=x\n"),
            ("a=\"b; _oauth2_proxy=x; c\"", "Cookie: a=\"b; c\"\n"), (" _oauth2_proxy =x", ""),
            ("=_oauth2_proxy=x; a=b", "Cookie: a=b\n"), ("== _oauth2_proxy=x", ""), ("_oauth2_proxy", ""),
            ("_oauth=1; oauth2=2; __oauth2=3", "Cookie: _oauth=1; oauth2=2; __oauth2=3\n"),
            ("a=b;;; c", "Cookie: a=b; c\n"), ("a=b;c=d;e", "Cookie: a=b;c=d;e\n"),
            ("a=b==; c==", "Cookie: a=b==; c==\n"), ("\t_oauth2_proxy_csrf=1;\ta=b", "Cookie: a=b\n"),
        ])
    func cookies(value: String, expected: String) throws {
        let sent = "GET / HTTP/1.1\nHost: a\nCookie: \(value)\nCookie: \(value)\n\n"
        #expect(try rewritten(sent) == "GET / HTTP/1.1\nHost: a\n\(expected)\(expected)" + Self.forwarding())
    }

    @Test(
        "A password in the query is cut out where the gateway reads it",
        arguments: [
            ("/x?password=p", "/x"), ("/x?a=1&password=p&b=2", "/x?a=1&b=2"), ("/x?password", "/x"),
            ("/x?password=p&password=q&c", "/x?c"), ("/x?passwords=p", "/x?passwords=p"), ("/x?", "/x"), ("/x", "/x"),
            ("/x?a=password=p", "/x?a=password=p"),
        ])
    func password(target: String, expected: String) throws {
        let seen = try rewritten("GET \(target) HTTP/1.1\nHost: a\n\n") { $0.dropsQueryPassword = true }
        #expect(seen == "GET \(expected) HTTP/1.1\nHost: a\n" + Self.forwarding())
    }

    @Test("The bound is enough for the smallest heads with everything that may be added")
    func bound() throws {
        for fields in [
            "",
            "\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version:13",
        ] {
            let seen = try rewritten(
                "GET / HTTP/1.1\nHost:[::1]:1\(fields)\n\n", authorization: "Basic b3A6cHc=",
                user: "alice@example.com"
            ) { rewrite in
                rewrite.hostOverride = bytes("10.0.0.7:4096")
                rewrite.via = bytes("opencode-router")
            }
            #expect(seen != "overflowed")
        }
        for fields in [
            "A:b\nTransfer-Encoding:chunked", "Content-Length:9223372036854775807",
            "Cookie:" + String(repeating: "a;", count: 3000),
        ] {
            #expect(try rewritten("POST / HTTP/1.1\nHost:a\n\(fields)\n\n") != "overflowed")
        }
        let answer = try rewritten(
            response: "HTTP/1.1 200\nTransfer-Encoding:chunked\nA:b\n\n", keepAlive: false,
            rewrite: .session(authCookiePrefixes: []))
        #expect(answer != "overflowed")
        #expect(try rewritten(response: "HTTP/1.1 200\nContent-Length:9223372036854775807\n\n") != "overflowed")
    }

    @Test("A writer that is too small says so and writes nothing beyond its memory")
    func overflow() throws {
        let request = wire("GET / HTTP/1.1\nHost: a\nX: y\n\n")
        try request.withUnsafeBytes { buffer in
            var head = RequestHead()
            try HeadParser.parse(buffer, into: &head)
            var complete = 0
            var memory = [UInt8](repeating: 0xAA, count: 400)
            for capacity in 0...256 {
                memory.withUnsafeMutableBytes { all in
                    all.initializeMemory(as: UInt8.self, repeating: 0xAA)
                    var writer = ByteWriter(UnsafeMutableRawBufferPointer(rebasing: all[..<capacity]))
                    HeadWriter.write(
                        request: head, from: buffer, rewrite: RequestRewrite(),
                        facts: ForwardedFacts(
                            clientAddress: UnsafeRawBufferPointer(start: nil, count: 0),
                            requestID: UnsafeRawBufferPointer(start: nil, count: 0)),
                        into: &writer)
                    #expect(writer.count <= capacity)
                    #expect(all[capacity...].allSatisfy { $0 == 0xAA })
                    if !writer.overflowed { complete = complete == 0 ? capacity : complete }
                }
            }
            #expect(
                complete == bytes("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nX-Forwarded-Host: a\r\n").count
                    + bytes("X-Forwarded-Proto: https\r\nVia: 1.1 opencode-router\r\n\r\n").count)
        }
    }
}

@Suite struct ResponseWriterTests {
    @Test("An answer is written anew, always as HTTP/1.1")
    func plain() throws {
        let sent = "HTTP/1.0 200 Fine  here\nServer:x\nX-Custom:  a \nContent-Length: 05\n\n"
        let expected = "HTTP/1.1 200 Fine  here\nServer: x\nX-Custom: a\nContent-Length: 5\nX-Request-Id: id1\n\n"
        #expect(try rewritten(response: sent) == expected)
    }

    @Test(
        "The framing a client sees is the gateway's word",
        arguments: [
            (Method.get, "200 X", "Transfer-Encoding: Chunked", UInt8(1), "Transfer-Encoding: chunked\n"),
            (.get, "200 X", "Transfer-Encoding: chunked", 0, "Connection: close\n"),
            (.get, "200 X", "Content-Length: 0", 1, "Content-Length: 0\n"),
            (.get, "200 X", "Content-Length: 5", 0, "Content-Length: 5\nConnection: keep-alive\n"),
            (.get, "200 X", "Connection: close", 1, "Connection: close\n"),
            (.head, "200 X", "Content-Length: 5", 1, "Content-Length: 5\n"),
            (.head, "200 X", "Transfer-Encoding: chunked", 1, ""),
            (.get, "304 X", "Content-Length: 5", 1, "Content-Length: 5\n"),
            (.get, "204 X", "Content-Length: 0", 1, ""),
            (.get, "204 X", "Transfer-Encoding: chunked", 1, ""),
        ])
    func framing(method: Method, status: String, field: String, minor: UInt8, expected: String) throws {
        let seen = try rewritten(
            response: "HTTP/1.1 \(status)\n\(field)\n\n", answering: method, clientMinorVersion: minor)
        #expect(seen == "HTTP/1.1 \(status)\n\(expected)X-Request-Id: id1\n\n")
    }

    @Test("A draining gateway says that the connection ends")
    func draining() throws {
        let seen = try rewritten(response: "HTTP/1.1 200 X\nContent-Length: 5\n\n", keepAlive: false)
        #expect(seen == "HTTP/1.1 200 X\nContent-Length: 5\nConnection: close\nX-Request-Id: id1\n\n")
    }

    @Test(
        "What a session may not tell a browser does not arrive",
        arguments: [
            "Connection: foo\nFoo: 1", "Keep-Alive: 5", "TE: x", "Trailer: X", "Upgrade: h2c", "Proxy-Authenticate: x",
            "X-Auth-Request-Email: x", "GAP-Auth: x", "gap-under_scored: x", "Clear-Site-Data: \"*\"", "Alt-Svc: h3=x",
            "Strict-Transport-Security: x", "Service-Worker-Allowed: /", "Public-Key-Pins: x", "NEL: x", "Report-To: x",
            "Access-Control-Allow-Credentials: true", "X-Request-Id: theirs", "Sec-WebSocket-Accept: x",
            "Set-Cookie: _oauth2_proxy=evil", "Set-Cookie: __Host-gateway=x; Path=/", "Public-Key-Pins-Report-Only: x",
        ])
    func dropped(field: String) throws {
        var rewrite = ResponseRewrite()
        rewrite.authCookiePrefixes = [bytes("_oauth2")]
        rewrite.ownCookieNames = [bytes("__Host-gateway")]
        let sent = "HTTP/1.1 200 X\nContent-Length: 1\n\(field)\n\n"
        #expect(
            try rewritten(response: sent, rewrite: rewrite)
                == "HTTP/1.1 200 X\nContent-Length: 1\nX-Request-Id: id1\n\n")
    }

    @Test(
        "A session's cookies are its host's alone, and never the gateway's",
        arguments: [
            ("a=b", "Set-Cookie: a=b\n"), ("a=b; Domain=.example.com", "Set-Cookie: a=b\n"),
            ("a=b; Path=/;domain=x ; Secure", "Set-Cookie: a=b; Path=/; Secure\n"),
            ("a=b; DOMAIN; Max-Age=1", "Set-Cookie: a=b; Max-Age=1\n"),
            ("a=b;domain=x;domain=y;c", "Set-Cookie: a=b;c\n"),
            ("a=b; \t Domain \t=x", "Set-Cookie: a=b\n"), ("a=b \t; Domain; Domain=", "Set-Cookie: a=b\n"),
            ("; ;Domain", "Set-Cookie: ;\n"), ("domain=b; Path=/", "Set-Cookie: domain=b; Path=/\n"),
            ("a=\"x; Domain=y\"; Path=/", "Set-Cookie: a=\"x; Path=/\n"),
            ("a=b;; ;HttpOnly", "Set-Cookie: a=b;; ;HttpOnly\n"),
            ("a=b; Domains=x; SubDomain=y", "Set-Cookie: a=b; Domains=x; SubDomain=y\n"), ("a", "Set-Cookie: a\n"),
            ("", "Set-Cookie: \n"), ("__Host-other=1; Secure; Path=/", "Set-Cookie: __Host-other=1; Secure; Path=/\n"),
            ("_oauth2_proxy=evil; Path=/", ""), ("=_oauth2_proxy=evil", ""), ("_oauth2_proxy", ""),
            ("  =  =_oauth2=x", ""),
            ("_OAUTH2_x=1", ""), ("__host-Gateway=1", ""), ("__Host-gateway =1", ""), ("__Host-gateway\t=1", ""),
            ("__Host-gateway2=1", "Set-Cookie: __Host-gateway2=1\n"),
            ("a=_oauth2_proxy", "Set-Cookie: a=_oauth2_proxy\n"),
        ])
    func cookies(value: String, expected: String) throws {
        var rewrite = ResponseRewrite()
        rewrite.authCookiePrefixes = [bytes("_oauth2")]
        rewrite.ownCookieNames = [bytes("__Host-gateway")]
        let sent = "HTTP/1.1 200 X\nContent-Length: 1\nSet-Cookie: \(value)\nSet-Cookie: \(value)\n\n"
        #expect(
            try rewritten(response: sent, rewrite: rewrite)
                == "HTTP/1.1 200 X\n\(expected)\(expected)Content-Length: 1\nX-Request-Id: id1\n\n")
    }

    @Test("A session's host gets its security fields, once each, beside or instead of the session's own")
    func security() throws {
        let rewrite = ResponseRewrite.session(
            authCookiePrefixes: [], frameAncestors: bytes("'self' https://code.example.com"))
        let added = """
            X-Content-Type-Options: nosniff
            Referrer-Policy: same-origin
            Content-Security-Policy: frame-ancestors 'self' https://code.example.com
            Cross-Origin-Opener-Policy: same-origin-allow-popups
            Origin-Agent-Cluster: ?1

            """
        #expect(
            try rewritten(response: "HTTP/1.1 200 X\nContent-Length: 1\n\n", rewrite: rewrite)
                == "HTTP/1.1 200 X\nContent-Length: 1\n\(added)X-Request-Id: id1\n\n")
        let own = """
            HTTP/1.1 200 X
            Content-Length: 1
            x-content-type-options: junk
            Referrer-Policy: no-referrer
            Content-Security-Policy: default-src 'self'
            Cross-Origin-Opener-Policy: same-origin
            Origin-Agent-Cluster: ?0


            """
        let expected = """
            HTTP/1.1 200 X
            Referrer-Policy: no-referrer
            Content-Security-Policy: default-src 'self'
            Cross-Origin-Opener-Policy: same-origin
            Content-Length: 1
            X-Content-Type-Options: nosniff
            Content-Security-Policy: frame-ancestors 'self' https://code.example.com
            Origin-Agent-Cluster: ?1
            X-Request-Id: id1


            """
        #expect(try rewritten(response: own, rewrite: rewrite) == expected)
    }

    @Test("A switch passes its own fields only")
    func switching() throws {
        let sent = """
            HTTP/1.1 101 Switching Protocols
            Connection: Upgrade
            Upgrade: websocket
            Set-Cookie: a=b
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
            X-Custom: 1


            """
        let expected = """
            HTTP/1.1 101 Switching Protocols
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
            Connection: Upgrade
            Upgrade: websocket
            X-Request-Id: id1


            """
        #expect(
            try rewritten(response: sent, upgradeRequested: true, rewrite: .session(authCookiePrefixes: [])) == expected
        )
    }

    @Test("An interim answer carries its hints and nothing of ours")
    func interim() throws {
        let sent = "HTTP/1.1 103 Early Hints\nLink: </a>; rel=preload\nConnection: close\nContent-Length: 0\n\n"
        #expect(
            try rewritten(response: sent, rewrite: .session(authCookiePrefixes: []))
                == "HTTP/1.1 103 Early Hints\nLink: </a>; rel=preload\n\n")
    }
}
