internal import DataPlane
internal import Logging
internal import Observability
internal import Sessions
internal import Telemetry

// What parts tell, in the log and the metrics.
extension Server {
    static func report(_ event: FirstPromptEvent, to logger: Logger) {
        switch event {
        case .delivered(let id, let conversation):
            logger.info("first prompt delivered", metadata: ["session": "\(id)", "conversation": "\(conversation)"])
        case .gaveUp(let id, let reason):
            logger.warning("first prompt not delivered", metadata: ["session": "\(id)", "reason": "\(reason)"])
        }
    }

    /// Writes access records as they come, four times a second, until the task is cancelled.
    static func writeAccessLog(of plane: Workers) async {
        let rings = plane.telemetry.compactMap(\.accessLog)
        let logger = Logger(label: "access")
        while !Task.isCancelled {
            AccessLog.drain(rings, to: logger)
            // Without a log there is nothing to do, but a service that ends would end all others.
            try? await Task.sleep(for: rings.isEmpty ? .seconds(86400) : .milliseconds(250))
        }
        AccessLog.drain(rings, to: logger)
    }

    static func report(_ event: IdleEvent, to logger: Logger, _ registry: MetricRegistry) {
        switch event {
        case .stopped(let session, let reason):
            registry.add(to: "opencode_router_idle_stops", [("reason", reason.rawValue)])
            Logger(label: "audit").notice(
                "session stopped",
                metadata: [
                    "session": "\(session.id)", "email": "\(session.owner)", "by": "idle policy",
                    "why": "\(reason.rawValue)",
                ])
        case .stopFailed(let session, let reason, let error):
            logger.warning(
                "idle session not stopped",
                metadata: ["session": "\(session.id)", "reason": "\(reason)", "error": "\(error)"])
        case .recordFailed(let session, let error):
            logger.warning(
                "activity not recorded", metadata: ["session": "\(session.id)", "error": "\(error)"])
        }
    }
}
