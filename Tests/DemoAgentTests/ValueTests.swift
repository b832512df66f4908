import Testing

@testable import DemoAgent

@Suite("Values")
struct ValueTests {
    @Test(
        "JSON text",
        arguments: [
            (JSON.null, "null"), (true, "true"), (-5, "-5"), (["a", 1, []], #"["a",1,[]]"#),
            (["b": 1, "a": ["c": false]], #"{"b":1,"a":{"c":false}}"#),
            ("q\"\\\n\r\t\u{1}\u{1f}é🙂/", #""q\"\\\n\r\t\u0001\u001fé🙂/""#),
        ] as [(JSON, String)])
    func json(value: JSON, text: String) { #expect(value.text == text) }

    @Test(
        "Percent escapes",
        arguments: [
            ("a%20b", "a b"), ("%C3%A9", "é"), ("100%", "100%"), ("%zz", "%zz"), ("a+b", "a+b"), ("%ff", nil),
            ("%2e%2E", ".."), ("", ""),
        ] as [(String, String?)])
    func percent(text: String, expected: String?) { #expect(percentDecoded(text) == expected) }

    @Test("A plus is a space in a query only")
    func plus() { #expect(percentDecoded("a+b", plusIsSpace: true) == "a b") }

    @Test(
        "Addresses and their routes",
        arguments: [
            ([], Route.page), (["global", "health"], .health), (["event"], .events), (["session"], .sessions),
            (["session", "status"], .sessionStatus), (["session", "ses_1"], .session("ses_1")),
            (["session", "s", "message"], .messages("s")), (["session", "s", "prompt_async"], .promptAsync("s")),
            (["session", "s", "abort"], .abort("s")), (["pty", "p", "connect"], .terminalConnection("p")),
            (["demo-agent", "main.js"], .resource("main.js")), (["L2hv", "session"], .page),
            (["L2hv", "session", "ses_1"], .page), (["question"], .pending), (["demo", "upload", "x"], .upload("x")),
            (["nope"], nil), (["session", "s", "nope"], nil), (["a", "b", "c", "d"], nil),
        ] as [([String], Route?)])
    func route(segments: [String], expected: Route?) { #expect(Route(segments) == expected) }

    @Test("The reply says that it is a demo, repeats the question, lists files and thinks nothing up")
    func reply() {
        let reply = CannedReply(to: "why?", names: ["README.md", "src/"], count: 2)
        #expect(reply.text.contains("demo agent"))
        #expect(reply.text.contains("No model"))
        #expect(reply.text.contains("“why?”"))
        #expect(reply.text.contains("• README.md\n• src/"))
        #expect(reply.pause == 0)
        #expect(reply.pieces.joined() == reply.text)
    }

    @Test(
        "A busy time can be asked for, within bounds",
        arguments: [
            ("/wait 20", 20), ("/wait 20 then tell me", 20), ("/wait 99999", 600), ("/wait x", 0), ("wait 20", 0),
            ("/wait -3", 0), ("", 0),
        ])
    func pause(prompt: String, seconds: Int) {
        #expect(CannedReply(to: prompt, names: [], count: 0).pause == seconds)
    }

    @Test("Identifiers have opencode's form, are all different and sort by time")
    func identifiers() {
        let early = (0..<100).map { _ in Identifier.make("ses", now: 1_700_000_000_000) }
        let late = Identifier.make("ses", now: 1_700_000_000_001)
        #expect(Set(early).count == 100)
        #expect(
            early.allSatisfy {
                $0.utf8.count == 30 && $0.hasPrefix("ses_") && $0.utf8.lexicographicallyPrecedes(late.utf8)
            })
    }

    @Test("Every byte of the pattern says where it is")
    func pattern() {
        var bytes = [UInt8](repeating: 0, count: 24)
        bytes.withUnsafeMutableBytes { Pattern.fill($0, from: 8 * 255) }
        #expect(bytes == [0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1])
    }
}
