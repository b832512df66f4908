import HTTPTypes
import Testing

@testable import RouterAPI

@Suite("Requests per second")
struct RateLimiterTests {
    @Test("A second's worth may come at once, then as fast as the bucket fills, for each identity by itself")
    func bucket() {
        let limiter = RateLimiter(rate: 10)
        func burst(_ identity: String, at seconds: Double) -> Int {
            (0..<100).count { _ in limiter.admits(identity, at: .seconds(seconds)) }
        }
        #expect(burst("ann", at: 0) == 10)
        #expect(burst("bob", at: 0) == 10)
        #expect(burst("ann", at: 0.5) == 5)
        #expect(burst("ann", at: 0.5) == 0)
        #expect(burst("ann", at: 1000) == 10)
        // A clock that stands still or goes back gives nothing away.
        #expect(burst("ann", at: 999) == 0)
    }

    @Test("Identities that are quiet are forgotten")
    func memory() {
        let limiter = RateLimiter(rate: 1)
        for number in 0..<20_000 { _ = limiter.admits("user\(number)", at: .milliseconds(number)) }
        #expect(limiter.count <= 4096)
        #expect(RateLimiter(rate: 0).admits("ann", at: .zero))
    }

    @Test("Whoever asks too fast is told so, and nobody else")
    func answer() async throws {
        let bench = try await APIBench { $0.requestsPerSecond = 5 }
        var statuses: [Int] = []
        for _ in 0..<50 { statuses.append(await bench.call(.get, "/api/version").status.code) }
        #expect(statuses.prefix(5) == [200, 200, 200, 200, 200])
        #expect(statuses.contains(429))
        #expect(await bench.call(.get, "/api/version", as: APIBench.bob).status == .ok)
        var refused = await bench.call(.get, "/api/version")
        while refused.status != .tooManyRequests { refused = await bench.call(.get, "/api/version") }
        #expect(refused.code == "too_many_requests" && refused.headers[.retryAfter] == "1")
    }
}
