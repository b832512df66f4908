package import Telemetry

/// An answer of the operations listener.
package struct OperationsAnswer: Equatable, Sendable {
    package var status: Int
    package var contentType: String
    package var body: String

    package init(status: Int, contentType: String, body: String) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }
}

/// Answers `/healthz`, `/readyz` and `/metrics` (contract A3); whoever owns the listener sends the answer.
package struct OperationsResponder: Sendable {
    private let workers: [WorkerTelemetry]
    private let registry: MetricRegistry
    private let readiness: Readiness
    private let version: String
    private let log: LogWriter?

    /// - Parameters:
    ///   - workers: every worker's counters.
    ///   - version: the running release, for `build_info`.
    ///   - log: where lines are written, for the count of those that were dropped.
    package init(
        workers: [WorkerTelemetry], registry: MetricRegistry, readiness: Readiness, version: String,
        log: LogWriter? = nil
    ) {
        self.workers = workers
        self.registry = registry
        self.readiness = readiness
        self.version = version
        self.log = log
    }

    /// The answer to a GET or HEAD of this target.
    ///
    /// `/readyz?exclude=sync` is for a Service's probe: no replica sees more than another when the API server is away,
    /// and known routes serve on, so none of them should lose its requests for that.
    package func respond(target: String, accept: String? = nil) -> OperationsAnswer {
        let parts = target.split(separator: "?", maxSplits: 1)
        switch parts.first ?? "" {
        case "/healthz": return .text(200, "alive\n")
        case "/readyz":
            let excludesSync = parts.count > 1 && parts[1].split(separator: "&").contains("exclude=sync")
            let problems = readiness.problems(without: excludesSync ? [.sync] : [])
            return problems.isEmpty
                ? .text(200, "ready\n") : .text(503, problems.map { "not ready: \($0)\n" }.joined())
        case "/metrics":
            let format = ExpositionFormat(accept: accept)
            return OperationsAnswer(status: 200, contentType: format.contentType, body: metrics(format))
        default: return .text(404, "not found; there are /healthz, /readyz and /metrics\n")
        }
    }

    /// Everything that is counted.
    func metrics(_ format: ExpositionFormat) -> String {
        var exposition = Exposition(format)
        exposition.family("opencode_router_build_info", .gauge, "The running release; always 1.")
        exposition.gauge("opencode_router_build_info", [("version", version)], "1")
        exposition.gauge(
            "opencode_router_ready", help: "Whether the process wants requests.", readiness.problems.isEmpty ? "1" : "0"
        )
        exposition.workers(TelemetrySnapshot(workers), count: workers.count)
        if let log {
            registry.set("opencode_router_log_lines_dropped", to: Double(log.droppedLines), kind: .counter)
        }
        registry.write(to: &exposition)
        exposition.process(ProcessMetrics())
        return exposition.finished()
    }
}

extension OperationsAnswer {
    fileprivate static func text(_ status: Int, _ body: String) -> Self {
        Self(status: status, contentType: "text/plain; charset=utf-8", body: body)
    }
}
