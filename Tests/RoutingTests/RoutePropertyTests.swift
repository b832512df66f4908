import Testing

@testable import Routing

@Suite("Routing agrees with a slow reader")
struct RoutePropertyTests {
    @Test("On names made of likely pieces and on single changed bytes", arguments: 0..<4)
    func pieces(seed: UInt64) throws {
        var state = seed &* 7919 &+ 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let pieces = [
            "abc123def456", "-oc", ".", "example", "com", ".example.com", "3000-", "attach-", "editor-", "9222-", "A",
            "\0", "%2e", "-", "..", "_", " ", ":", "0", "f", "g", "\u{e9}", "-OC.EXAMPLE.COM", "65536-", "1023-",
        ].map { Array($0.utf8) }
        let table = try routeTableForProperties()
        for round in 0..<4000 {
            var host: [UInt8] = []
            for _ in 0...random(5) { host += pieces[random(pieces.count)] }
            if round % 2 == 0 { host += Array(".example.com".utf8) }
            if round % 3 == 0 { host = Array("3000-abc123def456-oc.example.com".utf8) }
            if round % 5 == 0 { host[random(host.count)] = UInt8(random(256)) }
            try onGuardPages(host) { try checkRoute($0, table) }
        }
    }
}
