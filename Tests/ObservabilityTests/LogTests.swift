import FoundationEssentials
import Glibc
import Logging
import Telemetry
import Testing

@testable import Observability

@Suite("Log")
struct LogTests {
    static func line(_ message: String, _ metadata: [(key: String, value: Logger.MetadataValue)]) -> LogLine {
        LogLine(time: "T", level: .warning, label: "test", message: message, metadata: metadata)
    }

    @Test("A JSON line is one JSON object on one line, whatever is in it")
    func json() throws {
        let nasty = "a\"b\\c\n\r\t\u{0}\u{1b}[31m\u{2028}é\u{7f}"
        let line = Self.line(nasty, [("n", .stringConvertible(5)), ("time", "mine"), ("s", .string(nasty))])
            .rendered(as: .json)
        #expect(!line.utf8.contains { $0 < 0x20 || $0 == 0x7f })
        struct Event: Decodable, Equatable {
            var time: String
            var level: String
            var logger: String
            var message: String
            var n: Int
            var time_: String
            var s: String
        }
        let event = try JSONDecoder().decode(Event.self, from: Data(line.utf8))
        #expect(
            event
                == Event(
                    time: "T", level: "warning", logger: "test", message: nasty, n: 5, time_: "mine", s: nasty))
    }

    @Test("A text line cannot be forged by what it tells")
    func text() {
        let line = Self.line("woken\nT INFO forged", [("session", "0123456789ab"), ("why", "a b"), ("x", "p=1")])
            .rendered(as: .text)
        #expect(line == #"T WARNING  woken\nT INFO forged session=0123456789ab why="a b" x="p=1""#)
    }

    @Test(
        "Time is told in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_001, "2000-02-29T00:00:00.001Z"),
            (1_795_456_799_999, "2026-11-23T17:59:59.999Z"), (-1, "1969-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func timestamps(milliseconds: Int64, expected: String) {
        #expect(LogLine.timestamp(milliseconds: milliseconds) == expected)
    }

    @Test("The audit log is written at every level")
    func audit() throws {
        let pipe = Pipe()
        let writer = LogWriter(descriptor: pipe.writeEnd)
        func logger(_ label: String) -> Logger {
            Logger(label: label) { RouterLogHandler(label: $0, level: .error, format: .text, writer: writer) }
        }
        logger("router").info("quiet")
        logger(RouterLogHandler.auditLabel).info("loud", metadata: ["who": "a@b.c"])
        writer.flush()
        let text = pipe.readAvailable()
        #expect(!text.contains("quiet"))
        #expect(text.hasSuffix("INFO     loud who=a@b.c\n"))
    }

    @Test("Nobody waits for a log that nobody reads; what is lost is counted and told")
    func fullPipe() throws {
        let pipe = Pipe()
        let writer = LogWriter(descriptor: pipe.writeEnd, capacity: 64 << 10)
        let line = String(repeating: "x", count: 1000)
        for _ in 0..<500 { writer.write(line) }
        #expect(writer.droppedLines > 0)
        var text = ""
        // The pipe empties, the writer goes on, and ends with the count.
        while !text.contains("log lines dropped") { text += pipe.readAvailable() }
        writer.write("after")
        writer.flush()
        #expect(pipe.readAvailable().hasSuffix("after\n"))
        let kept = text.split(separator: "\n").filter { $0 == line }.count
        #expect(kept + writer.droppedLines == 500)
    }

    @Test("An access line names the route, never the target or a secret")
    func access() {
        let record = AccessRecord(
            time: 0, kind: .session, method: "GET", host: "0123456789ab.example.com", status: 200, microseconds: 12,
            requestID: "r1", email: "a@b.c", hasToken: true)
        let facts = AccessLog.metadata(record)
        #expect(facts["route"] == "session")
        #expect(facts["token"] == "PRESENT")
        #expect(facts["ended"] == "1970-01-01T00:00:00.000Z")
    }
}

/// A pipe whose ends close with it.
private final class Pipe {
    let readEnd: CInt
    let writeEnd: CInt

    init() {
        var ends: [CInt] = [0, 0]
        precondition(pipe(&ends) == 0)
        readEnd = ends[0]
        writeEnd = ends[1]
        _ = fcntl(readEnd, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(readEnd)
        // The writer's thread may still hold this end; a pipe without a reader ends its writes.
    }

    func readAvailable() -> String {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(readEnd, &piece, piece.count)
            guard count > 0 else { break }
            bytes += piece[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
