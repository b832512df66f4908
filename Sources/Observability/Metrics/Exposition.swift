/// The two text formats that Prometheus reads.
package enum ExpositionFormat: Sendable {
    /// Prometheus text format 0.0.4.
    case prometheus
    /// OpenMetrics 1.0.0.
    case openMetrics

    /// The value of Content-Type.
    package var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The format that an Accept field asks for; Prometheus text unless OpenMetrics is wanted more.
    package init(accept: String?) {
        var openMetrics = 0.0
        var text = 0.0
        for item in (accept ?? "").split(separator: ",") {
            let parts = item.split(separator: ";").map { $0.filter { !$0.isWhitespace }.lowercased() }
            let quality = parts.first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            switch parts.first {
            case "application/openmetrics-text":
                let version = parts.first { $0.hasPrefix("version=") }?.dropFirst("version=".count)
                if version == nil || version == "1.0.0" || version == "0.0.1" {
                    openMetrics = max(openMetrics, quality)
                }
            case "text/plain": text = max(text, quality)
            default: break
            }
        }
        self = openMetrics > 0 && openMetrics >= text ? .openMetrics : .prometheus
    }
}

/// What a metric's samples mean.
package enum MetricKind: String, Sendable {
    case counter, gauge, histogram
}

/// Writes metrics as text, one family after the other.
struct Exposition {
    private(set) var text = ""
    let format: ExpositionFormat

    init(_ format: ExpositionFormat) {
        self.format = format
        text.reserveCapacity(32 << 10)
    }

    /// Begins a family. `name` is without `_total`, which the samples of counters get.
    mutating func family(_ name: String, _ kind: MetricKind, _ help: String) {
        // In the older format the family of a counter carries the suffix itself.
        let shown = kind == .counter && format == .prometheus ? name + "_total" : name
        text += "# HELP \(shown) \(Self.escaped(help, quotes: false))\n# TYPE \(shown) \(kind.rawValue)\n"
    }

    mutating func counter(_ name: String, _ labels: [(String, String)] = [], _ value: String) {
        sample(name + "_total", labels, value)
    }

    mutating func gauge(_ name: String, _ labels: [(String, String)] = [], _ value: String) {
        sample(name, labels, value)
    }

    /// A histogram: how many fell in each bucket, not yet added up; the last bucket has no bound.
    mutating func histogram(
        _ name: String, _ labels: [(String, String)], bounds: [String], counts: [UInt64], sum: String
    ) {
        var total: UInt64 = 0
        for (index, count) in counts.enumerated() {
            total &+= count
            let bound = index < bounds.count ? bounds[index] : "+Inf"
            sample(name + "_bucket", labels + [("le", bound)], "\(total)")
        }
        sample(name + "_sum", labels, sum)
        sample(name + "_count", labels, "\(total)")
    }

    /// A counter family with a single sample.
    mutating func counter(_ name: String, help: String, _ value: UInt64) {
        family(name, .counter, help)
        counter(name, [], "\(value)")
    }

    /// A gauge family with a single sample.
    mutating func gauge(_ name: String, help: String, _ value: String) {
        family(name, .gauge, help)
        gauge(name, [], value)
    }

    /// The whole text, ended as the format asks.
    consuming func finished() -> String {
        if format == .openMetrics { text += "# EOF\n" }
        return text
    }

    private mutating func sample(_ name: String, _ labels: [(String, String)], _ value: String) {
        text += name
        if !labels.isEmpty {
            text += "{"
            for (index, label) in labels.enumerated() {
                if index > 0 { text += "," }
                text += "\(label.0)=\"\(Self.escaped(label.1, quotes: true))\""
            }
            text += "}"
        }
        text += " \(value)\n"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        guard text.utf8.contains(where: { $0 == 0x5c || $0 == 0x0a || $0 == 0x22 }) else { return text }
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    /// Microseconds as seconds without rounding: `1500` is `0.0015`.
    static func seconds(microseconds: UInt64) -> String {
        let whole = microseconds / 1_000_000
        let rest = microseconds % 1_000_000
        guard rest > 0 else { return "\(whole)" }
        let digits = String(rest)
        let fraction = String(repeating: "0", count: 6 - digits.utf8.count) + digits
        return "\(whole)." + fraction.reversed().drop { $0 == "0" }.reversed()
    }

    /// A number without a needless fraction.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }
}
