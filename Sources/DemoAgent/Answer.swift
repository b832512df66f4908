internal import LinuxIO

/// An answer that is being given, and may be stopped at any time.
final class Answer {
    private let executor: LoopExecutor
    private let waiter: Waiter
    private var isStopped = false

    init(on executor: LoopExecutor) {
        self.executor = executor
        waiter = Waiter(on: executor)
    }

    /// Ends the answer at its next pause, or at once if it is pausing.
    func stop() {
        isStopped = true
        waiter.wake()
    }

    /// Lets time pass; false as soon as the answer has been stopped.
    func pause(_ milliseconds: UInt64) async -> Bool {
        let end = executor.now.advanced(milliseconds: milliseconds)
        while !isStopped, executor.now < end { _ = await waiter.wait(until: end) }
        return !isStopped
    }
}
