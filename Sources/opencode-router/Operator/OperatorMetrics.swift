internal import CloudflareOperator
internal import FoundationEssentials
internal import Observability

/// What the operator reports, as metrics and readiness.
struct OperatorMetrics: Sendable {
    let registry: MetricRegistry
    let readiness: Readiness

    private static let prefix = "opencode_router_operator_"

    static let known: [MetricDescription] = [
        .init(
            "\(prefix)cloudflare_requests", .counter, "Answers of Cloudflare's API, by what was asked for and status."),
        .init("\(prefix)changes", .counter, "Things changed, by part, action and result."),
        .init(
            "\(prefix)reconcile_duration_seconds", .histogram, "How long passes took, by result.",
            bounds: MetricDescription.seconds),
        .init("\(prefix)hosts", .gauge, "Hosts of sessions that should be reachable."),
        .init("\(prefix)conflicts", .gauge, "Hosts that something of somebody else occupies."),
        .init("\(prefix)failures", .gauge, "What the last pass could not do."),
        .init("\(prefix)leads", .gauge, "Whether this process holds the lease."),
        .init("\(prefix)last_success_timestamp_seconds", .gauge, "When a pass last did everything."),
        .init(
            "\(prefix)tunnel_overwrites", .counter,
            "Writes of the tunnel's rules that may have replaced somebody else's of the same moment."),
        .init("opencode_router_log_lines_dropped", .counter, "Log lines dropped because standard error was slow."),
    ]

    func take(_ report: OperatorReport) {
        let prefix = Self.prefix
        switch report {
        case .asked(let operation, let status):
            registry.add(to: "\(prefix)cloudflare_requests", [("operation", operation), ("status", status)])
        case .changed(let part, let action, let count, let succeeded):
            registry.add(
                Double(count), to: "\(prefix)changes",
                [("part", part.rawValue), ("action", action.rawValue), ("result", succeeded ? "done" : "failed")])
        case .passed(let outcome, let duration):
            let (seconds, attoseconds) = duration.components
            registry.observe(
                Double(seconds) + Double(attoseconds) / 1e18, in: "\(prefix)reconcile_duration_seconds",
                [("result", outcome.succeeded ? "done" : "failed")])
            registry.set("\(prefix)hosts", to: Double(outcome.hosts))
            registry.set("\(prefix)conflicts", to: Double(outcome.conflicts.count))
            registry.set("\(prefix)failures", to: Double(outcome.failures.count))
            if outcome.succeeded {
                registry.set("\(prefix)last_success_timestamp_seconds", to: Date().timeIntervalSince1970.rounded())
            }
            readiness.set(
                .hosts, outcome.failures.first.map { "\(outcome.failures.count) failures, the first: \($0)" })
        case .leads(let leads):
            registry.set("\(prefix)leads", to: leads ? 1 : 0)
            // Another one works; this one is ready to follow.
            readiness.set(.hosts, leads ? "nothing compared yet" : nil)
        case .waits(let reason): readiness.set(.hosts, reason)
        case .overwrote: registry.add(to: "\(prefix)tunnel_overwrites")
        }
    }
}
