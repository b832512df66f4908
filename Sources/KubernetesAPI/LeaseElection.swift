/// Who holds a lease, as a pure decision: what was read and how long ago it last changed in, what to do out.
///
/// No clock of another machine counts: a foreign lease is over when it has not changed for its duration on our own
/// monotonic clock (as Kubernetes' own components do it).
package struct LeaseElection: Hashable, Sendable {
    package enum Decision: Hashable, Sendable {
        /// Write ourselves into it.
        case take
        /// It is ours: renew it.
        case renew
        /// Somebody else's, still valid.
        case wait
    }

    package let identity: String
    private var seenVersion: String?
    private var seenAt: Duration = .zero

    package init(identity: String) { self.identity = identity }

    /// - Parameter now: on a monotonic clock.
    package mutating func decide(_ lease: Lease?, now: Duration) -> Decision {
        guard let lease else { return .take }
        if lease.metadata.resourceVersion != seenVersion {
            seenVersion = lease.metadata.resourceVersion
            seenAt = now
        }
        guard let holder = lease.spec?.holderIdentity, !holder.isEmpty else { return .take }
        if holder == identity { return .renew }
        let duration = Duration.seconds(lease.spec?.leaseDurationSeconds ?? 15)
        return now - seenAt > duration ? .take : .wait
    }
}
