import LinuxIO

/// The body of an answer as it comes, in pieces of at most a few kilobytes; readable once, by one task at a time.
///
/// Nothing is read ahead: a slow reader slows the server down. Each piece may be awaited as long as the request's idle
/// timeout says. Reading to the end gives the connection back for others; an error, a cancelled task or dropping the
/// body closes it.
package final class ClientBody: AsyncSequence, Sendable {
    package typealias Element = [UInt8]
    package typealias Failure = HTTPClientError

    private let loop: Loop
    private let exchange: LoopBound<ClientExchange>
    private let method: ClientMethod
    private let url: HTTPURL

    init(_ exchange: ClientExchange, request: ClientRequest, on loop: isolated Loop) {
        exchange.finishIfBodiless(on: loop)
        self.loop = loop
        self.exchange = LoopBound(exchange, on: loop) { $0.abort() }
        self.method = request.method
        self.url = request.url
    }

    /// The next piece; nil at the end.
    package func next() async throws(HTTPClientError) -> [UInt8]? {
        do throws(HTTPClientError.Cause) {
            return try await loop.performCancellable { relay, loop throws(HTTPClientError.Cause) in
                try await self.exchange.value(on: loop).next(relay: relay, on: loop)
            }
        } catch {
            throw HTTPClientError(method, url, error)
        }
    }

    /// All of the rest, if it is at most `limit` bytes.
    package func collect(limit: Int) async throws(HTTPClientError) -> [UInt8] {
        var body: [UInt8] = []
        while let piece = try await next() {
            guard body.count + piece.count <= limit else {
                throw HTTPClientError(method, url, .tooLarge(limit: limit))
            }
            body.append(contentsOf: piece)
        }
        return body
    }

    package func makeAsyncIterator() -> Iterator { Iterator(body: self) }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let body: ClientBody

        package mutating func next() async throws(HTTPClientError) -> [UInt8]? { try await body.next() }

        package mutating func next(isolation actor: isolated (any Actor)?) async throws(HTTPClientError) -> [UInt8]? {
            try await body.next()
        }
    }
}
