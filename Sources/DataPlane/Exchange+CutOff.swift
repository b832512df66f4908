internal import Identity
internal import LinuxIO
internal import Routing

/// Why what an exchange carries ends before it is over.
enum CutOff {
    /// The caller's sign-in has ended, or could not be confirmed for too long.
    case signInEnded, signInUnconfirmed
    /// The session is no more.
    case sessionGone
    /// The session is somebody else's by now.
    case ownerChanged
    /// The password or the shared port that let the caller in has been withdrawn, or its time is over.
    case grantWithdrawn

    /// Under what code the audit tells of it; nil where whoever ended it is there already, as having ended it.
    fileprivate var code: String? {
        switch self {
        case .signInEnded: Refusal.signInEnded.code
        case .signInUnconfirmed: Refusal.signInUnconfirmed.code
        case .ownerChanged: Refusal.unknownSession.code
        case .sessionGone, .grantWithdrawn: nil
        }
    }
}

/// A request is admitted once; what it opened may last for hours. Whatever made it admissible is looked at again, and all
/// that can fail then ends here.
extension Admitted {
    /// Looks, in a new table or at a later time in milliseconds, at what the table had to do with admitting the request.
    func recheckAccess(in table: RouteTable, at milliseconds: Int64, on connection: Connection) {
        guard !admission.isCutOff else { return }
        if let grant = admission.grant, !grant.isInForce(in: table, at: milliseconds) {
            return cutOff(.grantWithdrawn, on: connection)
        }
        guard let session = admission.session, table.isComplete else { return }
        let current = table.session(session.id)
        guard current !== session else { return }
        guard let current else { return cutOff(.sessionGone, on: connection) }
        if !current.ownedByAnyone, current.owner != session.owner { cutOff(.ownerChanged, on: connection) }
    }

    /// Ends what the connection carries: whoever carries it looks at `isCutOff` when it wakes. Half an answer is broken
    /// off, and a WebSocket is told that it was policy (1008).
    func cutOff(_ reason: CutOff, on connection: Connection) {
        guard !admission.isCutOff else { return }
        admission.isCutOff = true
        connection.waiter.wake()
        guard let code = reason.code else { return }
        worker.control.denied(
            Denial(
                code: code, email: admission.signIn?.email, peer: connection.peer.description,
                session: admission.session?.id, requestID: requestID.text))
    }
}
