import HTTPWire
import Identity
import Testing

@testable import Routing

@Suite("Twenty people, twenty sessions")
struct OwnershipMatrixTests {
    @Test("Each gets into the own session and into no other: 20 of 400 pass")
    func matrix() throws {
        let proxy = try #require(PeerAddress("10.0.0.1"))
        let policy = try IdentityPolicy(IdentitySettings(trustedProxies: AddressRange.list("10.0.0.0/8")))
        // Neighbours differ in case, length or one letter only.
        let people = (0..<20).map { "User.\(String(repeating: "x", count: $0 / 2))\($0 % 2)@Example.com" }
        let sessions = people.enumerated().map { index, name in
            session(UInt64(index) &* 0x1357_9bdf, owner: name.lowercased())
        }
        let table = RouteTable(settings: try settings(), sessions: sessions, generation: 1)
        var passed = 0
        for (asker, name) in people.enumerated() {
            for owned in sessions {
                let host = "\(hash(owned.id))-oc.example.com"
                let bytes = Array("GET / HTTP/1.1\r\nHost: \(host)\r\nX-Auth-Request-Email: \(name)\r\n\r\n".utf8)
                var head = RequestHead()
                let admitted = try bytes.withUnsafeBytes { (buffer) throws -> Bool in
                    try HeadParser.parse(buffer, into: &head)
                    guard case .session(let found) = table.route(head, in: buffer, entrance: .main) else {
                        return false
                    }
                    #expect(found === owned)
                    let who = policy.identify(head, in: buffer, peer: proxy)
                    return policy.matches(who, owner: found.owner, in: buffer)
                }
                #expect(admitted == (owned === sessions[asker]))
                passed += admitted ? 1 : 0
            }
        }
        #expect(passed == 20)
    }

    private func hash(_ id: UInt64) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 12 - digits.utf8.count) + digits
    }
}
