import Glibc
import HTTPClient
import LinuxIO
import Synchronization
import Testing

private func client() async throws -> HTTPClient { try await HTTPClient.standalone() }

private func url(_ server: ScriptedServer, _ path: String = "/") throws -> HTTPURL {
    try HTTPURL("http://127.0.0.1:\(server.port)\(path)")
}

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite("The connection pool", .timeLimit(.minutes(5)))
struct PoolTests {
    @Test("Requests one after the other share a connection")
    func reuse() async throws {
        let server = ScriptedServer { connection in
            while connection.readHead() != nil { connection.send(ok) }
        }
        let client = try await client()
        for _ in 0..<5 { #expect(try await client.collect(ClientRequest(.get, url(server))).text == "ok") }
        #expect(server.connections == 1)
        #expect(await client.idleConnections == 1)
        await client.close()
        #expect(await client.idleConnections == 0)
    }

    @Test("Requests at the same time have connections of their own")
    func parallel() async throws {
        let asked = Mutex(0)
        let server = ScriptedServer { connection in
            while connection.readHead() != nil {
                asked.withLock { $0 += 1 }
                // All have asked before anybody is answered.
                while asked.withLock({ $0 }) < 20 { usleep(5000) }
                connection.send(ok)
            }
        }
        let client = try await client()
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<20 {
                group.addTask { try await client.collect(ClientRequest(.get, url(server))).text }
            }
            for try await text in group { #expect(text == "ok") }
        }
        #expect(await client.idleConnections == 4)
    }

    @Test(
        "Connections are not used again after an answer that ends them",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n",
        ])
    func notReused(answer: String) async throws {
        let server = ScriptedServer { connection in
            while connection.readHead() != nil { connection.send(answer) }
        }
        let client = try await client()
        for _ in 0..<2 { #expect(try await client.collect(ClientRequest(.get, url(server))).text == "ok") }
        #expect(server.connections == 2)
    }

    @Test(
        "A connection that the server ended while idle is replaced, for every method",
        arguments: [
            ClientMethod.get, .post,
        ])
    func ended(method: ClientMethod) async throws {
        let server = ScriptedServer { connection in
            if connection.readHead() != nil { connection.send(ok) }
        }
        let client = try await client()
        for _ in 0..<3 { #expect(try await client.collect(ClientRequest(method, url(server))).text == "ok") }
        #expect(server.connections == 3)
    }

    @Test("A reused connection that dies under a request is replaced once")
    func retry() async throws {
        // The first connection answers once and dies on the second request, after having read it.
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send(ok)
            _ = connection.readHead()
            if connection.index == 0 { return connection.reset() }
            connection.send(ok)
        }
        let client = try await client()
        #expect(try await client.collect(ClientRequest(.get, url(server))).text == "ok")
        #expect(try await client.collect(ClientRequest(.get, url(server))).text == "ok")
        #expect(server.connections == 2)
    }

    @Test("A new connection that dies is an error, whatever the method", arguments: [ClientMethod.get, .post])
    func noRetry(method: ClientMethod) async throws {
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.reset()
        }
        #expect(try await failure(of: ClientRequest(method, url(server))) != nil)
        #expect(server.connections == 1)
    }

    @Test("What must not be sent twice never rides on a connection that may be dying")
    func fresh() async throws {
        let server = ScriptedServer { connection in
            while connection.readHead() != nil { connection.send(ok) }
        }
        let client = try await client()
        for _ in 0..<3 { #expect(try await client.collect(ClientRequest(.post, url(server))).text == "ok") }
        #expect(server.connections == 3)
        #expect(try await client.collect(ClientRequest(.get, url(server))).text == "ok")
        #expect(server.connections == 3)
    }

    @Test("A connection that a trusting request opened does not serve a distrustful one")
    func policies() async throws {
        let server = ScriptedServer { connection in
            while connection.readHead() != nil { connection.send(ok) }
        }
        let client = try await client()
        #expect(try await client.collect(ClientRequest(.get, url(server))).text == "ok")
        var request = ClientRequest(.get, try url(server))
        request.addresses = .publicOnly
        let error = try await failure(of: request, client)
        #expect(error?.cause == .refusedAddress(.v4(0x7F00_0001)))
        #expect(server.connections == 1)
    }
}

@Suite("Time")
struct TimeTests {
    @Test(
        "A server that does not answer in time is given up",
        arguments: [
            ("", HTTPClientError.Phase.head),
            ("HTTP/1.1 200 OK\r\nContent-", .head),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", .body),
        ])
    func silence(answer: String, phase: HTTPClientError.Phase) async throws {
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send(answer)
            _ = connection.endsSilently()
        }
        var request = ClientRequest(.get, try url(server))
        // A crowded machine may take longer over a head that does come.
        let head = phase == .head ? Duration.milliseconds(150) : .seconds(60)
        request.timeouts = ClientTimeouts(head: head, idle: .milliseconds(150))
        let error = try await failure(of: request)
        #expect(error?.cause == .timedOut(phase))
    }

    @Test("A head that trickles is given up at its deadline")
    func trickle() async throws {
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 200 OK\r\n")
            for number in 0..<200 {
                connection.send("X-\(number): y\r\n")
                usleep(20_000)
            }
        }
        var request = ClientRequest(.get, try url(server))
        request.timeouts.head = .milliseconds(300)
        let error = try await failure(of: request)
        #expect(error?.cause == .timedOut(.head))
    }

    @Test("The total time ends a body that never stops")
    func total() async throws {
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<2000 {
                connection.send("1\r\nx\r\n")
                usleep(20_000)
            }
        }
        var request = ClientRequest(.get, try url(server))
        // Enough for the head to come, on a crowded machine too.
        request.timeouts.total = .seconds(3)
        let error = try await failure(of: request)
        #expect(error?.cause == .timedOut(.body))
    }

    @Test("A port where nobody listens, and a name that nobody has, are told apart")
    func unreachable() async throws {
        let server = ScriptedServer { _ in }
        server.stop()
        let client = try await client()
        let refused = try await failure(of: ClientRequest(.get, url(server)), client)
        #expect(refused?.cause == .unreachable(.system(call: "connect", .connectionRefused)))
        let unknown = try await failure(of: ClientRequest(.get, HTTPURL("http://no-such-host.invalid/")), client)
        guard case .unresolvable = unknown?.cause else {
            Issue.record("expected unresolvable, got \(String(describing: unknown))")
            return
        }
    }

    @Test("Names are looked up, and every address of theirs is judged")
    func names() async throws {
        let server = ScriptedServer { connection in
            while connection.readHead() != nil { connection.send(ok) }
        }
        let client = try await client()
        let (status, body) = try await client.get(HTTPURL("http://localhost:\(server.port)/"))
        #expect(status == 200 && body == Array("ok".utf8))
        var request = ClientRequest(.get, try HTTPURL("http://localhost:\(server.port)/"))
        request.addresses = .publicOnly
        let error = try await failure(of: request, client)
        guard case .refusedAddress(let address) = error?.cause else {
            Issue.record("expected a refusal, got \(String(describing: error))")
            return
        }
        #expect(address.scope == .loopback)
    }
}

@Suite("A streamed body", .timeLimit(.minutes(5)))
struct StreamedBodyTests {
    @Test("Pieces arrive as the server sends them, and nothing is read ahead")
    func backPressure() async throws {
        let sent = Mutex(0)
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(32 << 20)\r\n\r\n")
            let piece = [UInt8](repeating: 0x78, count: 64 << 10)
            for _ in 0..<512 {
                connection.send(piece)
                sent.withLock { $0 += piece.count }
            }
        }
        let response = try await client().send(ClientRequest(.get, url(server)))
        #expect(response.status == 200)
        var received = 0
        for try await piece in response.body {
            received += piece.count
            if received == piece.count {
                // The socket buffers fill, then the server stands still.
                var before = -1
                while true {
                    let now = sent.withLock { $0 }
                    if now == before { break }
                    before = now
                    try await Task.sleep(for: .milliseconds(100))
                }
                #expect(before < 20 << 20)
            }
        }
        #expect(received == 32 << 20)
    }

    @Test("Each event is handed over when it comes, long before the body ends")
    func events() async throws {
        let handedOver = Mutex(0)
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in 0..<3 {
                connection.send("8\r\nevent: \(number)\r\n")
                // The next one is sent once this one was handed over.
                while handedOver.withLock({ $0 }) <= number { usleep(1000) }
            }
            connection.send("0\r\n\r\n")
            _ = connection.endsSilently()
        }
        let client = try await client()
        let response = try await client.send(ClientRequest(.get, url(server)))
        var events: [String] = []
        for try await piece in response.body {
            events.append(String(decoding: piece, as: UTF8.self))
            handedOver.withLock { $0 += 1 }
        }
        #expect(events == ["event: 0", "event: 1", "event: 2"])
        #expect(await client.idleConnections == 1)
    }

    @Test("Cancelling the task that waits closes the connection")
    func cancellation() async throws {
        let (ended, continuation) = AsyncStream.makeStream(of: Bool.self)
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
            continuation.yield(connection.endsSilently())
        }
        let client = try await client()
        let (begun, beginning) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            var request = ClientRequest(.get, try url(server))
            request.timeouts.idle = nil
            let response = try await client.send(request)
            for try await _ in response.body { beginning.yield() }
        }
        for await _ in begun { break }
        task.cancel()
        let error = await #expect(throws: HTTPClientError.self) { try await task.value }
        #expect(error?.cause == .cancelled)
        for await closed in ended {
            #expect(closed)
            break
        }
    }

    @Test("Cancelling while the answer is awaited closes the connection, too")
    func cancellationBeforeHead() async throws {
        let (events, continuation) = AsyncStream.makeStream(of: Bool.self)
        let server = ScriptedServer { connection in
            continuation.yield(connection.readHead() != nil)
            continuation.yield(connection.endsSilently())
        }
        let client = try await client()
        let task = Task { try await client.collect(ClientRequest(.get, url(server))) }
        var seen = 0
        for await happened in events {
            #expect(happened)
            seen += 1
            if seen == 1 { task.cancel() }
            if seen == 2 { break }
        }
        let error = await #expect(throws: HTTPClientError.self) { try await task.value }
        #expect(error?.cause == .cancelled)
    }

    @Test("Dropping a body unread closes the connection")
    func dropped() async throws {
        let (ended, continuation) = AsyncStream.makeStream(of: Bool.self)
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
            continuation.yield(connection.endsSilently())
        }
        let client = try await client()
        do {
            let response = try await client.send(ClientRequest(.get, url(server)))
            #expect(response.status == 200)
        }
        for await closed in ended {
            #expect(closed)
            break
        }
        #expect(await client.idleConnections == 0)
    }
}
