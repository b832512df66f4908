/// Is told what goes on between us and the API server, for counting; called on whatever task it happens, so quick.
package struct KubernetesObserver: Sendable {
    /// A request was answered, or failed to be.
    package var called: @Sendable (KubernetesCall) -> Void
    /// A watch that the server had accepted is over.
    package var watchEnded: @Sendable (Resource, WatchEnd) -> Void

    package init(
        called: @escaping @Sendable (KubernetesCall) -> Void = { _ in },
        watchEnded: @escaping @Sendable (Resource, WatchEnd) -> Void = { _, _ in }
    ) {
        self.called = called
        self.watchEnded = watchEnded
    }
}

/// One request as it went.
package struct KubernetesCall: Sendable {
    package var verb: Verb
    package var resource: Resource
    package var subresource: String?
    /// The HTTP status; nil if no answer came.
    package var status: Int?
    /// Until the answer was complete; of a watch, until it began.
    package var duration: Duration
}

/// Why a watch is over.
package enum WatchEnd: String, Hashable, Sendable {
    /// The server ended it in good order, usually because its time was up.
    case complete
    /// The server ended it with an error, usually because its version is too old.
    case error
    /// The connection broke.
    case broken
    /// Nothing came for longer than the watch was to last.
    case silent
    /// A line could not be read.
    case malformed
}
