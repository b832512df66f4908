import Foundation
import HTTPTypes
import SessionDoubles
import Sessions
import Testing

@testable import RouterAPI

@Suite("Event streams", .timeLimit(.minutes(5)))
struct StreamTests {
    let id = SessionID(rawValue: 1)
    let events = "/api/sessions/000000000001/events"

    @Test("A start is told stage by stage, and ends with the address")
    func start() async throws {
        let bench = try await APIBench([.example(1, state: .creating(.initializing))])
        let response = await bench.call(.get, events)
        #expect(response.headers[.contentType] == "text/event-stream")
        #expect(response.headers[.cacheControl] == "no-store, no-transform")
        #expect(response.headers[.xAccelBuffering] == "no")
        #expect(!response.compressible)
        var reader = try #require(response.stream).makeAsyncIterator()
        #expect(
            ReadEvent.all(in: try #require(await reader.next())) == [
                ReadEvent(name: "state_change", data: #"{"state":"creating"}"#),
                ReadEvent(
                    name: "progress",
                    data: #"{"stage":"initializing","message":"Finding a place for the session"}"#),
            ])
        for stage in Stage.allCases.dropFirst() {
            bench.runtime.move(id, to: .creating(stage))
            let told = ReadEvent.all(in: try #require(await reader.next()))
            #expect(told.count == 1 && told[0].name == "progress")
            #expect(told[0].data.hasPrefix(#"{"stage":"\#(stage.rawValue)","#))
        }
        bench.runtime.move(id, to: .running(.example))
        #expect(
            ReadEvent.all(in: try #require(await reader.next())) == [
                ReadEvent(name: "state_change", data: #"{"state":"running"}"#),
                ReadEvent(name: "complete", data: #"{"url":"https://000000000001-oc.example.com:8443"}"#),
            ])
        #expect(await reader.next() == nil)
    }

    @Test("A start with a first prompt ends with the address of its conversation")
    func conversation() async throws {
        var session = Session.example(1, state: .creating(.readying))
        session.initialMessage = "Fix it"
        let bench = try await APIBench([session])
        var reader = try #require(await bench.call(.get, events).stream).makeAsyncIterator()
        _ = await reader.next()
        bench.runtime.move(id, to: .running(.example))
        #expect(
            ReadEvent.all(in: try #require(await reader.next()))
                == [ReadEvent(name: "state_change", data: #"{"state":"running"}"#)])
        bench.runtime.change(id) { $0.conversationID = "ses_1" }
        let last = ReadEvent.all(in: try #require(await reader.next()))
        #expect(last.map(\.name) == ["complete"] && last[0].data.hasSuffix(#"/session/ses_1"}"#))
        #expect(await reader.next() == nil)
    }

    @Test("A failing start ends with cause and hint, a deleted session with an error")
    func failure() async throws {
        let bench = try await APIBench([.example(1, state: .creating(.preparing)), .example(2, state: .stopped)])
        var reader = try #require(await bench.call(.get, events).stream).makeAsyncIterator()
        var second = try #require(await bench.call(.get, "/api/sessions/000000000002/events").stream)
            .makeAsyncIterator()
        _ = await reader.next()
        bench.runtime.move(
            id, to: .failed(SessionFailure(code: "clone_failed", message: "fatal: no", hint: "Check it.")))
        #expect(
            ReadEvent.all(in: try #require(await reader.next())) == [
                ReadEvent(name: "state_change", data: #"{"state":"failed"}"#),
                ReadEvent(
                    name: "error", data: #"{"message":"fatal: no","code":"clone_failed","hint":"Check it."}"#),
            ])
        #expect(await reader.next() == nil)
        let told = ReadEvent.all(in: try #require(await second.next()))
        #expect(told == [ReadEvent(name: "state_change", data: #"{"state":"stopped"}"#)])
        bench.runtime.tell(.removed(SessionID(rawValue: 2)))
        let last = ReadEvent.all(in: try #require(await second.next()))
        #expect(last.map(\.name) == ["error"] && last[0].data.contains("session not found"))
        #expect(await second.next() == nil)
    }

    @Test("The list comes at connect and on each change of the caller's sessions, and of nobody else's")
    func list() async throws {
        let bench = try await APIBench([.example(1), .example(2, owner: "bob@example.com")])
        var reader = try #require(await bench.call(.get, "/api/sessions/stream").stream).makeAsyncIterator()
        func sessions(in piece: [UInt8]?) throws -> [[String: Any]] {
            let told = ReadEvent.all(in: piece ?? [])
            #expect(told.count == 1 && told[0].name == "sessions")
            let object = try JSONSerialization.jsonObject(with: Data(told[0].data.utf8)) as? [String: Any]
            #expect(object?["email"] as? String == "ann@example.com")
            return try #require(object?["sessions"] as? [[String: Any]])
        }
        #expect(try sessions(in: await reader.next()).map { $0["state"] as? String } == ["running"])
        bench.runtime.move(SessionID(rawValue: 2), to: .stopped)
        bench.runtime.move(id, to: .stopping)
        #expect(try sessions(in: await reader.next()).map { $0["state"] as? String } == ["stopping"])
        bench.runtime.tell(.updated(.example(3)))
        #expect(try sessions(in: await reader.next()).count == 2)
        bench.runtime.tell(.removed(id))
        #expect(try sessions(in: await reader.next()).count == 1)
    }

    @Test("A reader who falls behind gets the newest list, not every list")
    func conflation() async throws {
        let bench = try await APIBench([.example(1)])
        var reader = try #require(await bench.call(.get, "/api/sessions/stream").stream).makeAsyncIterator()
        _ = await reader.next()
        for number in 2...500 { bench.runtime.tell(.updated(.example(UInt64(number)))) }
        try await bench.directory.until { $0.sessions.count == 500 }
        var told = 0
        while true {
            let piece = ReadEvent.all(in: try #require(await reader.next()))
            told += piece.count
            if piece.last?.data.components(separatedBy: #""hash""#).count == 501 { break }
        }
        #expect(told <= 2)
    }

    @Test("Lists follow each other with a pause, however fast sessions change")
    func pace() async throws {
        let bench = try await APIBench([.example(1)])
        var reader = try #require(await bench.call(.get, "/api/sessions/stream").stream).makeAsyncIterator()
        // When each list was asked for: it cannot have been told before. Pings come in between on a crowded machine.
        var asked: [ContinuousClock.Instant] = []
        for state in [SessionState.stopping, .stopped, .stopping] {
            var piece: [UInt8]? = Array(": ping\n\n".utf8)
            var instant = ContinuousClock.now
            while piece == Array(": ping\n\n".utf8) {
                instant = .now
                piece = await reader.next()
            }
            #expect(piece != nil)
            asked.append(instant)
            bench.runtime.move(id, to: state)
        }
        #expect(asked[1].duration(to: .now) >= .milliseconds(100))
    }

    @Test("A silent stream says that it lives")
    func pings() async throws {
        let bench = try await APIBench([.example(1, state: .stopped)]) { $0.pingInterval = .milliseconds(20) }
        for target in ["/api/sessions/stream", events] {
            var reader = try #require(await bench.call(.get, target).stream).makeAsyncIterator()
            _ = await reader.next()
            for _ in 0..<3 { #expect(await reader.next() == Array(": ping\n\n".utf8)) }
            bench.runtime.change(id) { $0.title = target }
            if target == "/api/sessions/stream" {
                var piece = await reader.next()
                while piece == Array(": ping\n\n".utf8) { piece = await reader.next() }
                #expect(piece.map(ReadEvent.all)?.first?.name == "sessions")
            }
        }
    }

    @Test("Streams that were let go leave nothing behind")
    func noLeak() async throws {
        let bench = try await APIBench([.example(1, state: .stopped)])
        for _ in 0..<100 {
            var reader = try #require(await bench.call(.get, events).stream).makeAsyncIterator()
            _ = await reader.next()
        }
        while bench.directory.readerCount > 0 { await Task.yield() }
    }

    @Test("A thousand sessions and two hundred streams: every change reaches its reader")
    func scale() async throws {
        let bench = try await APIBench((0..<1000).map { .example($0, owner: "user\($0 % 200)@example.com") })
        try await withThrowingTaskGroup(of: Void.self) { group in
            for user in 0..<200 {
                let caller = APICaller(email: "user\(user)@example.com")
                let stream = try #require(
                    await bench.call(.get, "/api/sessions/stream", as: caller).stream)
                group.addTask {
                    for await piece in stream
                    where String(decoding: piece, as: UTF8.self).components(separatedBy: #""stopped""#).count == 6 {
                        return
                    }
                }
            }
            for number in 0..<1000 { bench.runtime.move(SessionID(rawValue: UInt64(number)), to: .stopped) }
            try await group.waitForAll()
        }
    }
}
