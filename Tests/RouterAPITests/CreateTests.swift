import Foundation
import HTTPTypes
import RouterAPI
import SessionDoubles
import Sessions
import Testing

@Suite("Making a session")
struct CreateTests {
    private func created(_ bench: APIBench) -> [SessionSpecification] {
        bench.runtime.orders.compactMap { if case .create(let specification) = $0 { specification } else { nil } }
    }

    @Test("Repository and branch are enough; the hash is the contract's")
    func minimal() async throws {
        let bench = try await APIBench()
        let response = await bench.call(
            .post, "/api/sessions", as: APICaller(email: "ann@example.com"),
            body: #"{"repoUrl":" https://github.com/owner/name ","branch":" main "}"#, token: "tok-123")
        // printf 'ann@example.com:https://github.com/owner/name:main' | sha256sum
        let hash = "98ed54c64d3b"
        #expect(response.status == .created)
        #expect(response.text == #"{"hash":"\#(hash)","url":null,"state":"creating"}"#)
        #expect(response.headers[.location] == "/api/sessions/\(hash)")
        let specification = try #require(created(bench).first)
        #expect(specification.id.description == hash)
        #expect(specification.sourceBranch == "main")
        #expect(specification.key.repositoryURL == "https://github.com/owner/name")
        #expect(specification.gitToken == "tok-123" && bench.remotes.tokens == ["tok-123"])
        // Who asks next sees it.
        #expect(await bench.call(.get, "/api/sessions/\(hash)").object["state"] as? String == "creating")
        #expect(bench.log.lines == ["session created email=ann@example.com peer=192.0.2.1 request=r-1 session=\(hash)"])
    }

    @Test(
        "The source branch is the wish, else the branch itself, else the remote's default",
        arguments: [
            (["main", "next"], "main", "next", nil, "next"), (["main", "next"], "main", "fix", nil, "main"),
            (["main", "next"], "main", "fix", "next", "next"), (["trunk"], "trunk", "main", nil, "trunk"),
            ([], "trunk", "fix", nil, "trunk"), ([], nil, "fix", nil, "fix"), ([], nil, "fix", "dev", "dev"),
        ] as [([String], String?, String, String?, String)])
    func sourceBranch(names: [String], main: String?, branch: String, wished: String?, expected: String) async throws {
        let bench = try await APIBench(remotes: ScriptedRemotes(names, default: main))
        let source = wished.map { #","sourceBranch":"\#($0)""# } ?? ""
        let response = await bench.call(
            .post, "/api/sessions", body: #"{"repoUrl":"https://example.com/a","branch":"\#(branch)"\#(source)}"#)
        #expect(response.status == .created)
        #expect(created(bench).map(\.sourceBranch) == [expected])
    }

    @Test("A source branch that the remote does not have is 400, and a remote that fails 502 with its reason")
    func remoteTrouble() async throws {
        let body = #"{"repoUrl":"https://example.com/a","branch":"x","sourceBranch":"gone"}"#
        var bench = try await APIBench()
        var response = await bench.call(.post, "/api/sessions", body: body)
        #expect(response.status == .badRequest && response.code == "branch_not_found")
        #expect(response.object["error"] as? String == #"Branch "gone" not found on https://example.com/a."#)
        bench = try await APIBench(remotes: ScriptedRemotes(failing: .unreachable("repository not found")))
        response = await bench.call(.post, "/api/sessions", body: body)
        #expect(response.status == .badGateway && response.text.contains("repository not found"))
        bench = try await APIBench(remotes: ScriptedRemotes(failing: .refused("10.0.0.1 is a private address.")))
        response = await bench.call(.post, "/api/sessions", body: body)
        #expect(response.status == .badRequest && response.code == "repository_not_allowed")
        bench = try await APIBench(remotes: ScriptedRemotes(["a"], default: nil))
        response = await bench.call(.post, "/api/sessions", body: #"{"repoUrl":"https://example.com/a","branch":"x"}"#)
        #expect(response.code == "source_branch_required")
        #expect(bench.runtime.orders.isEmpty)
    }

    @Test("Blank projects need nothing, and each is a new one")
    func blank() async throws {
        let bench = try await APIBench()
        let first = await bench.call(.post, "/api/sessions", body: "{}")
        let second = await bench.call(.post, "/api/sessions", body: #"{"repoUrl":"","branch":"idea"}"#)
        #expect(first.status == .created && second.status == .created)
        #expect(first.object["hash"] as? String != second.object["hash"] as? String)
        #expect(created(bench).map(\.key.branch) == ["main", "idea"])
        #expect(created(bench).allSatisfy { $0.key.repositoryURL == nil })
        #expect(bench.remotes.asked.isEmpty)
    }

    @Test(
        "What cannot be is refused with the field and what is accepted",
        arguments: [
            ("", "invalid_json", "JSON"), ("{", "invalid_json", "JSON"), ("[]", "invalid_json", "object"),
            ("\"x\"", "invalid_json", "object"), ("null", "invalid_json", ""),
            (#"{"repoUrl":5,"branch":"x"}"#, "invalid_field", "\"repoUrl\" must be a string."),
            (#"{"repoUrl":"https://example.com/a","branch":["x"]}"#, "invalid_field", "\"branch\" must be a string."),
            (#"{"repoUrl":"https://example.com/a"}"#, "missing_field", "branch is required"),
            (#"{"repoUrl":"https://example.com/a","branch":"  "}"#, "missing_field", "branch is required"),
            (#"{"repoUrl":"https://example.com/a","branch":"a b"}"#, "invalid_branch", "\"branch\" must not"),
            (#"{"repoUrl":"https://example.com/a","branch":"-x"}"#, "invalid_branch", "begin with"),
            (
                #"{"repoUrl":"https://example.com/a","branch":"x","sourceBranch":"a..b"}"#, "invalid_branch",
                "\"sourceBranch\" must not"
            ),
            (#"{"repoUrl":"http://example.com/a","branch":"x"}"#, "repository_not_allowed", "http://"),
            (#"{"repoUrl":"file:///etc","branch":"x"}"#, "repository_not_allowed", "file://"),
            (#"{"repoUrl":"git@example.com:a/b","branch":"x"}"#, "invalid_repository", "https://example.com/a/b"),
            (#"{"repoUrl":"https://u:p@example.com/a","branch":"x"}"#, "invalid_repository", "token"),
        ])
    func refusals(body: String, code: String, sentence: String) async throws {
        let bench = try await APIBench()
        let response = await bench.call(.post, "/api/sessions", body: body)
        #expect(response.status == .badRequest)
        #expect(response.code == code)
        #expect((response.object["error"] as? String)?.contains(sentence) == true || sentence.isEmpty)
        #expect(bench.runtime.orders.isEmpty && bench.remotes.asked.isEmpty)
    }

    @Test("Only JSON is taken as JSON")
    func mediaType() async throws {
        let bench = try await APIBench()
        for type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
            let response = await bench.call(.post, "/api/sessions", body: "{}", headers: [.contentType: type])
            #expect(response.status == .unsupportedMediaType)
        }
        for type in ["application/json", "Application/JSON; charset=utf-8"] {
            let response = await bench.call(.post, "/api/sessions", body: "{}", headers: [.contentType: type])
            #expect(response.status == .created)
        }
    }

    @Test("A first prompt may be long, not endless")
    func prompt() async throws {
        let bench = try await APIBench()
        let long = String(repeating: "a", count: 64 << 10)
        #expect(await bench.call(.post, "/api/sessions", body: #"{"initialMessage":"\#(long)"}"#).status == .created)
        let endless = await bench.call(.post, "/api/sessions", body: #"{"initialMessage":"\#(long)a"}"#)
        #expect(endless.code == "message_too_long")
    }

    @Test("Many creates of one session at once become one order, and all get the same answer", .timeLimit(.minutes(5)))
    func coalescing() async throws {
        let bench = try await APIBench()
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        bench.runtime.hold(until: gate)
        let body = #"{"repoUrl":"https://example.com/a","branch":"x"}"#
        await withTaskGroup(of: APIResponse.self) { group in
            for _ in 0..<50 { group.addTask { await bench.call(.post, "/api/sessions", body: body) } }
            while bench.runtime.orders.isEmpty { await Task.yield() }
            bench.runtime.hold(until: nil)
            opener.finish()
            var answers: Set<String> = []
            for await response in group { answers.insert("\(response.status.code) \(response.text)") }
            #expect(answers.count == 1 && answers.first?.hasPrefix("201") == true)
        }
        // Whoever came after the first order had ended gave another one, which the runtime takes as the same.
        #expect(Set(created(bench).map(\.id)).count == 1)
    }

    @Test("A session that exists is started again without asking its remote")
    func existing() async throws {
        let bench = try await APIBench()
        let body = #"{"repoUrl":"https://example.com/a","branch":"x"}"#
        let hash = await bench.call(.post, "/api/sessions", body: body).object["hash"] as? String
        let id = try #require(hash.flatMap { SessionID($0) })
        bench.runtime.move(id, to: .stopped)
        try await bench.directory.until { $0[id]?.state == .stopped }
        #expect(await bench.call(.post, "/api/sessions", body: body).status == .created)
        #expect(bench.remotes.asked.count == 1)
        // After a failure the remote may be another one: a wish for a better source branch counts.
        let failure = SessionFailure(code: "branch_missing", message: "", hint: "")
        bench.runtime.move(id, to: .failed(failure))
        try await bench.directory.until { $0[id]?.state == .failed(failure) }
        let better = #"{"repoUrl":"https://example.com/a","branch":"x","sourceBranch":"next"}"#
        #expect(await bench.call(.post, "/api/sessions", body: better).status == .created)
        #expect(created(bench).last?.sourceBranch == "next")
    }

    @Test("Limits hold for creates at once, and say what to do")
    func limits() async throws {
        let bench = try await APIBench { $0.limits = SessionLimits(runningPerUser: 3) }
        let statuses = await withTaskGroup(of: Int.self) { group in
            for number in 0..<20 {
                group.addTask {
                    await bench.call(
                        .post, "/api/sessions", body: #"{"repoUrl":"https://example.com/a","branch":"b\#(number)"}"#
                    ).status.code
                }
            }
            return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
        #expect(statuses == [201: 3, 429: 17])
        let refused = await bench.call(.post, "/api/sessions", body: "{}")
        #expect(refused.code == "too_many_running")
        #expect(refused.text.contains("Stop one first"))
    }

    @Test("Who goes away does not undo the order")
    func cancelled() async throws {
        let bench = try await APIBench()
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        bench.runtime.hold(until: gate)
        let call = Task { await bench.call(.post, "/api/sessions", body: #"{"branch":"x"}"#) }
        while bench.runtime.orders.isEmpty { await Task.yield() }
        call.cancel()
        opener.finish()
        try await bench.directory.until { $0.sessions.count == 1 }
    }
}
