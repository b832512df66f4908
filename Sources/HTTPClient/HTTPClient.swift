package import LinuxIO
package import TLS

/// Outbound HTTP/1.1 on a loop: pooled connections, TLS, streamed answers.
///
/// Callable from every task; the work happens on the loop's thread, looking up names on threads of its own. An error
/// tells method, URL without query, and cause.
package final class HTTPClient: Sendable {
    /// What holds for all requests of a client.
    package struct Configuration: Sendable {
        /// Whom to trust on https, unless the request says otherwise.
        package var tls = TLSConfiguration()
        /// How long an idle connection is kept.
        package var idleTimeout = Duration.seconds(30)
        package var maximumIdlePerServer = 4
        package var maximumIdle = 64

        package init() {}
    }

    package let loop: Loop
    private let engine: LoopBound<ClientEngine>

    /// Makes a client on a loop that others use as well.
    package init(loop: Loop, configuration: Configuration = Configuration()) async {
        self.loop = loop
        self.engine = await loop.perform { loop in
            LoopBound(ClientEngine(configuration, executor: loop.executor), on: loop) { $0.pool.close() }
        }
    }

    /// Makes a client with a loop of its own, for tools and tests.
    package static func standalone(configuration: Configuration = Configuration()) async throws(IOError) -> HTTPClient {
        await HTTPClient(loop: try Loop(name: "http-client"), configuration: configuration)
    }

    /// Closes all idle connections, and from now on every connection after its exchange.
    package func close() async {
        await loop.perform { loop in self.engine.value(on: loop).pool.close() }
    }

    /// Connections that wait for their next request.
    package var idleConnections: Int {
        get async { await loop.perform { loop in self.engine.value(on: loop).pool.count } }
    }

    /// Sends a request and returns as soon as the answer's head is there; the body is read at the caller's pace.
    ///
    /// Cancelling the task closes the connection.
    package func send(_ request: ClientRequest) async throws(HTTPClientError) -> ClientResponse {
        try await performing(request) { engine, relay, loop throws(HTTPClientError.Cause) in
            let (head, exchange) = try await engine.send(request, relay: relay, on: loop)
            return ClientResponse(head: head, body: ClientBody(exchange, request: request, on: loop))
        }
    }

    /// Sends a request and reads its whole answer, at most `limit` bytes of body.
    package func collect(_ request: ClientRequest, limit: Int = 1 << 20) async throws(HTTPClientError)
        -> CollectedResponse
    {
        try await performing(request) { engine, relay, loop throws(HTTPClientError.Cause) in
            let (head, exchange) = try await engine.send(request, relay: relay, on: loop)
            // Closes the connection, unless the body was read to its end.
            defer { exchange.abort() }
            var body: [UInt8] = []
            while let piece = try await exchange.next(relay: relay, on: loop) {
                guard body.count + piece.count <= limit else { throw .tooLarge(limit: limit) }
                body.append(contentsOf: piece)
            }
            return CollectedResponse(head: head, body: body)
        }
    }

    /// Asks for a URL and collects its answer, for health checks: `(status, body)`.
    package func get(
        _ url: HTTPURL, fields: [ClientField] = [], timeout: Duration = .seconds(5), limit: Int = 1 << 20
    ) async throws(HTTPClientError) -> (status: Int, body: [UInt8]) {
        var request = ClientRequest(.get, url, fields: fields)
        request.timeouts.total = timeout
        let answer = try await collect(request, limit: limit)
        return (answer.status, answer.body)
    }

    /// Runs `body` on the loop and says of which request its failure is.
    private func performing<R: Sendable>(
        _ request: ClientRequest,
        _ body: @Sendable (ClientEngine, CancellationRelay, isolated Loop) async throws(HTTPClientError.Cause) -> R
    ) async throws(HTTPClientError) -> R {
        do throws(HTTPClientError.Cause) {
            return try await loop.performCancellable { relay, loop throws(HTTPClientError.Cause) in
                try await body(self.engine.value(on: loop), relay, loop)
            }
        } catch {
            throw HTTPClientError(request.method, request.url, error)
        }
    }
}
