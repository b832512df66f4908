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
}
