import Glibc
import HTTPClient
import Synchronization
import Testing

@testable import KubernetesAPI

/// An API server by script, which decides what each list and each watch gets.
private final class ScriptedAPI: Sendable {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])

        /// Notes a request; answers how many of its verb came before.
        func add(_ line: String, isWatch: Bool) -> Int {
            all.withLock { all in
                defer { all.append(line) }
                return all.filter { $0.contains("watch=true") == isWatch }.count
            }
        }
    }
    private let lines = Lines()
    let server: ScriptedServer

    init(_ answer: @escaping @Sendable (ScriptedServer.Connection, _ isWatch: Bool, _ before: Int) -> Void) {
        let lines = lines
        server = ScriptedServer { connection in
            while let head = connection.readHead() {
                let line = String(head.split(separator: "\r\n")[0])
                let isWatch = line.contains("watch=true")
                let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
                _ = connection.read(Int(length?.dropFirst(16) ?? "") ?? 0)
                answer(connection, isWatch, lines.add(line, isWatch: isWatch))
            }
        }
    }

    var requests: [String] { lines.all.withLock { $0 } }

    func client(observer: KubernetesObserver = KubernetesObserver()) async throws -> KubernetesClient {
        KubernetesClient(
            try await .standalone(),
            access: ClusterAccess(server: try HTTPURL("http://127.0.0.1:\(server.port)").origin), namespace: "n",
            observer: observer)
    }
}

extension ScriptedServer.Connection {
    fileprivate func sendList(_ names: [String], version: String) {
        let items = names.map { #"{"metadata":{"name":"\#($0)","uid":"u-\#($0)","resourceVersion":"1"}}"# }
        sendJSON(
            200,
            #"{"kind":"PodList","metadata":{"resourceVersion":"\#(version)"},"items":[\#(items.joined(separator: ","))]}"#
        )
    }

    fileprivate func sendJSON(_ status: Int, _ body: String, fields: String = "") {
        send(
            "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n"
                + body)
    }

    fileprivate func beginWatch() {
        send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    }

    /// Ends the stream in the middle of whatever it was.
    fileprivate func end() { _ = shutdown(descriptor, CInt(SHUT_RDWR)) }

    fileprivate func sendChunk(_ text: String) { send("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n") }
}

/// What a reflector told, as words.
private struct Told: Sendable {
    let stream: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: String.self) }

    func take(_ event: ReflectorEvent<Pod>) {
        let word =
            switch event {
            case .listed(let pods): "listed \(pods.compactMap(\.metadata.name).joined(separator: " "))"
            case .changed(let pod): "changed \(pod.metadata.name ?? "")"
            case .removed(let pod): "removed \(pod.metadata.name ?? "")"
            case .lost: "lost"
            case .resumed: "resumed"
            }
        continuation.yield(word)
    }
}

@Suite("A reflector against a server by script", .timeLimit(.minutes(5)))
struct ReflectorTests {
    /// Follows until all of these were told, in this order.
    private func expect(
        _ expected: [String], from api: ScriptedAPI, patience: WatchPatience = WatchPatience(),
        observer: KubernetesObserver = KubernetesObserver()
    ) async throws {
        let told = Told()
        let reflector = Reflector<Pod>(
            try await api.client(observer: observer), selector: ObjectSelector(), patience: patience, random: { 0 })
        let running = Task { await reflector.run { told.take($0) } }
        defer { running.cancel() }
        var heard: [String] = []
        for await word in told.stream {
            heard.append(word)
            if heard.count == expected.count { break }
        }
        #expect(heard == expected)
    }

    @Test("A watch whose server falls silent is given up, and the next attempt that is not answered is told")
    func halfOpen() async throws {
        let api = ScriptedAPI { connection, isWatch, before in
            guard isWatch else { return connection.sendList(["a"], version: "5") }
            if before == 0 { connection.beginWatch() }
            if before == 2 {
                connection.beginWatch()
                connection.sendChunk(
                    #"{"type":"DELETED","object":{"metadata":{"name":"a","resourceVersion":"9"}}}"# + "\n")
            }
            // The first says nothing more, the second nothing at all; both connections stay open. A server that was away
            // is listed anew.
            _ = connection.endsSilently()
        }
        defer { api.server.stop() }
        let collected = Ends()
        let begin = ContinuousClock.now
        try await expect(
            ["listed a", "lost", "listed a", "removed a"], from: api,
            patience: WatchPatience(seconds: 1, grace: .milliseconds(100), answer: .seconds(3)),
            observer: KubernetesObserver(watchEnded: { collected.add($1) }))
        #expect(begin.duration(to: .now) >= .milliseconds(1100))
        #expect(collected.all.first == .silent)
        #expect(api.requests.filter { $0.contains("watch=true") }.allSatisfy { $0.contains("resourceVersion=5") })
    }

    private final class Ends: Sendable {
        private let ends = Mutex<[WatchEnd]>([])
        var all: [WatchEnd] { ends.withLock { $0 } }
        func add(_ end: WatchEnd) { ends.withLock { $0.append(end) } }
    }

    @Test("With the usual patience a half-open watch is told of within a minute")
    func minute() {
        let patience = WatchPatience()
        let longest = Duration.seconds(patience.seconds + patience.seconds / 2)
        #expect(longest + patience.grace + patience.answer <= .seconds(60))
    }

    @Test("410 as a status and as an event mean a new list, in which deletions of the gap show")
    func gone() async throws {
        let expired = #"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#
        let api = ScriptedAPI { connection, isWatch, before in
            guard isWatch else { return connection.sendList(before == 0 ? ["a", "b"] : ["b"], version: "\(before)") }
            if before == 0 { return connection.sendJSON(410, expired) }
            connection.beginWatch()
            if before == 1 { return connection.sendChunk(#"{"type":"ERROR","object":\#(expired)}"# + "\n") }
            _ = connection.endsSilently()
        }
        defer { api.server.stop() }
        try await expect(["listed a b", "listed b", "listed b"], from: api)
    }

    @Test("A version that the server refuses again and again is not asked for for ever")
    func unknownVersion() async throws {
        let api = ScriptedAPI { connection, isWatch, before in
            guard isWatch else { return connection.sendList(["a"], version: before == 0 ? "900" : "7") }
            // As after a store was brought back from a backup.
            if before < 3 {
                return connection.sendJSON(504, #"{"kind":"Status","code":504,"message":"Too large resource version"}"#)
            }
            connection.beginWatch()
            _ = connection.endsSilently()
        }
        defer { api.server.stop() }
        try await expect(["listed a", "lost", "listed a"], from: api)
    }

    @Test("A watch goes on where it stopped, at whatever byte it was cut")
    func cuts() async throws {
        let line = #"{"type":"MODIFIED","object":{"metadata":{"name":"b","resourceVersion":"6"}}}"# + "\n"
        let bytes = Array(line.utf8)
        // A cut watch is opened again after a second, so a few cuts here; every byte is LineSplitter's test.
        for cut in [1, bytes.count / 2, bytes.count - 1] {
            let api = ScriptedAPI { connection, isWatch, before in
                guard isWatch else { return connection.sendList(["a"], version: "5") }
                connection.beginWatch()
                guard before == 0 else {
                    connection.sendChunk(line)
                    return _ = connection.endsSilently()
                }
                connection.send("\(String(bytes.count, radix: 16))\r\n")
                connection.send(Array(bytes[..<cut]))
                connection.end()
            }
            defer { api.server.stop() }
            try await expect(["listed a", "changed b"], from: api)
        }
    }

    @Test("A server that is busy is asked again when it says so, even for a create")
    func busy() async throws {
        let api = ScriptedAPI { connection, _, before in
            guard before > 0 else {
                return connection.sendJSON(
                    429, #"{"kind":"Status","reason":"TooManyRequests","message":"busy"}"#, fields: "Retry-After: 1\r\n"
                )
            }
            connection.sendJSON(201, #"{"metadata":{"name":"s","uid":"u"}}"#)
        }
        defer { api.server.stop() }
        let client = try await api.client()
        let begin = ContinuousClock.now
        let made = try await client.create(["metadata": ["name": "s"]], as: Secret.self)
        #expect(made.metadata.uid == "u")
        #expect(begin.duration(to: .now) >= .seconds(1))
        #expect(api.requests.count == 2)
    }

    @Test("A server that asks for a long wait is not waited for while somebody waits for us")
    func veryBusy() async throws {
        let api = ScriptedAPI { connection, _, _ in
            connection.sendJSON(429, "{}", fields: "Retry-After: 60\r\n")
        }
        defer { api.server.stop() }
        let client = try await api.client()
        await #expect(throws: KubernetesError.self) { try await client.get(Secret.self, "s") }
        #expect(api.requests.count == 1)
    }

    @Test("Of a log with long lines the end is told, though the server counts from the beginning")
    func longLog() async throws {
        let api = ScriptedAPI { connection, _, before in
            let text = before == 0 ? String(repeating: "x", count: 1 << 20) : "the end\n"
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
        }
        defer { api.server.stop() }
        let client = try await api.client()
        #expect(try await client.log(pod: "p", container: "c", lines: 2000) == "the end\n")
        #expect(api.requests.map { $0.contains("tailLines=2000") } == [true, false])
    }
}
