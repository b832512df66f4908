internal import Glibc
internal import Logging

/// The shape of log lines.
package enum LogFormat: String, Sendable {
    case json, text
}

/// One event as one line.
struct LogLine {
    /// When, as `2026-11-23T18:00:00.123Z`.
    var time: String
    var level: Logger.Level
    var label: String
    var message: String
    /// Sorted by key, so that lines of one kind look alike.
    var metadata: [(key: String, value: Logger.MetadataValue)]

    func rendered(as format: LogFormat) -> String {
        switch format {
        case .json: json
        case .text: text
        }
    }

    private var json: String {
        var line = "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"logger\":"
        Self.quote(label, into: &line)
        line += ",\"message\":"
        Self.quote(message, into: &line)
        for (key, value) in metadata {
            line += ","
            // A fact that has the name of one of our own fields keeps its value under another.
            Self.quote(["time", "level", "logger", "message"].contains(key) ? key + "_" : key, into: &line)
            line += ":"
            Self.append(value, to: &line)
        }
        return line + "}"
    }

    private var text: String {
        let name = level.rawValue.uppercased()
        var line = "\(time) \(name)\(String(repeating: " ", count: max(1, 9 - name.utf8.count)))"
        Self.append(printable: message, to: &line)
        for (key, value) in metadata {
            line += " "
            Self.append(printable: key, to: &line)
            line += "="
            let text = "\(value)"
            if text.isEmpty || text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x22 || $0 == 0x3d || $0 == 0x7f }) {
                Self.quote(text, into: &line)
            } else {
                line += text
            }
        }
        return line
    }

    private static func append(_ value: Logger.MetadataValue, to line: inout String) {
        switch value {
        case .string(let text): quote(text, into: &line)
        case .stringConvertible(let number as Int): line += "\(number)"
        case .stringConvertible(let number as UInt16): line += "\(number)"
        case .stringConvertible(let number as UInt64): line += "\(number)"
        case .stringConvertible(let truth as Bool): line += "\(truth)"
        case .stringConvertible(let other): quote(other.description, into: &line)
        case .array(let items):
            line += "["
            for (index, item) in items.enumerated() {
                if index > 0 { line += "," }
                append(item, to: &line)
            }
            line += "]"
        case .dictionary(let entries):
            line += "{"
            for (index, entry) in entries.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { line += "," }
                quote(entry.key, into: &line)
                line += ":"
                append(entry.value, to: &line)
            }
            line += "}"
        }
    }

    /// A JSON string (RFC 8259 §7), with every control character escaped, so that a line stays one line.
    static func quote(_ text: String, into line: inout String) {
        line += "\""
        append(printable: text, to: &line, quotes: true)
        line += "\""
    }

    private static func append(printable text: String, to line: inout String, quotes: Bool = false) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"" where quotes: line += "\\\""
            case "\\" where quotes: line += "\\\\"
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            // Also what a terminal or a line reader might obey: DEL, C1, and the Unicode line separators.
            case "\u{0}"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                line += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: line.unicodeScalars.append(scalar)
            }
        }
    }

    /// Milliseconds since 1970 in UTC (days to date after H. Hinnant's `civil_from_days`).
    static func timestamp(milliseconds: Int64) -> String {
        let (days, rest) = milliseconds.flooredDivision(by: 86_400_000)
        let shifted = days + 719_468
        let era = shifted.flooredDivision(by: 146_097).quotient
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let civilMonth = month < 10 ? month + 3 : month - 9
        let year = yearOfEra + era * 400 + (civilMonth <= 2 ? 1 : 0)
        func padded(_ number: Int64, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        return padded(year, 4) + "-" + padded(civilMonth, 2) + "-" + padded(day, 2) + "T"
            + padded(rest / 3_600_000, 2) + ":" + padded(rest / 60_000 % 60, 2) + ":" + padded(rest / 1000 % 60, 2)
            + "." + padded(rest % 1000, 3) + "Z"
    }

    /// Now, by the wall clock, in milliseconds since 1970.
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
