package import Logging

/// swift-log's back end: JSON or text lines through a `LogWriter`.
package struct RouterLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level
    private let label: String
    private let format: LogFormat
    private let writer: LogWriter

    /// The logger whose lines say who did what; they are written whatever the log level is.
    package static let auditLabel = "audit"

    /// - Parameter level: the least level written; for the audit log nothing above `info` applies.
    package init(label: String, level: Logger.Level, format: LogFormat, writer: LogWriter) {
        self.label = label
        self.format = format
        self.writer = writer
        logLevel = label == Self.auditLabel ? min(level, .info) : level
    }

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var facts = metadata
        if let provided = metadataProvider?.get() { facts.merge(provided) { $1 } }
        if let own = event.metadata { facts.merge(own) { $1 } }
        if let error = event.error { facts["error"] = "\(error)" }
        let line = LogLine(
            time: LogLine.timestamp(milliseconds: LogLine.now()), level: event.level, label: label,
            message: event.message.description, metadata: facts.sorted { $0.key < $1.key })
        writer.write(line.rendered(as: format))
    }

    /// Makes this the back end of every `Logger` made from now on; once, at start.
    package static func install(level: Logger.Level, format: LogFormat, writer: LogWriter) {
        LoggingSystem.bootstrap { label in
            RouterLogHandler(label: label, level: level, format: format, writer: writer)
        }
    }
}
