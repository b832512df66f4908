import SessionDoubles
import Synchronization
import Testing

@testable import Sessions

@Suite("The idle sweeper")
struct IdleSweeperTests {
    let id = SessionID(rawValue: 1)

    @Test("An unused session is stopped after its idle time, with the reason")
    func stops() async throws {
        let bench = try await Bench([.example(1)])
        for _ in 0..<15 { await bench.sweep(after: .minutes(1)) }
        #expect(bench.stops == [])
        await bench.sweep(after: .minutes(1))
        #expect(bench.stops == [id])
        #expect(bench.runtime.orders == [.stop(id, reason: StopReason.idle.message)])
        #expect(bench.events.map(\.name) == ["stopped idle"])
    }

    @Test("Requests through the gateway keep a session, and the last one is stored once")
    func requests() async throws {
        let bench = try await Bench([.example(1)])
        for minute in 0..<60 {
            if minute < 30 { bench.use(id, ago: .seconds(20), .request) } else { bench.use(id, ago: nil, .request) }
            await bench.sweep(after: .minutes(1))
            if minute == 29 { #expect(bench.stops == []) }
        }
        #expect(bench.stops == [id])
        let records = bench.runtime.orders.filter { if case .record = $0 { true } else { false } }
        // Being seen for the first time counts as use, so the first request is none that is newer.
        #expect(records.count == 29)
        #expect(!bench.probed.isEmpty && bench.probed.count < 40)
    }

    @Test("A working agent keeps its session; after it ends, the idle time begins")
    func busy() async throws {
        let bench = try await Bench([.example(1)])
        bench.status = .busy
        for _ in 0..<200 { await bench.sweep(after: .minutes(1)) }
        #expect(bench.stops == [])
        #expect(bench.verdict(id)?.reason == .agentBusy)
        #expect(bench.directory.snapshot[id]?.activity.source == .agent)
        bench.status = .idle
        for _ in 0..<14 { await bench.sweep(after: .minutes(1)) }
        #expect(bench.stops == [])
        #expect(bench.verdict(id)?.reason == .recentUse(.agent))
        await bench.sweep(after: .minutes(1))
        #expect(bench.stops == [id])
    }

    @Test("A session used while the sweep looks elsewhere is not stopped")
    func lateUse() async throws {
        let bench = try await Bench([.example(1)])
        await bench.sweep(after: .zero)
        // The first question says idle; by the second, asked right before the stop, somebody is back.
        bench.onProbe { bench in bench.use(id, ago: .seconds(1), .tunnel) }
        await bench.sweep(after: .minutes(20))
        #expect(bench.stops == [])
        #expect(bench.verdict(id)?.reason == .recentUse(.tunnel))
    }

    @Test("A session whose agent begins to work while the sweep looks elsewhere is not stopped")
    func lateWork() async throws {
        let bench = try await Bench([.example(1)])
        await bench.sweep(after: .zero)
        bench.onProbe { bench in bench.status = .busy }
        await bench.sweep(after: .minutes(20))
        #expect(bench.stops == [])
    }

    @Test("A session that was restarted while the sweep looks elsewhere is not stopped")
    func restarted() async throws {
        let bench = try await Bench([.example(1)])
        await bench.sweep(after: .zero)
        bench.onProbe { [id] bench in
            let next = SessionEndpoint(incarnation: "run-2", address: "127.0.0.1", port: 4096)
            bench.runtime.move(id, to: .running(next))
            try? await bench.directory.until { $0[id]?.state == .running(next) }
        }
        await bench.sweep(after: .minutes(20))
        #expect(bench.stops == [])
        await bench.sweep(after: .minutes(1))
        #expect(bench.verdict(id)?.reason == .recentUse(.request))
    }

    @Test(
        "Jumps of the time of day stop nothing early and nothing late",
        arguments: [3600, -3600, 315_360_000, -315_360_000] as [Int64])
    func jumps(seconds: Int64) async throws {
        let bench = try await Bench([.example(1)])
        for _ in 0..<8 { await bench.sweep(after: .minutes(1)) }
        bench.jump(seconds: seconds)
        for _ in 0..<7 { await bench.sweep(after: .minutes(1)) }
        #expect(bench.stops == [])
        await bench.sweep(after: .minutes(1))
        #expect(bench.stops == [id])
    }

    @Test("Activity stored by another replica counts from when it is seen")
    func storedElsewhere() async throws {
        let bench = try await Bench([.example(1)])
        for _ in 0..<10 { await bench.sweep(after: .minutes(1)) }
        bench.runtime.change(id) { $0.activity = Activity(at: .example.advanced(by: .minutes(10)), source: .keepAlive) }
        try await bench.directory.until { $0[id]?.activity.source == .keepAlive }
        for _ in 0..<15 { await bench.sweep(after: .minutes(1)) }
        #expect(bench.stops == [])
        #expect(bench.verdict(id)?.reason == .recentUse(.keepAlive))
        await bench.sweep(after: .minutes(1))
        #expect(bench.stops == [id])
    }

    @Test("A session seen for the first time gets its whole idle time, whatever its stored activity says")
    func firstSight() async throws {
        let bench = try await Bench([.example(1, activity: Timestamp(milliseconds: 0))])
        await bench.sweep(after: .minutes(1))
        #expect(bench.stops == [])
        // Being seen is no use: nothing is stored.
        #expect(bench.runtime.orders == [])
    }

    @Test("Nothing is stopped while the runtime cannot be seen")
    func stale() async throws {
        let bench = try await Bench([.example(1)])
        await bench.sweep(after: .minutes(1))
        bench.runtime.tell(.stale(reason: "gone"))
        try await bench.directory.until { !$0.inSync }
        for _ in 0..<60 { await bench.sweep(after: .minutes(1)) }
        #expect(bench.stops == [])
    }

    @Test("A stop that fails is reported and tried again")
    func failingStop() async throws {
        let bench = try await Bench([.example(1)])
        await bench.sweep(after: .zero)
        bench.runtime.fail(with: .unavailable(message: "no"))
        await bench.sweep(after: .minutes(20))
        #expect(bench.events.map(\.name) == ["stop failed idle"])
        bench.runtime.fail(with: nil)
        await bench.sweep(after: .minutes(1))
        #expect(bench.events.map(\.name) == ["stop failed idle", "stopped idle"])
    }

    @Test("Only running sessions are judged")
    func others() async throws {
        let failure = SessionFailure(code: "x", message: "x", hint: "x")
        let bench = try await Bench([
            .example(1, state: .stopped), .example(2, state: .creating(.starting)),
            .example(3, state: .failed(failure)),
            .example(4, state: .stopping),
        ])
        for _ in 0..<3 { await bench.sweep(after: .hours(48)) }
        #expect(bench.runtime.orders == [])
        #expect(bench.probed == [])
    }

    @Test("Two clocks that differ by milliseconds wake no reader")
    func calm() async throws {
        let bench = try await Bench([.example(1)])
        await bench.sweep(after: .zero)
        let revision = bench.directory.snapshot.revision
        bench.jumpMilliseconds(7)
        await bench.sweep(after: .minutes(1))
        await bench.sweep(after: .minutes(1))
        #expect(bench.directory.snapshot.revision == revision)
    }

    @Test("A thousand sessions are asked about sixteen at a time")
    func parallel() async throws {
        let bench = try await Bench((0..<1000).map { .example($0) })
        await bench.sweep(after: .zero)
        #expect(bench.probed.count == 1000)
        #expect((1...16).contains(bench.mostProbesAtOnce))
    }

    @Test(
        "Sweeps come once a minute, and more often where the idle time is short",
        arguments: [(0, 60), (1, 1), (10, 5), (60, 30), (120, 60), (900, 60)])
    func interval(timeout: Int, expected: Int) {
        #expect(IdleSettings(timeout: .seconds(timeout)).sweepInterval == .seconds(expected))
    }

    @Test("Who begins before the sessions can be seen looks within a second of sight", .timeLimit(.minutes(5)))
    func begunTooEarly() async throws {
        let clock = ManualClock()
        let bench = try await Bench([.example(1)])
        bench.runtime.tell(.stale(reason: "gone"))
        try await bench.directory.until { !$0.inSync }
        let sweeper = bench.sweeper(clock: clock)
        let run = Task { await sweeper.run() }
        await clock.untilSomebodySleeps()
        #expect(bench.probed == [])
        bench.runtime.tell(.snapshot([.example(1)]))
        try await bench.directory.until { $0.inSync }
        clock.advance(by: .seconds(1))
        await clock.untilSomebodySleeps()
        #expect(bench.probed.count == 1)
        run.cancel()
        await run.value
    }

    @Test("The loop sweeps once per interval and stops nothing after it was cancelled", .timeLimit(.minutes(5)))
    func loop() async throws {
        let clock = ManualClock()
        let bench = try await Bench([.example(1)])
        let sweeper = bench.sweeper(clock: clock)
        let run = Task { await sweeper.run() }
        for _ in 0..<14 {
            await clock.untilSomebodySleeps()
            clock.advance(by: .minutes(1))
        }
        await clock.untilSomebodySleeps()
        #expect(bench.stops == [])
        run.cancel()
        await run.value
        clock.advance(by: .hours(10))
        #expect(bench.stops == [])
    }
}

/// A sweeper with everything around it in a test's hands.
private final class Bench: Sendable {
    struct State {
        var uses: [SessionID: RecentUse] = [:]
        var status = AgentStatus.idle
        var probed: [SessionID] = []
        var probing = 0
        var mostProbesAtOnce = 0
        var onProbe: (@Sendable (Bench) async -> Void)?
        var events: [IdleEvent] = []
        var wall = Timestamp.example
        var uptime = Duration.zero
        var ledger = IdleLedger()
    }
    let runtime: ScriptedRuntime
    let directory: SessionDirectory
    private let state = Mutex(State())
    private let run: Task<Void, Never>

    init(_ sessions: [Session]) async throws {
        runtime = ScriptedRuntime(sessions)
        let directory = SessionDirectory(runtime: runtime)
        self.directory = directory
        run = Task { await directory.run() }
        try await directory.until { $0.isLoaded }
    }

    deinit { run.cancel() }

    var status: AgentStatus {
        get { state.withLock { $0.status } }
        set { state.withLock { $0.status = newValue } }
    }
    var probed: [SessionID] { state.withLock { $0.probed } }
    var mostProbesAtOnce: Int { state.withLock { $0.mostProbesAtOnce } }
    var events: [IdleEvent] { state.withLock { $0.events } }
    var stops: [SessionID] {
        runtime.orders.compactMap { if case .stop(let id, _) = $0 { id } else { nil } }
    }

    func verdict(_ id: SessionID) -> IdleVerdict? { directory.snapshot.verdicts[id] }

    func use(_ id: SessionID, ago: Duration?, _ source: Activity.Source) {
        state.withLock { state in state.uses[id] = ago.map { RecentUse(ago: $0, source: source) } }
    }

    func onProbe(_ body: @escaping @Sendable (Bench) async -> Void) { state.withLock { $0.onProbe = body } }
    func jump(seconds: Int64) { jumpMilliseconds(seconds * 1000) }
    func jumpMilliseconds(_ milliseconds: Int64) {
        state.withLock { $0.wall = Timestamp(milliseconds: $0.wall.milliseconds + milliseconds) }
    }

    func sweeper<C: Clock>(clock: C) -> IdleSweeper<C> where C.Duration == Duration {
        IdleSweeper(
            directory: directory, runtime: runtime, settings: IdleSettings(), activity: Use(bench: self),
            probe: Probe(bench: self), clock: clock, wallClock: { self.state.withLock { $0.wall } },
            report: { event in self.state.withLock { $0.events.append(event) } })
    }

    /// Lets time pass and sweeps once; what the sweep ordered is in the directory afterwards.
    func sweep(after duration: Duration) async {
        let (start, uptime) = state.withLock { state in
            state.uptime += duration
            state.wall = state.wall.advanced(by: duration)
            return (state.ledger, state.uptime)
        }
        var ledger = start
        let orders = runtime.orders.count
        await sweeper(clock: ManualClock()).sweep(&ledger, uptime: { uptime })
        state.withLock { $0.ledger = ledger }
        for order in runtime.orders.dropFirst(orders) {
            switch order {
            case .record(let id, let activity): try? await directory.until { $0[id]?.activity == activity }
            case .stop(let id, _) where !events.isEmpty:
                if case .stopped = events.last { try? await directory.until { $0[id]?.state == .stopped } }
            default: break
            }
        }
    }

    private struct Use: ActivitySource {
        let bench: Bench
        func lastUse(of id: SessionID) async -> RecentUse? { bench.state.withLock { $0.uses[id] } }
    }

    private struct Probe: AgentStatusProbe {
        let bench: Bench
        func status(of session: Session, at endpoint: SessionEndpoint) async -> AgentStatus {
            let (answer, after) = bench.state.withLock { state in
                state.probed.append(session.id)
                state.probing += 1
                state.mostProbesAtOnce = max(state.mostProbesAtOnce, state.probing)
                return (state.status, state.onProbe)
            }
            await Task.yield()
            bench.state.withLock { $0.probing -= 1 }
            await after?(bench)
            return answer
        }
    }
}

extension IdleEvent {
    fileprivate var name: String {
        switch self {
        case .stopped(_, let reason): "stopped \(reason.rawValue)"
        case .stopFailed(_, let reason, _): "stop failed \(reason.rawValue)"
        case .recordFailed: "record failed"
        }
    }
}
