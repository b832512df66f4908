internal import HTTPWire
internal import Identity
internal import LinuxIO
internal import Routing

/// One client connection: it reads heads, lets an exchange answer each, and goes round or closes.
///
/// While it waits for its next request it owns its socket and nothing else; buffers and the exchange are borrowed. A
/// tunnel that is silent keeps the session's stream besides, but no task, no buffer and no pipe.
final class Connection: Parked {
    let stream: Stream
    let waiter: Waiter
    let peer: PeerAddress
    let entrance: Entrance
    // Strong, as the exchange's; the worker lets go of a connection that has ended.
    let worker: Worker
    /// What was received and not used yet: a head, the start of a body, or the next requests of a pipeline.
    var input: IOBuffer?
    /// What answers the present request.
    private var exchange: Exchange?
    /// What the connection has become for the rest of its life.
    var tunnel: Tunnel?
    /// What the connection carries, if that had to be admitted.
    var admitted: (any Admitted)? {
        if let tunnel { return tunnel }
        return exchange
    }
    /// Place in the worker's list.
    var index = 0
    /// Whether the connection waits for a request and may be closed without loss.
    private(set) var isIdle = true
    /// Whether no request came in the time that a connection may be idle.
    private var isExpired = false
    /// Requests that were there already when the one before was answered.
    private var pipelined: UInt8 = 0

    init(stream: Stream, waiter: Waiter, peer: PeerAddress, entrance: Entrance, worker: Worker) {
        self.stream = stream
        self.waiter = waiter
        self.peer = peer
        self.entrance = entrance
        self.worker = worker
        stream.waiter = waiter
    }

    /// Serves requests until the connection ends (true), or has been idle for a while (false): then it wants to be
    /// parked, and served again when there is something to do.
    func serve() async -> Bool {
        serving: while true {
            if let tunnel {
                guard await tunnel.carry(on: self) else { return false }
                tunnel.end()
                self.tunnel = nil
                await closeGently()
                break serving
            }
            switch await nextRequest() {
            case .ready: break
            case .idle: return false
            case .ended: break serving
            }
            isIdle = false
            let exchange = worker.takeExchange()
            self.exchange = exchange
            let ending = await exchange.run(on: self)
            self.exchange = nil
            worker.giveBack(exchange)
            isIdle = tunnel == nil
            switch ending {
            case .tunnel: continue serving
            case .keepAlive:
                releaseInputIfEmpty()
                continue serving
            case .close: await closeGently()
            case .closeAsAnnounced:
                // Nothing unread, as far as the kernel has said: closing keeps the answer, and costs three calls and a
                // wake-up less.
                if stream.isReadable || input?.isEmpty == false { await closeGently() }
            case .abort: stream.abort()
            }
            break serving
        }
        // What is not whole must not end as if it were: to HTTP/1.0 the end of the connection may be the end of the body.
        if await sendRest() { stream.close() } else { stream.abort() }
        if let input {
            worker.executor.buffers.giveBack(input)
            self.input = nil
        }
        return true
    }

    /// Waits until an answer has left, of which the end may not have fitted into the socket's buffer; that is short. False
    /// if the client does not take it.
    private func sendRest() async -> Bool {
        let deadline = ByteFloor(worker).deadline
        while !stream.sendPostedNow() {
            guard !stream.isBroken, !worker.isPastDrain else { return false }
            stream.interest = .writeOrHangUp
            if await waiter.wait(until: deadline) == .deadline { return false }
        }
        return true
    }

    private enum Next { case ready, idle, ended }

    /// How long a task is kept ready for the next request, or a tunnel's next byte. It weighs kilobytes, and in a burst
    /// of connections those of all of them would be scattered among what stays; a new one costs half a microsecond,
    /// which only a connection that asks less than ten times a second pays.
    static let parkedAfterMilliseconds: UInt64 = 64

    /// Waits until there are bytes of another request.
    private func nextRequest() async -> Next {
        let deadline = worker.executor.now.advanced(milliseconds: Self.parkedAfterMilliseconds)
        while true {
            if let input, !input.isEmpty {
                if hasHadItsTurn() { await waiter.yield() }
                return .ready
            }
            if let arrived = stream.takeArrived() {
                releaseInputIfEmpty()
                input = arrived
                return .ready
            }
            guard !isExpired else { return .ended }
            if stream.isReadable {
                let buffer = input ?? worker.executor.buffers.take()
                input = buffer
                switch stream.receive(into: buffer.room) {
                case .moved(let count):
                    buffer.produced(count)
                    if hasHadItsTurn() { await waiter.yield() }
                    return .ready
                case .wouldBlock: releaseInputIfEmpty()
                case .endOfStream, .failed: return .ended
                }
            }
            guard !worker.isClosingIdle else { return .ended }
            stream.interest = .arrivalOrHangUp
            let wake = await withUnsafeContinuation { waiter.suspend($0, until: deadline) }
            if wake == .deadline { return .idle }
        }
    }

    /// Counts a request that did not have to be waited for; whether others have their turn first, as every few of them.
    ///
    /// Where no answer is waited for either, a client could hold the loop for as long as it sends.
    private func hasHadItsTurn() -> Bool {
        pipelined &+= 1
        return pipelined & 15 == 0
    }

    /// Waits without a task until there is something to do, or the time to be idle is over; then it is served again.
    func park() {
        // A tunnel has told its streams what to wait for, and may be silent for hours.
        var deadline = Deadline.never
        if tunnel == nil {
            stream.interest = .arrivalOrHangUp
            deadline = worker.executor.now.advanced(seconds: worker.settings.idleSeconds)
        }
        waiter.park(self, until: deadline)
    }

    func unpark(_ wake: Waiter.Wake) {
        isExpired = wake == .deadline
        worker.serve(self)
    }

    func releaseInputIfEmpty() {
        worker.executor.buffers.giveBackIfEmpty(&input)
    }

    /// Lets the client read the last answer although it may still be sending: closing with unread bytes would make the
    /// kernel discard the answer (RFC 9112 §9.6).
    private func closeGently() async {
        guard await sendRest() else { return stream.abort() }
        guard stream.isOpen, !stream.isBroken else { return }
        stream.shutdownWrite()
        let buffer = input ?? worker.executor.buffers.take()
        input = buffer
        // Many clients read nothing before they have sent everything; a large body takes its time.
        let end = worker.executor.now.advanced(seconds: 10)
        var reads = 0
        while worker.executor.now < end, !worker.isPastDrain {
            buffer.consume(buffer.count)
            switch stream.receive(into: buffer.room) {
            case .moved:
                reads += 1
                if reads & 15 == 0 { await waiter.yield() }
            case .wouldBlock:
                stream.interest = .readOrHangUp
                let silence = min(end, worker.executor.now.advanced(seconds: 2))
                if await waiter.wait(until: silence) == .deadline { return }
            case .endOfStream, .failed: return
            }
        }
    }

    /// Ends a wait for the next request, so that a draining worker is rid of idle connections at once.
    func drain() {
        if isIdle { waiter.wake() }
    }
}
