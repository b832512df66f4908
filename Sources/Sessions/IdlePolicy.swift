/// What a session's agent says of itself.
package enum AgentStatus: Hashable, Sendable {
    case idle
    case busy
    /// Waiting to try its model again.
    case retrying
    /// A permission or a question is open; the agent itself reports busy.
    case waitingForHuman
    /// It did not answer, or not in a way that can be read; that is no sign of idleness.
    case unknown
}

/// How long unused sessions are kept running.
package struct IdleSettings: Hashable, Sendable {
    /// Unused for so long, a session stops; zero means never (IDLE_TIMEOUT_MINUTES).
    package var timeout: Duration
    /// The longest time that an owner may choose for one session.
    package var maximumTimeout: Duration
    /// So long may an agent wait for a person, or give no answer (HUMAN_WAIT_HOURS).
    package var humanWait: Duration
    /// No run lasts longer, used or not; zero means no limit (MAX_AGE_HOURS).
    package var maximumAge: Duration

    package init(
        timeout: Duration = .seconds(15 * 60), maximumTimeout: Duration = .seconds(24 * 3600),
        humanWait: Duration = .seconds(24 * 3600), maximumAge: Duration = .zero
    ) {
        self.timeout = timeout
        self.maximumTimeout = maximumTimeout
        self.humanWait = humanWait
        self.maximumAge = maximumAge
    }

    /// The idle time that holds for a session: its owner's, within the maximum, else the installation's.
    package func timeout(of session: Session) -> Duration {
        guard let minutes = session.idleTimeoutMinutes, minutes > 0 else { return timeout }
        // Compared before it is multiplied: the number stands in an object or a file that others can write.
        return Double(minutes) < maximumTimeout / .seconds(60) ? .seconds(minutes * 60) : maximumTimeout
    }
}

/// Why a running session is kept.
package enum KeepReason: Hashable, Sendable {
    case recentUse(Activity.Source)
    case agentBusy, agentRetrying, waitingForHuman, agentUnknown
    /// Idle stop is switched off.
    case noTimeout

    /// Stable name, part of the API.
    package var code: String {
        switch self {
        case .recentUse(let source): source.rawValue
        case .agentBusy: "agent_busy"
        case .agentRetrying: "agent_retrying"
        case .waitingForHuman: "waiting_for_human"
        case .agentUnknown: "agent_unknown"
        case .noTimeout: "no_timeout"
        }
    }
}

/// Why a session is stopped.
package enum StopReason: String, Hashable, Sendable {
    case idle, nobodyAnswered = "nobody_answered", agentSilent = "agent_silent", tooOld = "too_old"

    /// A sentence for a person.
    package var message: String {
        switch self {
        case .idle: "Nobody used the session, and its agent was not working."
        case .nobodyAnswered: "The agent waited for an answer that nobody gave."
        case .agentSilent: "Nobody used the session, and its agent did not answer for too long."
        case .tooOld: "The session ran for the longest time allowed."
        }
    }
}

/// What the policy decides for one running session.
package enum IdleDecision: Hashable, Sendable {
    /// `for` is how long at most if nothing changes; nil has no end in sight.
    case keep(KeepReason, for: Duration?)
    case stop(StopReason)
}

/// A decision as readers see it: why a session is kept, and when it would stop if nothing changed.
package struct IdleVerdict: Hashable, Sendable {
    package var reason: KeepReason
    package var stopsAt: Timestamp?

    package init(reason: KeepReason, stopsAt: Timestamp?) {
        self.reason = reason
        self.stopsAt = stopsAt
    }
}

/// Decides whether a running session is in use; facts in, decision out, no clock.
package enum IdlePolicy {
    /// - Parameters:
    ///   - idle: time since the last sign of use; a busy agent is one.
    ///   - lastSource: what that sign was.
    ///   - running: time since this run began.
    package static func decide(
        _ session: Session, idle: Duration, lastSource: Activity.Source, running: Duration, agent: AgentStatus,
        settings: IdleSettings
    ) -> IdleDecision {
        var ageLeft: Duration?
        if settings.maximumAge > .zero {
            guard running < settings.maximumAge else { return .stop(.tooOld) }
            ageLeft = settings.maximumAge - running
        }
        let timeout = settings.timeout(of: session)
        // A silent agent may be working, and a question may be answered tomorrow; neither may last for ever.
        let patience = max(timeout, settings.humanWait)

        switch agent {
        case .busy: return .keep(.agentBusy, for: ageLeft)
        case .retrying: return .keep(.agentRetrying, for: ageLeft)
        case _ where timeout <= .zero: return .keep(.noTimeout, for: ageLeft)
        case .waitingForHuman: return within(patience, .waitingForHuman, .nobodyAnswered)
        case .idle: return within(timeout, .recentUse(lastSource), .idle)
        case .unknown where idle < timeout: return within(timeout, .recentUse(lastSource), .idle)
        case .unknown: return within(patience, .agentUnknown, .agentSilent)
        }

        func within(_ limit: Duration, _ keep: KeepReason, _ stop: StopReason) -> IdleDecision {
            guard idle < limit else { return .stop(stop) }
            return .keep(keep, for: ageLeft.map { min($0, limit - idle) } ?? limit - idle)
        }
    }
}
