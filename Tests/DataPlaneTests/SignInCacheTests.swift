import Identity
import LinuxIO
import Testing

@testable import DataPlane

@Suite("What a worker knows of sign-ins")
struct SignInCacheTests {
    private static let ann = SignInDigest(cookies: Array("_oauth2_proxy=1".utf8), email: "ann@example.com")

    private static func at(_ seconds: Int) -> Deadline { Deadline(milliseconds: 1_000_000).advanced(seconds: seconds) }

    @Test("An answer counts for its time and not a moment longer", arguments: [true, false])
    func fresh(holds: Bool) {
        var cache = SignInCache(SignInRecheck(fresh: 30))
        #expect(cache.standing(of: Self.ann, at: Self.at(0)) == nil)
        let standing: SignInCache.Standing = holds ? .holds : .ended
        #expect(cache.take(holds ? .holds : .ended, for: Self.ann, at: Self.at(0)) == standing)
        #expect(cache.standing(of: Self.ann, at: Self.at(29)) == standing)
        #expect(cache.standing(of: Self.ann, at: Self.at(30)) == nil)
    }

    @Test("While nobody can be asked, a confirmation counts for ten minutes; a refusal or nothing never does")
    func tolerance() {
        var cache = SignInCache(SignInRecheck(fresh: 30))
        #expect(cache.take(.unknown, for: Self.ann, at: Self.at(0)) == .unconfirmed)
        #expect(cache.take(.holds, for: Self.ann, at: Self.at(10)) == .holds)
        #expect(cache.take(.unknown, for: Self.ann, at: Self.at(600)) == .holds)
        // Being unable to ask again and again does not make the confirmation any younger.
        #expect(cache.take(.unknown, for: Self.ann, at: Self.at(610)) == .unconfirmed)
        #expect(cache.take(.ended, for: Self.ann, at: Self.at(620)) == .ended)
        #expect(cache.take(.unknown, for: Self.ann, at: Self.at(660)) == .unconfirmed)
    }

    @Test("Another address or another cookie is another sign-in")
    func digests() {
        let others = [("_oauth2_proxy=1", "bob@example.com"), ("_oauth2_proxy=2", "ann@example.com")]
        for (cookies, email) in others {
            #expect(SignInDigest(cookies: Array(cookies.utf8), email: email) != Self.ann)
        }
    }

    @Test("However many come, the memory is bounded")
    func bounded() {
        var cache = SignInCache(SignInRecheck(fresh: 30))
        for number in 0..<10_000 {
            let sign = SignInDigest(cookies: Array("_oauth2_proxy=\(number)".utf8), email: "ann@example.com")
            _ = cache.take(.holds, for: sign, at: Self.at(0))
            #expect(cache.standing(of: sign, at: Self.at(0)) == .holds)
        }
        #expect(cache.count <= SignInCache.limit)
    }
}
