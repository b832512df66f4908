import HTTPWire
import LinuxIO

/// One request and its answer on one connection; gives the connection back, or closes it, exactly once.
final class ClientExchange {
    private let connection: ClientConnection
    private let pool: ConnectionPool
    private let request: ClientRequest
    private let deadline: Deadline
    private let executor: LoopExecutor
    /// Borrowed until the exchange is over.
    private var buffer: IOBuffer?
    private var framing = BodyFraming.none
    private var chunks = ChunkReader()
    private var mayReuse = false
    /// Whether the server has said anything.
    private(set) var hasAnswerBytes = false

    /// What our own requests get answered with; a session's answer may be larger, but it is not parsed here.
    private static let limits = HeadLimits(line: 8 << 10, head: 128 << 10, fields: 256)
    private static let maximumInterimAnswers = 16

    init(
        _ connection: ClientConnection, pool: ConnectionPool, request: ClientRequest, deadline: Deadline,
        on executor: LoopExecutor
    ) {
        self.connection = connection
        self.pool = pool
        self.request = request
        self.deadline = deadline
        self.executor = executor
        self.buffer = executor.buffers.take()
    }

    /// Sends the request and reads the head of the final answer.
    func begin(head: [UInt8], body: [UInt8]?, relay: CancellationRelay) async throws(HTTPClientError.Cause)
        -> ClientResponseHead
    {
        guard let buffer else { preconditionFailure("an exchange begins once") }
        relay.attach(connection.waiter)
        var isSent = true
        do throws(HTTPClientError.Cause) {
            try await send(head, body ?? [], through: buffer)
        } catch {
            // A server may answer and close without taking the body: then its answer is what counts.
            guard error.isConnectionLoss, body?.isEmpty == false else { throw error.during(.sending) }
            buffer.consume(buffer.count)
            isSent = false
        }
        do throws(HTTPClientError.Cause) {
            let answer = try await readHead(into: buffer)
            mayReuse = mayReuse && isSent
            return answer
        } catch {
            throw error.during(.head)
        }
    }

    /// The next bytes of the body; nil at its end, when the connection is free for others.
    func next(relay: CancellationRelay, on loop: isolated Loop) async throws(HTTPClientError.Cause) -> [UInt8]? {
        guard let buffer else { return nil }
        relay.attach(connection.waiter)
        do throws(HTTPClientError.Cause) {
            if Task.isCancelled { throw .cancelled }
            let piece = try await piece(of: buffer)
            if piece == nil || framing == .none { finish(on: loop) }
            return piece
        } catch {
            abort()
            throw error.during(.body)
        }
    }

    /// Closes the connection, if it has not been given back.
    func abort() {
        guard let buffer else { return }
        self.buffer = nil
        executor.buffers.giveBack(buffer)
        connection.close()
    }

    /// Gives the connection back: to the pool, if its stream is exactly at the end of the answer.
    private func finish(on loop: isolated Loop) {
        guard let buffer else { return }
        let isClean = buffer.isEmpty
        self.buffer = nil
        executor.buffers.giveBack(buffer)
        if mayReuse && isClean { pool.checkIn(connection, on: loop) } else { connection.close() }
    }

    /// Gives the connection back at once if there is no body to read.
    func finishIfBodiless(on loop: isolated Loop) {
        if framing == .none { finish(on: loop) }
    }

    // MARK: Sending

    /// Writes head and body through the buffer, so that a small request is one packet.
    private func send(_ head: [UInt8], _ body: [UInt8], through buffer: IOBuffer) async throws(HTTPClientError.Cause) {
        for part in [head, body] {
            var offset = 0
            while offset < part.count {
                let count = min(buffer.room.count, part.count - offset)
                buffer.room.copyBytes(from: part[offset..<offset + count])
                buffer.produced(count)
                offset += count
                if buffer.room.isEmpty { try await flush(buffer) }
            }
        }
        try await flush(buffer)
    }

    private func flush(_ buffer: IOBuffer) async throws(HTTPClientError.Cause) {
        guard !buffer.isEmpty else { return }
        try await connection.transport.writeAll(
            buffer.bytes, deadline: min(deadline, .after(request.timeouts.idle)))
        buffer.consume(buffer.count)
    }

    // MARK: Reading

    private func readHead(into buffer: IOBuffer) async throws(HTTPClientError.Cause) -> ClientResponseHead {
        let deadline = min(deadline, .after(request.timeouts.head))
        var scanner = HeadScanner(limits: Self.limits)
        var head = ResponseHead()
        var interimAnswers = 0
        while true {
            do throws(WireError) {
                while let count = try scanner.scan(buffer.bytes) {
                    let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
                    try HeadParser.parse(
                        bytes, into: &head, answering: request.method.wireMethod, upgradeRequested: false,
                        limits: Self.limits)
                    if head.status >= 200 {
                        let answer = ClientResponseHead(head, in: bytes)
                        buffer.consume(count)
                        framing = head.framing
                        mayReuse = head.keepAlive
                        return answer
                    }
                    buffer.consume(count)
                    interimAnswers += 1
                    guard interimAnswers <= Self.maximumInterimAnswers else { throw .tooManyInterimResponses }
                    scanner.reset()
                }
            } catch {
                throw .malformed(error)
            }
            if buffer.room.isEmpty { buffer.compact() }
            if buffer.room.isEmpty, !buffer.grow(limit: Self.limits.head) { throw .malformed(.headTooLarge) }
            guard try await receive(into: buffer, deadline: deadline) else {
                throw hasAnswerBytes ? .truncated : .closedWithoutAnswer
            }
        }
    }

    /// The next piece of the body as its framing says; nil at its end.
    private func piece(of buffer: IOBuffer) async throws(HTTPClientError.Cause) -> [UInt8]? {
        switch framing {
        case .none:
            return nil
        case .length(let length):
            if buffer.isEmpty, try await !receiveBody(into: buffer) { throw .truncated }
            let piece = take(upTo: length, from: buffer)
            let rest = length - UInt64(piece.count)
            framing = rest == 0 ? .none : .length(rest)
            return piece
        case .untilClose:
            if buffer.isEmpty, try await !receiveBody(into: buffer) { return nil }
            return take(upTo: .max, from: buffer)
        case .chunked:
            while true {
                let step: ChunkReader.Step
                do { step = try chunks.next(buffer.bytes) } catch { throw .malformed(error) }
                switch step {
                case .needMore(let consumed):
                    buffer.consume(consumed)
                    if buffer.room.isEmpty { buffer.compact() }
                    guard try await receiveBody(into: buffer) else { throw .truncated }
                case .chunk(let consumed, let length):
                    buffer.consume(consumed)
                    if buffer.isEmpty, try await !receiveBody(into: buffer) { throw .truncated }
                    let piece = take(upTo: length, from: buffer)
                    chunks.payloadMoved(UInt64(piece.count))
                    return piece
                case .end(let consumed):
                    buffer.consume(consumed)
                    framing = .none
                    return nil
                }
            }
        }
    }

    private func take(upTo limit: UInt64, from buffer: IOBuffer) -> [UInt8] {
        let count = Int(min(limit, UInt64(buffer.count)))
        defer { buffer.consume(count) }
        return Array(buffer.bytes[..<count])
    }

    private func receiveBody(into buffer: IOBuffer) async throws(HTTPClientError.Cause) -> Bool {
        try await receive(into: buffer, deadline: min(deadline, .after(request.timeouts.idle)))
    }

    /// Waits for more bytes; false at the end of the stream.
    private func receive(into buffer: IOBuffer, deadline: Deadline) async throws(HTTPClientError.Cause) -> Bool {
        let count = try await connection.transport.read(into: buffer.room, deadline: deadline)
        buffer.produced(count)
        if count > 0 { hasAnswerBytes = true }
        return count > 0
    }
}

extension ClientMethod {
    /// As the answer's parser needs it.
    var wireMethod: Method {
        switch self {
        case .get: .get
        case .head: .head
        case .post: .post
        case .put: .put
        case .patch: .patch
        case .delete: .delete
        }
    }
}

extension ClientResponseHead {
    /// Copies status and fields out of the buffer.
    fileprivate init(_ head: borrowing ResponseHead, in bytes: UnsafeRawBufferPointer) {
        self.init(
            status: head.status,
            fields: head.fields.map { ClientField($0.name.string(in: bytes), $0.value.string(in: bytes)) })
    }
}
