import Identity
import Logging
package import Sessions
import Synchronization

/// Which sessions have which of their owners' tokens, so that a newer one is stored, and each one once.
///
/// What a request carries is the newest token there is; which of two is newer, nobody can tell by looking. Sessions and
/// not people are remembered, for a session that is woken begins with the token of before.
final class TokenRenewal: Sendable {
    private struct Known {
        /// Of the token, which itself is kept nowhere.
        var digest: [UInt8]
        /// When it was last stored from here; nil if it came with the session's start.
        var storedAt: Duration?
    }

    /// Two browsers with two tokens must not have them stored in turns.
    static let pause = Duration.seconds(60)
    /// So many sessions are remembered; beyond, all are forgotten, and stored once more.
    private static let limit = 65536

    private let known = Mutex<[SessionID: Known]>([:])

    /// Whether this token is to be stored for the session now; who is told so has to do it.
    func takes(_ token: String, for id: SessionID, at now: Duration) -> Bool {
        let digest = Array(Digest.sha256(token.utf8))
        return known.withLock { known in
            if let last = known[id] {
                if last.digest == digest { return false }
                if let storedAt = last.storedAt, now - storedAt < Self.pause { return false }
            }
            if known.count >= Self.limit { known.removeAll() }
            known[id] = Known(digest: digest, storedAt: now)
            return true
        }
    }

    /// The session begins with this token, or with an unknown one.
    func begins(_ id: SessionID, with token: String?) {
        known.withLock { $0[id] = token.map { Known(digest: Array(Digest.sha256($0.utf8)), storedAt: nil) } }
    }
}

extension RouterAPI {
    /// Stores the token of an owner's request for those of the owner's sessions that have another one, or for one of them;
    /// the request does not wait for it.
    ///
    /// - Parameter id: the session that is used; nil: all of them.
    package func renew(_ token: String?, of email: String, for id: SessionID? = nil, requestID: String) {
        guard let token, TokenHosts.isToken(token) else { return }
        let snapshot = directory.snapshot
        let sessions = id.map { snapshot[$0].map { [$0] } ?? [] } ?? snapshot.sessions(of: email)
        for session in sessions where session.owner == email && session.isAtWork {
            guard renewal.takes(token, for: session.id, at: uptime) else { continue }
            let id = session.id
            Task {
                do throws(SessionRuntimeError) {
                    try await runtime.setGitToken(token, of: id)
                    audit.record(.tokenRenewed, email: email, requestID: requestID, session: id)
                } catch {
                    renewal.begins(id, with: nil)
                    logger.warning(
                        "a newer git token is not stored", metadata: ["session": "\(id)", "error": "\(error)"])
                }
            }
        }
    }
}

extension Session {
    /// Whether it runs or is about to.
    fileprivate var isAtWork: Bool {
        switch state {
        case .creating, .running: true
        default: false
        }
    }
}
