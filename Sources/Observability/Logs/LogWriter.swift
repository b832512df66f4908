internal import Glibc
internal import Synchronization

/// Writes log lines to a descriptor from a thread of its own, so that a slow terminal or pipe stops nobody.
///
/// At most `capacity` bytes wait; lines beyond that are dropped and counted, and the count is told when there is room.
package final class LogWriter: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        var droppedSinceTold = 0
        var isWriting = false
        var isClosed = false
    }

    private let state = Mutex(State())
    private let dropped = Atomic<Int>(0)
    private let capacity: Int
    private let descriptor: CInt
    // A semaphore rather than a condition: it needs no lock around it. Initialised once, used by address.
    private nonisolated(unsafe) let wake: UnsafeMutablePointer<sem_t>

    /// - Parameter descriptor: where lines go; stays the caller's.
    package init(descriptor: CInt = STDERR_FILENO, capacity: Int = 1 << 20) {
        self.descriptor = descriptor
        self.capacity = capacity
        wake = .allocate(capacity: 1)
        sem_init(wake, 0, 0)
        start()
    }

    /// How many lines were dropped so far.
    package var droppedLines: Int { dropped.load(ordering: .relaxed) }

    /// Takes a line, without its line feed; never waits for the descriptor.
    package func write(_ line: String) {
        let taken = state.withLock { state -> Bool in
            guard state.waiting.count + line.utf8.count < capacity else {
                state.droppedSinceTold += 1
                return false
            }
            state.waiting.append(contentsOf: line.utf8)
            state.waiting.append(0x0a)
            return true
        }
        if taken { sem_post(wake) } else { dropped.add(1, ordering: .relaxed) }
    }

    /// Waits until everything taken so far is written, but no longer than this.
    package func flush(milliseconds: Int = 1000) {
        for _ in 0..<milliseconds {
            if state.withLock({ $0.waiting.isEmpty && !$0.isWriting }) { return }
            usleep(1000)
        }
    }

    private func start() {
        let writer = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<LogWriter>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, writer.toOpaque())
        // Without a thread nothing would ever be written; a process that cannot have one thread cannot serve.
        precondition(result == 0, "no thread for the log: \(result)")
        pthread_detach(thread)
    }

    private func run() {
        // A log that nobody reads any more is no reason to end: write(2) to a closed pipe raises SIGPIPE. Blocked in this
        // thread alone, so that processes started by others do not inherit it.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        var batch: [UInt8] = []
        while true {
            sem_wait(wake)
            let lost = state.withLock { state -> Int in
                swap(&batch, &state.waiting)
                state.isWriting = true
                defer { state.droppedSinceTold = 0 }
                return state.droppedSinceTold
            }
            writeAll(batch)
            batch.removeAll(keepingCapacity: batch.capacity < 1 << 16)
            state.withLock { $0.isWriting = false }
            if lost > 0 { write("log lines dropped because the log was slow: \(lost)") }
        }
    }

    private func writeAll(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            var rest = UnsafeRawBufferPointer(rebasing: bytes[...])
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if count > 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                } else if errno == EAGAIN {
                    // Somebody made the terminal non-blocking: wait for it here, where nobody is held up.
                    var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    Glibc.poll(&poll, 1, 1000)
                } else if errno != EINTR {
                    // Nobody reads the log any more.
                    return
                }
            }
        }
    }
}
