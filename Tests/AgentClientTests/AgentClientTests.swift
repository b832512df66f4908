import AgentClient
import DemoAgent
import Foundation
import HTTPClient
import LinuxIO
import SessionDoubles
import Sessions
import Testing

@Suite("What the gateway asks of agents", .timeLimit(.minutes(5)))
struct AgentClientTests {
    static let busy = #"{"ses_1":{"type":"busy"}}"#
    static let statuses: [([String: String], AgentStatus)] = [
        (["/session/status": "{}"], .idle),
        (["/session/status": #"{"ses_1":{"type":"idle"}}"#], .idle),
        (["/session/status": busy, "/permission": "[]", "/question": "[]"], .busy),
        (["/session/status": busy], .busy),
        (["/session/status": #"{"ses_1":{"type":"retry","attempt":1,"message":"m","next":9}}"#], .retrying),
        (
            [
                "/session/status": #"{"a":{"type":"retry"},"b":{"type":"busy"}}"#, "/permission": "[]",
                "/question": "[]",
            ], .busy
        ),
        (["/session/status": #"{"a":{"type":"something new"}}"#], .busy),
        (["/session/status": busy, "/permission": #"[{"id":"per_1"}]"#], .waitingForHuman),
        (["/session/status": busy, "/permission": "[]", "/question": #"[{"id":"que_1"}]"#], .waitingForHuman),
        (["/session/status": "[]"], .unknown), ([:], .unknown),
    ]

    @Test("The agent's own word decides whether it works", arguments: statuses)
    func status(answers: [String: String], expected: AgentStatus) async throws {
        let answers = answers.map { ("GET \($0.key)", (status: 200, body: $0.value)) }
        let agent = CannedAgent(Dictionary(uniqueKeysWithValues: answers))
        defer { agent.stop() }
        let client = AgentClient(try await .standalone())
        #expect(await client.status(of: .example(1), at: agent.endpoint) == expected)
        let login = "Basic " + Data("opencode:secret".utf8).base64EncodedString()
        #expect(agent.requests.allSatisfy { $0.authorization == login })
    }

    static let newer = (status: 200, body: #"{"version":"2.0.0"}"#)
    static let running = #"{"data":{"ses_1":{"type":"running"}}}"#
    static let newerStatuses: [([String: String], AgentStatus)] = [
        (["/api/session/active": #"{"data":{}}"#], .idle),
        (["/api/session/active": #"{"data":{"ses_1":{"type":"paused"}}}"#], .idle),
        (["/api/session/active": running], .busy),
        (["/api/session/active": running, "/api/permission/request": #"{"data":[]}"#], .busy),
        (
            [
                "/api/session/active": running,
                "/api/permission/request": #"{"location":{},"data":[{"id":"per_1"}]}"#,
            ], .waitingForHuman
        ),
        (["/api/session/active": running, "/api/form": #"{"data":[{"id":"frm_1"}]}"#], .waitingForHuman),
        (["/api/session/active": running, "/api/question/request": "[{}]"], .waitingForHuman),
        // The first of them had only the older address for it; and what is not understood is no idleness.
        (["/session/status": busy], .busy), (["/session/status": "{}"], .idle),
        (["/api/session/active": "<html>"], .unknown), ([:], .unknown),
    ]

    @Test("An agent of the newer API is asked by the newer API whether it works", arguments: newerStatuses)
    func newerStatus(answers: [String: String], expected: AgentStatus) async throws {
        var canned = Dictionary(uniqueKeysWithValues: answers.map { ("GET \($0.key)", (status: 200, body: $0.value)) })
        canned["GET /api/info"] = Self.newer
        let agent = CannedAgent(canned)
        defer { agent.stop() }
        let client = AgentClient(try await .standalone())
        #expect(await client.status(of: .example(1), at: agent.endpoint) == expected)
    }

    @Test("An agent that refuses, or is not there, is unknown and not idle", arguments: [401, 404, 500, 503])
    func refusals(status: Int) async throws {
        let agent = CannedAgent(["GET /session/status": (status, "{}")])
        let client = AgentClient(try await .standalone())
        #expect(await client.status(of: .example(1), at: agent.endpoint) == .unknown)
        agent.stop()
        var nowhere = agent.endpoint
        nowhere.port = 1
        #expect(await client.status(of: .example(1), at: nowhere) == .unknown)
        nowhere.address = "not an address"
        #expect(await client.status(of: .example(1), at: nowhere) == .unknown)
    }

    @Test("Conversations and prompts are asked for as opencode's API has them")
    func prompts() async throws {
        let agent = CannedAgent([
            "GET /session?limit=1&roots=true": (200, "[]"), "POST /session": (200, #"{"id":"ses_7","title":"t"}"#),
            "GET /session/ses_7/message?limit=1": (200, "[]"), "POST /session/ses_7/prompt_async": (204, ""),
            "POST /session/ses_8/prompt_async": (400, ""),
        ])
        defer { agent.stop() }
        let client = AgentClient(try await .standalone())
        #expect(try await client.firstConversation(at: agent.endpoint) == nil)
        #expect(try await client.openConversation(at: agent.endpoint) == "ses_7")
        #expect(try await !client.hasMessages("ses_7", at: agent.endpoint))
        try await client.prompt("Fix \"it\"\n", in: "ses_7", at: agent.endpoint)
        #expect(agent.requests.last?.line == "POST /session/ses_7/prompt_async")
        let body = try JSONSerialization.jsonObject(with: Data((agent.requests.last?.body ?? "").utf8)) as? NSDictionary
        #expect(body == ["parts": [["type": "text", "text": "Fix \"it\"\n"]]])
        await #expect(throws: AgentFailure.self) { try await client.prompt("x", in: "ses_8", at: agent.endpoint) }
        await #expect(throws: AgentFailure.self) { try await client.hasMessages("ses_9", at: agent.endpoint) }
    }

    @Test("Of the last conversations the newest with a message is told")
    func spoken() async throws {
        let agent = CannedAgent([
            "GET /session?limit=20&roots=true": (200, #"[{"id":"ses_3"},{"id":"ses_2"},{"id":"ses_1"}]"#),
            "GET /session/ses_3/message?limit=1": (200, "[]"), "GET /session/ses_2/message?limit=1": (200, "[{}]"),
        ])
        defer { agent.stop() }
        let client = AgentClient(try await .standalone())
        #expect(try await client.spokenConversation(at: agent.endpoint) == "ses_2")
        let empty = CannedAgent(["GET /session?limit=20&roots=true": (200, "[]")])
        defer { empty.stop() }
        #expect(try await client.spokenConversation(at: empty.endpoint) == nil)
    }

    @Test("An agent of the newer API is asked by it, and one that says nothing of itself is of the older")
    func generations() async throws {
        let agent = CannedAgent([
            "GET /api/info": (200, #"{"version":"2.0.0"}"#),
            "GET /api/session?limit=1&order=desc&parentID=null": (200, #"{"items":[{"id":"ses_7","title":"t"}]}"#),
            "POST /api/session": (200, #"{"data":{"id":"ses_8"}}"#),
            "GET /api/session/ses_7/message?limit=1": (200, #"{"data":[{}]}"#),
            "POST /api/session/ses_7/prompt": (200, "{}"),
        ])
        defer { agent.stop() }
        let client = AgentClient(try await .standalone())
        #expect(try await client.generation(at: agent.endpoint) == .v2)
        #expect(try await client.firstConversation(at: agent.endpoint) == "ses_7")
        #expect(try await client.title(at: agent.endpoint) == "t")
        #expect(try await client.openConversation(at: agent.endpoint) == "ses_8")
        #expect(try await client.hasMessages("ses_7", at: agent.endpoint))
        try await client.prompt("Go", in: "ses_7", at: agent.endpoint)
        #expect(agent.requests.last?.body == #"{"prompt":{"text":"Go"}}"#)
        #expect(agent.requests.filter { $0.line == "GET /api/info" }.count == 1, "asked once a run")
        let older = CannedAgent([:])
        defer { older.stop() }
        #expect(try await AgentClient(.standalone()).generation(at: older.endpoint) == .v1)
        #expect(try await AgentClient(.standalone(), generation: .v1).generation(at: agent.endpoint) == .v1)
        let unready = CannedAgent(["GET /api/info": (503, "")])
        defer { unready.stop() }
        let asking = AgentClient(try await .standalone())
        await #expect(throws: AgentFailure.self) { try await asking.generation(at: unready.endpoint) }
    }

    @Test(
        "The newest conversation's title is told, once it has one",
        arguments: [
            ("[]", nil), (#"[{"id":"ses_1"}]"#, nil), (#"[{"id":"ses_1","title":"New session - 2026-01-02"}]"#, nil),
            (#"[{"id":"ses_1","title":"Fixing the login"}]"#, "Fixing the login"),
        ] as [(String, String?)])
    func titles(list: String, expected: String?) async throws {
        let agent = CannedAgent(["GET /session?limit=1&roots=true": (200, list)])
        defer { agent.stop() }
        let client = AgentClient(try await .standalone())
        #expect(try await client.title(at: agent.endpoint) == expected)
    }

    @Test("An id that could be a path or a link is not taken", arguments: ["", "../x", "a/b", "ses 1", "é"])
    func ids(id: String) async throws {
        let agent = CannedAgent(["POST /session": (200, #"{"id":"\#(id)"}"#)])
        defer { agent.stop() }
        let client = AgentClient(try await .standalone())
        await #expect(throws: AgentFailure.self) { try await client.openConversation(at: agent.endpoint) }
    }

    @Test("The demo agent takes a first prompt, works, and is idle again")
    func demo() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("agent-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var configuration = DemoAgent.Configuration(directory: folder.path)
        configuration.port = 0
        configuration.password = "secret"
        configuration.followsProcess = false
        configuration.announces = false
        let (ready, telling) = AsyncStream.makeStream(of: SocketAddress.self)
        let agent = DemoAgent(configuration) { telling.yield($0) }
        let running = Task { try await agent.run() }
        defer { running.cancel() }
        var addresses = ready.makeAsyncIterator()
        let port = try #require(await addresses.next()).port
        let endpoint = SessionEndpoint(incarnation: "run-1", address: "127.0.0.1", port: port, password: "secret")

        let client = AgentClient(try await .standalone())
        var session = Session.example(1, state: .running(endpoint))
        session.initialMessage = "Say hello"
        #expect(await client.status(of: session, at: endpoint) == .idle)

        let runtime = ScriptedRuntime([session])
        let directory = SessionDirectory(runtime: runtime)
        let courier = FirstPromptCourier(directory: directory, runtime: runtime, agent: client)
        let tasks = [Task { await directory.run() }, Task { await courier.run() }]
        defer { for task in tasks { task.cancel() } }
        try await directory.until { $0[session.id]?.conversationID != nil }
        let conversation = try #require(directory.snapshot[session.id]?.conversationID)
        #expect(try await client.hasMessages(conversation, at: endpoint))
        var seen = await client.status(of: session, at: endpoint)
        #expect(seen == .busy || seen == .idle)
        while seen != .idle { seen = await client.status(of: session, at: endpoint) }
    }
}
