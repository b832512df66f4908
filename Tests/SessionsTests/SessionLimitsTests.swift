import SessionDoubles
import Sessions
import Testing

@Suite("Limits on sessions")
struct SessionLimitsTests {
    static let failed = SessionState.failed(SessionFailure(code: "x", message: "x", hint: "x"))

    private func snapshot(_ sessions: [Session]) -> DirectorySnapshot {
        var snapshot = DirectorySnapshot()
        _ = snapshot.apply(.snapshot(sessions))
        return snapshot
    }
    private let ann = "ann@example.com"

    @Test("Without limits everything may start")
    func noLimits() {
        let all = snapshot((0..<100).map { .example($0) })
        #expect(SessionLimits().refusal(starting: SessionID(rawValue: 200), of: ann, in: all) == nil)
    }

    @Test("A new session counts against the owner's sessions, an existing one does not")
    func perUser() {
        let all = snapshot([.example(1, state: .stopped), .example(2, owner: "bob@example.com")])
        let limits = SessionLimits(perUser: 1)
        #expect(
            limits.refusal(starting: SessionID(rawValue: 9), of: ann, in: all)?.code == "too_many_sessions")
        #expect(limits.refusal(starting: SessionID(rawValue: 1), of: ann, in: all) == nil)
        #expect(limits.refusal(starting: SessionID(rawValue: 9), of: "eve@example.com", in: all) == nil)
    }

    @Test("Starting and running sessions hold places, the others do not; the longest unused is named")
    func runningPerUser() throws {
        let all = snapshot([
            .example(1, branch: "young"), .example(2, branch: "old", activity: Timestamp(milliseconds: 5)),
            .example(3, state: .stopped), .example(4, state: Self.failed), .example(5, state: .stopping),
            .example(6, owner: "bob@example.com"),
        ])
        let id = SessionID(rawValue: 3)
        #expect(SessionLimits(runningPerUser: 3).refusal(starting: id, of: ann, in: all) == nil)
        let refusal = try #require(SessionLimits(runningPerUser: 2).refusal(starting: id, of: ann, in: all))
        #expect(refusal.code == "too_many_running")
        #expect(refusal.message.contains("\"old\""))
        // One that runs already takes no further place.
        #expect(
            SessionLimits(runningPerUser: 1).refusal(starting: SessionID(rawValue: 1), of: ann, in: all) == nil)
    }

    @Test("The installation as a whole can be full")
    func total() {
        let all = snapshot((0..<5).map { .example($0, owner: "user\($0)@example.com") })
        let id = SessionID(rawValue: 9)
        #expect(SessionLimits(runningTotal: 6).refusal(starting: id, of: ann, in: all) == nil)
        #expect(
            SessionLimits(runningTotal: 5).refusal(starting: id, of: ann, in: all)?.code == "installation_full")
    }

    @Test("Starts that the directory does not show yet hold places, too")
    func underWay() {
        let all = snapshot([.example(1, state: .stopped)])
        let starting = [SessionID(rawValue: 1): ann, SessionID(rawValue: 2): ann]
        let id = SessionID(rawValue: 9)
        func refusal(_ limits: SessionLimits) -> LimitRefusal? {
            limits.refusal(starting: id, of: ann, in: all, underWay: starting)
        }
        #expect(refusal(SessionLimits(perUser: 3)) == nil)
        #expect(refusal(SessionLimits(perUser: 2)) == .tooManySessions(limit: 2))
        #expect(refusal(SessionLimits(runningPerUser: 2))?.code == "too_many_running")
        #expect(refusal(SessionLimits(runningTotal: 2)) == .installationFull(limit: 2))
        #expect(refusal(SessionLimits(runningTotal: 3)) == nil)
    }
}
