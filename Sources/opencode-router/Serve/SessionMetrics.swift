internal import Observability
internal import RouterAPI
internal import Sessions

/// Turns what the session directory tells into numbers: how many sessions in which state, and how long starts take.
struct SessionMetrics {
    private struct Start {
        var stage: Stage
        var since: ContinuousClock.Instant
    }

    private let registry: MetricRegistry
    private var starts: [SessionID: Start] = [:]

    init(_ registry: MetricRegistry) { self.registry = registry }

    /// Takes the newest snapshot over, as of `now`.
    mutating func take(_ snapshot: DirectorySnapshot, now: ContinuousClock.Instant, date: Timestamp = .now()) {
        registry.set(
            "opencode_router_directory_changed_timestamp_seconds", to: Double(date.milliseconds) / 1000)
        registry.set("opencode_router_directory_in_sync", to: snapshot.inSync ? 1 : 0)
        var counts: [String: Int] = [:]
        for session in snapshot.sessions { counts[session.state.name, default: 0] += 1 }
        for state in ["creating", "running", "stopping", "stopped", "failed"] {
            registry.set("opencode_router_sessions", [("state", state)], to: Double(counts[state] ?? 0))
        }
        var present: Set<SessionID> = []
        for session in snapshot.sessions {
            present.insert(session.id)
            follow(session, now)
        }
        starts = starts.filter { present.contains($0.key) }
    }

    /// Times the stages of one session's starts.
    mutating func follow(_ session: Session, _ now: ContinuousClock.Instant) {
        switch session.state {
        case .creating(let stage):
            guard let start = starts[session.id] else {
                starts[session.id] = Start(stage: stage, since: now)
                return
            }
            guard stage != start.stage else { return }
            observe(start, "done", now)
            starts[session.id] = Start(stage: stage, since: now)
        case .running: end(session.id, "done", now)
        case .failed: end(session.id, "failed", now)
        case .stopping, .stopped: end(session.id, "stopped", now)
        }
    }

    private mutating func end(_ id: SessionID, _ result: String, _ now: ContinuousClock.Instant) {
        guard let start = starts.removeValue(forKey: id) else { return }
        observe(start, result, now)
    }

    private func observe(_ start: Start, _ result: String, _ now: ContinuousClock.Instant) {
        let (seconds, attoseconds) = start.since.duration(to: now).components
        registry.observe(
            Double(seconds) + Double(attoseconds) / 1e18, in: "opencode_router_session_start_duration_seconds",
            [("stage", start.stage.rawValue), ("result", result)])
    }
}
