internal import DataPlane
internal import Glibc
internal import HTTPWire
internal import LinuxIO
internal import Observability

/// The listener for Prometheus and probes, on a loop of its own: it answers while the workers are busy.
final class OperationsListener: Sendable {
    private struct Bound: @unchecked Sendable { let listener: Listener }

    private static let requestSeconds = 10
    private static let connectionLimit = 64

    private let loop: Loop
    private let bound: Bound
    let address: SocketAddress

    init(address: SocketAddress) async throws(IOError) {
        let loop = try Loop(name: "operations")
        let result: Result<Bound, IOError> = await loop.perform { loop in
            do throws(IOError) {
                return .success(Bound(listener: try Listener(address: address, sharesPort: false, on: loop.executor)))
            } catch {
                return .failure(error)
            }
        }
        let bound = try result.get()
        self.loop = loop
        self.bound = bound
        self.address = await loop.perform { _ in bound.listener.localAddress }
    }

    /// Answers requests from now on.
    func serve(_ responder: OperationsResponder) async {
        let bound = bound
        loop.spawn { loop in
            let waiter = Waiter(on: loop.executor)
            let reserve = DescriptorReserve()
            bound.listener.waiter = waiter
            while bound.listener.isOpen {
                switch bound.listener.accept() {
                case .accepted(let accepted):
                    let descriptor = accepted.take().release()
                    loop.spawn { loop in
                        await Self.answer(descriptor, responder, loop)
                        reserve.refill()
                    }
                case .nobody: _ = await waiter.wait(until: .never)
                case .exhausted:
                    if reserve.spend() { continue }
                    bound.listener.setPaused(true)
                    _ = await waiter.wait(until: loop.now.advanced(milliseconds: 200))
                    bound.listener.setPaused(false)
                }
            }
        }
    }

    /// One request a connection: scrapes and probes are seconds apart.
    private static func answer(_ descriptor: CInt, _ responder: OperationsResponder, _ loop: isolated Loop) async {
        let executor = loop.executor
        guard let stream = try? Stream(adopting: Descriptor(adopting: descriptor), on: executor) else { return }
        defer { stream.close() }
        let waiter = Waiter(on: executor)
        stream.waiter = waiter
        let buffer = executor.buffers.take()
        defer { executor.buffers.giveBack(buffer) }
        let deadline = executor.now.advanced(seconds: requestSeconds)
        var scanner = HeadScanner(limits: .request)
        var head = RequestHead()
        let answer: OperationsAnswer
        do {
            while true {
                if let count = try scanner.scan(buffer.bytes) {
                    try HeadParser.parse(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]), into: &head)
                    break
                }
                guard !buffer.room.isEmpty else { throw WireError.headTooLarge }
                let count = try await stream.read(into: buffer.room, deadline: deadline)
                guard count > 0 else { return }
                buffer.produced(count)
            }
            if head.method == .get || head.method == .head {
                answer = responder.respond(
                    target: head.target.string(in: buffer.bytes),
                    accept: head.first(.accept)?.value.string(in: buffer.bytes))
            } else {
                answer = Self.refusal(head.method == .other ? 501 : 405)
            }
        } catch let error as WireError {
            // A health check that is not understood must not look like a router that is down.
            answer = Self.refusal(error.status)
        } catch {
            return
        }
        let body = head.method == .head ? "" : answer.body
        var clock = ClockText()
        clock.update()
        var lines = [
            "HTTP/1.1 \(answer.status) \(ReasonPhrase.of(answer.status))", "Content-Type: \(answer.contentType)",
            "Content-Length: \(answer.body.utf8.count)", "Cache-Control: no-store",
            "Date: \(String(decoding: clock.date, as: UTF8.self))", "Connection: close",
        ]
        if answer.status == 405 { lines.append("Allow: GET, HEAD") }
        let text = lines.joined(separator: "\r\n") + "\r\n\r\n" + body
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            buffer.consume(buffer.count)
            let count = min(buffer.room.count, bytes.count - offset)
            _ = bytes.withUnsafeBytes { buffer.append(UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
            offset += count
            guard (try? await stream.writeAll(buffer.bytes, deadline: deadline)) != nil else { return }
        }
        stream.shutdownWrite()
    }
}

extension OperationsListener {
    private static func refusal(_ status: Int) -> OperationsAnswer {
        OperationsAnswer(
            status: status, contentType: "text/plain", body: "Use a short GET of HTTP/1.1 with one Host field.\n")
    }
}

/// Descriptors kept for probes: when clients have taken all others, one of these is closed and its place taken by a probe.
///
/// Unchecked: touched on the loop of the operations listener only.
private final class DescriptorReserve: @unchecked Sendable {
    private static let size = 4
    private var held: [CInt] = []

    init() { refill() }

    deinit { for descriptor in held { close(descriptor) } }

    /// Frees one descriptor; false if there is none left.
    func spend() -> Bool {
        guard let descriptor = held.popLast() else { return false }
        close(descriptor)
        return true
    }

    /// Takes back what was freed, as far as the system has some.
    func refill() {
        while held.count < Self.size {
            let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return }
            held.append(descriptor)
        }
    }
}
