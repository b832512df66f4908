package import Logging
package import Telemetry

/// Turns access records into log lines.
package enum AccessLog {
    /// Writes every record that waits in these rings; one task calls this, a few times a second.
    package static func drain(_ rings: [AccessRing], to logger: Logger) {
        for ring in rings {
            while let record = ring.pop() { logger.info("request", metadata: metadata(record)) }
        }
    }

    /// The facts of a record; nothing in them is secret, and the target is not among them.
    static func metadata(_ record: AccessRecord) -> Logger.Metadata {
        var facts: Logger.Metadata = [
            "ended": "\(LogLine.timestamp(milliseconds: record.time))",
            "route": "\(record.kind.name)",
            "method": "\(record.method)",
            "host": "\(record.host)",
            "status": .stringConvertible(record.status),
            "microseconds": .stringConvertible(record.microseconds),
            "bytes_to_client": .stringConvertible(record.bytesToClient),
            "bytes_to_upstream": .stringConvertible(record.bytesToUpstream),
            "request_id": "\(record.requestID)",
            "token": record.hasToken ? "PRESENT" : "MISSING",
        ]
        if let email = record.email { facts["email"] = "\(email)" }
        return facts
    }
}
