import SessionDoubles
import Sessions
import Synchronization
import Testing

@Suite("Titles of sessions", .timeLimit(.minutes(5)))
struct TitleKeeperTests {
    @Test("A running session's title is stored when it changes, and kept while it sleeps")
    func keeping() async throws {
        let runtime = ScriptedRuntime([.example(1), .example(2, state: .stopped)])
        let directory = SessionDirectory(runtime: runtime)
        let agent = TitledDouble()
        let clock = ManualClock()
        let keeper = TitleKeeper(directory: directory, runtime: runtime, agent: agent, clock: clock)
        let tasks = [Task { await directory.run() }, Task { await keeper.run() }]
        defer { for task in tasks { task.cancel() } }
        try await directory.until { $0.isLoaded }

        func look(_ title: String?) async {
            await clock.untilSomebodySleeps()
            agent.says(title)
            clock.advance(by: .seconds(60))
            await clock.untilSomebodySleeps()
        }
        let id = SessionID(rawValue: 1)
        await look(nil)
        #expect(runtime.orders == [])
        await look(" Fixing\nthe login ")
        try await directory.until { $0[id]?.title == "Fixing the login" }
        await look(" Fixing\nthe login ")
        #expect(runtime.orders == [.annotate(id)])
        await look(String(repeating: "x", count: 5000))
        try await directory.until { $0[id]?.title?.count == 200 }
        runtime.move(id, to: .stopped)
        try await directory.until { $0[id]?.state == .stopped }
        await look("Something else")
        #expect(directory.snapshot[id]?.title?.count == 200)
        #expect(agent.asked == 4)
    }
}

private final class TitledDouble: TitledAgent {
    private let state = Mutex<(title: String?, asked: Int)>((nil, 0))
    var asked: Int { state.withLock { $0.asked } }
    func says(_ title: String?) { state.withLock { $0.title = title } }
    func title(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String? {
        state.withLock { state in
            state.asked += 1
            return state.title
        }
    }
}
