internal import HTTPWire
internal import Identity
internal import Routing

/// Decides from a route and a request head whether the request may go on, without waiting.
///
/// Asked for every request on a connection: the ingress puts many people's requests on one (RFC 9112 §9.2 allows it).
///
/// Not copyable: a worker has one, and copies of its arrays would be counted for every request.
struct Gatekeeper: ~Copyable {
    private let identity: IdentityPolicy
    private let origins: RequestOriginPolicy
    private let cookies: CookiePolicy
    private let failures: AttachFailures

    /// - Parameter failures: the worker's, for they outlive settings that are read anew.
    init(_ settings: DataPlaneSettings, _ failures: AttachFailures) {
        self.failures = failures
        identity = settings.identity
        origins = settings.origins
        cookies = settings.cookies
    }

    /// What was decided; a refusal says whether it is worth an audit line.
    enum Decision {
        /// Who is asking, and what lets them in if it is not that they are.
        case admitted(Identification, Grant?)
        case refused(Refusal, Identification, isAudited: Bool)
    }

    /// Whoever holds the session's password may attach; who guesses too often is not heard for a while.
    private func decideAttach(
        _ id: UInt64, _ session: SessionRoute?, _ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer,
        peer: PeerAddress, now: Int64
    ) -> Decision {
        let now = UInt64(now)
        var peer = peer
        if identity.isTrustedProxy(peer), let address = ForwardedFor.last(head, in: buffer),
            let client = PeerAddress(String(decoding: address, as: UTF8.self))
        {
            // Behind an ingress everybody is that one peer.
            peer = client
        }
        if let seconds = failures.secondsBlocked(id, peer, at: now) {
            return .refused(.attachBlocked(seconds: seconds), .unnamed, isAudited: false)
        }
        switch AttachPassword.find(head, in: buffer, password: session?.attachPassword) {
        case .missing:
            return .refused(.wrongAttachPassword, .unnamed, isAudited: false)
        case .wrong:
            failures.note(id, peer, at: now)
            return .refused(.wrongAttachPassword, .unnamed, isAudited: true)
        case .right:
            guard let session, let password = session.attachPassword else {
                return .refused(.wrongAttachPassword, .unnamed, isAudited: true)
            }
            // A browser may have kept the password for this host, and other pages may make it ask.
            if case .refused(let refusal) = origins.decide(head, in: buffer, for: .session) {
                return .refused(
                    Refusal(status: 403, code: refusal.code, sentence: refusal.sentence), .unnamed, isAudited: true)
            }
            return .admitted(.unnamed, .password(id, password))
        }
    }

    /// The order matters: who is asking, whose page asks, and only then whether the session is theirs, so that nothing
    /// about sessions can be learnt before.
    ///
    /// `now` is in milliseconds on the monotonic clock.
    func decide(
        _ route: Route, _ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer, peer: PeerAddress,
        now: Int64
    ) -> Decision {
        if case .misdirected = route { return .refused(.misdirected, .refused(.missing), isAudited: false) }
        // A pod proves its session by a secret, which the control side checks; identity fields of its own making are
        // not even looked at.
        if case .pod = route { return .admitted(.unnamed, nil) }
        if case .attach(let id, let session) = route {
            return decideAttach(id, session, head, in: buffer, peer: peer, now: now)
        }
        if case .port(let session, let port) = route, session.audience(ofPort: port, at: now) == .everyone {
            // Who comes is nobody, the owner too: what everybody may do needs no name, and carries none to the session.
            // Nor does it matter whose page asks: there is nothing here that only some may have.
            return .admitted(.unnamed, .port(session.id, port, .everyone))
        }
        var who = identity.identify(head, in: buffer, peer: peer)
        // A machine with the administrators' key has no address; the API compares the key before anything else.
        if case .api = route, who == .refused(.missing), head.first(.xAdmin) != nil { who = .unnamed }
        if case .refused(let refusal) = who {
            return .refused(
                Refusal(status: 401, code: refusal.code, sentence: refusal.sentence), who,
                isAudited: refusal != .missing)
        }
        if let refusal = cookies.refusal(head, in: buffer) {
            return .refused(Refusal(status: 400, code: refusal.code, sentence: refusal.sentence), who, isAudited: true)
        }
        let surface: RequestOriginPolicy.Surface =
            switch route {
            case .api: .api
            case .site: .site
            default: .session
            }
        if case .refused(let refusal) = origins.decide(head, in: buffer, for: surface) {
            return .refused(Refusal(status: 403, code: refusal.code, sentence: refusal.sentence), who, isAudited: true)
        }
        switch route {
        case .api, .site:
            return .admitted(who, nil)
        case .session(let session), .port(let session, _), .editor(let session):
            if session.ownedByAnyone || identity.matches(who, owner: session.owner, in: buffer) {
                return .admitted(who, nil)
            }
            if case .port(_, let port) = route, session.audience(ofPort: port, at: now) == .signedIn {
                return .admitted(who, .port(session.id, port, .signedIn))
            }
            return .refused(.unknownSession, who, isAudited: true)
        case .attach, .unknownSession, .misdirected, .pod:
            return .refused(.unknownSession, who, isAudited: true)
        }
    }

    /// The keyed digest of the caller's address; nil if nobody was identified.
    func digest(_ who: Identification, in buffer: UnsafeRawBufferPointer) -> UInt64? {
        identity.digest(who, in: buffer)
    }

    /// The caller's normalised address; nil if nobody was identified.
    func email(_ who: Identification, in buffer: UnsafeRawBufferPointer) -> String? {
        identity.email(who, in: buffer)
    }
}
