internal import HTTPWire
internal import Identity
internal import LinuxIO
internal import Telemetry

/// The API ending: the request leaves the worker as a value, the answer comes back through the loop's mailbox.
extension Exchange {
    /// Answers a user's request to the API.
    func callAPI(_ who: Identification, on connection: Connection) async -> Ending {
        let email = worker.gatekeeper.email(who, in: connection.input!.bytes)
        return await callAPI(as: email.map(ControlRequest.Caller.user) ?? .unnamed, on: connection)
    }

    /// Answers a request to the API by this caller.
    func callAPI(as caller: ControlRequest.Caller, on connection: Connection) async -> Ending {
        let bytes = connection.input!.bytes
        var call = ControlRequest(
            method: request.methodText.string(in: bytes), path: request.path.string(in: bytes),
            query: request.query.string(in: bytes),
            fields: request.fields.map { ($0.name.string(in: bytes), $0.value.string(in: bytes)) },
            body: [], caller: caller, peer: connection.peer.description, requestID: requestID.text)
        connection.input!.consume(request.byteCount)
        do throws(Refusal) {
            call.body = try await readBody(limit: worker.settings.apiBodyLimit, on: connection)
        } catch {
            return await refuse(error, on: connection, isAPI: true)
        }
        let handoff = Handoff(for: connection)
        let control = worker.control
        let task = Task.detached { [call] in
            let response = await control.respond(to: call)
            handoff.answer(response)
            guard case .stream(let stream) = response.body else { return }
            for await element in stream {
                guard await handoff.offer(element) else { break }
            }
            handoff.finish()
        }
        defer {
            handoff.abandon()
            task.cancel()
        }
        while true {
            if let response = handoff.takeAnswer() {
                answeredAt = ClockText.microseconds()
                return await deliver(response, handoff, on: connection)
            }
            guard await waitForControl(on: connection) else { return .abort }
        }
    }

    /// Waits for news from the control plane; false if the client has gone, or the time to drain is over.
    func waitForControl(on connection: Connection) async -> Bool {
        releaseEmptyBuffers(of: connection)
        let stream = connection.stream
        stream.interest = .hangUp
        guard !stream.isBroken, !worker.isPastDrain else { return false }
        let deadline =
            stream.isHungUp ? worker.executor.now.advanced(milliseconds: Self.halfClosedMilliseconds) : .never
        if await connection.waiter.wait(until: deadline) == .deadline { return false }
        return !stream.isBroken && !worker.isPastDrain && !admission.isCutOff
    }

    private func deliver(_ response: ControlResponse, _ handoff: Handoff, on connection: Connection) async -> Ending {
        let keepAlive = request.keepAlive && !worker.isDraining
        switch response.body {
        case .bytes(let body):
            let hasBody = response.status != 204 && response.status != 304
            writeHead(
                status: response.status, contentType: nil, length: hasBody ? body.count : nil, keepAlive: keepAlive,
                fields: response.fields)
            if hasBody, request.method != .head {
                worker.telemetry.bytes(.toClient, .memory, body.count)
                guard await send(body, to: connection) else { return .abort }
            }
            guard await flush(to: connection) else { return .abort }
            return keepAlive ? .keepAlive : .close
        case .stream:
            guard takeStreamPlace() else {
                request.byteCount = 0
                request.framing = .none
                return await refuse(.tooManyStreams, on: connection, isAPI: true)
            }
            let isChunked = request.minorVersion > 0
            let keepAlive = keepAlive && isChunked
            writeHead(
                status: response.status, contentType: nil, length: nil, keepAlive: keepAlive,
                fields: response.fields + (isChunked ? [("Transfer-Encoding", "chunked")] : []))
            guard await flush(to: connection) else { return .abort }
            if request.method == .head { return keepAlive ? .keepAlive : .close }
            beginEventStream()
            while true {
                switch handoff.take() {
                case .element(let bytes):
                    if isChunked { append(chunkSize: bytes.count) }
                    guard await send(bytes, to: connection) else { return .abort }
                    if isChunked { append("\r\n") }
                    guard await flush(to: connection) else { return .abort }
                    worker.telemetry.bytes(.toClient, .memory, bytes.count)
                case .finished:
                    if isChunked { append("0\r\n\r\n") }
                    guard await flush(to: connection) else { return .abort }
                    return keepAlive && !worker.isDraining ? .keepAlive : .close
                case .nothing:
                    guard await waitForControl(on: connection) else { return .close }
                }
            }
        }
    }

    func append(_ text: StaticString) {
        _ = output().append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private func append(chunkSize: Int) {
        let buffer = output()
        var writer = ByteWriter(buffer.room)
        writer.append(hexadecimal: UInt64(chunkSize))
        writer.append("\r\n")
        buffer.produced(writer.count)
    }

    /// Collects a request's body of at most `limit` bytes.
    private func readBody(limit: Int, on connection: Connection) async throws(Refusal) -> [UInt8] {
        var body: [UInt8] = []
        var chunks = ChunkReader()
        var remaining = 0
        switch request.framing {
        case .none: return []
        case .length(let count):
            guard count <= UInt64(limit) else { throw .tooLarge }
            remaining = Int(count)
        case .chunked, .untilClose: break
        }
        if request.expectsContinue, connection.input.map({ $0.isEmpty }) ?? true {
            append("HTTP/1.1 100 Continue\r\n\r\n")
            guard await flush(to: connection) else { throw .timedOut }
        }
        var floor = ByteFloor(worker)
        while true {
            if let input = connection.input, !input.isEmpty {
                if remaining > 0 {
                    let count = min(remaining, input.count)
                    guard body.count + count <= limit else { throw .tooLarge }
                    body.append(contentsOf: input.bytes[..<count])
                    input.consume(count)
                    remaining -= count
                    if request.framing == .chunked { chunks.payloadMoved(UInt64(count)) }
                }
                if request.framing == .chunked, remaining == 0 {
                    let step: ChunkReader.Step
                    do throws(WireError) { step = try chunks.next(input.bytes) } catch { throw .malformed(error) }
                    switch step {
                    case .needMore(let count): input.consume(count)
                    case .chunk(let count, let length):
                        input.consume(count)
                        guard length <= UInt64(limit - body.count) else { throw .tooLarge }
                        remaining = Int(length)
                        continue
                    case .end(let count):
                        input.consume(count)
                        return body
                    }
                } else if remaining == 0 {
                    return body
                }
            } else if remaining == 0, request.framing != .chunked {
                return body
            }
            let input = connection.input ?? worker.executor.buffers.take()
            connection.input = input
            if input.room.isEmpty { input.compact() }
            switch connection.stream.receive(into: input.room) {
            case .moved(let count):
                input.produced(count)
                floor.moved(count)
            case .endOfStream, .failed: throw .incompleteBody
            case .wouldBlock:
                connection.stream.interest = .readOrHangUp
                if await connection.waiter.wait(until: floor.deadline) == .deadline, !floor.isMet(worker) {
                    throw .timedOut
                }
                if worker.isPastDrain { throw .timedOut }
            }
        }
    }
}

/// Where the control plane leaves its answer, and then one element of a stream at a time, for a connection.
///
/// One place only: the producer waits until the connection has sent what it left, which is the stream's back-pressure.
/// Unchecked: the state is the loop's; the control plane reaches it through the loop's mailbox.
private final class Handoff: @unchecked Sendable {
    enum Element {
        case nothing
        case element([UInt8])
        case finished
    }

    private let executor: LoopExecutor
    private let waker: RemoteWaker
    private var response: ControlResponse?
    private var element: [UInt8]?
    private var isFinished = false
    private var isAbandoned = false
    private var producer: CheckedContinuation<Bool, Never>?

    init(for connection: Connection) {
        executor = connection.worker.executor
        waker = connection.waiter.remote
    }

    // The control plane's side, on any thread.

    func answer(_ response: ControlResponse) {
        executor.post {
            self.response = response
            self.waker.wakeFromLoop()
        }
    }

    /// Leaves an element and waits until it was taken; false if nobody will.
    func offer(_ element: [UInt8]) async -> Bool {
        await withCheckedContinuation { continuation in
            executor.post {
                guard !self.isAbandoned else { return continuation.resume(returning: false) }
                self.element = element
                self.producer = continuation
                self.waker.wakeFromLoop()
            }
        }
    }

    func finish() {
        executor.post {
            self.isFinished = true
            self.waker.wakeFromLoop()
        }
    }

    // The connection's side, on the loop.

    func takeAnswer() -> ControlResponse? {
        defer { response = nil }
        return response
    }

    func take() -> Element {
        guard let element else { return isFinished ? .finished : .nothing }
        self.element = nil
        producer?.resume(returning: true)
        producer = nil
        return .element(element)
    }

    func abandon() {
        isAbandoned = true
        producer?.resume(returning: false)
        producer = nil
    }
}
