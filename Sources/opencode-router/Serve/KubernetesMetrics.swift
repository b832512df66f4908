internal import KubernetesAPI
internal import Observability
internal import Synchronization

/// Numbers about what goes on between this replica and the API server.
final class KubernetesMetrics: Sendable {
    private let registry: MetricRegistry
    /// By plural, when the server last told or confirmed everything about it.
    private let confirmed = Mutex<[String: ContinuousClock.Instant]>([:])

    /// - Parameter followed: the kinds whose age is told.
    init(_ registry: MetricRegistry, followed: [Resource]) {
        self.registry = registry
        for resource in followed {
            registry.measure(
                "opencode_router_kubernetes_directory_age_seconds", [("resource", resource.plural)]
            ) { [weak self] in
                guard let self, let last = confirmed.withLock({ $0[resource.plural] }) else { return nil }
                return last.duration(to: .now).inSeconds
            }
        }
    }

    /// What counts for a client of the API server.
    var observer: KubernetesObserver {
        KubernetesObserver(
            called: { self.note($0) },
            watchEnded: { resource, end in
                self.registry.add(
                    to: "opencode_router_kubernetes_watch_restarts",
                    [("resource", resource.plural), ("reason", end.rawValue)])
                // Ended in good order, it told everything until now.
                if end == .complete { self.confirm(resource) }
            })
    }

    private func note(_ call: KubernetesCall) {
        let resource = call.resource.plural + (call.subresource.map { "/\($0)" } ?? "")
        registry.add(
            to: "opencode_router_kubernetes_requests",
            [
                ("verb", call.verb.rawValue), ("resource", resource),
                ("status", call.status.map(String.init) ?? "none"),
            ])
        registry.observe(
            call.duration.inSeconds, in: "opencode_router_kubernetes_request_duration_seconds",
            [("verb", call.verb.rawValue), ("resource", resource)])
        if call.status == 200, call.verb == .list || call.verb == .watch { confirm(call.resource) }
    }

    private func confirm(_ resource: Resource) { confirmed.withLock { $0[resource.plural] = .now } }
}

extension Duration {
    fileprivate var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
