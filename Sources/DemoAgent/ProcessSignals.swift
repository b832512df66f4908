internal import Glibc
internal import LinuxIO

/// Makes SIGTERM, SIGINT and SIGHUP something a loop can wait for: the handler writes a byte into a socket pair.
final class ProcessSignals {
    private let stream: Stream
    private let writer: Descriptor

    /// The writing end, for the handler; it may only touch what needs no lock and no allocation.
    private nonisolated(unsafe) static var handlerSocket: CInt = -1

    /// Takes the signals over for the rest of this value's life and wakes `waiter` when one comes.
    init(waking waiter: Waiter, on executor: LoopExecutor) throws(IOError) {
        var pair: [CInt] = [-1, -1]
        let type = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &pair) == 0 else {
            throw .system(call: "socketpair", Errno(code: errno))
        }
        writer = Descriptor(adopting: pair[1])
        stream = try Stream(adopting: Descriptor(adopting: pair[0]), on: executor)
        stream.waiter = waiter
        Self.handlerSocket = pair[1]
        for number in [SIGTERM, SIGINT, SIGHUP] {
            signal(number) { _ in
                let saved = errno
                var byte: UInt8 = 0
                _ = send(ProcessSignals.handlerSocket, &byte, 1, CInt(MSG_NOSIGNAL))
                errno = saved
            }
        }
    }

    deinit {
        for number in [SIGTERM, SIGINT, SIGHUP] { signal(number, SIG_DFL) }
        Self.handlerSocket = -1
    }

    /// Whether a signal has come.
    func haveCome() -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) {
            if case .moved = stream.receive(into: $0) { true } else { false }
        }
    }
}
