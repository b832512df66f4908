import Glibc
import Testing

@testable import LinuxIO

@Suite("A loop", .timeLimit(.minutes(5)))
struct LoopTests {
    @Test("Bytes written by one task of a loop are read by another")
    func echo() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        let text = try await loop.perform { loop in
            let executor = loop.executor
            let listener = try Listener(
                address: .loopback(port: 0), sharesPort: false, on: executor)
            let accepting = Waiter(on: executor)
            listener.waiter = accepting
            let port = listener.localAddress.port
            loop.spawn { loop in
                let waiter = Waiter(on: loop.executor)
                guard
                    let client = try? await Stream.connect(
                        to: .loopback(port: port), on: loop.executor, waiter: waiter, deadline: .never)
                else { return }
                let words = loop.executor.buffers.take()
                _ = Array("across the loop".utf8).withUnsafeBytes { words.append($0) }
                try? await client.writeAll(words.bytes, deadline: .never)
                loop.executor.buffers.giveBack(words)
                client.shutdownWrite()
                _ = await waiter.wait(until: loop.now.advanced(seconds: 5))
            }
            while true {
                switch listener.accept() {
                case .accepted(let accepted):
                    let waiter = Waiter(on: executor)
                    let stream = try Stream(adopting: accepted.take(), on: executor)
                    stream.waiter = waiter
                    let buffer = executor.buffers.take()
                    defer { executor.buffers.giveBack(buffer) }
                    while true {
                        let count = try await stream.read(
                            into: buffer.room, deadline: loop.now.advanced(seconds: 5))
                        if count == 0 { break }
                        buffer.produced(count)
                    }
                    return String(decoding: buffer.bytes, as: UTF8.self)
                case .nobody: _ = await accepting.wait(until: .never)
                case .exhausted(let errno): throw IOError.system(call: "accept", errno)
                }
            }
        }
        #expect(text == "across the loop")
    }

    @Test("A wait ends at its deadline, and not before")
    func deadline() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        let (wake, waited) = await loop.perform { loop in
            let waiter = Waiter(on: loop.executor)
            let start = Deadline.current()
            let wake = await waiter.wait(until: loop.now.advanced(milliseconds: 100))
            return (wake, Deadline.current().milliseconds - start.milliseconds)
        }
        #expect(wake == .deadline)
        #expect(waited >= 99)
    }

    @Test("A wake-up from another thread is not lost, even when nobody waits yet")
    func remoteWake() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        let wake = await loop.perform { loop in
            let waiter = Waiter(on: loop.executor)
            let waker = waiter.remote
            Task.detached { waker.wake() }
            return await waiter.wait(until: .never)
        }
        #expect(wake == .event)
    }

    @Test("Who makes way goes on behind the others that are ready, and behind the kernel's news")
    func yieldMakesWay() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        var ends: [CInt] = [0, 0]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
        let (peer, own) = (ends[0], ends[1])
        defer { close(peer) }
        let order = try await loop.perform { loop in
            let waiter = Waiter(on: loop.executor)
            let stream = try Stream(adopting: Descriptor(adopting: own), on: loop.executor)
            let order = Order(reader: Waiter(on: loop.executor))
            stream.waiter = order.reader
            stream.interest = .readOrHangUp
            loop.spawn { _ in
                order.said.append("waits")
                _ = await order.reader.wait(until: .never)
                order.said.append("hears")
            }
            await waiter.yield()
            send(peer, "x", 1, 0)
            await waiter.yield()
            order.said.append("goes on")
            return withExtendedLifetime(stream) { order.said }
        }
        #expect(order == ["waits", "hears", "goes on"])
    }

    /// Unchecked: touched on the loop's thread only.
    private final class Order: @unchecked Sendable {
        let reader: Waiter
        var said: [String] = []
        init(reader: Waiter) { self.reader = reader }
    }

    @Test("Tasks that wait and wake on one loop never leave its thread")
    func noHops() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        let crossings = await loop.perform { loop in
            let before = loop.executor.crossings
            let waiter = Waiter(on: loop.executor)
            for _ in 0..<10 {
                waiter.wake()
                _ = await waiter.wait(until: .never)
                _ = await waiter.wait(until: loop.now)
            }
            return loop.executor.crossings - before
        }
        #expect(crossings == 0)
    }
}

@Suite("The deadline wheel", .timeLimit(.minutes(5)))
struct DeadlineWheelTests {
    @Test("Every deadline fires once, at its time or at most 64 ms later, however far ahead")
    func firing() async throws {
        let loop = try Loop(name: "test")
        defer { loop.stop() }
        await loop.perform { loop in
            let start = Deadline(milliseconds: 1_000_000)
            var wheel = DeadlineWheel(now: start)
            let spans: [UInt64] = [0, 1, 31, 32, 33, 500, 16_000, 16_384, 17_000, 60_000, 600_000]
            let waiters = spans.map { span in
                let waiter = Waiter(on: loop.executor)
                waiter.setDeadlineForTest(start.advanced(milliseconds: span))
                wheel.insert(waiter)
                return waiter
            }
            var fired: [Int: UInt64] = [:]
            var now = start.milliseconds
            while now < start.milliseconds + 700_000 {
                let count = wheel.count
                let timeout = wheel.timeout(from: Deadline(milliseconds: now))
                if count == 0 { break }
                now += UInt64(max(1, min(timeout, 1000)))
                wheel.advance(to: Deadline(milliseconds: now))
                for (index, waiter) in waiters.enumerated() where waiter.wheelIndex < 0 && fired[index] == nil {
                    fired[index] = now - start.milliseconds
                }
            }
            for (index, span) in spans.enumerated() {
                let at = fired[index]
                #expect(at != nil && at! >= span && at! <= span + 65, "\(span) fired at \(String(describing: at))")
            }
        }
    }
}
