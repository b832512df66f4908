internal import HTTPWire
internal import Identity
internal import LinuxIO
internal import Routing
internal import Telemetry

/// One request and its answer: read the head, decide, and take one of four endings.
///
/// It holds what is needed while bytes are in flight and is reused for the next request of any connection, so that
/// neither an idle connection nor a request costs an allocation.
final class Exchange: Admitted {
    /// What becomes of the client's connection.
    enum Ending: Sendable {
        case keepAlive
        /// Close it so that the answer can still be read.
        case close
        /// Close it: the client has said that this was its last request, and it was read to its end.
        case closeAsAnnounced
        /// Reset it: the client must not take what it has for a whole answer.
        case abort
        /// It lives on as the connection's tunnel.
        case tunnel
    }

    /// How long a client that has ended its side is waited for while nothing flows: it may still read, but one that has
    /// closed looks the same, and no session is to be kept waiting for that.
    static let halfClosedMilliseconds: UInt64 = 1000

    // Strong: a worker outlives its process's requests, and an unowned reference is counted at every use.
    let worker: Worker
    var request = RequestHead()
    var response = ResponseHead()
    let requestLimits: HeadLimits
    let responseLimits: HeadLimits
    var requestScanner: HeadScanner
    var responseScanner: HeadScanner
    /// Client to session, session to client.
    var upload = BodyRelay()
    var download = BodyRelay()
    var toUpstream: IOBuffer?
    var fromUpstream: IOBuffer?
    var toClient: IOBuffer?
    var requestID = RequestID()
    /// Monotonic microseconds: the request's first byte was seen, the answer's first byte was ready.
    var startedAt: UInt64 = 0
    var answeredAt: UInt64 = 0
    /// Whether the client's connection lives on after the answer whose head was written.
    var keepsClient = false
    /// The status sent, 0 until there is one.
    var status = 0
    /// Whether the answer is an event stream, whose length says nothing about speed.
    private(set) var isEventStream = false
    /// Whose account the request is counted on; nil if nobody was identified.
    private var account: Accounts.Number?
    /// Whether the account counts the answer as one of its event streams.
    private var holdsStream = false
    /// What made the request admissible; a tunnel takes it over.
    var admission = Admission()
    /// What the access log tells of the request; nil without one.
    var accessDetails: AccessDetails?

    init(worker: Worker) {
        self.worker = worker
        let settings = worker.settings
        requestLimits = HeadLimits(
            line: settings.requestLineLimit, head: settings.requestHeadLimit, fields: settings.requestFieldLimit)
        responseLimits = HeadLimits(line: 8 << 10, head: settings.responseHeadLimit, fields: 500)
        requestScanner = HeadScanner(limits: requestLimits)
        responseScanner = HeadScanner(limits: responseLimits)
    }

    /// Gives back everything borrowed.
    func reset() {
        upload.release(to: worker.executor.pipes)
        download.release(to: worker.executor.pipes)
        giveBack(&toUpstream)
        giveBack(&fromUpstream)
        giveBack(&toClient)
        requestScanner.reset()
        responseScanner.reset()
        status = 0
        if isEventStream { worker.telemetry.adjust(.streams, by: -1) }
        isEventStream = false
        if holdsStream, let account { worker.people.giveBackStream(account) }
        holdsStream = false
        account = nil
        if admission.grant != nil { worker.grants -= 1 }
        admission = Admission()
        accessDetails = nil
        startedAt = 0
        answeredAt = 0
    }

    private func giveBack(_ buffer: inout IOBuffer?) {
        if let lent = buffer.take() { worker.executor.buffers.giveBack(lent) }
    }

    /// Hands what made the request admissible to the tunnel that it opened.
    func takeAdmission() -> Admission {
        defer { admission = Admission() }
        return admission
    }

    /// Gives back what is empty before a wait of unknown length.
    func releaseEmptyBuffers(of connection: Connection) {
        let buffers = worker.executor.buffers
        buffers.giveBackIfEmpty(&toUpstream)
        buffers.giveBackIfEmpty(&fromUpstream)
        buffers.giveBackIfEmpty(&toClient)
        buffers.giveBackIfEmpty(&connection.input)
    }

    /// The buffer for bytes to the client.
    func output() -> IOBuffer {
        if let toClient { return toClient }
        let buffer = worker.executor.buffers.take()
        toClient = buffer
        return buffer
    }

    // MARK: The request

    /// Serves the connection's next request.
    func run(on connection: Connection) async -> Ending {
        do throws(Refusal) {
            if !hasWholeHead(connection), !(try await readHead(on: connection)) { return .close }
        } catch {
            requestID.generate(&worker.requestIDs)
            let ending = await refuse(error, on: connection, isAPI: false)
            record(.refusal)
            return ending
        }
        var table = worker.table
        let buffer = connection.input!
        adoptRequestID(buffer.bytes)
        var (route, decision) = decide(table, buffer.bytes, connection)
        if let refusal = charge(decision, route, connection, buffer.bytes) {
            let ending = await refuse(refusal, on: connection, isAPI: route.isAPI)
            record(.refusal)
            return ending
        }
        if let recheck = worker.settings.recheck, case .admitted(let who, _) = decision, case .header = who {
            do throws(Refusal) {
                if try await confirmSignIn(who, under: recheck, on: connection) {
                    // The session may have changed hands meanwhile.
                    table = worker.table
                    (route, decision) = decide(table, buffer.bytes, connection)
                }
            } catch {
                decision = .refused(error, who, isAudited: error.status == 401)
            }
        }
        switch decision {
        case .refused(let refused, let who, let isAudited):
            noteAccess(who, buffer.bytes)
            // Whose session it is may not be known yet; "not found" would be a lie that clients believe.
            let isUnknown = refused.status == 404 || refused.challenge != nil
            let refusal = isUnknown && !table.isComplete ? Refusal.starting : refused
            if isAudited { report(refusal, who, route, connection, buffer.bytes) }
            let ending = await refuse(refusal, on: connection, isAPI: route.isAPI)
            record(.refusal)
            return ending
        case .admitted(let who, let grant):
            if grant != nil {
                admission.grant = grant
                worker.grants += 1
            }
            noteAccess(who, buffer.bytes)
            let ending: Ending
            let kind: RouteKind
            switch route {
            case .site where request.method == .other, .api where request.method == .other:
                kind = .refusal
                ending = await refuse(.unknownMethod, on: connection, isAPI: route.isAPI)
            case .site:
                kind = .asset
                ending = await serveAsset(on: connection)
            case .api:
                kind = .api
                ending = await callAPI(who, on: connection)
            case .session(let session):
                kind = .session
                ending = await serveSession(session, port: nil, as: kind, who, on: connection)
            case .port(let session, let port):
                kind = .port
                ending = await serveSession(session, port: port, as: kind, who, on: connection)
            case .pod:
                kind = .pod
                ending = await callAPI(as: .pod, on: connection)
            case .attach(_, let session?):
                kind = .attach
                ending = await serveSession(session, port: nil, as: kind, who, on: connection)
            case .editor(let session):
                kind = .session
                ending = await serveEditor(of: session, who, on: connection)
            case .attach, .unknownSession, .misdirected:
                kind = .refusal
                ending = await refuse(.unknownSession, on: connection, isAPI: false)
            }
            // A tunnel is counted when it ends.
            if case .tunnel = ending {} else { record(kind) }
            return ending
        }
    }

    /// Counts the request on the account of whoever asks, whatever becomes of it; a refusal if that asks too fast.
    ///
    /// A proven ingress speaks for everybody, so its address is not counted: only peers that claim and prove nothing are,
    /// which also bounds the audit lines that they cause.
    // Never inlined, as the next ones: their temporaries would lie in the task's frame for as long as the answer lasts.
    @inline(never)
    private func charge(
        _ decision: Gatekeeper.Decision, _ route: Route, _ connection: Connection, _ bytes: UnsafeRawBufferPointer
    ) -> Refusal? {
        let who: Identification
        switch decision {
        case .admitted(let admitted, _): who = admitted
        case .refused(_, let refused, _): who = refused
        }
        switch who {
        case .header, .development:
            guard let number = accountNumber(of: who, decision, route, bytes) else { return nil }
            account = number
            if worker.people.meets(number), let email = worker.gatekeeper.email(who, in: bytes) {
                worker.control.met(email: email, peer: connection.peer.description, requestID: requestID.text)
            }
            return worker.people.admits(number, at: startedAt) ? nil : .tooFast
        case .refused(let reason) where reason != .missing:
            var hasher = Hasher()
            hasher.combine(connection.peer)
            let number = Accounts.Number(digest: UInt64(truncatingIfNeeded: Int64(hasher.finalize())))
            return worker.strangers.admits(number, at: startedAt) ? nil : .tooFast
        case .refused, .unnamed: return nil
        }
    }

    /// Under which number the caller is counted.
    private func accountNumber(
        of who: Identification, _ decision: Gatekeeper.Decision, _ route: Route, _ bytes: UnsafeRawBufferPointer
    ) -> Accounts.Number? {
        // Who is admitted to a session for no other reason is its owner.
        guard case .admitted(_, nil) = decision, case .session(let session) = route, !session.ownedByAnyone else {
            return worker.gatekeeper.digest(who, in: bytes).map(Accounts.Number.init(digest:))
        }
        return session.ownerDigest { worker.gatekeeper.digest(who, in: bytes) }.map(Accounts.Number.init(digest:))
    }

    /// Counts the session's answer among the caller's event streams until the exchange is reset; false if those are too
    /// many already.
    func takeStreamPlace() -> Bool {
        guard let account, !holdsStream else { return true }
        holdsStream = worker.people.takeStream(account)
        return holdsStream
    }

    /// Counts this answer as an open event stream until the exchange is reset.
    func beginEventStream() {
        isEventStream = true
        worker.telemetry.adjust(.streams, by: 1)
        worker.telemetry.count(.streamsOpened)
    }

    @inline(never)
    private func record(_ kind: RouteKind) {
        let duration = ClockText.microseconds() &- startedAt
        // Streams last as long as somebody watches.
        let isTimed = !isEventStream && startedAt > 0
        worker.telemetry.request(
            kind, MethodClass(rawValue: request.method.rawValue) ?? .other, status: status,
            microseconds: isTimed ? duration : nil,
            firstByteMicroseconds: answeredAt > 0 ? answeredAt &- startedAt : nil)
        logAccess(kind, microseconds: duration)
    }

    @inline(never)
    private func adoptRequestID(_ bytes: UnsafeRawBufferPointer) {
        if let field = request.first(.xRequestID), requestID.adopt(field.value.bytes(in: bytes)) { return }
        requestID.generate(&worker.requestIDs)
    }

    /// Route and decision, without waiting: `bytes` stays what the head was parsed from.
    @inline(never)
    private func decide(
        _ table: RouteTable, _ bytes: UnsafeRawBufferPointer, _ connection: Connection
    ) -> (Route, Gatekeeper.Decision) {
        let route = table.route(request, in: bytes, entrance: connection.entrance)
        let now = Int64(worker.executor.now.milliseconds)
        return (route, worker.gatekeeper.decide(route, request, in: bytes, peer: connection.peer, now: now))
    }

    /// Parses the head whose first bytes are there, if it has come whole, as most have: then parsing finds the end by
    /// itself, and nothing is looked at twice. What it refuses, it will refuse again after the scanner has had its say.
    @inline(never)
    private func hasWholeHead(_ connection: Connection) -> Bool {
        // What fails before its method is known must not be answered by the last one's.
        request.method = .other
        startedAt = worker.executor.turnStart
        return (try? HeadParser.parse(connection.input!.bytes, into: &request, limits: requestLimits)) != nil
    }

    /// Reads and parses one head, whose first bytes are there; false if the client left before it was complete.
    private func readHead(on connection: Connection) async throws(Refusal) -> Bool {
        let input = connection.input!
        let deadline = worker.executor.now.advanced(seconds: worker.settings.headSeconds)
        while true {
            do throws(WireError) {
                if let count = try requestScanner.scan(input.bytes) {
                    try HeadParser.parse(
                        UnsafeRawBufferPointer(rebasing: input.bytes[..<count]), into: &request,
                        limits: requestLimits)
                    return true
                }
            } catch {
                throw .malformed(error)
            }
            if input.room.isEmpty {
                input.compact()
                if input.room.isEmpty, !input.grow(limit: worker.settings.requestHeadLimit + (1 << 10)) {
                    throw .malformed(.headTooLarge)
                }
            }
            switch connection.stream.receive(into: input.room) {
            case .moved(let count): input.produced(count)
            case .endOfStream, .failed: return false
            case .wouldBlock:
                do throws(WireError) {
                    try HeadParser.checkRequestLine(input.bytes, into: &request)
                } catch {
                    throw .malformed(error)
                }
                connection.stream.interest = .readOrHangUp
                if await connection.waiter.wait(until: deadline) == .deadline { throw .timedOut }
                if worker.isPastDrain { return false }
            }
        }
    }

    @inline(never)
    private func report(
        _ refusal: Refusal, _ who: Identification, _ route: Route, _ connection: Connection,
        _ bytes: UnsafeRawBufferPointer
    ) {
        worker.control.denied(
            Denial(
                code: refusal.code, email: worker.gatekeeper.email(who, in: bytes),
                peer: connection.peer.description, session: route.sessionID, requestID: requestID.text))
    }

    // MARK: Sending

    /// Sends everything in `toClient`.
    func flush(to connection: Connection) async -> Bool {
        guard let buffer = toClient, !buffer.isEmpty else { return true }
        guard await send(buffer.bytes, to: connection) else { return false }
        buffer.consume(buffer.count)
        return true
    }

    /// Sends bytes without copying them, under the rule that a client must not be too slow; they stay where they are.
    func send(_ bytes: UnsafeRawBufferPointer, to connection: Connection) async -> Bool {
        var rest = bytes
        var floor = ByteFloor(worker)
        while !rest.isEmpty {
            switch connection.stream.send(rest) {
            case .moved(let count):
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                floor.moved(count)
            case .wouldBlock, .endOfStream:
                // `bytes` are those of a file, of the API, or of a buffer that is not empty as long as they are in it.
                releaseEmptyBuffers(of: connection)
                connection.stream.interest = .writeOrHangUp
                if await connection.waiter.wait(until: floor.deadline) == .deadline, !floor.isMet(worker) {
                    return false
                }
                if connection.stream.isBroken || worker.isPastDrain { return false }
            case .failed: return false
            }
        }
        return true
    }

    /// The end of a request that did not read its body: what was received of it must not be taken for a request.
    func ending(afterUnreadBody framing: BodyFraming, on connection: Connection) -> Ending {
        guard request.keepAlive, !worker.isDraining else {
            connection.input?.consume(request.byteCount)
            return framing == .none && !request.keepAlive ? .closeAsAnnounced : .close
        }
        connection.input?.consume(request.byteCount)
        switch framing {
        case .none: return .keepAlive
        case .length(let count):
            // Already here as a whole: pass over it. Otherwise closing is cheaper than reading what nobody wants.
            guard let input = connection.input, UInt64(input.count) >= count, !request.expectsContinue else {
                return .close
            }
            input.consume(Int(count))
            return .keepAlive
        case .chunked, .untilClose: return .close
        }
    }
}

/// The least a client must move while it is the slow side: so many bytes in every window.
struct ByteFloor {
    private(set) var deadline: Deadline
    private var bytes: UInt64 = 0

    init(_ worker: Worker) {
        deadline = worker.executor.now.advanced(seconds: worker.settings.floorSeconds)
    }

    mutating func moved(_ count: Int) { bytes += UInt64(count) }

    /// At the end of a window: whether enough was moved; if so, the next window begins.
    mutating func isMet(_ worker: Worker) -> Bool {
        guard worker.executor.now >= deadline else { return true }
        guard bytes >= worker.settings.floorBytes else {
            worker.telemetry.count(.slowClients)
            return false
        }
        self = ByteFloor(worker)
        return true
    }
}

extension Route {
    var isAPI: Bool {
        switch self {
        case .api, .pod: true
        default: false
        }
    }

    /// The session that the route names, if it names one.
    var sessionID: UInt64? {
        switch self {
        case .session(let session), .port(let session, _), .editor(let session): session.id
        case .attach(let id, _): id
        case .api, .site, .unknownSession, .misdirected, .pod: nil
        }
    }
}
