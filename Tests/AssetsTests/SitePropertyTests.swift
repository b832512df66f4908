import Testing

@testable import Assets

@Suite("The site's readers keep their promises")
struct SitePropertyTests {
    @Test("On values made of likely pieces", arguments: 0..<4)
    func pieces(seed: UInt64) throws {
        var state = seed &* 7919 &+ 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let pieces = [
            "/", "..", "%2f", "%2e", "%25", "%", "%00", "%c0%af", "\\", "app", ".js", "gzip", "br", "identity", "*",
            ";q=",
            "0", "1", ".5", ",", " ", "bytes=", "-", "10", "99999999999999999999", "\"abc\"", "W/", "\"", "\0",
            "\u{e9}",
        ].map { Array($0.utf8) }
        for _ in 0..<5000 {
            var value: [UInt8] = random(2) == 0 ? [0x2f] : []
            for _ in 0...random(7) { value += pieces[random(pieces.count)] }
            try onGuardPages(value) { try checkSite($0) }
        }
    }
}
