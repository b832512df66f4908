import Testing

@Suite("Properties of URLs")
struct URLPropertyTests {
    @Test("Generated texts are refused, or read the same to everybody")
    func generated() throws {
        let words = [
            "http://", "https://", "HTTP://", "//", "/", "://", ":", "@", "[", "]", "::1", "127.0.0.1", "0x7f", "1",
            "a", "b.c",
            "-", "_", ".", "..", "?", "#", "%2e", "%", "\\", " ", "\r\n", "\u{e9}", ":80", ":443", ":0", ":65536",
            "git",
        ].map { Array($0.utf8) }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<5_000 {
            let text = (0..<Int.random(in: 0..<9, using: &generator)).flatMap { _ in
                words.randomElement(using: &generator)!
            }
            try onGuardPages(text) { try checkURL($0) }
        }
    }
}
