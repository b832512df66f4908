/// What a reflector does next, as a pure state machine: list all pages, then watch, and begin again when told so.
///
/// Rules of the API (kubernetes.io, "Efficient detection of changes"): a watch starts at the list's version; bookmarks
/// move that version on; 410, as a status or in an ERROR event, means that the version is too old, so list again; a
/// continue token that expired means the list begins anew. A version that the server refuses again and again may be one
/// that it does not know any more, so list again, too. A server that was away may come back with its store brought back
/// from a backup: a version of before is then in the future, which a watch does not say; it is silent until the versions
/// have caught up. So list again when it answers. No two attempts are less than a second apart, unless the one before was
/// a watch that lived.
package struct WatchState: Hashable, Sendable {
    /// What to do now.
    package enum Action: Hashable, Sendable {
        /// Ask for the next page.
        case list(continuing: String?)
        case watch(from: String)
    }

    /// The kinds of lines in a watch.
    package enum Line: Hashable, Sendable {
        /// ADDED, MODIFIED, DELETED or BOOKMARK with the object's version.
        case object(version: String?)
        /// ERROR with the status's code.
        case error(code: Int?)
        /// Cannot be read: something may have been missed.
        case malformed
        /// A type that did not exist when this was written.
        case unknown
    }

    private enum Phase: Hashable {
        case listing(String?)
        case watching(String)
    }
    private var phase = Phase.listing(nil)
    private var failures = 0
    private var retryAfter: Int?
    private var mustWait = false

    /// After so many refusals of a version the list is asked for again.
    private static let patience = 3

    /// After so many attempts without an answer the server was away; one may be a connection that was kept too long.
    private static let absence = 2

    /// A watch that lived so long was a healthy one.
    package static let healthyLife = Duration.seconds(5)

    package init() {}

    /// What to do after the pause.
    package var action: Action {
        switch phase {
        case .listing(let token): .list(continuing: token)
        case .watching(let version): .watch(from: version)
        }
    }

    /// Attempts that failed since the last success.
    package var failuresInARow: Int { failures }

    /// How long to wait before `action`: nothing, what the server asked for, or 1, 2, 4, 8 seconds and up to half more.
    ///
    /// Not longer: whoever waits for a session waits for this, too, once the server is back.
    ///
    /// - Parameter jitter: from 0 to 1.
    package func pause(jitter: Double) -> Duration {
        guard mustWait else { return .zero }
        let base = Double(1 << min(3, max(0, failures - 1)))
        let own = base * (1 + min(1, max(0, jitter)) / 2)
        // A server that asks for an hour is asked again after a minute.
        return .milliseconds(Int(max(own, Double(min(60, retryAfter ?? 0))) * 1000))
    }

    /// A page came; the list is complete if there is no token.
    package mutating func listed(version: String?, continuing token: String?) {
        mustWait = false
        retryAfter = nil
        if let token, !token.isEmpty {
            phase = .listing(token)
        } else {
            failures = 0
            phase = .watching(version ?? "0")
        }
    }

    /// The request for a page or for a watch failed.
    package mutating func failed(status: Int?, retryAfter: Int?) {
        failures += 1
        mustWait = true
        self.retryAfter = retryAfter
        if status == 410 { phase = .listing(nil) }
        switch phase {
        // A page that fails for good must not keep an old token for ever.
        case .listing(.some) where failures > Self.patience: phase = .listing(nil)
        case .watching where status == nil && failures >= Self.absence: phase = .listing(nil)
        case .watching where failures >= Self.patience && status != nil && status != 429: phase = .listing(nil)
        default: break
        }
    }

    /// The server has accepted the watch; whether it is a good one its first line or its life will tell.
    package mutating func opened() {
        retryAfter = nil
    }

    /// A line came; false if this watch is over.
    package mutating func received(_ line: Line) -> Bool {
        switch line {
        case .object(let version):
            failures = 0
            if let version, !version.isEmpty, case .watching = phase { phase = .watching(version) }
            return true
        case .unknown: return true
        case .malformed:
            phase = .listing(nil)
            return false
        case .error(let code):
            // What the server calls its own trouble may pass; everything else is about the version.
            if let code, code == 429 || code >= 500, failures < Self.patience { return false }
            phase = .listing(nil)
            return false
        }
    }

    /// The watch has ended, whoever ended it, after so long.
    ///
    /// - Parameter inSilence: the server did not end it in time, as if nobody were there any more.
    package mutating func ended(after life: Duration, inSilence: Bool = false) {
        mustWait = life < Self.healthyLife
        failures = mustWait || inSilence ? failures + 1 : 0
    }
}
