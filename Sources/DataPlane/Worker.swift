internal import Assets
internal import Glibc
internal import HTTPWire
internal import Identity
internal import LinuxIO
internal import Routing
internal import Telemetry

/// One thread of the byte path: a loop, its listeners, its connections and its own pool of upstream connections.
///
/// Nothing here is shared with another worker; tables come in through the loop's mailbox, requests for the control
/// plane go out as values.
final class Worker {
    let executor: LoopExecutor
    let loop: Loop
    private(set) var settings: DataPlaneSettings
    let control: any ControlPlane
    private(set) var gatekeeper: Gatekeeper
    private let attachFailures = AttachFailures()
    /// What each identity asks; shared by all workers.
    let people: Accounts
    /// What each peer asks without proving an identity; shared by all workers.
    let strangers: Accounts
    let pool: UpstreamPool
    let rewrites: Rewrites
    let telemetry: WorkerTelemetry
    /// What is known of sign-ins; nil unless they are asked about again.
    var signIns: SignInCache?
    var table: RouteTable
    var clock = ClockText()
    var requestIDs = RequestIDSource()
    /// The peer of this worker says `Connection: close` from now on and takes no new connection.
    private(set) var isDraining = false
    /// Idle connections end; those that were in use have been told so by an answer.
    private(set) var isClosingIdle = false
    /// The time to finish is over.
    private(set) var isPastDrain = false

    private var connections: [Connection] = []
    /// Pods are not trusted with everybody's connections: theirs are counted, and bounded by themselves.
    private var podConnections = 0
    private var podLimit: Int { max(16, settings.connectionsPerWorker / 8) }
    /// How many exchanges and tunnels a grant admitted.
    var grants = 0
    private var peers: PeerQuota
    private var exchanges: [Exchange] = []
    private var listeners: [Listener] = []
    /// What each listener is for.
    private var entrances: [Entrance] = []
    private var ticks = 0

    init(
        loop: Loop, settings: DataPlaneSettings, table: RouteTable, control: any ControlPlane, people: Accounts,
        strangers: Accounts, telemetry: WorkerTelemetry
    ) {
        self.loop = loop
        executor = loop.executor
        self.settings = settings
        self.control = control
        self.table = table
        self.people = people
        self.strangers = strangers
        self.telemetry = telemetry
        gatekeeper = Gatekeeper(settings, attachFailures)
        peers = PeerQuota(limit: settings.connectionsPerPeer, exempt: settings.identity.isTrustedProxy)
        signIns = settings.recheck.map(SignInCache.init)
        pool = UpstreamPool(on: loop.executor, connectSeconds: settings.connectSeconds)
        rewrites = Rewrites(settings)
        executor.pipes.limit = settings.pipesPerWorker
    }

    // MARK: Exchanges

    /// Lends the storage for one request and its answer.
    func takeExchange() -> Exchange { exchanges.popLast() ?? Exchange(worker: self) }

    func giveBack(_ exchange: consuming Exchange) {
        exchange.reset()
        if exchanges.count < 256 { exchanges.append(exchange) }
    }

    // MARK: Accepting

    /// Accepts connections until the listener is closed.
    func accept(on listener: Listener, entrance: Entrance) async {
        listeners.append(listener)
        entrances.append(entrance)
        let waiter = Waiter(on: executor)
        listener.waiter = waiter
        while listener.isOpen {
            if connections.count >= settings.connectionsPerWorker || entrance == .pod && podConnections >= podLimit {
                // Waiting connections stay in the kernel's queue, or go to another worker or process.
                listener.setPaused(true)
                _ = await waiter.wait(until: executor.now.advanced(milliseconds: 50))
                listener.setPaused(false)
                continue
            }
            switch listener.accept() {
            case .accepted(let accepted):
                let peer = accepted.peer
                start(accepted.take(), peer: peer, entrance: entrance)
            case .nobody:
                _ = await waiter.wait(until: .never)
            case .exhausted:
                telemetry.count(.acceptPauses)
                listener.setPaused(true)
                _ = await waiter.wait(until: executor.now.advanced(milliseconds: 200))
                listener.setPaused(false)
            }
        }
        listener.waiter = nil
    }

    private func start(_ descriptor: consuming Descriptor, peer: SocketAddress, entrance: Entrance) {
        let peer = PeerAddress(high: peer.high, low: peer.low)
        guard peers.admit(peer) else {
            telemetry.refusal(.tooManyConnections)
            return
        }
        guard let stream = try? Stream(adopting: descriptor, on: executor) else {
            peers.release(peer)
            return
        }
        let connection = Connection(
            stream: stream, waiter: Waiter(on: executor), peer: peer, entrance: entrance, worker: self)
        connection.index = connections.count
        connections.append(connection)
        if entrance == .pod { podConnections += 1 }
        telemetry.count(.connectionsAccepted)
        // What it asks is received together with what others ask; who says nothing needs no task.
        connection.park()
    }

    /// Serves a connection on a task for as long as it has something to do, and parks it in between.
    func serve(_ connection: Connection) {
        loop.spawn { [connection = LoopBound(connection)] _ in
            let connection = connection.value
            if await connection.serve() {
                connection.worker.remove(connection)
            } else {
                connection.park()
            }
        }
    }

    private func remove(_ connection: Connection) {
        if connection.entrance == .pod { podConnections -= 1 }
        peers.release(connection.peer)
        let last = connections.removeLast()
        if last !== connection {
            connections[connection.index] = last
            last.index = connection.index
        }
    }

    // MARK: Life

    /// Takes over a newer table.
    func install(_ table: RouteTable) {
        guard table.generation > self.table.generation else { return }
        self.table = table
        sweep()
        // Taking somebody's access away is a new table: what runs under an older one ends with it.
        recheckAccess()
    }

    private func recheckAccess() {
        let now = Int64(executor.now.milliseconds)
        for connection in connections { connection.admitted?.recheckAccess(in: table, at: now, on: connection) }
    }

    /// Takes over what was read anew, from the next request on.
    func renew(_ renewed: RenewedSettings) {
        settings.identity = renewed.identity
        settings.assets = renewed.assets
        settings.pages = renewed.pages
        gatekeeper = Gatekeeper(settings, attachFailures)
    }

    /// Whether a connection is open, or one may still be accepted.
    var isBusy: Bool { !connections.isEmpty || listeners.contains { $0.isOpen } }

    /// Starts to listen, where that waited.
    func open() throws(IOError) {
        for listener in listeners { try listener.open() }
    }

    /// Handshakes that began before the listener was taken out of the kernel's choice are complete after so long.
    private static let handshakeMilliseconds: UInt64 = 200

    /// Leaves new connections to a successor that listens on the same address, accepts what is on its way here, and then
    /// closes what is idle; what runs may finish. Each answer from now on says that the connection ends.
    func beginDrain() {
        guard !isDraining else { return }
        isDraining = true
        // The listeners of one process are the first of their group: whoever was before them is gone.
        for listener in listeners { listener.leaveNewConnections(toListener: max(1, settings.workers)) }
        loop.spawn { [self = LoopBound(self)] loop in
            let worker = self.value
            let waiter = Waiter(on: loop.executor)
            let begin = loop.now
            let handshakes = begin.advanced(milliseconds: Self.handshakeMilliseconds)
            while loop.now < handshakes, !worker.isPastDrain { _ = await waiter.wait(until: handshakes) }
            worker.closeListeners()
            let idle = begin.advanced(milliseconds: worker.settings.idleDrainMilliseconds)
            while loop.now < idle, !worker.isPastDrain, !worker.connections.isEmpty {
                _ = await waiter.wait(until: min(idle, loop.now.advanced(milliseconds: 50)))
            }
            worker.isClosingIdle = true
            for connection in worker.connections { connection.drain() }
            worker.pool.closeAll()
        }
    }

    /// Closes the listeners with nobody in their queues: who waits in a closed listener's queue is reset.
    private func closeListeners() {
        for (listener, entrance) in zip(listeners, entrances) where listener.isOpen {
            while connections.count < settings.connectionsPerWorker, case .accepted(let accepted) = listener.accept() {
                let peer = accepted.peer
                start(accepted.take(), peer: peer, entrance: entrance)
            }
            listener.close()
        }
    }

    /// Ends what still runs.
    func endDrain() {
        isPastDrain = true
        isClosingIdle = true
        closeListeners()
        for connection in connections { connection.waiter.wake() }
    }

    /// Once a second: ask about sign-ins again, forget upstream connections that nobody needs.
    func tick() {
        sweep()
        executor.buffers.trim()
        if let recheck = settings.recheck {
            for connection in connections { connection.admitted?.recheckSignIn(under: recheck, on: connection) }
        }
        // Between two tables only time can end something: what a grant allows.
        if grants > 0 { recheckAccess() }
        ticks += 1
        // A predecessor with fewer workers has left the kernel told to prefer one of ours.
        if settings.takesOver, ticks % 60 == 0, !isDraining {
            for listener in listeners { listener.shareNewConnections() }
        }
        telemetry.set(.clientConnections, connections.count)
        telemetry.set(.upstreamIdle, pool.idleCount)
        telemetry.set(.pipesInUse, executor.pipes.lent)
        telemetry.set(.pipesInPool, executor.pipes.waiting)
        telemetry.set(.pipesRefused, executor.pipes.shortages)
        telemetry.set(.buffersInUse, executor.buffers.lent)
        telemetry.set(.loopWakeups, executor.turns)
        telemetry.set(.foreignEnqueues, executor.crossings)
        telemetry.set(.upstreamOpened, pool.opened)
        telemetry.loopLag(microseconds: executor.takeLongestTurn())
    }

    private func sweep() {
        guard !pool.isEmpty else { return }
        var current: Set<UInt64> = []
        for session in table.sessions {
            if let target = session.target { current.insert(target.identity) }
        }
        pool.sweep { current.contains($0.identity) || table.isFallback($0.identity) }
    }
}

/// A reference that crosses into a task of the same loop; it is never touched anywhere else.
struct LoopBound<Value: AnyObject>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}
