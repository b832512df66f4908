import LinuxIO
import TLS

/// The part of a client that lives on the loop: opens or borrows connections and runs exchanges on them.
final class ClientEngine {
    let pool: ConnectionPool
    private let configuration: HTTPClient.Configuration
    private let executor: LoopExecutor
    private let resolver = Resolver()
    /// Reading the authorities of a machine takes tens of milliseconds: once per configuration.
    private var contexts: [TLSConfiguration: TLSClientContext] = [:]

    init(_ configuration: HTTPClient.Configuration, executor: LoopExecutor) {
        self.configuration = configuration
        self.executor = executor
        self.pool = ConnectionPool(configuration: configuration, executor: executor)
    }

    /// Sends a request, following redirects as it allows, and reads the answer's head.
    func send(_ request: ClientRequest, relay: CancellationRelay, on loop: isolated Loop)
        async throws(HTTPClientError.Cause) -> (ClientResponseHead, ClientExchange)
    {
        let deadline = Deadline.after(request.timeouts.total)
        var request = request
        var redirects = 0
        while true {
            let (head, exchange) = try await once(request, deadline: deadline, relay: relay)
            do throws(HTTPClientError.Cause) {
                guard let next = try request.next(after: head) else { return (head, exchange) }
                guard case .sameOrigin(let maximum) = request.redirects, redirects < maximum else {
                    throw .tooManyRedirects
                }
                redirects += 1
                request.url = next
            } catch {
                exchange.abort()
                throw error
            }
            // A redirect's own body is not worth reading.
            exchange.abort()
        }
    }

    /// One exchange, repeated once if a connection from the pool turns out to be dead before the answer's first byte.
    ///
    /// What must not be sent twice gets a new connection: a server may just be ending an idle one, and nobody could
    /// tell whether it took the request first (RFC 9112 §9.3.1).
    private func once(_ request: ClientRequest, deadline: Deadline, relay: CancellationRelay)
        async throws(HTTPClientError.Cause) -> (ClientResponseHead, ClientExchange)
    {
        let head = try request.head()
        if Task.isCancelled { throw .cancelled }
        let key = ConnectionKey(
            origin: request.url.origin,
            tls: request.url.origin.scheme == .https ? request.tls ?? configuration.tls : nil,
            addresses: request.addresses)
        if request.isRepeatable, let connection = pool.checkOut(key) {
            let exchange = ClientExchange(connection, pool: pool, request: request, deadline: deadline, on: executor)
            do {
                return (try await exchange.begin(head: head, body: request.body, relay: relay), exchange)
            } catch {
                exchange.abort()
                guard error.isConnectionLoss, !exchange.hasAnswerBytes else { throw error }
            }
        }
        let connection = try await open(key, request: request, deadline: deadline, relay: relay)
        let exchange = ClientExchange(connection, pool: pool, request: request, deadline: deadline, on: executor)
        do {
            return (try await exchange.begin(head: head, body: request.body, relay: relay), exchange)
        } catch {
            exchange.abort()
            throw error
        }
    }

    private func open(
        _ key: ConnectionKey, request: ClientRequest, deadline: Deadline, relay: CancellationRelay
    )
        async throws(HTTPClientError.Cause) -> ClientConnection
    {
        let addresses: [IPAddress]
        switch key.origin.host {
        case .address(let address): addresses = [address]
        case .name(let name):
            // Looking up may take as long as an address and its fallback may.
            let limit = min(deadline, .after(request.timeouts.connect * 2))
            switch await resolver.addresses(of: name, deadline: limit) {
            case .success(let found): addresses = found
            case .failure(.timedOut): throw .timedOut(.resolving)
            case .failure(.cancelled): throw .cancelled
            case .failure(.unknownHost(let reason)): throw .unresolvable(reason: reason)
            }
        }
        // One forbidden address is enough: a public name that also answers with an internal one is after something.
        for address in addresses where !key.addresses.permits(address) { throw .refusedAddress(address) }
        let context: TLSClientContext?
        do { context = try key.tls.map(self.context) } catch { throw .tls(error) }
        return try await ClientConnection.open(
            key, addresses: addresses, context: context, timeout: request.timeouts.connect, deadline: deadline,
            relay: relay, on: executor)
    }

    private func context(for configuration: TLSConfiguration) throws(TLSError) -> TLSClientContext {
        if let known = contexts[configuration] { return known }
        // A rotated certificate is a new configuration; the old ones must not pile up.
        if contexts.count >= 16 { contexts.removeAll() }
        let context = try TLSClientContext(configuration)
        contexts[configuration] = context
        return context
    }
}

extension ClientRequest {
    /// Where this answer sends us, if we are to follow it; nil if the answer is the answer.
    fileprivate func next(after head: ClientResponseHead) throws(HTTPClientError.Cause) -> HTTPURL? {
        guard case .sameOrigin = redirects, method == .get || method == .head,
            [301, 302, 303, 307, 308].contains(head.status), let location = head["Location"]
        else { return nil }
        guard let next = try? url.resolving(location), next.origin == url.origin else { throw .refusedRedirect }
        return next
    }
}
