import MockSessions
import SessionDoubles
import Sessions
import Testing

@Suite("Sessions in memory", .timeLimit(.minutes(5)))
struct MockSessionsTests {
    private static let running = SessionID("abc123def456")!
    private static let stopped = SessionID("deadbeef1234")!
    private static let starting = SessionID("cafe00112233")!

    private func make() -> MockSessions {
        MockSessions(owner: "dev@local.test", startTime: .milliseconds(50), now: { .example }) { _ in .example }
    }

    @Test("Three sessions are there: one runs, one sleeps, one goes through every stage until it runs")
    func seeds() async throws {
        let runtime = make()
        var changes = runtime.changes().makeAsyncIterator()
        guard case .snapshot(let seeds) = await changes.next() else { Issue.record("no snapshot first"); return }
        #expect(seeds.map(\.id) == [Self.running, Self.stopped, Self.starting])
        #expect(seeds.map(\.state.name) == ["running", "stopped", "creating"])
        #expect(Set(seeds.map(\.owner)) == ["dev@local.test"])
        var stages: [Stage] = []
        while case .updated(let session) = await changes.next() {
            #expect(session.id == Self.starting)
            if case .creating(let stage) = session.state { stages.append(stage) } else { break }
        }
        #expect(stages == Stage.allCases)
        runtime.shutDown()
    }

    @Test("Orders take effect, a session that is gone is unknown, and a stop ends a start")
    func orders() async throws {
        let runtime = MockSessions(owner: "dev@local.test", startTime: .seconds(3600), now: { .example }) { _ in
            .example
        }
        try await runtime.stop(Self.starting, reason: "test")
        try await runtime.resume(Self.stopped, gitToken: nil)
        try await runtime.annotate(Self.running, title: "Title", attachPassword: nil, conversationID: nil)
        try await runtime.delete(Self.running)
        await #expect(throws: SessionRuntimeError.self) { try await runtime.resume(Self.running, gitToken: nil) }
        await #expect(throws: SessionRuntimeError.self) { try await runtime.delete(Self.running) }
        let key = SessionKey(email: "dev@local.test", repositoryURL: nil, branch: "main")
        let made = SessionID(rawValue: 7)
        try await runtime.create(SessionSpecification(id: made, key: key, sourceBranch: "main"))
        runtime.shutDown()
        var last: [SessionID: Session] = [:]
        for await change in runtime.changes() {
            switch change {
            case .snapshot(let all): last = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })
            case .updated(let session): last[session.id] = session
            case .removed(let id): last[id] = nil
            case .stale: Issue.record("nothing gets stale")
            }
        }
        #expect(last[Self.running] == nil)
        #expect(last[Self.starting]?.state == .stopped)
        #expect(last[Self.stopped]?.state.name == "creating")
        #expect(last[made]?.state.name == "creating")
    }
}
