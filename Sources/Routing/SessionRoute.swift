/// One session as the byte path sees it: immutable, but for what its activity cell counts.
package final class SessionRoute: Sendable {
    /// What a request to the session meets.
    package enum Condition: Equatable, Sendable {
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
    package let id: UInt64
    /// The owner's e-mail address, normalised: trimmed and lower-cased.
    package let owner: [UInt8]
    /// Whether every verified user counts as the owner; only for fixed development targets.
    package let ownedByAnyone: Bool
    package let condition: Condition
    /// Lives across tables: the next route of the same session has the same cell.
    package let activity: ActivityCell
    /// The password of `opencode attach`; nil where attaching is not offered.
    package let attachPassword: [UInt8]?
    /// Who else than the owner may reach which port.
    package let sharedPorts: [SharedPort]
    /// Where the editor listens, or would if the session ran; nil if the session has none.
    package let editorPort: UInt16?

    package init(
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
    package func audience(ofPort port: UInt16, at milliseconds: Int64) -> PortAudience {
        for shared in sharedPorts where shared.port == port && milliseconds < shared.until { return shared.audience }
        return .owner
    }

    /// Where the agent listens, if it does.
    package var target: UpstreamTarget? {
        if case .running(let target) = condition { target } else { nil }
    }
}
