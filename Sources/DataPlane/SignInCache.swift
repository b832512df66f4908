internal import Identity
internal import LinuxIO

/// What one worker knows of sign-ins, by their digests; bounded, and never a cookie.
struct SignInCache {
    /// What may be done without asking.
    enum Standing: Equatable {
        case holds, ended
        /// Nobody could be asked, and the last confirmation is too old to count.
        case unconfirmed
    }

    private struct Entry {
        var standing: Standing
        var freshUntil: Deadline
        /// Until when the last confirmation counts if nobody can be asked.
        var toleratedUntil: Deadline
    }

    /// Some sign-ins more than a worker's usual connections; about half a megabyte when full.
    static let limit = 4096
    /// So soon a service that could not be asked is asked again.
    private static let pause = 2

    private let recheck: SignInRecheck
    private var entries: [SignInDigest: Entry] = [:]

    init(_ recheck: SignInRecheck) { self.recheck = recheck }

    var count: Int { entries.count }

    /// What is known; nil if somebody must be asked.
    func standing(of sign: SignInDigest, at now: Deadline) -> Standing? {
        guard let entry = entries[sign], now < entry.freshUntil else { return nil }
        return entry.standing
    }

    /// Takes an answer; returns what it makes of the sign-in.
    mutating func take(_ verdict: SignInVerdict, for sign: SignInDigest, at now: Deadline) -> Standing {
        let known = entries[sign]
        if known == nil { makeRoom(at: now) }
        var entry = Entry(
            standing: .holds, freshUntil: now.advanced(seconds: recheck.fresh),
            toleratedUntil: now.advanced(seconds: recheck.tolerance))
        switch verdict {
        case .holds: break
        case .ended:
            entry.standing = .ended
            entry.toleratedUntil = now
        case .unknown:
            entry.toleratedUntil = known?.toleratedUntil ?? now
            entry.standing = now < entry.toleratedUntil ? .holds : .unconfirmed
            entry.freshUntil = now.advanced(seconds: Self.pause)
        }
        entries[sign] = entry
        return entry.standing
    }

    /// Forgets what counts no more; if everything does, everything: whoever is forgotten is asked about again.
    private mutating func makeRoom(at now: Deadline) {
        guard entries.count >= Self.limit else { return }
        entries = entries.filter { now < max($0.value.freshUntil, $0.value.toleratedUntil) }
        if entries.count >= Self.limit { entries.removeAll(keepingCapacity: true) }
    }
}
