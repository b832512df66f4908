import SessionDoubles
import Sessions
import Testing

@Suite("The directory under random changes")
struct DirectoryPropertyTests {
    /// Numbers that a seed determines, so that a failure can be had again.
    struct Numbers: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            // splitmix64 (Steele, Lea and Flood 2014)
            state &+= 0x9e37_79b9_7f4a_7c15
            var value = state
            value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
            return value ^ value >> 31
        }
    }

    static let states: [SessionState] = [
        .creating(.preparing), .running(.example), .stopping, .stopped,
        .failed(SessionFailure(code: "x", message: "x", hint: "x")),
    ]

    @Test(
        "It always says what a plain dictionary says, and wakes whom a change concerns",
        arguments: 0..<50 as Range<UInt64>)
    func model(seed: UInt64) {
        var numbers = Numbers(state: seed)
        var snapshot = DirectorySnapshot()
        var model: [SessionID: Session] = [:]
        func randomSession() -> Session {
            let number = UInt64.random(in: 0..<40, using: &numbers)
            // A session's owner is part of what its id is made of, so it never changes.
            return .example(
                number, owner: "user\(number % 5)@example.com", state: Self.states.randomElement(using: &numbers)!)
        }
        for _ in 0..<300 {
            let before = (snapshot, model)
            let touched: DirectoryTouch
            switch Int.random(in: 0..<20, using: &numbers) {
            case 0:
                let all = (0..<Int.random(in: 0..<40, using: &numbers)).map { _ in randomSession() }
                model = Dictionary(all.map { ($0.id, $0) }) { $1 }
                touched = snapshot.apply(.snapshot(Array(model.values)))
            case 1: touched = snapshot.apply(.stale(reason: "gone"))
            case 2..<8:
                let id = SessionID(rawValue: UInt64.random(in: 0..<40, using: &numbers))
                model[id] = nil
                touched = snapshot.apply(.removed(id))
            default:
                let session = randomSession()
                model[session.id] = session
                touched = snapshot.apply(.updated(session))
            }
            #expect(snapshot.sessions == model.values.sorted { $0.id < $1.id })
            let changed = Set(before.1.keys).union(model.keys).filter { before.1[$0] != model[$0] }
            #expect(touched.sessions == changed)
            for user in 0..<5 {
                let owner = "user\(user)@example.com"
                #expect(snapshot.sessions(of: owner) == snapshot.sessions.filter { $0.owner == owner })
                let concerns = changed.contains { (before.1[$0] ?? model[$0])?.owner == owner }
                #expect((snapshot.revision(of: owner) > before.0.revision(of: owner)) == concerns)
            }
            #expect((snapshot.revision > before.0.revision) == (!changed.isEmpty || touched.everyone))
        }
    }
}
