/// What an operator does, for metrics and readiness.
package enum OperatorReport: Sendable {
    /// Which kind of thing was changed.
    package enum Part: String, Sendable { case dns, tunnel, route }
    package enum Action: String, Sendable { case create, update, delete }

    /// An answer of Cloudflare's API: what was asked for, and the status or `error`.
    case asked(operation: String, status: String)
    /// Something was to be changed, so often, and it worked or did not.
    case changed(Part, Action, count: Int, succeeded: Bool)
    /// A pass is over.
    case passed(PassOutcome, Duration)
    /// Whether this process is the one that works.
    case leads(Bool)
    /// Why no pass can begin.
    case waits(String)
    /// A write of ours may have replaced one of somebody else that came at the same moment.
    case overwrote
}

/// How a pass ended.
package struct PassOutcome: Hashable, Sendable {
    /// Hosts that are reachable if everything went well.
    package var hosts = 0
    package var changes = 0
    /// What went wrong, one sentence each.
    package var failures: [String] = []
    /// Hosts that something of somebody else occupies.
    package var conflicts: [String] = []
    /// When the API asks to come back.
    package var retryAfter: Duration?

    package init() {}

    /// Takes what another part of the same pass came to.
    mutating func add(_ other: PassOutcome) {
        changes += other.changes
        failures += other.failures
        conflicts += other.conflicts
        wait(other.retryAfter)
    }

    /// Notes a wish of the API to come back later.
    mutating func wait(_ pause: Duration?) {
        retryAfter = [retryAfter, pause].compactMap { $0 }.max()
    }

    /// Whether what is there is what should be, as far as it is up to us.
    package var succeeded: Bool { failures.isEmpty }
}
