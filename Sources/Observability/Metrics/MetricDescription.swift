/// What is known about a control-side metric before anything is recorded.
package struct MetricDescription: Sendable {
    /// Without `_total`.
    package var name: String
    package var kind: MetricKind
    package var help: String
    /// Upper bounds of a histogram's buckets.
    package var bounds: [Double]

    package init(_ name: String, _ kind: MetricKind, _ help: String, bounds: [Double] = []) {
        self.name = name
        self.kind = kind
        self.help = help
        self.bounds = bounds
    }

    /// Bounds that fit anything from a call to a slow start, in seconds.
    package static let seconds: [Double] = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]
}

extension MetricDescription {
    /// The control side's own metrics; they appear in every scrape, recorded or not.
    package static let known: [MetricDescription] = [
        .init("opencode_router_sessions", .gauge, "Sessions by state."),
        .init(
            "opencode_router_session_start_duration_seconds", .histogram, "How long the stages of a start took.",
            bounds: seconds),
        .init("opencode_router_idle_stops", .counter, "Sessions stopped by the idle policy, by reason."),
        .init("opencode_router_archives", .counter, "Sessions that were to be kept before deletion, by result."),
        .init("opencode_router_sign_in_checks", .counter, "Questions about sign-ins to AUTH_RECHECK_URL, by result."),
        .init("opencode_router_directory_in_sync", .gauge, "Whether the session directory sees its sessions."),
        .init(
            "opencode_router_directory_changed_timestamp_seconds", .gauge,
            "When the session directory last changed, in seconds since 1970."),
        .init("opencode_router_leader", .gauge, "Whether this replica sweeps and sends first prompts."),
        .init(
            "opencode_router_kubernetes_requests", .counter,
            "Requests to the API server, by verb, resource and status; polling and proxying make none."),
        .init(
            "opencode_router_kubernetes_request_duration_seconds", .histogram,
            "How long the API server took to answer; of a watch, to begin.", bounds: seconds),
        .init("opencode_router_kubernetes_watch_restarts", .counter, "Watches that ended, by resource and reason."),
        .init(
            "opencode_router_kubernetes_directory_age_seconds", .gauge,
            "How long ago the API server last confirmed what is known of a resource."),
        .init("opencode_router_log_lines_dropped", .counter, "Log lines dropped because standard error was slow."),
    ]
}
