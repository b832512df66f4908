/// One thread with one epoll; the actor's executor is that loop, so its code never leaves the thread.
package actor Loop {
    package nonisolated let executor: LoopExecutor

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Starts the loop's thread; `name` is what `ps -L` shows, at most 15 bytes.
    package init(name: String) throws(IOError) {
        executor = try LoopExecutor(name: name)
    }

    /// The monotonic clock as of this turn of the loop.
    package var now: Deadline { executor.now }

    /// Starts a task that lives on this loop.
    @discardableResult
    package nonisolated func spawn(_ body: @escaping @Sendable (isolated Loop) async -> Void) -> Task<Void, Never> {
        Task(executorPreference: executor) { await body(self) }
    }

    /// Runs `body` on this loop and brings its result back to the caller's executor.
    package nonisolated func perform<R: Sendable>(
        _ body: @Sendable (isolated Loop) async throws -> R
    ) async rethrows -> R {
        try await withTaskExecutorPreference(executor) { try await body(self) }
    }

    /// Ends the thread; only for a loop on which nothing waits any more.
    package nonisolated func stop() { executor.stop() }
}
