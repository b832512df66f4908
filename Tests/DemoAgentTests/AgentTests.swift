import FoundationEssentials
import Glibc
import Testing

@testable import DemoAgent

@Suite("A running agent", .serialized, .timeLimit(.minutes(5)))
struct AgentTests {
    private func value<Value: Decodable>(_ type: Value.Type, _ answer: RawClient.Answer) throws -> Value {
        try JSONDecoder().decode(type, from: Data(answer.body))
    }

    private struct Identified: Decodable { let id: String }

    @Test("It is healthy and calls itself a demo")
    func health() async throws {
        try await RunningAgent.run { agent in
            let answer = try agent.client().request("GET", "/global/health")
            #expect(answer.status == 200)
            #expect(answer.text.hasPrefix(#"{"healthy":true,"version":"demo-"#))
        }
    }

    @Test("Its page loads nothing from elsewhere, and names itself a demo even without its files")
    func page() async throws {
        let resources = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/Resources"
        try await RunningAgent.run {
            $0.resources = resources
        } _: { agent in
            let page = try agent.client().request("GET", "/")
            #expect(page.text.contains("Demo agent"))
            #expect(page["content-security-policy"]?.contains("script-src 'self'") == true)
            #expect(!page.text.contains("http://") && !page.text.contains("https://"))
            for file in ["main.js", "demo-agent.css", "icon.svg"] {
                try #expect(agent.client().request("GET", "/demo-agent/\(file)").status == 200)
            }
            try #expect(agent.client().request("GET", "/demo-agent/..%2F..%2FPackage.swift").status == 404)
        }
        try await RunningAgent.run { agent in
            try #expect(agent.client().request("GET", "/").text.contains("Demo agent"))
        }
    }

    @Test("With a password, everything asks for it")
    func password() async throws {
        try await RunningAgent.run {
            $0.password = "s3cret"
        } _: { agent in
            let right = "Authorization: Basic " + Data("opencode:s3cret".utf8).base64EncodedString()
            let wrong = "Authorization: Basic " + Data("opencode:guess".utf8).base64EncodedString()
            for target in ["/", "/global/health", "/event", "/pty", "/demo-agent/main.js", "/demo/bytes?count=1"] {
                try #expect(agent.client().request("GET", target).status == 401)
                try #expect(agent.client().request("GET", target, [wrong]).status == 401)
                try #expect(agent.client().request("GET", target, [right, right]).status == 401)
            }
            try #expect(agent.client().request("GET", "/global/health", [right]).status == 200)
            let token = Data("opencode:s3cret".utf8).base64EncodedString().replacing("=", with: "%3D")
            try #expect(agent.client().request("GET", "/global/health?auth_token=\(token)").status == 200)
            try #expect(agent.client().request("GET", "/global/health?auth_token=x", [right]).status == 401)
        }
    }

    @Test(
        "Pages of other sites may neither write nor open a terminal",
        arguments: [
            ("http://demo.test", true), ("https://demo.test", true), ("http://demo.test:80", true), ("null", false),
            ("http://evil.test", false), ("http://demo.test.evil.test", false), ("http://demo.test:81", false),
        ])
    func origin(origin: String, isAllowed: Bool) async throws {
        try await RunningAgent.run { agent in
            let answer = try agent.client().request("POST", "/session", ["Origin: \(origin)"], body: "{}")
            #expect(answer.status == (isAllowed ? 200 : 403))
            let socket = try agent.client().request(
                "GET", "/pty/none/connect",
                [
                    "Origin: \(origin)", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                ])
            #expect(socket.status == (isAllowed ? 404 : 403))
        }
    }

    @Test("Requests sent at once are answered in order on one connection, bodies read or skipped")
    func pipelining() async throws {
        try await RunningAgent.run { agent in
            let client = try agent.client()
            try client.send(
                RawClient.head("GET", "/global/health") + RawClient.head("POST", "/nope", body: "ignored") + "ignored"
                    + RawClient.head("HEAD", "/global/health")
                    + RawClient.head("POST", "/session", ["Transfer-Encoding: chunked"])
                    + "9\r\n{\"title\":\r\n4;x=y\r\n\"hi\"\r\n1\r\n}\r\n0\r\n\r\n"
                    + RawClient.head("GET", "/session/status")
                    + RawClient.head("PATCH", "/session"))
            #expect(try client.answer().status == 200)
            #expect(try client.answer().status == 404)
            let head = try client.answer(toHead: true)
            #expect(head["content-length"] == "35")
            #expect(try client.answer().text.contains(#""title":"hi""#))
            #expect(try client.answer().text == "{}")
            let last = try client.answer()
            #expect(last.status == 405)
            #expect(last["allow"] == "GET, POST")
        }
    }

    @Test(
        "What is not HTTP is refused and the connection closed",
        arguments: [
            "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "nonsense\r\n\r\n",
            "POST /session HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST /session HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ])
    func malformed(bytes: String) async throws {
        try await RunningAgent.run { agent in
            let client = try agent.client()
            try client.send(bytes)
            let answer = try client.answer()
            #expect(answer.status == 400)
            #expect(answer["connection"] == "close")
            #expect(try client.isAtEnd())
        }
    }

    @Test("A body that is too large is refused")
    func tooLarge() async throws {
        try await RunningAgent.run { agent in
            let client = try agent.client()
            let answer = try client.request("POST", "/session", body: String(repeating: " ", count: (1 << 20) + 1))
            #expect(answer.status == 413)
        }
    }

    @Test("A body comes back as it was sent, with a length or in chunks")
    func uploads() async throws {
        try await RunningAgent.run { agent in
            let client = try agent.client()
            let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
            try client.send(
                RawClient.head("PUT", "/demo/upload/a.bin", ["Content-Length: \(body.count)", "Expect: 100-continue"]))
            #expect(try client.head().status == 100)
            try client.send(body)
            #expect(try client.answer().status == 201)
            #expect(try client.request("GET", "/demo/upload/a.bin").body == body)

            try client.send(RawClient.head("PUT", "/demo/upload/b.bin", ["Transfer-Encoding: chunked"]))
            for start in stride(from: 0, to: body.count, by: 10_000) {
                try client.send(Array("2710\r\n".utf8) + body[start..<start + 10_000] + Array("\r\n".utf8))
            }
            try client.send("0\r\n\r\n")
            #expect(try client.answer().status == 201)
            #expect(try client.request("GET", "/demo/upload/b.bin").body == body)

            #expect(try client.request("GET", "/demo/upload/..%2fHEAD").status == 400)
            #expect(try client.request("GET", "/demo/upload/.hidden").status == 400)
            #expect(try client.request("GET", "/demo/upload/missing").status == 404)
            #expect(try client.request("GET", "/demo/bytes?count=70001").body.count == 70001)
            #expect(try client.request("DELETE", "/demo/upload/a.bin").status == 204)
            #expect(try client.request("GET", "/file?path=").text.contains("a.bin") == false)
        }
    }

    @Test("Files of the repository are listed and shown")
    func files() async throws {
        try await RunningAgent.run { agent in
            let client = try agent.client()
            agent.folder.write("binary", "a\0b")
            let list = try client.request("GET", "/file?path=")
            #expect(list.text.contains(#""name":"src","path":"src""#))
            #expect(try client.request("GET", "/file/content?path=src/main.c").text.contains(#"int main;\n"#))
            #expect(try client.request("GET", "/file/content?path=binary").text.contains(#""type":"binary""#))
            #expect(try client.request("GET", "/file/content?path=%2e%2e/x").status == 400)
            #expect(
                try client.request("GET", "/vcs").text
                    == #"{"branch":"main","name":"\#(agent.folder.path.dropFirst(5))"}"#)
        }
    }

    @Test("An event stream begins with server.connected, one chunk per event, and has heartbeats")
    func events() async throws {
        try await RunningAgent.run {
            $0.heartbeatMilliseconds = 100
        } _: { agent in
            for target in ["/event", "/global/event"] {
                let client = try agent.client()
                try client.send(RawClient.head("GET", target))
                let head = try client.head()
                #expect(head["content-type"] == "text/event-stream")
                #expect(head["transfer-encoding"] == "chunked")
                #expect(try client.chunk().contains(#""type":"server.connected""#))
                let heartbeat = try client.chunk()
                #expect(heartbeat.hasPrefix("data: {") && heartbeat.hasSuffix("}\n\n"))
                #expect(heartbeat.contains("server.heartbeat"))
                #expect(heartbeat.contains("directory") == (target == "/global/event"))
            }
        }
    }

    @Test("A prompt is busy at once, is answered by events, and leaves the session idle")
    func prompt() async throws {
        try await RunningAgent.run { agent in
            let client = try agent.client()
            let listener = try agent.client()
            try listener.send(RawClient.head("GET", "/event"))
            _ = try listener.head()
            let id = try value(Identified.self, client.request("POST", "/session", body: "{}")).id
            #expect(try client.request("GET", "/session/\(id)").text.contains(id))
            let prompt = #"{"parts":[{"type":"text","text":"What is here?"}]}"#
            let answer = try client.request("POST", "/session/\(id)/prompt_async", body: prompt)
            #expect(answer.status == 204)
            #expect(try client.request("GET", "/session/status").text == #"{"\#(id)":{"type":"busy"}}"#)
            var seen = ""
            while !seen.contains("session.idle") { seen += try listener.chunk() }
            for type in ["session.created", "message.updated", "message.part.updated", "message.part.delta"] {
                #expect(seen.contains(type))
            }
            #expect(try client.request("GET", "/session/status").text == "{}")
            let messages = try client.request("GET", "/session/\(id)/message").text
            #expect(
                messages.contains("What is here?") && messages.contains("No model") && messages.contains("README.md"))
            let waited = try client.request("POST", "/session/\(id)/message", body: prompt)
            #expect(waited.text.contains("No model"))
            #expect(try client.request("POST", "/session/none/prompt_async", body: prompt).status == 404)
        }
    }

    @Test("An answer can be stopped")
    func abort() async throws {
        try await RunningAgent.run { agent in
            let client = try agent.client()
            let listener = try agent.client()
            try listener.send(RawClient.head("GET", "/event"))
            _ = try listener.head()
            let id = try value(Identified.self, client.request("POST", "/session", body: "{}")).id
            let prompt = #"{"parts":[{"type":"text","text":"/wait 500"}]}"#
            #expect(try client.request("POST", "/session/\(id)/prompt_async", body: prompt).status == 204)
            #expect(try client.request("POST", "/session/\(id)/prompt_async", body: prompt).status == 409)
            #expect(try client.request("POST", "/session/\(id)/abort").text == "true")
            var seen = ""
            while !seen.contains("session.idle") { seen += try listener.chunk() }
            #expect(seen.contains("MessageAbortedError"))
            #expect(try client.request("GET", "/session/status").text == "{}")
        }
    }

    @Test("A terminal runs a real shell in the repository, over WebSocket")
    func terminal() async throws {
        try await RunningAgent.run { agent in
            let client = try agent.client()
            let id = try value(Identified.self, client.request("POST", "/pty", body: "{}")).id
            let terminal = try WebSocketClient(agent, id)
            try terminal.type("echo $((40 + 2)) $(cat README.md)\r")
            try terminal.read(until: "42 # Test")
            let size = #"{"size":{"rows":31,"cols":97}}"#
            #expect(try client.request("PUT", "/pty/\(id)", body: size).status == 200)
            try terminal.type("stty size\r")
            try terminal.read(until: "31 97")
            let second = try WebSocketClient(agent, id)
            try second.read(until: "31 97")
            try terminal.type("exit\r")
            #expect(try terminal.readClose() == 1000)
            #expect(try second.readClose() == 1000)
        }
    }

    @Test(
        "Handshakes that are no handshakes are refused",
        arguments: [
            (["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"], 426),
            (["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"], 400),
            (
                [
                    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 8",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                ], 400
            ),
            (
                ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: short"],
                400
            ),
        ])
    func handshake(fields: [String], status: Int) async throws {
        try await RunningAgent.run { agent in
            let client = try agent.client()
            let id = try value(Identified.self, client.request("POST", "/pty", body: "{}")).id
            #expect(try client.request("GET", "/pty/\(id)/connect", fields).status == status)
        }
    }

    @Test("Nothing of a terminal is left when the agent has stopped, not even jobs that ignore a hang-up")
    func noOrphans() async throws {
        var pid: pid_t = 0
        try await RunningAgent.run { agent in
            let client = try agent.client()
            let id = try value(Identified.self, client.request("POST", "/pty", body: "{}")).id
            let terminal = try WebSocketClient(agent, id)
            try terminal.type("set -m; (trap '' HUP; exec sleep 1000) & echo j''ob=$!=\r")
            let text = try terminal.read(until: "=\r\n", after: "job=")
            pid = try #require(pid_t(text.split(separator: "job=").last?.split(separator: "=").first ?? ""))
            #expect(kill(pid, 0) == 0)
        }
        // The killed job is the system's to reap; here it may be a zombie of this process's reaper for a moment.
        // A busy machine takes its time to carry a kill out.
        var status: String?
        for _ in 0..<500 {
            status = try? String(contentsOf: URL(filePath: "/proc/\(pid)/stat"), encoding: .utf8)
            if status == nil || status?.contains(") Z ") == true { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(status == nil || status?.contains(") Z ") == true)
    }

    @Test("Disposing ends terminals and event streams, and says so")
    func dispose() async throws {
        try await RunningAgent.run { agent in
            let client = try agent.client()
            let listener = try agent.client()
            try listener.send(RawClient.head("GET", "/event"))
            _ = try listener.head()
            let id = try value(Identified.self, client.request("POST", "/pty", body: "{}")).id
            let terminal = try WebSocketClient(agent, id)
            try terminal.type("echo ready\r")
            try terminal.read(until: "ready\r\n")
            #expect(try client.request("POST", "/global/dispose").text == "true")
            #expect(try terminal.readClose() == 1000)
            var seen = ""
            while !seen.contains("server.instance.disposed") { seen += try listener.chunk() }
            #expect(try listener.chunk().isEmpty)
            #expect(try listener.isAtEnd())
        }
    }
}
