import LinuxIO
import Synchronization

/// Carries a task's cancellation to whatever the task waits for on the loop.
///
/// The handler of `withTaskCancellationHandler` belongs around the hop to the loop, never inside it: code in its
/// operation has lost the loop's isolation, each await there is a round through the executor's queue, and an event that
/// comes in that moment wakes nobody.
final class CancellationRelay: Sendable {
    private struct State {
        var isCancelled = false
        var waker: RemoteWaker?
    }

    private let state = Mutex(State())

    /// From now on a cancellation ends this waiter's wait; one that has come already does so at once.
    func attach(_ waiter: Waiter) {
        let waker = waiter.remote
        let isCancelled = state.withLock { state in
            state.waker = waker
            return state.isCancelled
        }
        if isCancelled { waker.wake() }
    }

    /// Wakes whoever is attached, now or later; they look whether their task is cancelled.
    func cancel() {
        let waker = state.withLock { state in
            state.isCancelled = true
            return state.waker
        }
        waker?.wake()
    }
}

extension Loop {
    /// Runs `body` on this loop; a cancellation of the calling task wakes what `body` attaches to the relay.
    nonisolated func performCancellable<R: Sendable>(
        _ body: @Sendable (CancellationRelay, isolated Loop) async throws(HTTPClientError.Cause) -> R
    ) async throws(HTTPClientError.Cause) -> R {
        let relay = CancellationRelay()
        let result: Result<R, HTTPClientError.Cause> = await withTaskCancellationHandler {
            await perform { loop in
                do throws(HTTPClientError.Cause) {
                    return .success(try await body(relay, loop))
                } catch {
                    return .failure(error)
                }
            }
        } onCancel: {
            relay.cancel()
        }
        return try result.get()
    }
}
