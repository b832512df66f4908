import Glibc
import Testing

@testable import LinuxIO

@Suite("A stream", .timeLimit(.minutes(1)))
struct StreamTests {
    @Test("While its reads are paused, arriving bytes wake nobody; a read that finds none ends the pause")
    func pause() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        let (peer, own) = try socketPair()
        defer { close(peer) }
        let wakes = try await loop.perform { loop in
            let waiter = Waiter(on: loop.executor)
            let stream = try Stream(adopting: Descriptor(adopting: own), on: loop.executor)
            stream.waiter = waiter
            stream.interest = .readOrHangUp
            var wakes: [Waiter.Wake] = []
            var found: [IOOutcome] = []
            func read() {
                withUnsafeTemporaryAllocation(byteCount: 100, alignment: 1) { found.append(stream.receive(into: $0)) }
            }
            // Whatever the kernel has to say of a new socket is said before.
            await waiter.yield()
            read()
            stream.pauseReads()
            #expect(stream.isReadable, "nobody may wait for a report that does not come")
            send(peer, "one", 3, 0)
            wakes.append(await waiter.wait(until: loop.now.advanced(milliseconds: 100)))
            read()
            send(peer, "two", 3, 0)
            wakes.append(await waiter.wait(until: loop.now.advanced(seconds: 50)))
            read()
            #expect(found == [.wouldBlock, .moved(3), .moved(3)])
            stream.pauseReads()
            shutdown(peer, CInt(SHUT_WR))
            wakes.append(await waiter.wait(until: loop.now.advanced(seconds: 50)))
            #expect(stream.isHungUp, "the end of a stream is no secret")
            return wakes
        }
        #expect(wakes == [.deadline, .event, .event])
    }

    @Test("Bytes that came during a pause are reported when a read has found less than it asked for")
    func resume() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        let (peer, own) = try socketPair()
        defer { close(peer) }
        let wake = try await loop.perform { loop in
            let waiter = Waiter(on: loop.executor)
            let stream = try Stream(adopting: Descriptor(adopting: own), on: loop.executor)
            stream.waiter = waiter
            stream.interest = .readOrHangUp
            stream.pauseReads()
            send(peer, "one", 3, 0)
            withUnsafeTemporaryAllocation(byteCount: 100, alignment: 1) {
                #expect(stream.receive(into: $0) == .moved(3))
            }
            #expect(!stream.isReadable)
            send(peer, "two", 3, 0)
            return await waiter.wait(until: loop.now.advanced(seconds: 50))
        }
        #expect(wake == .event)
    }

    @Test("What has come in time is in time, though the loop was late and much else stands before it")
    func lateLoop() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        let crowd = try (0..<600).map { _ in try socketPair() }
        defer { for (peer, _) in crowd { close(peer) } }
        let wakes = try await loop.perform { loop in
            let waiters = crowd.map { _ in Waiter(on: loop.executor) }
            let streams = try zip(crowd, waiters).map { ends, waiter in
                let stream = try Stream(adopting: Descriptor(adopting: ends.1), on: loop.executor)
                stream.waiter = waiter
                stream.interest = .readOrHangUp
                return stream
            }
            // Whatever the kernel has to say of new sockets is said before.
            for _ in 0..<4 { await waiters[0].yield() }
            let arrived = crowd.last!.0
            let rest = crowd.dropLast().map(\.0)
            loop.spawn { _ in
                for peer in rest { send(peer, "x", 1, 0) }
                send(arrived, "x", 1, 0)
                usleep(1_200_000)
            }
            // Long enough for what was spawned to begin before it, on a crowded machine too.
            let wake = await waiters.last!.wait(until: loop.now.advanced(seconds: 1))
            // With nothing to come the deadline holds as ever.
            let second = await waiters.last!.wait(until: loop.now.advanced(milliseconds: 20))
            return withExtendedLifetime(streams) { [wake, second] }
        }
        #expect(wakes == [.event, .deadline])
    }

    /// Two connected sockets; the second does not block.
    private func socketPair() throws -> (CInt, CInt) {
        var ends: [CInt] = [0, 0]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
        _ = fcntl(ends[1], F_SETFL, fcntl(ends[1], F_GETFL) | O_NONBLOCK)
        return (ends[0], ends[1])
    }
}
