internal import CLinuxIO
internal import Glibc

/// A listening TCP socket under a loop's epoll.
public final class Listener: EventSource {
    /// A connection just accepted.
    public struct Accepted: ~Copyable {
        public let descriptor: Descriptor
        public let peer: SocketAddress

        /// Hands the connection over.
        public consuming func take() -> Descriptor { descriptor }
    }

    /// What one attempt to accept gave.
    public enum Outcome: ~Copyable {
        case accepted(Accepted)
        case nobody
        /// No descriptor or memory is left; try again later.
        case exhausted(Errno)
    }

    private let executor: LoopExecutor
    private let backlog: Int
    private var descriptor: CInt
    /// Whether the kernel takes connections for it.
    private var isListening = false
    /// The address in use, with the port that the kernel chose if 0 was asked for.
    public let localAddress: SocketAddress
    public unowned(unsafe) var waiter: Waiter?

    /// Binds, and listens unless told to wait for `open`; with `sharesPort`, other listeners may bind the same address
    /// (SO_REUSEPORT) and the kernel spreads connections over those that listen.
    public init(
        address: SocketAddress, sharesPort: Bool, opensLater: Bool = false, backlog: Int = 1024,
        on executor: LoopExecutor
    ) throws(IOError) {
        self.executor = executor
        self.backlog = backlog
        let socket = Descriptor(adopting: try check("socket", clinuxio_socket(address.family, SOCK_STREAM_TYPE)))
        let number = socket.number
        try check("setsockopt", clinuxio_set_option(number, SOL_SOCKET, SO_REUSEADDR, 1))
        if sharesPort { try check("setsockopt", clinuxio_set_option(number, SOL_SOCKET, SO_REUSEPORT, 1)) }
        if !address.isIPv4 {
            // `::` also takes IPv4, whatever the host's default is.
            _ = clinuxio_set_option(number, CInt(IPPROTO_IPV6), IPV6_V6ONLY, 0)
        }
        try check("bind", address.withSockaddr { Glibc.bind(number, $0, $1) == 0 ? 0 : -errno })
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let named = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(number, $0, &length) }
        }
        guard named == 0, let local = SocketAddress(storage) else {
            throw .system(call: "getsockname", Errno(code: errno))
        }
        localAddress = local
        descriptor = socket.release()
        super.init()
        _ = clinuxio_set_option(number, CInt(IPPROTO_TCP), TCP_NODELAY, 1)
        if local.isLoopback { Stream.sendUnpaced(number) }
        if !opensLater { try open() }
    }

    /// Listens from now on, if it does not yet.
    public func open() throws(IOError) {
        guard descriptor >= 0, !isListening else { return }
        try check("listen", Glibc.listen(descriptor, CInt(backlog)) == 0 ? 0 : -errno)
        // Level-triggered: connections that were not accepted in one turn are reported again.
        try executor.register(self, descriptor: descriptor, events: EPOLLIN.rawValue)
        isListening = true
        waiter?.resume(.event)
    }

    /// Leaves new connections to the listener of the same address that was the `index`-th to listen, counted from 0, if
    /// there is one; those on their way here still arrive and must be accepted.
    public func leaveNewConnections(toListener index: Int) {
        guard descriptor >= 0 else { return }
        _ = clinuxio_steer(descriptor, UInt32(index))
    }

    /// Ends what `leaveNewConnections` began: the kernel spreads connections over all listeners of the address again.
    public func shareNewConnections() {
        guard descriptor >= 0 else { return }
        _ = clinuxio_unsteer(descriptor)
    }

    // Nobody can wait for what is being released, and the waiter may be released already.
    deinit { release() }

    public var isOpen: Bool { descriptor >= 0 }

    /// Stops listening; connections that the kernel completed but nobody accepted are reset.
    public func close() {
        guard descriptor >= 0 else { return }
        release()
        waiter?.resume(.event)
    }

    private func release() {
        guard descriptor >= 0 else { return }
        if isListening { executor.unregister(self) }
        _ = Glibc.close(descriptor)
        descriptor = -1
    }

    /// Makes accepted connections find a dead peer in about so many seconds; Linux hands a listener's options on.
    public func prepareAccepted(deadPeerSeconds seconds: Int) {
        Stream.detectDeadPeer(descriptor, withinSeconds: seconds)
    }

    /// Stops or resumes the reports of waiting connections, so that a full process does not spin.
    public func setPaused(_ paused: Bool) {
        guard descriptor >= 0, isListening else { return }
        executor.modify(self, descriptor: descriptor, events: paused ? 0 : EPOLLIN.rawValue)
    }

    override func report(_ events: UInt32) { waiter?.resume(.event) }

    /// Takes one waiting connection, if there is one.
    public func accept() -> Outcome {
        guard isListening, descriptor >= 0 else { return .nobody }
        while true {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let result = clinuxio_accept(descriptor, &storage, &length)
            if result >= 0 {
                let accepted = Descriptor(adopting: result)
                guard let peer = SocketAddress(storage) else { continue }
                return .accepted(Accepted(descriptor: accepted, peer: peer))
            }
            switch -result {
            case EAGAIN: return .nobody
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted(Errno(code: -result))
            // The peer gave up while it waited, or the network did: the next one may be fine (accept(2)).
            default: continue
            }
        }
    }
}
