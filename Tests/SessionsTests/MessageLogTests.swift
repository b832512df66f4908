import SessionDoubles
import Sessions
import Testing

@Suite("What was said in a session")
struct MessageLogTests {
    private func message(_ part: String, _ text: String, heardAt: Int64 = 0) -> SessionMessage {
        SessionMessage(
            partID: part, messageID: "m", sessionID: "ses_1", role: .assistant, text: text, time: 0, heardAt: heardAt)
    }

    @Test("A later text takes the place of an earlier one, an earlier one of a later one does not")
    func replaces() {
        var log = MessageLog()
        log.put(message("a", "He", heardAt: 1))
        log.put(message("b", "Other", heardAt: 2))
        log.put(message("a", "Hello", heardAt: 3))
        log.put(message("a", "Hel", heardAt: 2))
        #expect(log.messages.map(\.text) == ["Hello", "Other"])
    }

    @Test("Two hundred are kept, the newest")
    func count() {
        var log = MessageLog()
        for number in 0..<250 { log.put(message("\(number)", "x")) }
        #expect(log.messages.count == 200)
        #expect(log.messages.first?.partID == "50" && log.messages.last?.partID == "249")
    }

    @Test("Texts are cut between characters, and all together stay small")
    func size() {
        var log = MessageLog()
        for number in 0..<100 { log.put(message("\(number)", String(repeating: "é", count: 10_000))) }
        #expect(log.messages.allSatisfy { $0.text.utf8.count <= MessageLog.textLimit && $0.text.hasSuffix("é…") })
        #expect(log.messages.reduce(0) { $0 + $1.text.utf8.count } <= MessageLog.sizeLimit)
        #expect(log.messages.last?.partID == "99")
    }

    @Test("A reader sees what was stored, what waits to be stored, and what another router stored")
    func board() async throws {
        let store = MemoryMessages()
        let board = MessageBoard(store: store, pause: .milliseconds(10))
        let running = Task { await board.run() }
        defer { running.cancel() }
        let id = SessionID(rawValue: 1)
        _ = try await store.add([.message(message("a", "stored"))], to: id)
        var updates = try await board.updates(of: id).makeAsyncIterator()
        #expect(await updates.next()?.messages.map(\.text) == ["stored"])
        try await board.take(.message(message("b", "said here")), of: id)
        #expect(await updates.next()?.messages.map(\.text) == ["stored", "said here"])
        // Whatever order the two ways of news have, in the end everything is there.
        store.addElsewhere(.message(message("c", "said there")), to: id)
        var last: Set<String> = []
        while last.count < 3, let log = await updates.next() { last = Set(log.messages.map(\.text)) }
        #expect(last == ["stored", "said here", "said there"])
        await board.flushAll()
        #expect(try await store.messages(of: id).messages.count == 3)
    }
}
