internal import HTTPWire
internal import LinuxIO
internal import Routing
internal import Telemetry

/// A WebSocket between a client and its session: bytes go both ways until both sides have ended, or one has and nothing
/// flows any more.
///
/// It may be silent for hours, and then holds the session's stream and the facts below, but no task, buffer or pipe; the
/// exchange that opened it was given back.
final class Tunnel: Admitted {
    let worker: Worker
    private let upstream: Stream
    private let session: SessionRoute
    var admission: Admission
    let requestID: RequestID
    /// Which kind of request opened it.
    private let kind: RouteKind
    /// Monotonic microseconds: the request's first byte was seen, the answer's first byte was ready.
    private let startedAt: UInt64
    private let answeredAt: UInt64
    private let accessDetails: AccessDetails?
    /// Client to session, session to client.
    private var upload = BodyRelay()
    private var download = BodyRelay()
    private var toUpstream: IOBuffer?
    private var fromUpstream: IOBuffer?
    private var toClient: IOBuffer?
    /// Whether the session has been told that the client has ended its side, or listens no more; and whether the client has
    /// been told that the session has.
    private var isUpstreamTold = false
    private var isClientTold = false

    /// Takes over what the exchange borrowed; the 101 leaves with the tunnel's first bytes.
    init(from exchange: Exchange, as kind: RouteKind, through upstream: Stream, to session: SessionRoute) {
        worker = exchange.worker
        self.upstream = upstream
        self.session = session
        self.kind = kind
        requestID = exchange.requestID
        startedAt = exchange.startedAt
        answeredAt = exchange.answeredAt
        accessDetails = exchange.accessDetails
        admission = exchange.takeAdmission()
        toUpstream = exchange.toUpstream.take()
        fromUpstream = exchange.fromUpstream.take()
        toClient = exchange.toClient.take()
        upload.begin(.untilClose, writesChunks: false)
        download.begin(.untilClose, writesChunks: false)
        session.activity.openTunnel(at: Int64(worker.executor.now.milliseconds))
        worker.telemetry.adjust(.upstreamInUse, by: 1)
        worker.telemetry.adjust(.tunnels, by: 1)
        worker.telemetry.count(.tunnelsOpened)
    }

    /// Carries bytes until both sides have been silent for a while (false), or the tunnel has ended (true).
    ///
    /// Silent, it holds no task: it wants to be carried on when one of its streams has something to say, or it must end.
    func carry(on connection: Connection) async -> Bool {
        var rounds = 0
        while true {
            switch step(on: connection) {
            case .ended: return true
            case .moved:
                rounds += 1
                if rounds & 7 == 0 || upload.hadItsTurn || download.hadItsTurn { await connection.waiter.yield() }
            case .blocked:
                rounds = 0
                // Nothing is reported between the end of this wait and the parking: both happen in one turn of the loop.
                let isEnding = download.isFinished(toClient) || upload.isFinished(toUpstream)
                let silence = worker.executor.now.advanced(
                    milliseconds: isEnding ? Exchange.halfClosedMilliseconds : Connection.parkedAfterMilliseconds)
                if await connection.waiter.wait(until: silence) == .deadline { return isEnding }
            }
        }
    }

    private enum Step { case ended, moved, blocked }

    /// Moves what can be moved now, both ways; a function of its own for the reason that the exchange's is one.
    @inline(never)
    private func step(on connection: Connection) -> Step {
        let client = connection.stream
        if admission.isCutOff { return sayGoodbye(.policyViolation, to: client) }
        if worker.isPastDrain { return sayGoodbye(.goingAway, to: client) }
        var moved = false
        do throws(RelayFailure) {
            if !isUpstreamTold, try say(from: connection) {
                // Keystrokes are use; what the session prints by itself is not.
                session.activity.touch(at: Int64(worker.executor.now.milliseconds))
                moved = true
            }
            if try download.advance(from: upstream, &fromUpstream, to: client, &toClient, on: worker.executor) {
                moved = true
            }
        } catch {
            return .ended
        }
        if passOnEnds(to: client) { return .ended }
        if moved { return .moved }
        releaseEmptyBuffers(of: connection)
        client.interest = .hangUp
        upstream.interest = .hangUp
        if download.isPending(fromUpstream, toClient) || download.isTaken {
            client.interest.insert(.write)
        } else {
            upstream.interest.insert(.read)
        }
        if !isUpstreamTold {
            if upload.isPending(connection.input, toUpstream) || upload.isTaken {
                upstream.interest.insert(.write)
            } else {
                client.interest.insert(.read)
            }
        }
        // A client that has been told the end and ends, too, looks broken; what it sent before that is still to be read.
        return client.isBroken && !isClientTold ? .ended : .blocked
    }

    /// Moves what the client says; false if nothing could be moved.
    private func say(from connection: Connection) throws(RelayFailure) -> Bool {
        do throws(RelayFailure) {
            return try upload.advance(
                from: connection.stream, &connection.input, to: upstream, &toUpstream, on: worker.executor)
        } catch .sinkGone {
            // What the session said before it left, with its close frame, is still the client's to read.
            upload.release(to: worker.executor.pipes)
            isUpstreamTold = true
            return true
        }
    }

    /// Ends our side towards whoever has everything that the other sent before it ended; true once both have.
    ///
    /// A close frame that answers one may be on its way behind the other side's end.
    private func passOnEnds(to client: Stream) -> Bool {
        if !isUpstreamTold, upload.isFinished(toUpstream), upstream.sendPostedNow() {
            upstream.shutdownWrite()
            isUpstreamTold = true
        }
        if !isClientTold, download.isFinished(toClient), client.sendPostedNow() {
            client.shutdownWrite()
            isClientTold = true
        }
        return isUpstreamTold && isClientTold
    }

    /// Why the gateway ends a WebSocket (RFC 6455 §7.4.1).
    private enum Goodbye: UInt16 {
        case goingAway = 1001
        case policyViolation = 1008
    }

    /// Sends a close frame, where no other frame is half sent.
    private func sayGoodbye(_ reason: Goodbye, to client: Stream) -> Step {
        guard !download.isPending(fromUpstream, toClient) else { return .ended }
        let code = reason.rawValue
        _ = [0x88, 0x02, UInt8(code >> 8), UInt8(code & 0xff)].withUnsafeBytes { client.send($0) }
        return .ended
    }

    private func releaseEmptyBuffers(of connection: Connection) {
        let buffers = worker.executor.buffers
        buffers.giveBackIfEmpty(&toUpstream)
        buffers.giveBackIfEmpty(&fromUpstream)
        buffers.giveBackIfEmpty(&toClient)
        buffers.giveBackIfEmpty(&connection.input)
    }

    /// Gives back everything borrowed and counts the request that opened the tunnel.
    func end() {
        upstream.close()
        upload.release(to: worker.executor.pipes)
        download.release(to: worker.executor.pipes)
        for buffer in [toUpstream.take(), fromUpstream.take(), toClient.take()] {
            if let buffer { worker.executor.buffers.giveBack(buffer) }
        }
        session.activity.closeTunnel(at: Int64(worker.executor.now.milliseconds))
        let telemetry = worker.telemetry
        telemetry.adjust(.upstreamInUse, by: -1)
        telemetry.adjust(.tunnels, by: -1)
        upload.count(as: .toUpstream, in: telemetry)
        download.count(as: .toClient, in: telemetry)
        if admission.grant != nil { worker.grants -= 1 }
        // How long somebody watched says nothing about speed. Only a GET opens a WebSocket.
        telemetry.request(kind, .get, status: 101, firstByteMicroseconds: answeredAt &- startedAt)
        if let accessDetails {
            telemetry.access(
                accessDetails.record(
                    kind, status: 101, microseconds: ClockText.microseconds() &- startedAt, upload, download,
                    requestID))
        }
    }
}
