import Observability
import Sessions
import Telemetry
import Testing

@testable import opencode_router

@Suite("Session metrics")
struct SessionMetricsTests {
    static func session(_ state: SessionState) -> Session {
        Session(
            id: SessionID(rawValue: 1), key: SessionKey(email: "a@b.c", repositoryURL: "https://x/y", branch: "main"),
            sourceBranch: "main", createdAt: Timestamp(milliseconds: 0),
            activity: Activity(at: Timestamp(milliseconds: 0), source: .created), state: state)
    }

    @Test("Each stage of a start is timed once, with how it ended")
    func stages() {
        let registry = MetricRegistry()
        var metrics = SessionMetrics(registry)
        let start = ContinuousClock.now
        let endpoint = SessionEndpoint(incarnation: "1", address: "127.0.0.1", port: 1)
        let failure = SessionFailure(code: "x", message: "x", hint: "x")
        let states: [(SessionState, Int)] = [
            (.creating(.preparing), 0), (.creating(.preparing), 1), (.creating(.starting), 3), (.running(endpoint), 4),
            (.running(endpoint), 9), (.creating(.starting), 10), (.failed(failure), 12),
        ]
        for (state, second) in states {
            metrics.follow(Self.session(state), start.advanced(by: .seconds(second)))
        }
        let text = OperationsResponder(workers: [], registry: registry, readiness: Readiness(), version: "1")
            .respond(target: "/metrics").body
        let name = "opencode_router_session_start_duration_seconds"
        #expect(text.contains("\(name)_sum{stage=\"preparing\",result=\"done\"} 3\n"))
        #expect(text.contains("\(name)_sum{stage=\"starting\",result=\"done\"} 1\n"))
        #expect(text.contains("\(name)_sum{stage=\"starting\",result=\"failed\"} 2\n"))
        #expect(text.contains("\(name)_count{stage=\"starting\",result=\"failed\"} 1\n"))
    }
}
