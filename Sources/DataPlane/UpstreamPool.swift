internal import LinuxIO
internal import Routing

/// Why no connection to a session could be had.
enum UpstreamFailure: Error {
    /// Nothing listens at the session's address.
    case refused
    /// The address did not answer in time.
    case timedOut
    /// The route's address is none, or this machine has no port, descriptor or memory left.
    case unavailable(IOError?)
}

/// The connections of one worker to sessions that wait for their next request.
///
/// Kept under the session's incarnation, never under an address: the next pod may have the same one.
final class UpstreamPool {
    private struct Idle {
        var stream: Stream
        var since: Deadline
    }

    /// The idle connections of one target. A reference, so that one look at the dictionary is enough to change them: an
    /// array as its value is changed through an access that allocates.
    private final class Shelf {
        let key: UpstreamTarget.Key
        var idle: [Idle] = []

        init(_ key: UpstreamTarget.Key) { self.key = key }
    }

    /// Connections kept per target: as many as were ever busy at once, or every peak would be paid for with new ones.
    private static let kept = 512
    private static let idleSeconds = 60

    private let executor: LoopExecutor
    private let connectSeconds: Int
    private var shelves: [UpstreamTarget.Key: Shelf] = [:]
    /// The one that was looked at last: a request that takes a connection mostly gives it back before another comes.
    private var recent: Shelf?
    private(set) var idleCount = 0
    /// Whether no target has a shelf; an empty one stays until the next sweep.
    var isEmpty: Bool { shelves.isEmpty }
    /// Connections opened so far.
    private(set) var opened: UInt64 = 0

    init(on executor: LoopExecutor, connectSeconds: Int) {
        self.executor = executor
        self.connectSeconds = connectSeconds
    }

    /// A connection that was used before and has nothing unread, if there is one.
    func takeIdle(_ target: UpstreamTarget, waiter: Waiter) -> Stream? {
        guard let shelf = knownShelf(of: target.key) else { return nil }
        while let entry = shelf.idle.popLast() {
            idleCount -= 1
            guard isQuiet(entry.stream) else {
                entry.stream.close()
                continue
            }
            entry.stream.waiter = waiter
            return entry.stream
        }
        return nil
    }

    /// Opens a connection; one that is refused is tried again twice, for a session is announced a moment before its
    /// last listener is up.
    func open(_ target: UpstreamTarget, waiter: Waiter) async throws(UpstreamFailure) -> Stream {
        guard let address = SocketAddress(numeric: target.address, port: target.port) else {
            throw .unavailable(nil)
        }
        let deadline = executor.now.advanced(seconds: connectSeconds)
        var attempt = 0
        while true {
            do throws(IOError) {
                let stream = try await Stream.connect(
                    to: address, on: executor, waiter: waiter, deadline: deadline)
                stream.detectDeadPeer(withinSeconds: 30)
                opened += 1
                return stream
            } catch .system(_, .connectionRefused) where attempt < 2 {
                attempt += 1
                let pause = executor.now.advanced(milliseconds: 100)
                while executor.now < pause { _ = await waiter.wait(until: pause) }
            } catch .system(_, .connectionRefused) {
                throw .refused
            } catch .timedOut {
                throw .timedOut
            } catch {
                throw .unavailable(error)
            }
        }
    }

    /// Takes a connection back after an exactly delimited answer; one with an unread byte is closed.
    func giveBack(_ stream: Stream, _ target: UpstreamTarget) {
        stream.waiter = nil
        stream.interest = .hangUp
        let shelf = shelf(of: target.key)
        guard isQuiet(stream), shelf.idle.count < Self.kept else {
            stream.close()
            return
        }
        shelf.idle.append(Idle(stream: stream, since: executor.now))
        idleCount += 1
    }

    private func shelf(of key: UpstreamTarget.Key) -> Shelf {
        if let shelf = knownShelf(of: key) { return shelf }
        let shelf = Shelf(key)
        shelves[key] = shelf
        return shelf
    }

    private func knownShelf(of key: UpstreamTarget.Key) -> Shelf? {
        if let recent, recent.key == key { return recent }
        guard let shelf = shelves[key] else { return nil }
        recent = shelf
        return shelf
    }

    /// Whether the peer has said nothing since its last answer, and not hung up.
    private func isQuiet(_ stream: Stream) -> Bool {
        guard stream.isOpen, !stream.isHungUp else { return false }
        guard stream.isReadable else { return true }
        // The edge may be old news: the kernel knows.
        return withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { stream.receive(into: $0) } == .wouldBlock
    }

    /// Closes what was idle too long, and what belongs to an incarnation that is no more.
    func sweep(isCurrent: (UpstreamTarget.Key) -> Bool) {
        let now = executor.now
        recent = nil
        for (key, shelf) in shelves {
            let before = shelf.idle.count
            if isCurrent(key) {
                shelf.idle.removeAll {
                    $0.since.advanced(seconds: Self.idleSeconds) <= now || !isQuiet($0.stream)
                }
            } else {
                shelf.idle = []
            }
            idleCount -= before - shelf.idle.count
            if shelf.idle.isEmpty { shelves[key] = nil }
        }
    }

    /// Closes everything.
    func closeAll() {
        shelves = [:]
        recent = nil
        idleCount = 0
    }
}
