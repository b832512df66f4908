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

    init(_ settings: DataPlaneSettings) {
        identity = settings.identity
        origins = settings.origins
        cookies = settings.cookies
    }

    /// What was decided; a refusal says whether it is worth an audit line.
    enum Decision {
        case admitted(Identification)
        case refused(Refusal, Identification, isAudited: Bool)
    }

    /// The order matters: who is asking, whose page asks, and only then whether the session is theirs, so that nothing
    /// about sessions can be learnt before.
    func decide(
        _ route: Route, _ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer, peer: PeerAddress
    ) -> Decision {
        if case .misdirected = route { return .refused(.misdirected, .refused(.missing), isAudited: false) }
        // A pod proves its session by a secret, which the control side checks; identity fields of its own making are
        // not even looked at.
        if case .pod = route { return .admitted(.unnamed) }
        var who = identity.identify(head, in: buffer, peer: peer)
        // A machine with the administrators' key has no address; the API compares the key before anything else.
        if who == .refused(.missing), case .api = route, head.first(.xAdmin) != nil { who = .unnamed }
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
            return .admitted(who)
        case .session(let session), .port(let session, _), .editor(let session):
            guard session.ownedByAnyone || identity.matches(who, owner: session.owner, in: buffer) else {
                return .refused(.unknownSession, who, isAudited: true)
            }
            return .admitted(who)
        case .attach, .unknownSession, .misdirected, .pod:
            // Attaching is admitted by the session's password, which the attach listener checks.
            return .refused(.unknownSession, who, isAudited: true)
        }
    }

    /// Under which number the caller is counted; nil if nobody was identified.
    func account(_ who: Identification, in buffer: UnsafeRawBufferPointer) -> Accounts.Number? {
        identity.digest(who, in: buffer).map(Accounts.Number.init(digest:))
    }

    /// The caller's normalised address; nil if nobody was identified.
    func email(_ who: Identification, in buffer: UnsafeRawBufferPointer) -> String? {
        identity.email(who, in: buffer)
    }
}
