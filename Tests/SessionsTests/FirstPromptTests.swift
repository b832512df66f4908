import SessionDoubles
import Sessions
import Synchronization
import Testing

@Suite("The first prompt", .timeLimit(.minutes(5)))
struct FirstPromptTests {
    let id = SessionID(rawValue: 1)

    private func waiting(_ state: SessionState = .running(.example)) -> Session {
        var session = Session.example(1, state: state)
        session.initialMessage = "Fix it"
        return session
    }

    @Test("It is delivered when the session runs, and its conversation stored")
    func delivery() async throws {
        let bench = Bench([waiting(.creating(.starting))])
        try await bench.run {
            #expect(bench.agent.calls.isEmpty)
            bench.runtime.move(id, to: .running(.example))
            try await bench.directory.until { $0[id]?.conversationID == "ses_1" }
            #expect(bench.agent.calls == ["first", "open", "prompt ses_1: Fix it"])
            #expect(await bench.next() == .delivered(id, conversation: "ses_1"))
        }
    }

    @Test("It is not delivered again, whatever happens to the session")
    func once() async throws {
        let bench = Bench([waiting()])
        try await bench.run {
            _ = await bench.next()
            for number in 2..<20 {
                bench.runtime.move(id, to: .stopped)
                let next = SessionEndpoint(incarnation: "run-\(number)", address: "127.0.0.1", port: 4096)
                bench.runtime.move(id, to: .running(next))
                try await bench.directory.until { $0[id]?.state == .running(next) }
            }
            #expect(bench.agent.calls.count { $0.hasPrefix("prompt") } == 1)
        }
    }

    @Test("A router that ended between prompt and storing only stores")
    func afterRestart() async throws {
        let bench = Bench([waiting()])
        bench.agent.have("ses_9", messages: true)
        try await bench.run {
            #expect(await bench.next() == .delivered(id, conversation: "ses_9"))
            #expect(bench.agent.calls == ["first", "messages ses_9"])
        }
    }

    @Test("A conversation without a message is used")
    func emptyConversation() async throws {
        let bench = Bench([waiting()])
        bench.agent.have("ses_9", messages: false)
        try await bench.run {
            _ = await bench.next()
            #expect(bench.agent.calls == ["first", "messages ses_9", "spoken", "prompt ses_9: Fix it"])
        }
    }

    @Test("An empty conversation that was opened since the prompt is not given it again")
    func emptySince() async throws {
        let bench = Bench([waiting()])
        bench.agent.have("ses_9", messages: false)
        bench.agent.haveSpoken("ses_1")
        try await bench.run {
            #expect(await bench.next() == .delivered(id, conversation: "ses_1"))
            #expect(bench.agent.calls == ["first", "messages ses_9", "spoken"])
        }
    }

    @Test("An agent that fails is asked again, later and later, and then left alone")
    func failure() async throws {
        let bench = Bench([waiting()])
        bench.agent.fail(times: 100)
        try await bench.run {
            for pause in [1, 2, 4, 8, 16, 30, 30, 30] {
                await bench.clock.untilSomebodySleeps()
                bench.clock.advance(by: .seconds(pause))
            }
            #expect(await bench.next() == .gaveUp(id, reason: "no"))
            #expect(bench.agent.calls.count == 8)
        }
    }

    @Test("A prompt that was accepted is not repeated because storing failed")
    func storingFails() async throws {
        let bench = Bench([waiting()])
        bench.runtime.fail(with: .unavailable(message: "no"))
        try await bench.run {
            await bench.clock.untilSomebodySleeps()
            // Somebody opened another conversation meanwhile.
            bench.agent.have("ses_9", messages: false)
            bench.runtime.fail(with: nil)
            bench.clock.advance(by: .seconds(1))
            #expect(await bench.next() == .delivered(id, conversation: "ses_1"))
            #expect(bench.agent.calls.count { $0.hasPrefix("prompt") } == 1)
        }
    }

    @Test("A session that stops while its agent fails is left alone")
    func stopped() async throws {
        let bench = Bench([waiting()])
        bench.agent.fail(times: 1)
        try await bench.run {
            await bench.clock.untilSomebodySleeps()
            bench.runtime.move(id, to: .stopped)
            try await bench.directory.until { $0[id]?.state == .stopped }
            bench.clock.advance(by: .seconds(1))
            let next = SessionEndpoint(incarnation: "run-2", address: "127.0.0.1", port: 4096)
            bench.runtime.move(id, to: .running(next))
            #expect(await bench.next() == .delivered(id, conversation: "ses_1"))
            #expect(bench.agent.calls.count { $0.hasPrefix("prompt") } == 1)
        }
    }

    @Test("Sessions without a first prompt are left alone")
    func none() async throws {
        var known = waiting()
        known.conversationID = "ses_0"
        let bench = Bench([.example(2), known])
        try await bench.run {
            bench.runtime.change(id) { $0.title = "x" }
            try await bench.directory.until { $0[id]?.title == "x" }
            #expect(bench.agent.calls.isEmpty)
        }
    }
}

private final class Bench: Sendable {
    let runtime: ScriptedRuntime
    let directory: SessionDirectory
    let agent = ScriptedAgent()
    let clock = ManualClock()
    private let events: AsyncStream<FirstPromptEvent>
    private let report: AsyncStream<FirstPromptEvent>.Continuation

    init(_ sessions: [Session]) {
        runtime = ScriptedRuntime(sessions)
        directory = SessionDirectory(runtime: runtime)
        (events, report) = AsyncStream.makeStream(of: FirstPromptEvent.self)
    }

    func next() async -> FirstPromptEvent? {
        for await event in events { return event }
        return nil
    }

    func run(_ body: () async throws -> Void) async throws {
        let courier = FirstPromptCourier(
            directory: directory, runtime: runtime, agent: agent, clock: clock, report: { self.report.yield($0) })
        let tasks = [Task { await directory.run() }, Task { await courier.run() }]
        defer { for task in tasks { task.cancel() } }
        try await body()
    }
}

private final class ScriptedAgent: PromptableAgent {
    private struct State {
        var calls: [String] = []
        var conversation: (id: String, hasMessages: Bool)?
        var spoken: String?
        var failures = 0
        var made = 0
    }
    private let state = Mutex(State())

    var calls: [String] { state.withLock { $0.calls } }
    func have(_ id: String, messages: Bool) { state.withLock { $0.conversation = (id, messages) } }
    func haveSpoken(_ id: String) { state.withLock { $0.spoken = id } }
    func fail(times: Int) { state.withLock { $0.failures = times } }

    private func note(_ call: String) throws(AgentFailure) {
        let fails = state.withLock { state in
            state.calls.append(call)
            state.failures -= 1
            return state.failures >= 0
        }
        if fails { throw AgentFailure("no") }
    }

    func generation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> AgentGeneration { .v1 }
    func firstConversation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String? {
        try note("first")
        return state.withLock { $0.conversation?.id }
    }
    func openConversation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String {
        try note("open")
        return state.withLock { state in
            state.made += 1
            state.conversation = ("ses_\(state.made)", false)
            return "ses_\(state.made)"
        }
    }
    func hasMessages(_ conversation: String, at endpoint: SessionEndpoint) async throws(AgentFailure) -> Bool {
        try note("messages \(conversation)")
        return state.withLock { $0.conversation?.hasMessages ?? false }
    }
    func spokenConversation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String? {
        try note("spoken")
        return state.withLock { $0.spoken }
    }
    func prompt(_ text: String, in conversation: String, at endpoint: SessionEndpoint) async throws(AgentFailure) {
        try note("prompt \(conversation): \(text)")
        state.withLock { $0.conversation?.hasMessages = true }
    }
}
