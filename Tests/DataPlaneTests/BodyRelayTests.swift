import Glibc
import HTTPWire
import LinuxIO
import Testing

@testable import DataPlane

/// Random schedules of partial writes and reads between two socket pairs: what comes out is what went in.
@Suite("A body relay", .timeLimit(.minutes(5)))
struct BodyRelayTests {
    /// How a body is framed in the source, and whether the sink gets chunks.
    struct Case: Sendable, CustomTestStringConvertible {
        var framing: String
        var writesChunks: Bool
        var seed: UInt64
        var testDescription: String { "\(framing)\(writesChunks ? " → chunks" : ""), seed \(seed)" }
    }

    static let cases: [Case] = (1...6).flatMap { seed in
        [
            Case(framing: "length", writesChunks: false, seed: seed),
            Case(framing: "chunked", writesChunks: true, seed: seed),
            Case(framing: "chunked", writesChunks: false, seed: seed),
            Case(framing: "close", writesChunks: true, seed: seed),
            Case(framing: "close", writesChunks: false, seed: seed),
        ]
    }

    @Test("Moves every byte once and in order, whatever the schedule", arguments: cases)
    func schedule(_ example: Case) async throws {
        var random = Random(state: example.seed)
        let body = random.bytes(count: Int(random.next() % 700_000))
        let sent = example.framing == "chunked" ? random.chunked(body) : body
        let loop = try Loop(name: "relay")
        defer { loop.stop() }
        let (feed, source) = try socketPair()
        let (sink, drain) = try socketPair()
        let seed = example.seed
        let writer = Thread { Self.write(sent, to: feed, seed: seed) }
        let reader = Thread { Self.read(from: drain, seed: seed) }
        let leaks = await loop.perform { loop in
            await Self.relay(source, sink, example, bodyCount: body.count, loop)
        }
        _ = writer.join()
        let received = reader.join()
        #expect(leaks == 0, "buffers or pipes are still lent")
        #expect((example.writesChunks ? Self.unchunked(received) : received) == body)
    }

    @Test("Chunks that are all extension do not hold the loop: reading counts as moving")
    func extensions() async throws {
        let loop = try Loop(name: "relay")
        defer { loop.stop() }
        let (feed, source) = try loopbackPair()
        let (sink, drain) = try socketPair()
        defer {
            close(feed)
            close(drain)
        }
        let chunk = Array("1;\(String(repeating: "a", count: 250))\r\nx\r\n".utf8)
        let chunks = [[UInt8]](repeating: chunk, count: 64).flatMap(\.self)
        _ = Self.nonBlocking(feed)
        // Read now and then, the kernel makes room for more than a turn's worth (tcp(7), tcp_moderate_rcvbuf).
        var room = [UInt8](repeating: 0, count: 1 << 20)
        var queued: CInt = 0
        for round in 1...100 where queued <= 5 << 18 {
            if round > 1 { while recv(source, &room, room.count, 0) > 0 {} }
            while send(feed, chunks, chunks.count, 0) == chunks.count {}
            _ = ioctl(source, UInt(FIONREAD), &queued)
        }
        try #require(queued > 5 << 18)
        let moved = await loop.perform { loop -> UInt64 in
            let executor = loop.executor
            guard let from = try? Stream(adopting: Descriptor(adopting: source), on: executor),
                let to = try? Stream(adopting: Descriptor(adopting: sink), on: executor)
            else { return .max }
            var relay = BodyRelay()
            var input: IOBuffer?
            var output: IOBuffer?
            relay.begin(.chunked, writesChunks: false)
            guard (try? relay.advance(from: from, &input, to: to, &output, on: executor)) == true, relay.hadItsTurn
            else { return .max }
            return relay.copied
        }
        #expect(moved <= UInt64((1 << 20) / chunk.count + 100))
    }

    /// Runs the relay to its end; returns buffers and pipes that were not given back.
    private static func relay(
        _ source: CInt, _ sink: CInt, _ example: Case, bodyCount: Int, _ loop: isolated Loop
    ) async -> Int {
        let executor = loop.executor
        guard let from = try? Stream(adopting: Descriptor(adopting: source), on: executor),
            let to = try? Stream(adopting: Descriptor(adopting: sink), on: executor)
        else { return -1 }
        let waiter = Waiter(on: executor)
        from.waiter = waiter
        to.waiter = waiter
        var relay = BodyRelay()
        var input: IOBuffer?
        var output: IOBuffer?
        let framing: BodyFraming =
            switch example.framing {
            case "length": bodyCount == 0 ? .none : .length(UInt64(bodyCount))
            case "chunked": .chunked
            default: .untilClose
            }
        relay.begin(framing, writesChunks: example.writesChunks)
        while !relay.isFinished(output) {
            guard let moved = try? relay.advance(from: from, &input, to: to, &output, on: executor) else { break }
            if moved { continue }
            from.interest = [.read, .hangUp]
            to.interest = relay.isPending(input, output) ? [.write, .hangUp] : .hangUp
            if relay.isPending(input, output) { from.interest = [] }
            guard await waiter.wait(until: executor.now.advanced(seconds: 20)) == .event else { break }
        }
        relay.release(to: executor.pipes)
        to.close()
        from.close()
        if let input { executor.buffers.giveBack(input) }
        if let output { executor.buffers.giveBack(output) }
        return executor.buffers.lent + executor.pipes.lent
    }

    /// Two connected sockets with small buffers, the second one non-blocking.
    private func socketPair() throws -> (CInt, CInt) {
        var ends: [CInt] = [0, 0]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
        var size: CInt = 40_000
        for end in ends {
            setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, 4)
        }
        return (ends[0], Self.nonBlocking(ends[1]))
    }

    /// Two ends of a connection over loopback, the second one non-blocking.
    private func loopbackPair() throws -> (CInt, CInt) {
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        let first = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isConnected = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 1) == 0 && getsockname(listener, $0, &length) == 0
                    && connect(first, $0, length) == 0
            }
        }
        try #require(isConnected)
        return (first, Self.nonBlocking(accept(listener, nil, nil)))
    }

    private static func nonBlocking(_ descriptor: CInt) -> CInt {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        return descriptor
    }

    private static func write(_ bytes: [UInt8], to descriptor: CInt, seed: UInt64) -> [UInt8] {
        var random = Random(state: seed &+ 100)
        var offset = 0
        while offset < bytes.count {
            let most = [1, 7, 500, 20_000, 200_000][Int(random.next() % 5)]
            let count = min(bytes.count - offset, 1 + Int(random.next() % UInt64(most)))
            let written = bytes.withUnsafeBytes {
                send(descriptor, $0.baseAddress! + offset, count, CInt(MSG_NOSIGNAL))
            }
            guard written > 0 else { break }
            offset += written
        }
        close(descriptor)
        return []
    }

    private static func read(from descriptor: CInt, seed: UInt64) -> [UInt8] {
        // The relay's sink is non-blocking; this end blocks.
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        var random = Random(state: seed &+ 200)
        var received: [UInt8] = []
        while true {
            var piece = [UInt8](repeating: 0, count: 1 + Int(random.next() % 60_000))
            let count = recv(descriptor, &piece, piece.count, 0)
            guard count > 0 else { break }
            received += piece[..<count]
        }
        close(descriptor)
        return received
    }

    /// Takes the chunked coding apart, by a reader of our own making.
    private static func unchunked(_ bytes: [UInt8]) -> [UInt8]? {
        var body: [UInt8] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 13) {
            guard let size = Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16) else { return nil }
            rest = rest[(end + 2)...]
            if size == 0 { return rest.elementsEqual([13, 10]) ? body : nil }
            guard rest.count >= size + 2 else { return nil }
            body += rest.prefix(size)
            rest = rest.dropFirst(size + 2)
        }
        return nil
    }
}

/// A small generator with a seed, so that a failing schedule can be run again.
private struct Random {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }

    mutating func bytes(count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

    mutating func chunked(_ body: [UInt8]) -> [UInt8] {
        var coded: [UInt8] = []
        var offset = 0
        while offset < body.count {
            let most = [1, 30, 5000, 40_000, 300_000][Int(next() % 5)]
            let count = min(body.count - offset, 1 + Int(next() % UInt64(most)))
            coded += Array("\(String(count, radix: 16))\r\n".utf8) + body[offset..<offset + count] + [13, 10]
            offset += count
        }
        return coded + Array("0\r\n\r\n".utf8)
    }
}

/// A thread with a result: the peers block, and must not hold a thread of Swift's pool.
private final class Thread: @unchecked Sendable {
    private let body: @Sendable () -> [UInt8]
    private var result: [UInt8] = []
    private var thread = pthread_t()

    init(_ body: @escaping @Sendable () -> [UInt8]) {
        self.body = body
        pthread_create(
            &thread, nil,
            { argument in
                let thread = Unmanaged<Thread>.fromOpaque(argument!).takeRetainedValue()
                thread.result = thread.body()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
    }

    func join() -> [UInt8] {
        pthread_join(thread, nil)
        return result
    }
}
