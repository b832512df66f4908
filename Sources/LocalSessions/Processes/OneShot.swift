import Synchronization

/// A value that becomes known once, and that any number of tasks may wait for.
///
/// Waiting ends early, with nil, when the waiting task is cancelled; the value itself is not affected by that.
final class OneShot<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var nextWaiter = 0
        var waiters: [Int: CheckedContinuation<Value?, Never>] = [:]
    }
    private let state = Mutex(State())

    /// The value, if it is known by now.
    var value: Value? { state.withLock { $0.value } }

    var isFulfilled: Bool { value != nil }

    /// Makes the value known; only the first call counts.
    func fulfil(_ value: Value) {
        let waiters = state.withLock { state in
            guard state.value == nil else { return [CheckedContinuation<Value?, Never>]() }
            state.value = value
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    /// Waits for the value; nil if this task was cancelled before it came.
    func wait() async -> Value? {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let known: Value?? = state.withLock { state in
                    if let value = state.value { return .some(value) }
                    if Task.isCancelled { return .some(nil) }
                    state.waiters[number] = continuation
                    return nil
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume(returning: nil)
        }
    }

    /// The value, waited for even by a cancelled task.
    func value(ignoringCancellation: Void) async -> Value {
        if let value { return value }
        return await Task.detached { await self.wait()! }.value
    }
}
