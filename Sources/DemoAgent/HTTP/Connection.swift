internal import HTTPWire
internal import LinuxIO

/// Why a connection cannot go on.
enum ConnectionFailure: Error, Equatable {
    /// The peer sent something that is not HTTP as this agent takes it.
    case wire(WireError)
    case io(IOError)
    /// A body is larger than its handler takes.
    case bodyTooLarge
}

/// One client connection: heads and bodies in, bytes out, in order.
///
/// How to use the floors below: a `Stream` with its one `Waiter`, an `IOBuffer` that keeps what was received and not yet
/// used, `HeadScanner` to find the end of a head, `HeadParser` to read it, `ChunkReader` for chunked bodies. What
/// follows a request stays in the buffer, so pipelined requests are answered one after another.
final class Connection {
    let stream: Stream
    let waiter: Waiter
    private let executor: LoopExecutor
    private let buffer: IOBuffer

    private var scanner = HeadScanner(limits: .request)
    private var head = RequestHead()
    private var body = Body.done
    private var chunks = ChunkReader()
    private var owesContinue = false

    private enum Body {
        case done
        case length(UInt64)
        case chunked
    }

    private static let idleSeconds = 300
    private static let headSeconds = 10
    private static let bodySeconds = 60
    private static let writeSeconds = 60

    /// Takes over an accepted connection.
    init(_ descriptor: consuming Descriptor, on executor: LoopExecutor) throws(IOError) {
        self.executor = executor
        waiter = Waiter(on: executor)
        stream = try Stream(adopting: descriptor, on: executor)
        stream.waiter = waiter
        buffer = executor.buffers.take()
    }

    deinit { executor.buffers.giveBack(buffer) }

    /// The next request, or nil when the client has no more.
    func nextRequest() async throws(ConnectionFailure) -> Request? {
        scanner.reset()
        while true {
            do throws(WireError) {
                if let size = try scanner.scan(buffer.bytes) {
                    let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<size])
                    try HeadParser.parse(bytes, into: &head)
                    guard let request = Request(head, in: bytes) else { throw WireError.malformedTarget }
                    buffer.consume(size)
                    begin(head)
                    return request
                }
            } catch {
                throw .wire(error)
            }
            let seconds = buffer.isEmpty ? Self.idleSeconds : Self.headSeconds
            if try await fill(seconds: seconds) == 0 {
                if buffer.isEmpty { return nil }
                throw .io(.endOfStream)
            }
        }
    }

    private func begin(_ head: borrowing RequestHead) {
        owesContinue = head.expectsContinue
        switch head.framing {
        case .none, .untilClose: body = .done
        case .length(let count): body = .length(count)
        case .chunked:
            body = .chunked
            chunks = ChunkReader()
        }
    }

    /// Receives more into the buffer; 0 is the end of the stream.
    private func fill(seconds: Int) async throws(ConnectionFailure) -> Int {
        if buffer.room.isEmpty { buffer.compact() }
        // The scanner refuses a head before it fills what can be grown to, so there is room.
        if buffer.room.isEmpty { _ = buffer.grow(limit: HeadLimits.request.head) }
        let count = try await receive(into: buffer.room, seconds: seconds)
        buffer.produced(count)
        return count
    }

    private func receive(
        into room: UnsafeMutableRawBufferPointer, seconds: Int
    ) async throws(ConnectionFailure) -> Int {
        do {
            return try await stream.read(into: room, deadline: executor.now.advanced(seconds: seconds))
        } catch {
            throw .io(error)
        }
    }

    // MARK: Bodies

    /// Whether the request's body has been read to its end.
    var isBodyRead: Bool { if case .done = body { true } else { false } }

    /// The next bytes of the request's body; 0 is its end.
    func readBody(into room: UnsafeMutableRawBufferPointer) async throws(ConnectionFailure) -> Int {
        if owesContinue {
            owesContinue = false
            try await write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
        }
        switch body {
        case .done:
            return 0
        case .length(let rest):
            let count = try await take(upTo: rest, into: room)
            body = rest == UInt64(count) ? .done : .length(rest - UInt64(count))
            return count
        case .chunked:
            while true {
                let step: ChunkReader.Step
                do { step = try chunks.next(buffer.bytes) } catch { throw .wire(error) }
                switch step {
                case .needMore(let consumed):
                    buffer.consume(consumed)
                    if try await fill(seconds: Self.bodySeconds) == 0 { throw .io(.endOfStream) }
                case .chunk(let consumed, let length):
                    buffer.consume(consumed)
                    let count = try await take(upTo: length, into: room)
                    chunks.payloadMoved(UInt64(count))
                    return count
                case .end(let consumed):
                    buffer.consume(consumed)
                    body = .done
                    return 0
                }
            }
        }
    }

    /// Moves at least one and at most `limit` bytes: first what the buffer has, then straight from the socket.
    private func take(
        upTo limit: UInt64, into room: UnsafeMutableRawBufferPointer
    ) async throws(ConnectionFailure) -> Int {
        let wanted = Int(min(limit, UInt64(room.count)))
        if !buffer.isEmpty {
            let count = min(wanted, buffer.count)
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]))
            buffer.consume(count)
            return count
        }
        let part = UnsafeMutableRawBufferPointer(rebasing: room[..<wanted])
        let count = try await receive(into: part, seconds: Self.bodySeconds)
        if count == 0 { throw .io(.endOfStream) }
        return count
    }

    /// The whole body, if it has at most `limit` bytes.
    func collectBody(limit: Int) async throws(ConnectionFailure) -> [UInt8] {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 16)
        defer { room.deallocate() }
        var bytes: [UInt8] = []
        while true {
            let count = try await readBody(into: room)
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else { throw .bodyTooLarge }
            bytes.append(contentsOf: room[..<count])
        }
    }

    /// Whether what is left of the body is small enough to be read over, so that the connection can go on.
    var canSkipBody: Bool {
        switch body {
        case .done: true
        case .length(let rest): !owesContinue && rest <= 64 << 10
        case .chunked: false
        }
    }

    /// Reads over the rest of a small body.
    func skipBody() async throws(ConnectionFailure) {
        if !isBodyRead { _ = try await collectBody(limit: 64 << 10) }
    }

    /// Bytes that the client sent behind the request, for the protocol it changes to.
    func takeBuffered() -> [UInt8] {
        defer { buffer.consume(buffer.count) }
        return Array(buffer.bytes)
    }

    // MARK: Writing

    func write(_ bytes: [UInt8]) async throws(ConnectionFailure) {
        // The array's storage must stay where it is while the write waits.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        try await write(UnsafeRawBufferPointer(copy))
    }

    func write(_ bytes: UnsafeRawBufferPointer) async throws(ConnectionFailure) {
        do {
            try await stream.writeAll(bytes, deadline: executor.now.advanced(seconds: Self.writeSeconds))
        } catch {
            throw .io(error)
        }
    }

    /// Sends a file; fails if it has become shorter than announced.
    func write(_ file: OpenFile) async throws(ConnectionFailure) {
        var offset: Int64 = 0
        do {
            while UInt64(offset) < file.size {
                let count = Int(min(file.size - UInt64(offset), 1 << 20))
                switch stream.sendFile(file.descriptor, offset: &offset, count: count) {
                case .moved:
                    // A fast reader must not keep the loop from its other tasks.
                    await Task.yield()
                case .wouldBlock:
                    try await stream.untilWritable(deadline: executor.now.advanced(seconds: Self.writeSeconds))
                case .endOfStream: throw IOError.endOfStream
                case .failed(let errno): throw IOError.system(call: "sendfile", errno)
                }
            }
        } catch let error as IOError {
            throw .io(error)
        } catch {
            throw .io(.cancelled)
        }
    }

    /// Closes so that the client can still read the answer: our end first, then what it goes on sending is dropped for a
    /// moment, since closing with unread bytes would make the kernel reset the connection.
    func closeGently() async {
        stream.shutdownWrite()
        let deadline = executor.now.advanced(seconds: 2)
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 16)
        defer { room.deallocate() }
        for _ in 0..<256 {
            guard let count = try? await stream.read(into: room, deadline: deadline), count > 0 else { break }
        }
        stream.close()
    }
}
