internal import LinuxIO

/// Tells every event to everybody who listens.
///
/// A listener that does not keep up is dropped, so that a slow reader costs no memory; it connects again and loads the
/// state anew.
final class EventHub {
    /// One event stream's queue.
    final class Listener {
        fileprivate var queue: [Event] = []
        fileprivate(set) var isDropped = false
        fileprivate let waiter: Waiter

        fileprivate init(waiter: Waiter) { self.waiter = waiter }

        /// What has happened since the last call.
        func take() -> [Event] {
            defer { queue = [] }
            return queue
        }
    }

    private static let queueLimit = 2000
    private var listeners: [ObjectIdentifier: Listener] = [:]

    /// Starts a queue whose waiter is woken for every event.
    func listen(waking waiter: Waiter) -> Listener {
        let listener = Listener(waiter: waiter)
        listeners[ObjectIdentifier(listener)] = listener
        return listener
    }

    func remove(_ listener: Listener) { listeners[ObjectIdentifier(listener)] = nil }

    func send(_ event: Event) {
        for (key, listener) in listeners {
            if listener.queue.count >= Self.queueLimit {
                listener.isDropped = true
                listeners[key] = nil
            } else {
                listener.queue.append(event)
            }
            listener.waiter.wake()
        }
    }
}
