internal import HTTPWire
internal import Identity
internal import LinuxIO
internal import Routing
internal import Telemetry

/// The session ending: lend a connection to the session, write the rewritten head, move bytes both ways.
///
/// What does not wait is never inlined into what does: its temporaries would lie in the task's frame for as long as the
/// answer lasts, a kilobyte for each request in flight.
extension Exchange {
    /// Why the answer could not be delivered.
    private enum Failure: Error {
        /// The client is gone, too slow, or the time to drain is over.
        case client
        /// The client ended its side, or broke off, in the middle of its request's body.
        case incompleteBody
        /// The client sent a body that is none.
        case malformedBody(WireError)
        /// A connection that was used before ended before its first byte: nobody has seen the request.
        case stale
        case upstream(UpstreamFault)
        case malformedAnswer(WireError)
        /// The answer is an event stream, and its user has too many of those.
        case tooManyStreams
    }

    /// Carries the request to a session's agent (`port` nil) or to another of its ports.
    ///
    /// The editor is ours, and hears the public host as the agent does; what else listens hears localhost.
    @inline(never)
    func serveSession(
        _ session: SessionRoute, port: UInt16?, isEditor: Bool = false, as kind: RouteKind, _ who: Identification,
        on connection: Connection
    ) async -> Ending {
        if request.forwardsLeft(in: connection.input!.bytes) == 0 { return await answerOptions(on: connection) }
        guard let agent = session.target else {
            let bytes = connection.input!.bytes
            switch admission.grant {
            case nil:
                return await serveWaiting(
                    session, email: worker.gatekeeper.email(who, in: bytes) ?? "", isNavigation: isNavigation(bytes),
                    on: connection)
            case .password:
                return await serveWaitingTool(session, bytes, on: connection)
            case .port:
                // Who only visits wakes nobody's session.
                return await refuse(.notReady(session.condition.name), on: connection, isAPI: true)
            }
        }
        let target = port.map(agent.atPort) ?? agent
        guard prepare(for: session, at: target, port, isEditor, who, on: connection) else {
            return await refuse(.malformed(.headTooLarge), on: connection, isAPI: false)
        }
        if request.expectsContinue, connection.input!.isEmpty {
            // Answered here: a session that answers late would keep the client from sending (RFC 9110 §10.1.1).
            append("HTTP/1.1 100 Continue\r\n\r\n")
            guard await flush(to: connection) else { return .abort }
        }
        return await converse(with: session, at: target, as: kind, on: connection)
    }

    /// Notes that the session is used and writes the head that it gets; false if that does not fit.
    @inline(never)
    private func prepare(
        for session: SessionRoute, at target: UpstreamTarget, _ port: UInt16?, _ isEditor: Bool, _ who: Identification,
        on connection: Connection
    ) -> Bool {
        let now = Int64(worker.executor.now.milliseconds)
        if session.activity.touch(at: now), admission.grant == nil, session.activity.isTokenDue(at: now) {
            tellToken(session, who, on: connection)
        }
        admission.session = session
        let isWritten =
            if isEditor {
                writeRequest(worker.rewrites.agent, nil, who, on: connection)
            } else if let port {
                writeRequest(worker.rewrites.request(toPort: port), nil, who, on: connection)
            } else if case .password = admission.grant {
                writeRequest(worker.rewrites.attach, target.authorization, who, on: connection)
            } else {
                writeRequest(worker.rewrites.agent, target.authorization, who, on: connection)
            }
        guard isWritten else { return false }
        upload.begin(request.framing, writesChunks: request.framing.isChunked)
        connection.input!.consume(request.byteCount)
        return true
    }

    /// Sends the request whose head is written, on a connection of the pool or a new one, and delivers the answer.
    @inline(never)
    private func converse(
        with session: SessionRoute, at target: UpstreamTarget, as kind: RouteKind, on connection: Connection
    ) async -> Ending {
        let headCount = toUpstream!.count
        var idle = worker.pool.takeIdle(target, waiter: connection.waiter)
        var isReused = idle != nil
        if isReused { worker.telemetry.count(.upstreamReused) }
        while true {
            let stream: Stream
            if let taken = idle.take() {
                stream = taken
            } else {
                do throws(UpstreamFailure) {
                    stream = try await worker.pool.open(target, waiter: connection.waiter)
                } catch {
                    return await fail(error, on: connection)
                }
            }
            worker.telemetry.adjust(.upstreamInUse, by: 1)
            defer { worker.telemetry.adjust(.upstreamInUse, by: -1) }
            do throws(Failure) {
                let isTunnel = try await relay(through: stream, isReused: isReused, on: connection)
                if isTunnel {
                    writeAnswerHead(ResponseDelivery(framing: .none, keepAlive: true))
                    connection.tunnel = Tunnel(from: self, as: kind, through: stream, to: session)
                    return .tunnel
                }
                return finish(stream, target, on: connection)
            } catch {
                stream.close()
                upload.release(to: worker.executor.pipes)
                download.release(to: worker.executor.pipes)
                if case .stale = error, isReused, request.method.isIdempotent, request.framing == .none {
                    // Once, on a new connection, with the same head: its bytes are still there.
                    worker.telemetry.count(.upstreamRetried)
                    toUpstream!.rewind(to: headCount)
                    isReused = false
                    continue
                }
                return await fail(error, on: connection)
            }
        }
    }

    /// Carries the request to the session's editor, as to its agent.
    func serveEditor(of session: SessionRoute, _ who: Identification, on connection: Connection) async -> Ending {
        guard let port = session.editorPort else { return await refuse(.noEditor, on: connection, isAPI: false) }
        return await serveSession(session, port: port, isEditor: true, as: .session, who, on: connection)
    }

    /// Hands on the git token that an owner's request carries: the session may run for longer than the one it has is good.
    @inline(never)
    private func tellToken(_ session: SessionRoute, _ who: Identification, on connection: Connection) {
        let bytes = connection.input!.bytes
        var tokens: [(name: String, value: String)] = []
        for field in request.fields where field.known == .xAuthRequest || field.known == .xForwarded {
            let name = String(decoding: field.name.bytes(in: bytes), as: UTF8.self)
            tokens.append((name, String(decoding: field.value.bytes(in: bytes), as: UTF8.self)))
        }
        guard !tokens.isEmpty, let email = worker.gatekeeper.email(who, in: bytes) else { return }
        worker.control.used(session: session.id, by: email, fields: tokens, requestID: requestID.text)
    }

    /// The holder of the session's password wakes it; a stream of events that only comes back by itself does not, or a
    /// terminal that somebody forgot would keep its session awake for ever.
    private func serveWaitingTool(
        _ session: SessionRoute, _ bytes: UnsafeRawBufferPointer, on connection: Connection
    ) async -> Ending {
        let isStream =
            request.first(.accept).map { starts($0.value.bytes(in: bytes), with: "text/event-stream") } ?? false
        switch session.condition {
        case .asleep, .stopping:
            guard !isStream else { break }
            worker.telemetry.count(.wakeUps)
            worker.control.wake(
                session: session.id, for: String(decoding: session.owner, as: UTF8.self), by: "attach",
                requestID: requestID.text)
        case .starting, .running, .failed: break
        }
        return await refuse(.notReady(session.condition.name), on: connection, isAPI: true)
    }

    /// Whether a person is opening a page: only that gets a page instead of an error, and wakes a session.
    @inline(never)
    private func isNavigation(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard request.method == .get || request.method == .head, request.upgrade == .none else { return false }
        if let mode = request.first(.secFetchMode) {
            return equals(mode.value.bytes(in: bytes), "navigate")
                && request.first(.secFetchDest).map { equals($0.value.bytes(in: bytes), "document") } ?? true
        }
        // Browsers without fetch metadata, and people with curl: who asks for HTML first wants a page.
        return request.first(.accept).map { starts($0.value.bytes(in: bytes), with: "text/html") } ?? false
    }

    private func equals(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        bytes.count == text.utf8CodeUnitCount && starts(bytes, with: text)
    }

    private func starts(_ bytes: UnsafeRawBufferPointer, with text: StaticString) -> Bool {
        guard bytes.count >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount where bytes[index] != text.utf8Start[index] { return false }
        return true
    }

    // MARK: The request

    /// Writes the head that the session gets; false if it does not fit.
    @inline(never)
    private func writeRequest(
        _ rewrite: borrowing RequestRewrite, _ authorization: [UInt8]?, _ who: Identification,
        on connection: Connection
    ) -> Bool {
        let bytes = connection.input!.bytes
        let user =
            worker.settings.tellsSessionsTheUser && admission.grant == nil
            ? worker.gatekeeper.email(who, in: bytes).map { Array($0.utf8) } : nil
        let buffer = toUpstream ?? worker.executor.buffers.take()
        toUpstream = buffer
        let isWritten = withClientAddress(who, bytes, connection) { address in
            requestID.withBytes { id in
                let facts = ForwardedFacts(
                    clientAddress: address, requestID: id, authorization: authorization, user: user)
                let bound = rewrite.byteCountBound(of: request, facts: facts)
                let limit = Self.rewrittenLimit(worker.settings.requestHeadLimit)
                while buffer.room.count < bound, buffer.grow(limit: limit) {}
                var writer = ByteWriter(buffer.room)
                HeadWriter.write(
                    request: request, from: bytes, rewrite: rewrite, facts: facts, into: &writer)
                guard !writer.overflowed else { return false }
                buffer.produced(writer.count)
                return true
            }
        }
        return isWritten
    }

    /// The browser's address: the last one in X-Forwarded-For, which the proven ingress wrote, else the peer's.
    private func withClientAddress<R>(
        _ who: Identification, _ bytes: UnsafeRawBufferPointer, _ connection: Connection,
        _ body: (UnsafeRawBufferPointer) -> R
    ) -> R {
        if case .header = who, let address = ForwardedFor.last(request, in: bytes) { return body(address) }
        return Array(connection.peer.description.utf8).withUnsafeBytes(body)
    }

    /// The largest buffer for a head that may have so many bytes as received: what is added to it is less again.
    private static func rewrittenLimit(_ limit: Int) -> Int { 2 * limit + (64 << 10) }

    // MARK: Moving bytes

    /// How far a request and its answer have come.
    private struct Progress {
        /// Whether the connection to the session has carried a request before this one.
        let isReused: Bool
        /// Whether the request may be sent again on another connection: its head must then stay in its buffer until the
        /// answer's first byte.
        let mayRetry: Bool
        var hasHead = false
        /// Interim answers so far.
        var interim = 0
        /// Whether the session stopped reading the request's body.
        var uploadAbandoned = false
        var floor: ByteFloor
        /// Bytes of both bodies when `floor` was last told.
        var lastMoved: UInt64 = 0
    }

    /// What is next after a step.
    private enum Step {
        /// The answer is delivered.
        case delivered
        /// The session has answered 101.
        case tunnel
        /// Something moved, so that more may.
        case moved
        /// Nothing can move until one of the sides changes, or until then.
        case blocked(Deadline)
    }

    /// Sends the request and delivers the answer; true if the connection has become a tunnel.
    private func relay(
        through stream: Stream, isReused: Bool, on connection: Connection
    ) async throws(Failure) -> Bool {
        var progress = Progress(
            isReused: isReused, mayRetry: isReused && request.method.isIdempotent && request.framing.isNone,
            floor: ByteFloor(worker))
        responseScanner.reset()
        download.begin(.none, writesChunks: false)
        var rounds = 0
        while true {
            switch try step(&progress, through: stream, on: connection) {
            case .delivered: return false
            case .tunnel: return true
            case .moved:
                rounds += 1
                if rounds & 7 == 0 || upload.hadItsTurn || download.hadItsTurn { await connection.waiter.yield() }
            case .blocked(let deadline):
                rounds = 0
                let wake = await withUnsafeContinuation { connection.waiter.suspend($0, until: deadline) }
                if wake == .deadline, connection.stream.isHungUp || !progress.floor.isMet(worker) { throw .client }
            }
        }
    }

    /// Moves what can be moved now, both ways.
    ///
    /// Without waiting, and never inlined: the compiler would keep one copy of it for the first round and another for those
    /// after a wait, and the byte path is as slow as the processor's instruction cache is small.
    @inline(never)
    private func step(
        _ progress: inout Progress, through stream: Stream, on connection: Connection
    ) throws(Failure) -> Step {
        // Half an answer must not look like a whole one, so it breaks off.
        if admission.isCutOff { throw .client }
        let client = connection.stream
        var moved = false
        if !progress.uploadAbandoned, !upload.isFinished(toUpstream) {
            do throws(RelayFailure) {
                moved = try upload.advance(
                    from: client, &connection.input, to: stream, &toUpstream, on: worker.executor)
            } catch {
                switch error {
                case .sourceEnded: throw .incompleteBody
                case .malformed(let error): throw .malformedBody(error)
                case .sinkGone:
                    // The session may have answered before it stopped reading.
                    progress.uploadAbandoned = true
                    moved = true
                }
            }
        }
        // Interim answers are for the client to take, one by one: a session may send them faster and larger than it reads.
        if !progress.hasHead, toClient?.isEmpty ?? true {
            // Behind an interim answer the end is no stale connection's: somebody has seen the request.
            switch try receiveHead(from: stream, isReused: progress.isReused && progress.interim == 0) {
            case .needMore: break
            case .moved: moved = true
            case .interim:
                progress.interim += 1
                guard progress.interim <= 16 else { throw .malformedAnswer(.tooManyInterimResponses) }
                moved = true
            case .final:
                progress.hasHead = true
                moved = true
                if response.upgrade.isWebSocket { return .tunnel }
                // The answer's bytes are counted from zero, those of interim answers are not its own.
                progress.lastMoved &-= download.spliced &+ download.copied
                try beginAnswer(mayKeepAlive: !worker.isDraining && !progress.uploadAbandoned)
            }
        }
        if progress.hasHead || !(toClient?.isEmpty ?? true) {
            do throws(RelayFailure) {
                if try download.advance(from: stream, &fromUpstream, to: client, &toClient, on: worker.executor) {
                    moved = true
                }
            } catch {
                switch error {
                case .sinkGone: throw .client
                case .sourceEnded: throw .upstream(.truncated)
                case .malformed(let error): throw .malformedAnswer(error)
                }
            }
            if progress.hasHead, download.isFinished(toClient) {
                if progress.uploadAbandoned || !upload.isFinished(toUpstream) { keepsClient = false }
                return .delivered
            }
        }
        return moved ? .moved : .blocked(try listen(&progress, to: stream, on: connection))
    }

    /// Writes the head of the answer that was received, and makes ready for its body.
    private func beginAnswer(mayKeepAlive: Bool) throws(Failure) {
        if answersEventStream, !takeStreamPlace() { throw .tooManyStreams }
        let delivery = ResponseDelivery(of: response, to: request, mayKeepAlive: mayKeepAlive)
        keepsClient = delivery.keepAlive
        let needsChunks = response.framing.isUntilClose && request.minorVersion > 0
        writeAnswerHead(
            needsChunks
                ? ResponseDelivery(framing: .chunked, keepAlive: request.keepAlive && mayKeepAlive) : delivery)
        if needsChunks { keepsClient = request.keepAlive && mayKeepAlive }
        download.begin(response.framing, writesChunks: needsChunks || delivery.framing.isChunked)
    }

    /// Makes ready to wait for whichever side changes first; returns how long.
    private func listen(
        _ progress: inout Progress, to stream: Stream, on connection: Connection
    ) throws(Failure) -> Deadline {
        let client = connection.stream
        let clientBlocks = download.isPending(fromUpstream, toClient)
        let uploadIsPending = upload.isPending(connection.input, toUpstream)
        let clientIsDue = !progress.uploadAbandoned && !upload.isTaken && !uploadIsPending
        if progress.hasHead || !progress.mayRetry { releaseEmptyBuffers(of: connection) }
        client.interest = .hangUp
        if clientBlocks { client.interest.insert(.write) }
        if clientIsDue { client.interest.insert(.read) }
        stream.interest = clientBlocks ? .hangUp : progress.hasHead ? .readOrHangUp : .arrivalOrHangUp
        if uploadIsPending { stream.interest.insert(.write) }
        var deadline = Deadline.never
        if clientBlocks || clientIsDue {
            let total = upload.spliced &+ upload.copied &+ download.spliced &+ download.copied
            progress.floor.moved(Int(truncatingIfNeeded: total &- progress.lastMoved))
            progress.lastMoved = total
            deadline = progress.floor.deadline
        } else {
            progress.floor = ByteFloor(worker)
        }
        if client.isHungUp {
            deadline = min(deadline, worker.executor.now.advanced(milliseconds: Self.halfClosedMilliseconds))
        }
        if client.isBroken || worker.isPastDrain { throw .client }
        return deadline
    }

    private enum HeadProgress { case needMore, moved, interim, final }

    private func receiveHead(from stream: Stream, isReused: Bool) throws(Failure) -> HeadProgress {
        while true {
            if let buffer = fromUpstream, !buffer.isEmpty {
                do throws(WireError) {
                    if try readsHead(of: buffer) {
                        responseScanner.reset()
                        if response.status < 200, !response.upgrade.isWebSocket {
                            relayInterim(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<response.byteCount]))
                            buffer.consume(response.byteCount)
                            return .interim
                        }
                        return .final
                    }
                } catch {
                    throw .malformedAnswer(error)
                }
                if buffer.room.isEmpty {
                    buffer.compact()
                    if buffer.room.isEmpty, !buffer.grow(limit: worker.settings.responseHeadLimit + (1 << 10)) {
                        throw .malformedAnswer(.headTooLarge)
                    }
                }
            }
            guard stream.isReadable else { return .needMore }
            if fromUpstream?.isEmpty ?? true, let arrived = stream.takeArrived() {
                worker.executor.buffers.giveBackIfEmpty(&fromUpstream)
                fromUpstream = arrived
                continue
            }
            let buffer = fromUpstream ?? worker.executor.buffers.take()
            fromUpstream = buffer
            switch stream.receive(into: buffer.room) {
            case .moved(let count): buffer.produced(count)
            case .wouldBlock: return .needMore
            case .endOfStream, .failed:
                if isReused, buffer.isEmpty { throw .stale }
                throw .upstream(buffer.isEmpty ? .closed : .truncated)
            }
        }
    }

    /// Reads the head of an answer, unless it is not complete yet.
    private func readsHead(of buffer: IOBuffer) throws(WireError) -> Bool {
        // As with a request's: it has most likely come whole.
        if responseScanner.isAtStart, (try? parseHead(buffer.bytes)) != nil { return true }
        guard let count = try responseScanner.scan(buffer.bytes) else { return false }
        try parseHead(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]))
        return true
    }

    private func parseHead(_ bytes: UnsafeRawBufferPointer) throws(WireError) {
        try HeadParser.parse(
            bytes, into: &response, answering: request.method, upgradeRequested: request.upgrade.isWebSocket,
            limits: responseLimits)
    }

    /// 100 is answered here already; others are news for an HTTP/1.1 client (RFC 9110 §15.2).
    private func relayInterim(_ bytes: UnsafeRawBufferPointer) {
        guard response.status != 100, request.minorVersion > 0 else { return }
        write(ResponseDelivery(framing: .none, keepAlive: true), from: bytes)
    }

    /// Whether the head in `fromUpstream` begins an event stream.
    private var answersEventStream: Bool {
        guard let type = response.first(.contentType), let buffer = fromUpstream else { return false }
        return starts(type.value.bytes(in: buffer.bytes), with: "text/event-stream")
    }

    @inline(never)
    private func writeAnswerHead(_ delivery: ResponseDelivery) {
        let buffer = fromUpstream!
        let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<response.byteCount])
        write(delivery, from: bytes)
        if answersEventStream { beginEventStream() }
        buffer.consume(response.byteCount)
        status = response.status
        answeredAt = ClockText.microseconds()
    }

    private func write(_ delivery: ResponseDelivery, from bytes: UnsafeRawBufferPointer) {
        let buffer = output()
        // Who passes on an answer without a date tells when it came (RFC 9110 §6.6.1).
        var date: [UInt8] = []
        if response.status >= 200, response.first(.date) == nil {
            worker.clock.update()
            date = worker.clock.date
        }
        requestID.withBytes { id in
            let bound = worker.rewrites.answer.byteCountBound(of: response, requestIDCount: id.count)
            let limit = Self.rewrittenLimit(worker.settings.responseHeadLimit)
            while buffer.room.count < bound, buffer.grow(limit: limit) {}
            var writer = ByteWriter(buffer.room)
            HeadWriter.write(
                response: response, from: bytes, rewrite: worker.rewrites.answer, delivery: delivery, requestID: id,
                date: date, into: &writer)
            precondition(!writer.overflowed, "an answer's head is bounded")
            buffer.produced(writer.count)
        }
    }

    // MARK: Endings

    /// After a complete answer: what may be used again is, and nothing else.
    @inline(never)
    private func finish(_ stream: Stream, _ target: UpstreamTarget, on connection: Connection) -> Ending {
        count()
        let isClean =
            response.keepAlive && !response.framing.isUntilClose
            && (fromUpstream.map { $0.isEmpty } ?? true) && upload.isFinished(toUpstream)
        if isClean { worker.pool.giveBack(stream, target) } else { stream.close() }
        return keepsClient ? .keepAlive : request.keepAlive || !upload.isTaken ? .close : .closeAsAnnounced
    }

    @inline(never)
    private func count() {
        upload.count(as: .toUpstream, in: worker.telemetry)
        download.count(as: .toClient, in: worker.telemetry)
    }

    /// Before the answer's head has left, a failure is an answer of its own; afterwards only breaking off is honest.
    private func fail(_ failure: Failure, on connection: Connection) async -> Ending {
        count()
        let refusal: Refusal
        switch failure {
        case .client: return .abort
        case .incompleteBody:
            // It may have ended no more than its own side. The session has seen half a request, and then the end.
            guard !connection.stream.isBroken else { return .abort }
            refusal = .incompleteBody
        case .malformedBody(let error):
            refusal = .malformed(error)
        case .stale:
            worker.telemetry.upstreamFault(.closed)
            refusal = .badGateway
        case .upstream(let fault):
            worker.telemetry.upstreamFault(fault)
            refusal = .badGateway
        case .tooManyStreams:
            refusal = .tooManyStreams
        case .malformedAnswer(let error):
            worker.telemetry.upstreamFault(error == .headTooLarge ? .headTooLarge : .malformed)
            refusal = .invalidAnswer
        }
        guard status == 0 || takeBackAnswer() else {
            status = 0
            return .abort
        }
        return await refuseAfterHead(refusal, on: connection)
    }

    /// Unsays an answer of which no byte has left; false if one has.
    private func takeBackAnswer() -> Bool {
        guard download.copied == 0, download.spliced == 0, let buffer = toClient else { return false }
        // Interim answers had left before the answer's head was read.
        buffer.consume(buffer.count)
        return true
    }

    private func fail(_ failure: UpstreamFailure, on connection: Connection) async -> Ending {
        switch failure {
        case .refused:
            worker.telemetry.upstreamFault(.refused)
            return await refuseAfterHead(.badGateway, on: connection)
        case .timedOut:
            worker.telemetry.upstreamFault(.connectTimeout)
            return await refuseAfterHead(.gatewayTimeout, on: connection)
        case .unavailable(let error):
            worker.telemetry.upstreamFault(.unreachable)
            if case .system(_, let errno) = error, errno.isExhaustion {
                return await refuseAfterHead(.exhausted, on: connection)
            }
            return await refuseAfterHead(.badGateway, on: connection)
        }
    }

    /// A refusal when the request's head is used up already; the connection lives on only if its body is, too.
    private func refuseAfterHead(_ refusal: Refusal, on connection: Connection) async -> Ending {
        // Interim answers that have not left go first, and leave their room.
        guard await flush(to: connection) else { return .abort }
        if let buffer = toUpstream { buffer.consume(buffer.count) }
        upload.release(to: worker.executor.pipes)
        let isWhole = upload.isTaken
        request.byteCount = 0
        request.framing = .none
        return await refuse(isWhole ? refusal : refusal.closing, on: connection, isAPI: true)
    }
}
