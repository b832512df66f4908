import LinuxIO
import TLS

/// What a pooled connection can be lent again for.
///
/// The address policy belongs to it: a connection that a trusting request opened must not serve a distrustful one.
struct ConnectionKey: Hashable {
    let origin: HTTPOrigin
    let tls: TLSConfiguration?
    let addresses: AddressPolicy
}

/// One connection to a server, between its exchanges or in one.
final class ClientConnection {
    let key: ConnectionKey
    let waiter: Waiter
    let transport: Transport
    /// Whether an exchange was completed on it.
    var wasUsed = false
    /// When it must go if nobody borrowed it.
    var idleUntil = Deadline.never

    init(key: ConnectionKey, waiter: Waiter, transport: Transport) {
        self.key = key
        self.waiter = waiter
        self.transport = transport
    }

    func close() { transport.close() }

    /// Opens a connection to the first of these addresses that takes it.
    static func open(
        _ key: ConnectionKey, addresses: [IPAddress], context: TLSClientContext?, timeout: Duration,
        deadline: Deadline, relay: CancellationRelay, on executor: LoopExecutor
    ) async throws(HTTPClientError.Cause) -> ClientConnection {
        let waiter = Waiter(on: executor)
        relay.attach(waiter)
        var last = HTTPClientError.Cause.unresolvable(reason: "no address")
        for address in addresses {
            let limit = min(deadline, Deadline.after(timeout))
            do throws(HTTPClientError.Cause) {
                let stream = try await connect(
                    to: address.socketAddress(port: key.origin.port), waiter: waiter, deadline: limit, on: executor)
                guard let context else { return ClientConnection(key: key, waiter: waiter, transport: .plain(stream)) }
                let tls = try await shakeHands(
                    over: stream, context: context, key, deadline: min(deadline, .after(timeout)))
                return ClientConnection(key: key, waiter: waiter, transport: .encrypted(tls))
            } catch {
                // Another address of the same server has the same certificate; only weather is worth another try.
                if case .tls = error { throw error }
                if error == .cancelled || Deadline.current() >= deadline { throw error }
                last = error
            }
        }
        throw last
    }

    private static func connect(
        to address: SocketAddress, waiter: Waiter, deadline: Deadline, on executor: LoopExecutor
    ) async throws(HTTPClientError.Cause) -> LinuxIO.Stream {
        do {
            let stream = try await Stream.connect(to: address, on: executor, waiter: waiter, deadline: deadline)
            stream.detectDeadPeer(withinSeconds: 30)
            return stream
        } catch .timedOut {
            throw .timedOut(.connecting)
        } catch .cancelled {
            throw .cancelled
        } catch {
            throw .unreachable(error)
        }
    }

    private static func shakeHands(
        over stream: LinuxIO.Stream, context: TLSClientContext, _ key: ConnectionKey, deadline: Deadline
    ) async throws(HTTPClientError.Cause) -> TLSStream {
        let host =
            switch key.origin.host {
            case .name(let name): name
            case .address(let address): address.description
            }
        let name = key.tls?.serverName ?? host
        do {
            return try await TLSStream.connect(over: stream, context: context, serverName: name, deadline: deadline)
        } catch {
            stream.close()
            throw error.cause.during(.connecting)
        }
    }
}

extension Deadline {
    /// This long from now.
    static func after(_ duration: Duration) -> Deadline {
        let (seconds, attoseconds) = duration.components
        let milliseconds = seconds.multipliedReportingOverflow(by: 1000)
        guard !milliseconds.overflow else { return seconds < 0 ? .current() : .never }
        let total = milliseconds.partialValue + attoseconds / 1_000_000_000_000_000
        return .current().advanced(milliseconds: UInt64(max(0, total)))
    }

    /// This long from now, or never.
    static func after(_ duration: Duration?) -> Deadline { duration.map(after) ?? .never }
}
