/// One thread with one epoll; the actor's executor is that loop, so its code never leaves the thread.
public actor Loop {
    public nonisolated let executor: LoopExecutor

    /// Kept, for the runtime asks for it at each resumption.
    public nonisolated let unownedExecutor: UnownedSerialExecutor

    /// Starts the loop's thread; `name` is what `ps -L` shows, at most 15 bytes.
    public init(name: String) throws(IOError) {
        executor = try LoopExecutor(name: name)
        unownedExecutor = executor.asUnownedSerialExecutor()
    }

    /// The monotonic clock as of this turn of the loop.
    public var now: Deadline { executor.now }

    /// Starts a task that lives on this loop.
    @discardableResult
    public nonisolated func spawn(_ body: @escaping @Sendable (isolated Loop) async -> Void) -> Task<Void, Never> {
        Task(executorPreference: executor) { await body(self) }
    }

    /// Runs `body` on this loop and brings its result back to the caller's executor.
    public nonisolated func perform<R: Sendable>(
        _ body: @Sendable (isolated Loop) async throws -> R
    ) async rethrows -> R {
        try await withTaskExecutorPreference(executor) { try await body(self) }
    }

    /// Ends the thread; only for a loop on which nothing waits any more.
    public nonisolated func stop() { executor.stop() }
}
