import Testing

@testable import Assets

@Suite("Accept-Encoding")
struct AcceptEncodingTests {
    @Test(
        "The choice among brotli, gzip and identity",
        arguments: [
            // What browsers and tools send.
            ("gzip, deflate, br, zstd", ContentCoding.brotli), ("gzip, deflate, br", .brotli), ("gzip", .gzip),
            ("br", .brotli), ("x-gzip", .gzip), ("GZIP", .gzip), ("deflate", .identity), ("identity", .identity),
            ("", .identity), (" ", .identity), (",,", .identity), ("zstd;q=1, compress", .identity),
            // Weights.
            ("gzip;q=1, br;q=0.5", .gzip), ("gzip;q=0.5, br;q=1", .brotli), ("gzip;q=0.999, br;q=0.998", .gzip),
            ("gzip;q=0, br;q=0", .identity), ("br;q=0, gzip", .gzip), ("br;q=0.0, gzip;q=0.000", .identity),
            ("gzip;q=0.5, identity", .identity), ("gzip;q=0.5, identity;q=0.5", .gzip),
            ("gzip;q=0.5, identity;q=0.6", .identity), ("identity;q=0.5, gzip;q=0.001", .identity),
            ("gzip; q=1 , br ; q=0.3", .gzip), ("gzip;\tq=1,br;Q=0.3", .gzip), ("br;q=1.000", .brotli),
            ("br;q=1.", .brotli), ("br;q=0.", .identity),
            // Anything.
            ("*", .brotli), ("*;q=0", nil), ("*;q=0, gzip", .gzip), ("*;q=0, identity", .identity),
            ("*;q=0, identity;q=0.1, gzip;q=0", .identity), ("gzip;q=0, *", .brotli), ("br;q=0, *;q=0.5", .gzip),
            ("br;q=0, gzip;q=0, *", .identity), ("identity;q=0", nil), ("identity;q=0, deflate", nil),
            ("identity;q=0, gzip", .gzip), ("identity;q=0, *", .brotli), ("identity;q=0, *;q=0", nil),
            ("identity;q=0, br;q=0, gzip;q=0.1", .gzip),
            // What cannot be read counts as absent.
            ("br;q=2", .identity), ("br;q=1.001", .identity), ("br;q=-1", .identity), ("br;q=0.1234", .identity),
            ("br;q=", .identity), ("br;q", .identity), ("br;level=11", .identity), ("br gzip", .identity),
            ("br;q=1;x=y", .identity), ("brotli", .identity), ("b r", .identity), (";q=1", .identity),
            ("br;q=.5", .identity), ("gzip;q=x, br;q=0.1", .brotli),
            // Named twice: the first counts.
            ("gzip;q=0, gzip", .identity),
        ] as [(String, ContentCoding?)])
    func choice(value: String, expected: ContentCoding?) {
        #expect(AcceptEncoding(value).choose(gzip: true, brotli: true) == expected)
    }

    @Test(
        "The choice with fewer codings at hand",
        arguments: [
            ("gzip, br", false, false, ContentCoding.identity), ("gzip, br", true, false, .gzip),
            ("gzip, br", false, true, .brotli), ("br", true, false, .identity), ("*", false, false, .identity),
            ("identity;q=0, gzip, br", false, false, nil), ("*;q=0, br", true, false, nil),
        ] as [(String, Bool, Bool, ContentCoding?)])
    func fewer(value: String, gzip: Bool, brotli: Bool, expected: ContentCoding?) {
        #expect(AcceptEncoding(value).choose(gzip: gzip, brotli: brotli) == expected)
    }

    @Test("Without the field nothing is coded")
    func absent() {
        #expect(AcceptEncoding().choose(gzip: true, brotli: true) == .identity)
    }

    @Test("Any bytes are read without harm")
    func anyBytes() {
        let alphabet = Array("gzipbr*;q=01.5, \t\0\u{e9}identity".utf8)
        var state: UInt64 = 1
        for _ in 0..<20_000 {
            var bytes: [UInt8] = []
            state = state &* 6_364_136_223_846_793_005 &+ 1
            for _ in 0..<Int(state >> 59) {
                state = state &* 6_364_136_223_846_793_005 &+ 1
                bytes.append(alphabet[Int(state >> 33) % alphabet.count])
            }
            bytes.withUnsafeBytes { _ = AcceptEncoding($0).choose(gzip: true, brotli: true) }
        }
    }
}
