internal import Synchronization

/// Keeps those who follow a server from knocking all at once while nobody opens: one a second, in turn.
///
/// What people order does not wait here; they hear at once that nobody is there.
final class Doorstep: Sendable {
    /// When the next one may knock; nil while the server answers.
    private let next = Mutex<ContinuousClock.Instant?>(nil)

    private static let interval = Duration.seconds(1)

    /// Waits for this follower's turn, if the server did not answer lately.
    func turn() async {
        let due = next.withLock { next -> ContinuousClock.Instant? in
            guard let free = next else { return nil }
            let due = max(free, .now)
            next = due + Self.interval
            return due
        }
        if let due { try? await Task.sleep(until: due) }
    }

    /// The server has answered, whatever it said.
    func opened() { next.withLock { $0 = nil } }

    /// Nobody answered.
    func stayedClosed() {
        next.withLock { next in
            if next == nil { next = .now + Self.interval }
        }
    }
}
