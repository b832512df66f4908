/// When somebody last used a session through the gateway, as the byte path saw it.
package protocol ActivitySource: Sendable {
    /// The last request or tunnel bytes from a browser; nil if this process saw none.
    ///
    /// Health checks, listings, the gateway's own calls and an open but silent stream are no use.
    func lastUse(of id: SessionID) async -> RecentUse?
}

/// A sign of use, by how long ago it was: no time of day, because that jumps.
package struct RecentUse: Hashable, Sendable {
    package var ago: Duration
    package var source: Activity.Source

    package init(ago: Duration, source: Activity.Source) {
        self.ago = ago
        self.source = source
    }
}

/// Asks a running session's agent what it does.
package protocol AgentStatusProbe: Sendable {
    /// Answers within its own time limit; every failure is `.unknown`.
    func status(of session: Session, at endpoint: SessionEndpoint) async -> AgentStatus
}

/// What a sweep did; for logs, audit lines and counters.
package enum IdleEvent: Sendable {
    case stopped(Session, StopReason)
    case stopFailed(Session, StopReason, SessionRuntimeError)
    case recordFailed(Session, SessionRuntimeError)
}

/// Stops sessions that nobody uses, once a minute, and stores why the others are kept.
package struct IdleSweeper<SweepClock: Clock>: Sendable where SweepClock.Duration == Duration {
    private let directory: SessionDirectory
    private let runtime: any SessionRuntime
    private let settings: IdleSettings
    private let activity: any ActivitySource
    private let probe: any AgentStatusProbe
    private let interval: Duration
    private let clock: SweepClock
    private let wallClock: @Sendable () -> Timestamp
    private let report: @Sendable (IdleEvent) -> Void

    /// So many agents are asked at a time.
    private static var parallelProbes: Int { 16 }

    /// - Parameter interval: between two sweeps; left out, a minute, or half the idle time where that is shorter.
    package init(
        directory: SessionDirectory, runtime: any SessionRuntime, settings: IdleSettings,
        activity: any ActivitySource, probe: any AgentStatusProbe, interval: Duration? = nil,
        clock: SweepClock = ContinuousClock(), wallClock: @escaping @Sendable () -> Timestamp,
        report: @escaping @Sendable (IdleEvent) -> Void = { _ in }
    ) {
        self.directory = directory
        self.runtime = runtime
        self.settings = settings
        self.activity = activity
        self.probe = probe
        self.interval = interval ?? settings.sweepInterval
        self.clock = clock
        self.wallClock = wallClock
        self.report = report
    }

    /// Sweeps until the task is cancelled; nothing is stopped after that.
    package func run() async {
        var ledger = IdleLedger()
        let start = clock.now
        while !Task.isCancelled {
            let saw = await sweep(&ledger, uptime: { start.duration(to: clock.now) })
            // Who is chosen before the first list has come looks as soon as it has.
            let pause = saw ? interval : min(interval, .seconds(1))
            do { try await clock.sleep(until: clock.now.advanced(by: pause), tolerance: nil) } catch { return }
        }
    }

    /// One look at every running session; false if they cannot be seen.
    @discardableResult
    func sweep(_ ledger: inout IdleLedger, uptime: () -> Duration) async -> Bool {
        let snapshot = directory.snapshot
        // Without sight of the sessions, what looks idle may be in use through another replica.
        guard snapshot.inSync else { return false }
        let running = snapshot.sessions.compactMap(RunningSession.init)
        ledger.keep(only: Set(running.map(\.session.id)))

        var asked: [RunningSession] = []
        for one in running {
            ledger.observe(one.session, incarnation: one.endpoint.incarnation, uptime: uptime(), wall: wallClock())
            let used = await takeUse(of: one.session, &ledger, uptime())
            // Who used the session since the last sweep need not be asked for by the agent's own word.
            if !used { asked.append(one) }
        }
        let statuses = await ask(asked)
        for (id, status) in statuses where status == .busy || status == .retrying {
            ledger.use(id, ago: .zero, source: .agent, uptime: uptime())
        }

        var verdicts: [SessionID: IdleVerdict] = [:]
        for one in running {
            let session = one.session
            guard let entry = ledger.entries[session.id] else { continue }
            await store(entry, of: session, &ledger, uptime())
            switch decide(session, entry, statuses[session.id] ?? .idle, uptime()) {
            case .keep(let reason, let remaining):
                verdicts[session.id] = verdict(reason, remaining, earlier: snapshot.verdicts[session.id])
            case .stop(let reason):
                guard !Task.isCancelled else { return true }
                if let kept = await stop(one, reason, &ledger, uptime) { verdicts[session.id] = kept }
            }
        }
        directory.note(verdicts)
        return true
    }

    private func decide(
        _ session: Session, _ entry: IdleLedger.Entry, _ agent: AgentStatus, _ uptime: Duration
    ) -> IdleDecision {
        IdlePolicy.decide(
            session, idle: uptime - entry.lastUse, lastSource: entry.source, running: uptime - entry.began,
            agent: agent, settings: settings)
    }

    private func verdict(_ reason: KeepReason, _ remaining: Duration?, earlier: IdleVerdict?) -> IdleVerdict {
        let new = IdleVerdict(reason: reason, stopsAt: remaining.map { wallClock().advanced(by: $0) })
        // Two clocks never agree to the millisecond; readers are not woken for that.
        if let earlier, earlier.reason == reason, let before = earlier.stopsAt, let after = new.stopsAt,
            abs(before.milliseconds - after.milliseconds) < 2000
        {
            return earlier
        }
        return new
    }

    /// Asks the byte path; answers whether the session was used since the last sweep.
    private func takeUse(of session: Session, _ ledger: inout IdleLedger, _ uptime: Duration) async -> Bool {
        guard let use = await activity.lastUse(of: session.id) else { return false }
        ledger.use(session.id, ago: use.ago, source: use.source, uptime: uptime)
        return use.ago < interval
    }

    /// Stores the last use where people and other replicas read it; once per sweep at most.
    private func store(
        _ entry: IdleLedger.Entry, of session: Session, _ ledger: inout IdleLedger, _ uptime: Duration
    ) async {
        guard entry.unstored else { return }
        let activity = Activity(at: wallClock().advanced(by: entry.lastUse - uptime), source: entry.source)
        do {
            try await runtime.record(activity, of: session.id)
            ledger.wrote(activity, of: session.id)
        } catch {
            report(.recordFailed(session, error))
        }
    }

    /// Looks once more and stops the session; the new verdict if it turned out to be in use.
    private func stop(
        _ one: RunningSession, _ reason: StopReason, _ ledger: inout IdleLedger, _ uptime: () -> Duration
    ) async -> IdleVerdict? {
        guard let again = directory.snapshot[one.session.id].flatMap(RunningSession.init),
            again.endpoint.incarnation == one.endpoint.incarnation
        else { return nil }
        let session = again.session
        ledger.observe(session, incarnation: again.endpoint.incarnation, uptime: uptime(), wall: wallClock())
        _ = await takeUse(of: session, &ledger, uptime())
        let status = await probe.status(of: session, at: again.endpoint)
        guard let entry = ledger.entries[session.id] else { return nil }
        switch decide(session, entry, status, uptime()) {
        case .keep(let reason, let remaining):
            return verdict(reason, remaining, earlier: directory.snapshot.verdicts[session.id])
        case .stop:
            guard !Task.isCancelled else { return nil }
            do {
                try await runtime.stop(session.id, reason: reason.message)
                report(.stopped(session, reason))
            } catch {
                report(.stopFailed(session, reason, error))
            }
            return nil
        }
    }

    private func ask(_ sessions: [RunningSession]) async -> [SessionID: AgentStatus] {
        await withTaskGroup(of: (SessionID, AgentStatus).self) { group in
            var waiting = sessions.makeIterator()
            func askNext() -> Bool {
                guard let next = waiting.next() else { return false }
                group.addTask { [probe] in (next.session.id, await probe.status(of: next.session, at: next.endpoint)) }
                return true
            }
            for _ in 0..<Self.parallelProbes where !askNext() { break }
            var answers: [SessionID: AgentStatus] = [:]
            for await (id, status) in group {
                answers[id] = status
                _ = askNext()
            }
            return answers
        }
    }
}

extension IdleSettings {
    /// Often enough that a session stops not much later than it should.
    var sweepInterval: Duration {
        timeout > .zero ? min(.seconds(60), max(.seconds(1), timeout / 2)) : .seconds(60)
    }
}

/// A session together with the endpoint that makes it a running one.
private struct RunningSession: Sendable {
    let session: Session
    let endpoint: SessionEndpoint

    init?(_ session: Session) {
        guard case .running(let endpoint) = session.state else { return nil }
        self.session = session
        self.endpoint = endpoint
    }
}

extension Timestamp {
    /// That much later, or earlier for a negative duration.
    package func advanced(by duration: Duration) -> Timestamp {
        let (seconds, attoseconds) = duration.components
        return Timestamp(milliseconds: milliseconds + seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }
}
