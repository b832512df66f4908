import Testing

@Suite("Lines of a watch")
struct LineSplitterTests {
    @Test("Generated streams have the same lines however they are cut")
    func generated() throws {
        let words = ["{\"a\":1}", "\n", "\r\n", "\r", "", "\n\n", "x", "\0"].map { Array($0.utf8) }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            let stream = (0..<Int.random(in: 0..<10, using: &generator)).flatMap { _ in
                words.randomElement(using: &generator)!
            }
            try onGuardPages(stream) { try checkLines($0) }
        }
    }
}
