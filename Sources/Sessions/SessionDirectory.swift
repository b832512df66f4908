private import Synchronization

/// The one place that knows all sessions: folds the runtime's changes and tells whoever asked to hear.
///
/// Not an actor: `snapshot` is read on paths that must not wait, and the lock is held only to swap values.
package final class SessionDirectory: Sendable {
    private struct State {
        var snapshot = DirectorySnapshot()
        var readers: [UInt64: Reader] = [:]
        var nextReader: UInt64 = 0
        var ended = false
        var first: (@Sendable (DirectorySnapshot) -> Void)?
    }
    private struct Reader {
        var interest: DirectoryInterest
        var continuation: AsyncStream<DirectorySnapshot>.Continuation
    }

    private let runtime: any SessionRuntime
    private let state = Mutex(State())

    package init(runtime: any SessionRuntime) { self.runtime = runtime }

    /// The newest state; cheap, from any thread.
    package var snapshot: DirectorySnapshot { state.withLock { $0.snapshot } }

    /// Follows the runtime until it ends or the task is cancelled; then every stream of `updates` ends.
    package func run() async {
        for await change in runtime.changes() {
            publish { snapshot in snapshot.apply(change) }
        }
        publish { snapshot in snapshot.apply(.stale(reason: "The session runtime has ended.")) }
        let readers = state.withLock { state in
            defer { state.readers = [:] }
            state.ended = true
            return state.readers
        }
        for reader in readers.values { reader.continuation.finish() }
    }

    /// The present state at once, then the newest state after each change that concerns the interest.
    ///
    /// A slow reader skips what it could not take and always gets the newest: one snapshot is held for it, no more.
    package func updates(_ interest: DirectoryInterest = .everything) -> AsyncStream<DirectorySnapshot> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: DirectorySnapshot.self, bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            continuation.yield(state.snapshot)
            state.nextReader += 1
            if state.ended {
                continuation.finish()
            } else {
                state.readers[state.nextReader] = Reader(interest: interest, continuation: continuation)
            }
            return state.nextReader
        }
        continuation.onTermination = { [weak self] _ in
            // Not here: a reader that is cancelled holds the lock of its task meanwhile, which whoever publishes needs to
            // wake it, and that one has ours.
            Task { self?.forget(number) }
        }
        return stream
    }

    private func forget(_ reader: UInt64) { state.withLock { _ = $0.readers.removeValue(forKey: reader) } }

    /// Stores what the idle sweep decided, in place of all earlier verdicts.
    package func note(_ verdicts: [SessionID: IdleVerdict]) {
        publish { snapshot in snapshot.apply(verdicts) }
    }

    /// How many streams of `updates` are open; one that has just ended may still be counted.
    package var readerCount: Int { state.withLock { $0.readers.count } }

    /// Shows every new state to `body` before anybody else can see it, beginning with the present one.
    ///
    /// Who learns here that a session runs may ask for its host at once: the routes must lead there by then. `body`
    /// must be quick and must not call the directory. One only.
    package func showFirst(to body: @escaping @Sendable (DirectorySnapshot) -> Void) {
        state.withLock { state in
            state.first = body
            body(state.snapshot)
        }
    }

    private func publish(_ change: (inout DirectorySnapshot) -> DirectoryTouch) {
        state.withLock { state in
            let touched = change(&state.snapshot)
            guard !touched.isEmpty else { return }
            state.first?(state.snapshot)
            for reader in state.readers.values where reader.interest.covers(touched) {
                reader.continuation.yield(state.snapshot)
            }
        }
    }
}
