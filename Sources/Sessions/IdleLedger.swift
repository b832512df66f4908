/// How long each running session has been unused, counted on a monotonic clock.
///
/// Stored activity carries times of day, and those jump. The ledger only notices that a stored time changed, and counts
/// from then; a session that this process has not seen before counts as used now, so nothing is stopped early, whatever
/// the clock did. The price is one more idle time after a restart of the router.
struct IdleLedger {
    struct Entry {
        var incarnation: String
        var stored: Activity
        /// Both on the monotonic clock of the sweeper.
        var lastUse: Duration
        var began: Duration
        var source: Activity.Source
        /// Whether this process saw a use that is not stored yet.
        var unstored = false
    }
    private(set) var entries: [SessionID: Entry] = [:]

    /// Takes in what the directory says of a running session.
    mutating func observe(_ session: Session, incarnation: String, uptime: Duration, wall: Timestamp) {
        guard var entry = entries[session.id], entry.incarnation == incarnation else {
            let age = session.startedAt.map { Duration.milliseconds(max(0, wall.milliseconds - $0.milliseconds)) }
            entries[session.id] = Entry(
                incarnation: incarnation, stored: session.activity, lastUse: uptime, began: uptime - (age ?? .zero),
                source: session.activity.source)
            return
        }
        if entry.stored != session.activity {
            entry.stored = session.activity
            entry.source = session.activity.source
            // Stored since the last look: at most one sweep ago.
            entry.lastUse = uptime
            entry.unstored = false
            entries[session.id] = entry
        }
    }

    /// Takes in a sign of use some time ago, if it is newer than what was known.
    mutating func use(_ id: SessionID, ago: Duration, source: Activity.Source, uptime: Duration) {
        guard var entry = entries[id], uptime - max(.zero, ago) > entry.lastUse else { return }
        entry.lastUse = uptime - max(.zero, ago)
        entry.source = source
        entry.unstored = true
        entries[id] = entry
    }

    /// Says that an activity was written by the sweeper itself, so that reading it back is no new sign.
    mutating func wrote(_ activity: Activity, of id: SessionID) {
        entries[id]?.stored = activity
        entries[id]?.unstored = false
    }

    /// Forgets everything but these.
    mutating func keep(only ids: Set<SessionID>) { entries = entries.filter { ids.contains($0.key) } }
}
