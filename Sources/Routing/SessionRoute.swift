import Synchronization

/// One session as the byte path sees it: immutable, but for what its activity cell counts and what is kept of its owner.
public final class SessionRoute: Sendable {
    /// What a request to the session meets.
    public enum Condition: Equatable, Sendable {
        /// The agent is ready and listens here.
        case running(UpstreamTarget)
        /// Stopped, its disk kept: a page navigation wakes it.
        case asleep
        /// Being created or resumed.
        case starting
        /// Did not start, or ended by itself; the API knows why.
        case failed
        /// Being stopped or deleted.
        case stopping
    }

    /// The 48 bits that the twelve digits of its host spell.
    public let id: UInt64
    /// The owner's e-mail address, normalised: trimmed and lower-cased.
    public let owner: [UInt8]
    private let digest = Atomic<UInt64>(0)
    /// Whether every verified user counts as the owner; only for fixed development targets.
    public let ownedByAnyone: Bool
    public let condition: Condition
    /// Lives across tables: the next route of the same session has the same cell.
    public let activity: ActivityCell
    /// The password of `opencode attach`; nil where attaching is not offered.
    public let attachPassword: [UInt8]?
    /// Who else than the owner may reach which port.
    public let sharedPorts: [SharedPort]
    /// Where the editor listens, or would if the session ran; nil if the session has none.
    public let editorPort: UInt16?

    public init(
        id: UInt64, owner: [UInt8], condition: Condition, activity: ActivityCell = ActivityCell(),
        attachPassword: [UInt8]? = nil, sharedPorts: [SharedPort] = [], editorPort: UInt16? = nil,
        ownedByAnyone: Bool = false
    ) {
        self.id = id & 0xffff_ffff_ffff
        self.owner = owner
        self.ownedByAnyone = ownedByAnyone
        self.condition = condition
        self.activity = activity
        self.attachPassword = attachPassword
        self.sharedPorts = sharedPorts
        self.editorPort = editorPort
    }

    /// Who may reach a port at this time, in milliseconds on the monotonic clock.
    public func audience(ofPort port: UInt16, at milliseconds: Int64) -> PortAudience {
        for shared in sharedPorts where shared.port == port && milliseconds < shared.until { return shared.audience }
        return .owner
    }

    /// The keyed digest of the owner's address: computed for the owner's first request and then kept, because most requests
    /// are the owner's, and hashing an address costs more than finding the session.
    public func ownerDigest(_ compute: () -> UInt64?) -> UInt64? {
        let known = digest.load(ordering: .relaxed)
        if known != 0 { return known }
        guard let computed = compute() else { return nil }
        digest.store(computed, ordering: .relaxed)
        return computed
    }

    /// Where the agent listens, if it does.
    public var target: UpstreamTarget? {
        if case .running(let target) = condition { target } else { nil }
    }
}
