import Testing

@testable import AgentClient

@Suite("An agent's answer inside a document of ours")
struct JSONNestingTests {
    private func isNested(_ pieces: [String]) -> Bool {
        var nesting = JSONNesting()
        do {
            for piece in pieces { try nesting.read(Array(piece.utf8)) }
            try nesting.finish()
            return true
        } catch {
            return false
        }
    }

    @Test(
        "One well nested value passes, whatever pieces it comes in; nothing else does",
        arguments: [
            ("[]", true), (" {\"a\": [1, {\"b\": \"]}\\\"\\\\\"}]} \n", true), ("[\"\\\\\"]", true),
            ("", false), ("<html>", false), ("null", false), ("[", false), ("[1]]", false), ("[1}", false),
            ("[1],\"stolen\":[2]", false), ("[1] x", false), ("[\"]", false), ("[\"a\nb\"]", false), ("{}{}", false),
            (String(repeating: "[", count: 300) + String(repeating: "]", count: 300), false),
        ])
    func pieces(text: String, expected: Bool) {
        #expect(isNested([text]) == expected)
        for split in 0...min(text.count, 40) {
            #expect(isNested([String(text.prefix(split)), String(text.dropFirst(split))]) == expected)
        }
        #expect(isNested(text.map(String.init)) == expected)
    }
}
