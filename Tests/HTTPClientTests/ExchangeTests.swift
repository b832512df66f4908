import HTTPClient
import HTTPWire
import Synchronization
import Testing

/// A client and a URL of a scripted server.
private func client() async throws -> HTTPClient { try await HTTPClient.standalone() }

private func url(_ server: ScriptedServer, _ path: String = "/") throws -> HTTPURL {
    try HTTPURL("http://127.0.0.1:\(server.port)\(path)")
}

@Suite("An exchange")
struct ExchangeTests {
    @Test("The request is exactly what was asked for, and the answer's status, fields and body come back")
    func plain() async throws {
        let seen = Mutex("")
        let server = ScriptedServer { connection in
            let head = connection.readHead() ?? ""
            seen.withLock { $0 = head }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Answer: 42\r\n\r\nhello")
        }
        let answer = try await client().collect(
            ClientRequest(.get, url(server, "/a/b?c=d"), fields: [ClientField("Authorization", "Basic eDp5")]))
        #expect(answer.status == 200)
        #expect(answer.text == "hello")
        #expect(answer.head["x-answer"] == "42")
        #expect(
            seen.withLock { $0 }
                == "GET /a/b?c=d HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\nAuthorization: Basic eDp5\r\n"
                + "User-Agent: opencode-router\r\n\r\n")
    }

    @Test("A body is sent with its length, however large", arguments: [0, 1, 16 << 10, 3 << 20])
    func upload(size: Int) async throws {
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let server = ScriptedServer { connection in
            let head = connection.readHead() ?? ""
            let same = head.contains("\r\nContent-Length: \(size)\r\n") && connection.read(size) == body
            connection.send("HTTP/1.1 \(same ? 204 : 500) X\r\n\r\n")
        }
        let answer = try await client().collect(ClientRequest(.post, url(server), body: body))
        #expect(answer.status == 204)
    }

    @Test(
        "Every framing gives the body, in pieces of any size",
        arguments: [
            "Content-Length: 11\r\n\r\nhello world",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n \r\n5\r\nworld\r\n0\r\nX-Trailer: 1\r\n\r\n",
            "Connection: close\r\n\r\nhello world",
        ], [1, 3, 1000])
    func framings(rest: String, pieces: Int) async throws {
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send(Array("HTTP/1.1 200 OK\r\n\(rest)".utf8), pieces: pieces)
        }
        let answer = try await client().collect(ClientRequest(.get, url(server)))
        #expect(answer.text == "hello world")
    }

    @Test("Interim answers are passed over")
    func interim() async throws {
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        #expect(try await client().collect(ClientRequest(.get, url(server))).text == "ok")
    }

    @Test("An answer to HEAD has no body, whatever length it names")
    func head() async throws {
        let server = ScriptedServer { connection in
            while connection.readHead() != nil {
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            }
        }
        let client = try await client()
        for _ in 0..<2 {
            let answer = try await client.collect(ClientRequest(.head, url(server)))
            #expect(answer.body.isEmpty && answer.head["Content-Length"] == "1000")
        }
        #expect(server.connections == 1)
    }

    private static let notAnswers: [(String, HTTPClientError.Cause)] = [
        ("", .closedWithoutAnswer),
        ("HTTP/1.1 200 OK\r\nContent-Le", .truncated),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", .truncated),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", .truncated),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n", .malformed(.malformedChunkEnd)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\n", .malformed(.malformedChunkSize)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", .malformed(.conflictingLength)),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            .malformed(.lengthWithTransferEncoding)
        ),
        ("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", .malformed(.switchedWithoutRequest)),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", .malformed(.malformedStatusLine)),
        (String(repeating: "HTTP/1.1 103 X\r\n\r\n", count: 20), .malformed(.tooManyInterimResponses)),
    ]

    @Test("What is not an answer is refused, and the connection is not used again", arguments: notAnswers)
    func refused(answer: String, cause: HTTPClientError.Cause) async throws {
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send(answer)
        }
        let client = try await client()
        #expect(try await failure(of: ClientRequest(.get, url(server)), client)?.cause == cause)
        #expect(await client.idleConnections == 0)
    }

    @Test("A head that never ends is refused at its limit")
    func hugeHead() async throws {
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 200 OK\r\n")
            for _ in 0..<200 { connection.send("X: \(String(repeating: "x", count: 995))\r\n") }
        }
        #expect(try await failure(of: ClientRequest(.get, url(server)))?.cause == .malformed(.headTooLarge))
    }

    @Test("A body over the limit ends the exchange")
    func limit() async throws {
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            connection.send([UInt8](repeating: 0x78, count: 100_000))
        }
        let client = try await client()
        #expect(
            try await failure(of: ClientRequest(.get, url(server)), client, limit: 1000)?.cause
                == .tooLarge(limit: 1000))
        #expect(await client.idleConnections == 0)
    }

    @Test("Errors tell method and URL, but neither query nor credentials")
    func redaction() async throws {
        let server = ScriptedServer { connection in _ = connection.readHead() }
        let error = try await failure(
            of: ClientRequest(
                .delete, url(server, "/things/7?token=SECRET"), fields: [ClientField("Authorization", "Bearer SECRET")])
        )
        #expect(
            error?.description == "DELETE http://127.0.0.1:\(server.port)/things/7: "
                + "the server closed the connection without an answer")
    }

    @Test(
        "Fields that would break the message are never sent",
        arguments: [
            ClientField("X", "a\r\nY: b"), ClientField("X", "a\nb"), ClientField("X\r\n", "a"), ClientField("", "a"),
            ClientField("X Y", "a"), ClientField("X", "a\0"), ClientField("Content-Length", "4"),
            ClientField("transfer-encoding", "chunked"), ClientField("Host", "other"),
            ClientField("Connection", "close"),
        ])
    func injection(field: ClientField) async throws {
        let server = ScriptedServer { connection in _ = connection.readHead() }
        #expect(
            try await failure(of: ClientRequest(.get, url(server), fields: [field]))?.cause
                == .invalidField(name: field.name))
        #expect(server.connections == 0)
    }
}

@Suite("Redirects")
struct RedirectTests {
    private static func redirecting(to location: @escaping @Sendable (UInt16) -> String) -> ScriptedServer {
        let port = Mutex(UInt16(0))
        let server = ScriptedServer { connection in
            while let head = connection.readHead() {
                if head.hasPrefix("GET /end") {
                    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend")
                } else {
                    let location = location(port.withLock { $0 })
                    connection.send("HTTP/1.1 302 Found\r\nLocation: \(location)\r\nContent-Length: 0\r\n\r\n")
                }
            }
        }
        port.withLock { $0 = server.port }
        return server
    }

    @Test("By default a redirect is the answer")
    func never() async throws {
        let server = Self.redirecting { _ in "/end" }
        #expect(try await client().collect(ClientRequest(.get, url(server, "/start"))).status == 302)
    }

    @Test("Redirects within a server are followed", arguments: ["/end", "end", "../end", "//127.0.0.1:PORT/end"])
    func sameOrigin(location: String) async throws {
        let server = Self.redirecting { port in location.replacing("PORT", with: "\(port)") }
        var request = ClientRequest(.get, try url(server, "/start/here"))
        request.redirects = .sameOrigin(maximum: 3)
        if location == "end" { request.url = try url(server, "/start") }
        #expect(try await client().collect(request).text == "end")
    }

    @Test(
        "Redirects to another server, and endless ones, are refused",
        arguments: [
            ("http://localhost:1/end", HTTPClientError.Cause.refusedRedirect),
            ("https://127.0.0.1:1/", .refusedRedirect),
            ("ftp://127.0.0.1/", .refusedRedirect), ("/start", .tooManyRedirects),
        ])
    func refused(location: String, cause: HTTPClientError.Cause) async throws {
        let server = Self.redirecting { _ in location }
        var request = ClientRequest(.get, try url(server, "/start"))
        request.redirects = .sameOrigin(maximum: 3)
        #expect(try await failure(of: request)?.cause == cause)
    }
}
