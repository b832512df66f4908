import Testing

@testable import DataPlane

@Suite("Accounts of identities")
struct AccountsTests {
    private static let ann = Accounts.Number(digest: 1)
    private static let bob = Accounts.Number(digest: 2)

    @Test("A second's worth may come at once, then as fast as the budget fills, for each by itself")
    func budget() {
        let accounts = Accounts(requestsPerSecond: 10, streams: 1)
        func burst(_ number: Accounts.Number, at seconds: Double) -> Int {
            (0..<100).count { _ in accounts.admits(number, at: 1_000_000 + UInt64(seconds * 1_000_000)) }
        }
        #expect(burst(Self.ann, at: 0) == 10)
        #expect(burst(Self.bob, at: 0) == 10)
        #expect(burst(Self.ann, at: 0.5) == 5)
        #expect(burst(Self.ann, at: 0.5) == 0)
        #expect(burst(Self.ann, at: 1000) == 10)
        // A clock that stands still or goes back gives nothing away.
        #expect(burst(Self.ann, at: 999) == 0)
    }

    @Test("Zero is no limit")
    func unlimited() {
        let accounts = Accounts(requestsPerSecond: 0, streams: 1)
        #expect((0..<10_000).allSatisfy { _ in accounts.admits(Self.ann, at: 1) })
    }

    @Test("Threads that ask at once share one budget, exactly")
    func shared() async {
        let accounts = Accounts(requestsPerSecond: 1000, streams: 1)
        let admitted = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask { (0..<1000).count { _ in accounts.admits(Self.ann, at: 5_000_000) } }
            }
            return await group.reduce(0, +)
        }
        #expect(admitted == 1000)
    }

    @Test("Streams are places: taken up to the limit, and free again once given back")
    func streams() {
        let accounts = Accounts(requestsPerSecond: 1, streams: 2)
        #expect(accounts.takeStream(Self.ann) && accounts.takeStream(Self.ann))
        #expect(!accounts.takeStream(Self.ann))
        #expect(accounts.takeStream(Self.bob))
        accounts.giveBackStream(Self.ann)
        #expect(accounts.takeStream(Self.ann))
    }

    @Test("Whoever comes for the first time is met, and whoever comes after a neighbour in the same cell, again")
    func meeting() {
        let accounts = Accounts(requestsPerSecond: 1, streams: 1)
        #expect(accounts.meets(Self.ann) && accounts.meets(Self.bob))
        #expect(!accounts.meets(Self.ann))
        #expect(accounts.meets(Accounts.Number(digest: 1 | 1 << 40)))
        #expect(accounts.meets(Self.ann))
    }
}
