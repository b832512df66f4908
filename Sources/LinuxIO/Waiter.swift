/// Somebody who waits without a task; see `Waiter.park`.
public protocol Parked: AnyObject {
    /// Goes on; runs on the loop and must not suspend.
    func unpark(_ wake: Waiter.Wake)
}

/// The one place where a task of a loop waits: for its streams, for a wake-up from elsewhere, or for a deadline.
///
/// A task has one waiter and attaches it to every stream it looks after, so it can wait for "whatever comes first"
/// without child tasks. Waking is a hint: whoever waits looks again at what it waits for.
public final class Waiter {
    /// What ended a wait.
    public enum Wake: Equatable, Sendable { case event, deadline }

    unowned let executor: LoopExecutor
    private var continuation: UnsafeContinuation<Wake, Never>?
    /// Whom to call instead of resuming a task, while none waits.
    private unowned(unsafe) var parked: (any Parked)?
    /// A wake-up from elsewhere that nobody has waited for yet.
    private var signalled = false
    fileprivate(set) var deadline = Deadline.never
    /// The slot of the wheel this waiter is in; an index of -1 is "in none".
    var wheelTick: UInt64 = 0
    var wheelIndex = -1
    private var handle: RemoteWaker?

    /// Makes a waiter for tasks that run on `executor`.
    public init(on executor: LoopExecutor) { self.executor = executor }

    deinit {
        handle?.waiter = nil
        executor.wheel.remove(self)
    }

    /// Suspends until a stream this waiter is attached to reports something it is interested in, until `wake()`, or
    /// until the deadline has passed (up to 64 ms late).
    public func wait(until deadline: Deadline) async -> Wake {
        await withUnsafeContinuation { suspend($0, until: deadline) }
    }

    /// What `wait` does with its continuation, for a caller on the byte path that makes its own: an async call less is a
    /// frame and a return to the executor less.
    public func suspend(_ continuation: UnsafeContinuation<Wake, Never>, until deadline: Deadline) {
        if signalled {
            signalled = false
            return continuation.resume(returning: .event)
        }
        schedule(deadline)
        self.continuation = continuation
    }

    /// Like `wait`, for long waits that should not keep a task and its frames: calls `unpark` once, on the loop.
    ///
    /// Whoever parks owns the waiter, or outlives the wait otherwise: it is not retained.
    public func park(_ parked: any Parked, until deadline: Deadline) {
        if signalled {
            signalled = false
            return parked.unpark(.event)
        }
        schedule(deadline)
        self.parked = parked
    }

    private func schedule(_ deadline: Deadline) {
        self.deadline = deadline
        guard deadline != .never else { return }
        // A later deadline leaves the waiter where it is; see DeadlineWheel.
        if wheelIndex >= 0 && deadline.milliseconds >> 5 < wheelTick - 1 { executor.wheel.remove(self) }
        if wheelIndex < 0 { executor.wheel.insert(self) }
    }

    /// Lets the loop look at the kernel and at its other tasks once, then goes on.
    public func yield() async {
        // Resumed here it would not even suspend.
        await withUnsafeContinuation { executor.resumeNextTurn($0) }
    }

    /// Ends the present wait, or else the next one at once. From the loop's own thread only; see `remote`.
    public func wake() {
        if !resume(.event) { signalled = true }
    }

    /// Ends the present wait if there is one; streams latch their readiness themselves.
    @discardableResult
    func resume(_ wake: Wake) -> Bool {
        if let continuation {
            self.continuation = nil
            deadline = .never
            continuation.resume(returning: wake)
            return true
        }
        guard let parked else { return false }
        self.parked = nil
        deadline = .never
        parked.unpark(wake)
        return true
    }

    /// Sets what `wait` would set, for tests of the wheel alone.
    func setDeadlineForTest(_ deadline: Deadline) { self.deadline = deadline }

    func deadlinePassed() { resume(.deadline) }

    /// A handle with which any thread can wake this waiter, for as long as it exists.
    public var remote: RemoteWaker {
        if let handle { return handle }
        let made = RemoteWaker(waiter: self, executor: executor)
        handle = made
        return made
    }
}

/// Wakes a waiter from any thread; a waiter that is gone is not missed.
public final class RemoteWaker: @unchecked Sendable {
    // Unchecked: read and cleared on the loop's thread only. Not a strong reference, for a waiter must not be freed
    // on another thread.
    fileprivate unowned(unsafe) var waiter: Waiter?
    private let executor: LoopExecutor

    fileprivate init(waiter: Waiter, executor: LoopExecutor) {
        self.waiter = waiter
        self.executor = executor
    }

    /// Ends the waiter's present or next wait.
    public func wake() {
        executor.post { self.waiter?.wake() }
    }

    /// As `wake`, for callers that are on the loop already and may outlive the waiter.
    public func wakeFromLoop() { waiter?.wake() }
}
