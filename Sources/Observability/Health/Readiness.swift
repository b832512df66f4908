internal import Synchronization

/// Whether this process should get requests, and if not, why.
///
/// Set by the parts that can be unready, read by `/readyz`; from any task.
package final class Readiness: Sendable {
    /// What can keep the process from being ready.
    package enum Part: String, CaseIterable, Sendable {
        case listeners
        /// Nobody has told yet which sessions there are.
        case directory = "session directory"
        /// What is known may be out of date; known routes serve on.
        case sync = "session directory is out of date"
        case permissions
        /// What the Cloudflare operator keeps.
        case hosts = "session hosts"
        case shutdown
    }

    private let reasons: Mutex<[Part: String]>

    /// Nothing has started yet.
    package init() {
        reasons = Mutex([.listeners: "not listening yet", .directory: "not in sync yet"])
    }

    /// Says why a part is not ready, or with nil that it is.
    package func set(_ part: Part, _ reason: String?) {
        reasons.withLock { $0[part] = reason }
    }

    /// Turns readiness off for good: the process drains and ends.
    package func drain() { set(.shutdown, "draining") }

    /// Why the process is not ready; empty if it is.
    package var problems: [String] { problems(without: []) }

    /// Why the process is not ready, but for these parts.
    package func problems(without excluded: Set<Part>) -> [String] {
        let reasons = reasons.withLock { $0 }
        return Part.allCases.compactMap { part in
            excluded.contains(part) ? nil : reasons[part].map { "\(part.rawValue): \($0)" }
        }
    }
}
