internal import CLinuxIO
internal import Glibc

/// A non-blocking byte stream (socket, pseudo-terminal) under a loop's epoll; it owns its descriptor.
///
/// Edge-triggered: readiness is latched here, cleared when a call would block, and set again by the kernel's next edge.
/// Belongs to one loop and is touched on that loop's thread only.
public final class Stream: EventSource {
    /// What may end the wait of the attached waiter.
    public struct Interest: OptionSet, Sendable {
        public let rawValue: UInt8
        @inlinable
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        // Computed and inlinable, and the unions spelt out: in another module a set literal runs through generic code,
        // some two hundred instructions each.
        @inlinable
        public static var read: Interest { Interest(rawValue: 1) }
        @inlinable
        public static var write: Interest { Interest(rawValue: 2) }
        /// The peer's end of stream, a reset, or an error.
        @inlinable
        public static var hangUp: Interest { Interest(rawValue: 4) }
        @inlinable
        public static var readOrHangUp: Interest { Interest(rawValue: 5) }
        @inlinable
        public static var writeOrHangUp: Interest { Interest(rawValue: 6) }
        @inlinable
        public static var all: Interest { Interest(rawValue: 7) }
        /// As `readOrHangUp`; and what arrives is received with the report, into a buffer of its own (`takeArrived`).
        ///
        /// For whoever wants the bytes as they come: all connections that are ready are then read one after the other,
        /// before any of them is served.
        @inlinable
        public static var arrivalOrHangUp: Interest { Interest(rawValue: 13) }
        fileprivate static var arrival: Interest { Interest(rawValue: 8) }
    }

    private let executor: LoopExecutor
    private(set) var descriptor: CInt
    private var watchesWrites: Bool
    /// Whether the kernel reports bytes that arrive; if not, `isReadable` stays true.
    private var watchesReads = true

    /// Whom to wake.
    public unowned(unsafe) var waiter: Waiter?
    public var interest: Interest = .all

    /// Whether a read may give something; false only after the kernel said it would not.
    public private(set) var isReadable = true
    /// Whether a write may take something.
    public private(set) var isWritable = true
    /// Whether the peer has ended its side, or the connection is broken; bytes may still be unread.
    public private(set) var isHungUp = false
    /// Whether the connection is broken in both directions (reset, or closed after our own shutdown).
    public private(set) var isBroken = false

    /// Bytes received with a report, for whoever reads next.
    private var arrived: IOBuffer?
    /// Whether the kernel has more than `arrived`.
    private var hasMoreThanArrived = false
    /// The error that receiving with a report met.
    private var arrivalFailure: Errno?
    /// Whether the loop's outbox holds bytes of this stream.
    private var hasPosted = false
    /// What was posted and did not fit into the socket's buffer.
    private var rest: IOBuffer?

    /// Puts an open, non-blocking descriptor under the loop.
    public init(adopting descriptor: consuming Descriptor, on executor: LoopExecutor, watchesWrites: Bool = false)
        throws(IOError)
    {
        self.executor = executor
        self.watchesWrites = watchesWrites
        self.descriptor = descriptor.number
        super.init()
        do throws(IOError) {
            try executor.register(self, descriptor: self.descriptor, events: events)
        } catch {
            self.descriptor = -1
            throw error
        }
        _ = descriptor.release()
    }

    deinit {
        if descriptor >= 0 { release() }
    }

    private var events: UInt32 {
        let edge = EPOLLET.rawValue | EPOLLRDHUP.rawValue
        return edge | (watchesReads ? EPOLLIN.rawValue : 0) | (watchesWrites ? EPOLLOUT.rawValue : 0)
    }

    public var isOpen: Bool { descriptor >= 0 }

    /// Ends the connection at once; unread bytes make the kernel send a reset.
    public func close() {
        guard descriptor >= 0 else { return }
        _ = sendPostedNow()
        release()
    }

    private func release() {
        executor.unregister(self)
        _ = Glibc.close(descriptor)
        descriptor = -1
        isHungUp = true
        isBroken = true
        if let buffer = arrived.take() { executor.buffers.giveBack(buffer) }
        dropRest()
    }

    private func dropRest() {
        if let buffer = rest.take() { executor.buffers.giveBack(buffer) }
    }

    /// Makes the coming close a reset: the peer must not take what it has for a clean end.
    public func abort() {
        guard descriptor >= 0 else { return }
        _ = sendPostedNow()
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        release()
    }

    /// Ends our side; the peer reads an end of stream.
    public func shutdownWrite() {
        guard descriptor >= 0 else { return }
        _ = sendPostedNow()
        _ = shutdown(descriptor, CInt(SHUT_WR))
    }

    override func report(_ events: UInt32) {
        var happened: Interest = []
        if events & EPOLLIN.rawValue != 0 {
            isReadable = true
            hasMoreThanArrived = true
            happened.insert(.read)
        }
        if events & EPOLLOUT.rawValue != 0, sendRest() {
            isWritable = true
            happened.insert(.write)
        }
        if events & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
            isHungUp = true
            isReadable = true
            hasMoreThanArrived = true
            happened.formUnion(.readOrHangUp)
            if events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
                isBroken = true
                isWritable = true
                dropRest()
                happened.insert(.write)
            }
        }
        guard !interest.isDisjoint(with: happened) else { return }
        if interest.contains(.arrival), happened.contains(.read) { receiveAhead() }
        waiter?.resume(.event)
    }

    // MARK: Bytes

    /// Receives what is there, up to the size of `room`.
    public func receive(into room: UnsafeMutableRawBufferPointer) -> IOOutcome {
        if arrived != nil || arrivalFailure != nil { return receiveArrived(into: room) }
        let result = clinuxio_receive(descriptor, room.baseAddress, room.count)
        if result > 0 {
            // Short means drained (epoll(7)), unless an end of stream waits behind the bytes: it makes no further edge.
            if result < room.count && !isHungUp { readBlocked() }
            return .moved(result)
        }
        if result == 0 { return .endOfStream }
        if CInt(-result) == EINTR { return receive(into: room) }
        return readFailed(result)
    }

    /// Receives with a report; what failed is told to whoever reads next.
    private func receiveAhead() {
        guard arrived == nil, arrivalFailure == nil else { return }
        let buffer = executor.buffers.take()
        switch receive(into: buffer.room) {
        case .moved(let count):
            buffer.produced(count)
            arrived = buffer
            hasMoreThanArrived = isReadable
            isReadable = true
            return
        case .failed(let errno): arrivalFailure = errno
        case .endOfStream, .wouldBlock: break
        }
        executor.buffers.giveBack(buffer)
    }

    /// Takes what was received with the last report; the caller owes the buffer to the loop's pool.
    public func takeArrived() -> IOBuffer? {
        guard let buffer = arrived else { return nil }
        arrived = nil
        isReadable = hasMoreThanArrived
        return buffer
    }

    private func receiveArrived(into room: UnsafeMutableRawBufferPointer) -> IOOutcome {
        if let errno = arrivalFailure.take() { return .failed(errno) }
        let buffer = arrived!
        let count = min(room.count, buffer.count)
        room.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]))
        arrivedUsed(count)
        return .moved(count)
    }

    private func arrivedUsed(_ count: Int) {
        let buffer = arrived!
        buffer.consume(count)
        if buffer.isEmpty, let buffer = takeArrived() { executor.buffers.giveBack(buffer) }
    }

    private func readFailed(_ result: Int) -> IOOutcome {
        switch CInt(-result) {
        case EAGAIN:
            // A hung-up socket that would block has no more to say; it cannot happen, but must not spin.
            readBlocked()
            return .wouldBlock
        case EBADF: preconditionFailure("use of a closed descriptor")
        default: return .failed(Errno(negated: result))
        }
    }

    private func readBlocked() {
        isReadable = false
        guard !watchesReads else { return }
        watchesReads = true
        // What came meanwhile is reported at once.
        executor.modify(self, descriptor: descriptor, events: events)
    }

    /// Lets bytes arrive without a report, until a read finds that there are none.
    ///
    /// For a source whose bytes must wait for a full sink: there each arrival would wake the loop for nothing. The end of
    /// the stream and errors are still reported.
    public func pauseReads() {
        guard watchesReads, descriptor >= 0 else { return }
        watchesReads = false
        isReadable = true
        hasMoreThanArrived = true
        executor.modify(self, descriptor: descriptor, events: events)
    }

    /// Sends bytes; `more` says that others follow at once and may share the packet.
    public func send(_ bytes: UnsafeRawBufferPointer, more: Bool = false) -> IOOutcome {
        guard sendPostedNow() else { return .wouldBlock }
        let result = clinuxio_send(descriptor, bytes.baseAddress, bytes.count, more ? 1 : 0)
        if result >= 0 {
            if result < bytes.count { writeBlocked() }
            return .moved(result)
        }
        if CInt(-result) == EINTR { return send(bytes, more: more) }
        return writeFailed(result)
    }

    /// As `send`, for a message that may leave as late as the end of this turn of the loop: those of all connections then
    /// leave together. All of a message is taken, or nothing; a long one is sent.
    public func post(_ bytes: UnsafeRawBufferPointer) -> IOOutcome {
        guard isWritable else { return .wouldBlock }
        guard executor.post(bytes, of: self) else { return send(bytes) }
        hasPosted = true
        return .moved(bytes.count)
    }

    /// Sends what was posted; false if some of it has to wait until a write may take something.
    public func sendPostedNow() -> Bool {
        if hasPosted { executor.sendPosted() }
        return rest == nil
    }

    override func sendPosted(_ bytes: UnsafeRawBufferPointer) {
        hasPosted = false
        var bytes = bytes
        if rest == nil {
            switch send(bytes) {
            case .moved(let count): bytes = UnsafeRawBufferPointer(rebasing: bytes[count...])
            case .wouldBlock, .endOfStream: break
            case .failed: return postedIsLost()
            }
            guard !bytes.isEmpty else { return }
            rest = executor.buffers.take()
        }
        // One turn posts no more than the outbox holds.
        while rest!.room.count < bytes.count, rest!.grow(limit: 128 << 10) {}
        let isKept = rest!.append(bytes)
        precondition(isKept, "what one turn posts is bounded")
    }

    /// Sends on what did not fit; whether all of it has left.
    private func sendRest() -> Bool {
        guard let buffer = rest.take() else { return true }
        switch send(buffer.bytes) {
        case .moved(let count): buffer.consume(count)
        case .wouldBlock, .endOfStream: break
        case .failed:
            executor.buffers.giveBack(buffer)
            postedIsLost()
            return false
        }
        if !buffer.isEmpty {
            rest = buffer
            return false
        }
        executor.buffers.giveBack(buffer)
        return true
    }

    /// The connection broke before the kernel took what was posted: as if it had broken right after.
    private func postedIsLost() {
        isBroken = true
        isHungUp = true
        isReadable = true
        if !interest.isEmpty { waiter?.resume(.event) }
    }

    /// Sends two runs of bytes with one call.
    public func send(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> IOOutcome {
        guard sendPostedNow() else { return .wouldBlock }
        var vectors = (
            iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count),
            iovec(iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress), iov_len: second.count)
        )
        let result = withUnsafeBytes(of: &vectors) {
            clinuxio_writev(descriptor, $0.bindMemory(to: iovec.self).baseAddress!, 2, 0)
        }
        if result >= 0 {
            if result < first.count + second.count { writeBlocked() }
            return .moved(result)
        }
        if CInt(-result) == EINTR { return send(first, second) }
        return writeFailed(result)
    }

    private func writeFailed(_ result: Int) -> IOOutcome {
        switch CInt(-result) {
        case EAGAIN:
            writeBlocked()
            return .wouldBlock
        case EBADF: preconditionFailure("use of a closed descriptor")
        default: return .failed(Errno(negated: result))
        }
    }

    /// From the first full socket buffer on, the kernel is asked to report room; small answers never get here.
    private func writeBlocked() {
        isWritable = false
        guard !watchesWrites else { return }
        watchesWrites = true
        executor.modify(self, descriptor: descriptor, events: events)
    }

    /// Moves up to `limit` bytes from this stream into an empty or partly filled pipe.
    public func splice(into pipe: Pipe, upTo limit: Int) -> IOOutcome {
        if arrived != nil || arrivalFailure != nil { return spliceArrived(into: pipe, upTo: limit) }
        let room = min(limit, pipe.capacity - pipe.buffered)
        let result = clinuxio_splice(descriptor, pipe.writeEnd.number, room, 0)
        if result > 0 {
            pipe.filled(result)
            return .moved(result)
        }
        if result == 0 { return .endOfStream }
        // EAGAIN: the socket is empty, or the pipe is full in segments though not in bytes. With bytes in the pipe the
        // caller drains first and asks again, so only an empty pipe proves the socket empty.
        if CInt(-result) == EAGAIN && pipe.buffered > 0 { return .wouldBlock }
        if CInt(-result) == EINTR { return splice(into: pipe, upTo: limit) }
        return readFailed(result)
    }

    private func spliceArrived(into pipe: Pipe, upTo limit: Int) -> IOOutcome {
        if let errno = arrivalFailure.take() { return .failed(errno) }
        let bytes = arrived!.bytes
        let count = pipe.write(UnsafeRawBufferPointer(rebasing: bytes[..<min(limit, bytes.count)]))
        guard count > 0 else { return .wouldBlock }
        arrivedUsed(count)
        return .moved(count)
    }

    /// Moves up to `limit` bytes of the pipe into this stream.
    public func drain(_ pipe: Pipe, upTo limit: Int, more: Bool = false) -> IOOutcome {
        guard sendPostedNow() else { return .wouldBlock }
        let count = min(limit, pipe.buffered)
        let result = clinuxio_splice(pipe.readEnd.number, descriptor, count, more ? 1 : 0)
        if result > 0 {
            pipe.drained(result)
            return .moved(result)
        }
        if result == 0 { return .failed(Errno(code: EPIPE)) }
        if CInt(-result) == EINTR { return drain(pipe, upTo: limit, more: more) }
        return writeFailed(result)
    }

    /// Sends up to `count` bytes of a file from `offset` on, which moves with what was sent.
    public func sendFile(_ file: borrowing Descriptor, offset: inout Int64, count: Int) -> IOOutcome {
        guard sendPostedNow() else { return .wouldBlock }
        let result = clinuxio_sendfile(descriptor, file.number, &offset, count)
        if result > 0 { return .moved(result) }
        if result == 0 { return .endOfStream }
        return writeFailed(result)
    }

    // MARK: Straight-line use

    /// Waits until a read may give something.
    public func untilReadable(deadline: Deadline) async throws(IOError) {
        while !isReadable {
            interest = .readOrHangUp
            guard let waiter else { preconditionFailure("a stream without a waiter cannot wait") }
            guard await waiter.wait(until: deadline) == .event else { throw .timedOut }
            if Task.isCancelled { throw .cancelled }
        }
    }

    /// Waits until a write may take something.
    public func untilWritable(deadline: Deadline) async throws(IOError) {
        while !isWritable {
            interest = .writeOrHangUp
            guard let waiter else { preconditionFailure("a stream without a waiter cannot wait") }
            guard await waiter.wait(until: deadline) == .event else { throw .timedOut }
            if Task.isCancelled { throw .cancelled }
        }
    }

    /// Reads at least one byte; 0 is the end of the stream.
    public func read(into room: UnsafeMutableRawBufferPointer, deadline: Deadline) async throws(IOError) -> Int {
        while true {
            switch receive(into: room) {
            case .moved(let count): return count
            case .endOfStream: return 0
            case .wouldBlock: try await untilReadable(deadline: deadline)
            case .failed(let errno): throw .system(call: "recv", errno)
            }
        }
    }

    /// Writes all bytes.
    public func writeAll(_ bytes: UnsafeRawBufferPointer, deadline: Deadline) async throws(IOError) {
        var rest = bytes
        while !rest.isEmpty {
            switch send(rest) {
            case .moved(let count): rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            case .endOfStream, .wouldBlock: try await untilWritable(deadline: deadline)
            case .failed(let errno): throw .system(call: "send", errno)
            }
        }
    }

    // MARK: Connecting

    /// Opens a connection; the stream's waiter is `waiter`.
    public static func connect(
        to address: SocketAddress, on executor: LoopExecutor, waiter: Waiter, deadline: Deadline
    ) async throws(IOError) -> Stream {
        let descriptor = Descriptor(adopting: try check("socket", clinuxio_socket(address.family, SOCK_STREAM_TYPE)))
        let number = descriptor.number
        _ = clinuxio_set_option(number, CInt(IPPROTO_TCP), TCP_NODELAY, 1)
        if address.isLoopback { sendUnpaced(number) }
        let result = address.withSockaddr { Glibc.connect(number, $0, $1) == 0 ? 0 : -errno }
        guard result == 0 || result == -EINPROGRESS else {
            throw .system(call: "connect", Errno(negated: Int(result)))
        }
        let stream = try Stream(adopting: descriptor, on: executor, watchesWrites: true)
        stream.waiter = waiter
        if result != 0 {
            stream.isWritable = false
            try await stream.untilWritable(deadline: deadline)
            var code: CInt = 0
            var length = socklen_t(MemoryLayout<CInt>.size)
            getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &length)
            guard code == 0 else { throw .system(call: "connect", Errno(code: code)) }
        }
        return stream
    }

    /// Finds a dead peer in about `seconds`, even one that vanished without a word.
    public func detectDeadPeer(withinSeconds seconds: Int) {
        Self.detectDeadPeer(descriptor, withinSeconds: seconds)
    }

    /// Keeps a connection within this machine from being paced, or a listener's connections.
    ///
    /// Where bbr is the default the kernel sends by timers, a quarter as fast and at four times the cost, although nothing
    /// on this way can be congested (docs/decisions/0022). Every kernel has reno, and lets everybody use it.
    static func sendUnpaced(_ descriptor: CInt) {
        _ = clinuxio_set_congestion_control(descriptor, "reno")
    }

    static func detectDeadPeer(_ descriptor: CInt, withinSeconds seconds: Int) {
        _ = clinuxio_set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        _ = clinuxio_set_option(descriptor, CInt(IPPROTO_TCP), TCP_KEEPIDLE, CInt(max(1, seconds / 2)))
        _ = clinuxio_set_option(descriptor, CInt(IPPROTO_TCP), TCP_KEEPINTVL, CInt(max(1, seconds / 6)))
        _ = clinuxio_set_option(descriptor, CInt(IPPROTO_TCP), TCP_KEEPCNT, 3)
        _ = clinuxio_set_option(descriptor, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, CInt(seconds * 1000))
    }
}

let SOCK_STREAM_TYPE = CInt(SOCK_STREAM.rawValue)
