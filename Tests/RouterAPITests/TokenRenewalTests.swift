import Sessions
import Testing

@testable import RouterAPI

@Suite("When a newer token is stored")
struct TokenRenewalTests {
    private let id = SessionID(rawValue: 1)

    @Test("Each token once, and two in turns no more than once a minute")
    func pace() {
        let renewal = TokenRenewal()
        #expect(renewal.takes("one", for: id, at: .seconds(0)))
        #expect(!renewal.takes("one", for: id, at: .seconds(1000)))
        #expect(renewal.takes("two", for: id, at: .seconds(1000)))
        #expect(!renewal.takes("one", for: id, at: .seconds(1059)))
        #expect(renewal.takes("one", for: id, at: .seconds(1060)))
        #expect(renewal.takes("two", for: SessionID(rawValue: 2), at: .seconds(1060)))
    }

    @Test("What a session began with is not stored again, and what came in place of it is at once")
    func start() {
        let renewal = TokenRenewal()
        renewal.begins(id, with: "one")
        #expect(!renewal.takes("one", for: id, at: .seconds(1)))
        #expect(renewal.takes("two", for: id, at: .seconds(1)))
        renewal.begins(id, with: nil)
        #expect(renewal.takes("two", for: id, at: .seconds(2)))
    }
}
