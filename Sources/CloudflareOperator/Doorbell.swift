internal import Synchronization

/// Reasons to look again, from any task; whoever waits is told once for many.
final class Doorbell: Sendable {
    private let rings = Mutex(0)
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func ring() {
        rings.withLock { $0 += 1 }
        continuation.yield()
    }

    /// Calls `body` after every change, but only when it has been quiet for a while, and once for all until then;
    /// returns when the task is cancelled.
    func answer(settle: Duration, _ body: () async -> Void) async {
        var answered = 0
        for await _ in stream {
            guard rings.withLock({ $0 }) != answered else { continue }
            let begin = ContinuousClock.now
            var count: Int
            repeat {
                count = rings.withLock { $0 }
                do { try await Task.sleep(for: settle) } catch { return }
            } while rings.withLock({ $0 }) != count && begin.duration(to: .now) < settle * 5
            answered = rings.withLock { $0 }
            await body()
        }
    }
}
