import Glibc
import Testing

@testable import LinuxIO

@Suite("A stream", .timeLimit(.minutes(5)))
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

    @Test("What is posted leaves at the end of the turn, in order, and before whatever is sent or closed after it")
    func post() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        let (peer, own) = try socketPair()
        defer { close(peer) }
        _ = fcntl(peer, F_SETFL, fcntl(peer, F_GETFL) | O_NONBLOCK)
        try await loop.perform { loop in
            let stream = try Stream(adopting: Descriptor(adopting: own), on: loop.executor)
            let waiter = Waiter(on: loop.executor)
            #expect(post("one,", to: stream) == .moved(4))
            #expect(post("two,", to: stream) == .moved(4))
            #expect(read(peer) == "", "a turn is not over while its task runs")
            await waiter.yield()
            #expect(read(peer) == "one,two,")

            #expect(post("three,", to: stream) == .moved(6))
            #expect("four,".utf8CString.withUnsafeBytes { stream.send(.init(rebasing: $0.dropLast())) } == .moved(5))
            #expect(read(peer) == "three,four,")

            // Longer than is worth a copy: sent, behind what was posted.
            let long = String(repeating: "x", count: Outbox.longest + 1)
            #expect(post("five,", to: stream) == .moved(5))
            #expect(post(long, to: stream) == .moved(long.utf8.count))
            #expect(read(peer) == "five," + long)

            #expect(post("six", to: stream) == .moved(3))
            stream.close()
            #expect(read(peer) == "six")
        }
    }

    @Test("More than an outbox holds leaves in between, and before somebody breaks off")
    func fullOutbox() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        let pairs = try (0..<2).map { _ in try socketPair() }
        defer { for (peer, _) in pairs { close(peer) } }
        for (peer, _) in pairs { _ = fcntl(peer, F_SETFL, fcntl(peer, F_GETFL) | O_NONBLOCK) }
        try await loop.perform { loop in
            let streams = try pairs.map { try Stream(adopting: Descriptor(adopting: $0.1), on: loop.executor) }
            let waiter = Waiter(on: loop.executor)
            var expected = ""
            for number in 0..<40 {
                let message = String(repeating: number % 2 == 0 ? "a" : "b", count: Outbox.longest)
                #expect(post(message, to: streams[0]) == .moved(message.utf8.count))
                expected += message
            }
            #expect(post("other", to: streams[1]) == .moved(5))
            await waiter.yield()
            #expect(read(pairs[0].0) == expected && read(pairs[1].0) == "other")

            #expect(post("last", to: streams[1]) == .moved(4))
            streams[1].abort()
            #expect(read(pairs[1].0) == "last")
        }
    }

    @Test("What was posted to a full socket leaves when there is room, and nothing overtakes it")
    func blockedPost() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        let (peer, own) = try socketPair()
        defer { close(peer) }
        _ = fcntl(peer, F_SETFL, fcntl(peer, F_GETFL) | O_NONBLOCK)
        try await loop.perform { loop in
            let stream = try Stream(adopting: Descriptor(adopting: own), on: loop.executor)
            let waiter = Waiter(on: loop.executor)
            stream.waiter = waiter
            // Fill the socket to the last byte, behind the stream's back: it believes that a write would be taken.
            var filled = 0
            while case let count = Glibc.send(own, [UInt8](repeating: 46, count: 1 << 10), 1 << 10, 0), count > 0 {
                filled += count
            }
            while Glibc.send(own, ".", 1, 0) == 1 { filled += 1 }
            #expect(post("late,", to: stream) == .moved(5))
            #expect(!stream.sendPostedNow() && !stream.isWritable)
            #expect(post("refused", to: stream) == .wouldBlock)
            #expect("refused".utf8CString.withUnsafeBytes { stream.send($0) } == .wouldBlock)
            stream.interest = .writeOrHangUp
            #expect(read(peer).utf8.count == filled)
            while !stream.isWritable { _ = await waiter.wait(until: loop.now.advanced(seconds: 50)) }
            #expect(stream.sendPostedNow())
            #expect(post("later", to: stream) == .moved(5))
            await waiter.yield()
            #expect(read(peer) == "late,later")
            #expect(loop.executor.buffers.lent == 0)
        }
    }

    @Test("Who posts to a peer that is gone hears of it as of any broken connection")
    func lostPost() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        let (peer, own) = try socketPair()
        let wake = try await loop.perform { loop in
            let stream = try Stream(adopting: Descriptor(adopting: own), on: loop.executor)
            let waiter = Waiter(on: loop.executor)
            stream.waiter = waiter
            // Whatever the kernel has to say of a new socket is said before.
            await waiter.yield()
            close(peer)
            #expect(post("lost", to: stream) == .moved(4))
            stream.interest = .hangUp
            let wake = await waiter.wait(until: loop.now.advanced(seconds: 50))
            #expect(stream.isBroken)
            return wake
        }
        #expect(wake == .event)
    }

    @Test("What arrives is received with its report, once, and whoever reads next has it first")
    func arrival() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        let (peer, own) = try socketPair()
        defer { close(peer) }
        try await loop.perform { loop in
            let stream = try Stream(adopting: Descriptor(adopting: own), on: loop.executor)
            let waiter = Waiter(on: loop.executor)
            stream.waiter = waiter
            let deadline = loop.now.advanced(seconds: 50)
            await waiter.yield()

            stream.interest = .arrivalOrHangUp
            Glibc.send(peer, "one", 3, 0)
            #expect(await waiter.wait(until: deadline) == .event)
            let arrived = try #require(stream.takeArrived())
            #expect(String(decoding: arrived.bytes, as: UTF8.self) == "one")
            loop.executor.buffers.giveBack(arrived)
            #expect(!stream.isReadable && stream.takeArrived() == nil)

            // Taken by an ordinary read, in two parts; what comes meanwhile stays readable.
            Glibc.send(peer, "two", 3, 0)
            #expect(await waiter.wait(until: deadline) == .event)
            Glibc.send(peer, "three", 5, 0)
            #expect(await waiter.wait(until: deadline) == .event)
            #expect(receive(2, from: stream) == "tw" && receive(9, from: stream) == "o")
            #expect(stream.isReadable && receive(9, from: stream) == "three")
            #expect(!stream.isReadable)

            // Taken by a splice.
            Glibc.send(peer, "four", 4, 0)
            #expect(await waiter.wait(until: deadline) == .event)
            let pipe = try #require(loop.executor.pipes.take(now: loop.now))
            #expect(stream.splice(into: pipe, upTo: 3) == .moved(3))
            #expect(stream.splice(into: pipe, upTo: 3) == .moved(1))
            withUnsafeTemporaryAllocation(byteCount: 9, alignment: 1) {
                let count = pipe.read(into: $0)
                #expect(String(decoding: $0[..<count], as: UTF8.self) == "four")
            }
            loop.executor.pipes.giveBack(pipe)

            // The end is no arrival: a read finds it.
            Glibc.send(peer, "five", 4, 0)
            shutdown(peer, CInt(SHUT_WR))
            #expect(await waiter.wait(until: deadline) == .event)
            #expect(receive(9, from: stream) == "five" && receive(9, from: stream) == nil)
            #expect(loop.executor.buffers.lent == 0)
        }
    }

    @Test("A reset that is found with a report is told to whoever reads next")
    func resetArrival() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        try await loop.perform { loop in
            let waiter = Waiter(on: loop.executor)
            let (stream, peer) = try await connection(on: loop, waiter: waiter)
            stream.interest = .arrivalOrHangUp
            peer.abort()
            while !stream.isBroken { _ = await waiter.wait(until: loop.now.advanced(seconds: 50)) }
            let outcome = withUnsafeTemporaryAllocation(byteCount: 9, alignment: 1) { stream.receive(into: $0) }
            #expect(outcome == .failed(Errno(code: ECONNRESET)))
            #expect(loop.executor.buffers.lent == 0)
        }
    }

    @Test("Connections of loopback are not paced, whatever the machine's congestion control")
    func congestionControl() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        try await loop.perform { loop in
            let (stream, accepted) = try await connection(on: loop, waiter: Waiter(on: loop.executor))
            #expect(congestionControl(of: accepted.descriptor) == "reno")
            #expect(congestionControl(of: stream.descriptor) == "reno")
        }
        #expect(SocketAddress(numeric: "127.9.9.9", port: 1)!.isLoopback)
        #expect(SocketAddress(numeric: "::1", port: 1)!.isLoopback)
        #expect(SocketAddress(numeric: "::ffff:127.0.0.1", port: 1)!.isLoopback)
        for address in ["128.0.0.1", "0.0.0.0", "10.0.0.1", "::", "::2", "fe80::1", "7f00::1", "::127.0.0.1"] {
            #expect(!SocketAddress(numeric: address, port: 1)!.isLoopback, "\(address)")
        }
    }

    /// Both ends of a connection over loopback; the waiter is that of the end that opened it.
    private func connection(on loop: isolated Loop, waiter: Waiter) async throws -> (Stream, Stream) {
        let listener = try Listener(address: .loopback(port: 0), sharesPort: false, on: loop.executor)
        try listener.open()
        let stream = try await Stream.connect(
            to: listener.localAddress, on: loop.executor, waiter: waiter, deadline: loop.now.advanced(seconds: 50))
        guard case .accepted(let accepted) = listener.accept() else { throw NobodyConnected() }
        return (stream, try Stream(adopting: accepted.take(), on: loop.executor))
    }

    private struct NobodyConnected: Error {}

    private func congestionControl(of descriptor: CInt) -> String {
        var name = [UInt8](repeating: 0, count: 16)
        var length = socklen_t(name.count)
        getsockopt(descriptor, CInt(IPPROTO_TCP), TCP_CONGESTION, &name, &length)
        return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
    }

    private func post(_ text: String, to stream: Stream) -> IOOutcome {
        Array(text.utf8).withUnsafeBytes { stream.post($0) }
    }

    /// Nil at the end of the stream.
    private func receive(_ most: Int, from stream: Stream) -> String? {
        withUnsafeTemporaryAllocation(byteCount: most, alignment: 1) {
            switch stream.receive(into: $0) {
            case .moved(let count): String(decoding: $0[..<count], as: UTF8.self)
            case .endOfStream: nil
            case .wouldBlock, .failed: ""
            }
        }
    }

    /// All that has come to the other end.
    private func read(_ peer: CInt) -> String {
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = recv(peer, &piece, piece.count, 0), count > 0 { text += piece[..<count] }
        return String(decoding: text, as: UTF8.self)
    }

    /// Two connected sockets; the second does not block.
    private func socketPair() throws -> (CInt, CInt) {
        var ends: [CInt] = [0, 0]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
        _ = fcntl(ends[1], F_SETFL, fcntl(ends[1], F_GETFL) | O_NONBLOCK)
        return (ends[0], ends[1])
    }
}
