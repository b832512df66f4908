import Foundation
import HTTPTypes
import RouterAPI
import SessionDoubles
import Sessions
import Testing

@Suite("Sessions through the API")
struct SessionRouteTests {
    let id = SessionID(rawValue: 1)
    let path = "/api/sessions/000000000001"

    @Test("The link to a conversation is the one that the agent's own page has")
    func newerLink() async throws {
        var session = Session.example(1)
        session.conversationID = "ses_abc"
        session.agentGeneration = .v2
        let bench = try await APIBench([session])
        let response = await bench.call(.get, "/api/sessions/000000000001")
        // base64url of https://000000000001-oc.example.com:8443
        let server = "aHR0cHM6Ly8wMDAwMDAwMDAwMDEtb2MuZXhhbXBsZS5jb206ODQ0Mw"
        #expect(response.text.contains("https://000000000001-oc.example.com:8443/server/\(server)/session/ses_abc\""))
    }

    @Test("A running session has all its members")
    func running() async throws {
        var session = Session.example(1)
        session.initialMessage = "Fix </script> & \"it\"\n"
        session.title = "Fixing"
        session.attachPassword = "0123456789abcdef0123456789abcdef"
        session.conversationID = "ses_abc"
        let bench = try await APIBench([session])
        let response = await bench.call(.get, path)
        #expect(
            response.text == """
                {"hash":"000000000001","email":"ann@example.com","repoUrl":"https://example.com/team/app",\
                "branch":"main","sourceBranch":"main","state":"running",\
                "url":"https://000000000001-oc.example.com:8443/L2hvbWUvb3BlbmNvZGUvcmVwbw/session/ses_abc",\
                "createdAt":"2026-01-02T03:04:05.000Z","lastActivity":"2026-01-02T03:04:05.000Z",\
                "activity":{"at":"2026-01-02T03:04:05.000Z","source":"request"},"idleTimeoutMinutes":15,\
                "keptBecause":null,"stopsAt":"2026-01-02T03:19:05.000Z",\
                "description":"Fix \\u003c/script> \\u0026 \\"it\\"\\n","title":"Fixing","sessionId":"ses_abc",\
                "attachUrl":"https://attach-000000000001-oc.example.com:4096"}
                """)
        #expect(response.compressible)
    }

    @Test("Each state says what belongs to it")
    func states() async throws {
        let bench = try await APIBench([.example(1, state: .creating(.preparing))])
        var object = await bench.call(.get, path).object
        #expect(object["state"] as? String == "creating" && object["stage"] as? String == "preparing")
        #expect(object["url"] is NSNull)
        let failure = SessionFailure(code: "clone_failed", message: "m", hint: "h", log: "l")
        bench.runtime.move(id, to: .failed(failure))
        try await bench.directory.until { $0[id]?.state == .failed(failure) }
        object = await bench.call(.get, path).object
        #expect(
            object["failure"] as? [String: String]
                == ["code": "clone_failed", "message": "m", "hint": "h", "log": "l"])
        for state in [SessionState.stopping, .stopped] {
            bench.runtime.move(id, to: state)
            try await bench.directory.until { $0[id]?.state == state }
            #expect(await bench.call(.get, path).object["state"] as? String == state.name)
        }
    }

    @Test("Work that is in the session's folder only is told once it is known")
    func unsavedWork() async throws {
        let bench = try await APIBench([.example(1)])
        #expect(await bench.call(.get, path).object["dirty"] == nil)
        bench.runtime.change(id) { $0.unsavedWork = UnsavedWork(hasUncommittedChanges: true, unpushedCommits: 2) }
        try await bench.directory.until { $0[id]?.unsavedWork != nil }
        let object = await bench.call(.get, path).object
        #expect(object["dirty"] as? Bool == true && object["unpushed"] as? Int == 2)
    }

    @Test("What keeps a session and when it stops comes from the last sweep")
    func verdict() async throws {
        let bench = try await APIBench([.example(1)])
        bench.directory.note([id: IdleVerdict(reason: .waitingForHuman, stopsAt: .example)])
        let object = await bench.call(.get, path).object
        #expect(object["keptBecause"] as? String == "waiting_for_human")
        #expect(object["stopsAt"] as? String == "2026-01-02T03:04:05.000Z")
        bench.directory.note([id: IdleVerdict(reason: .agentBusy, stopsAt: nil)])
        #expect(await bench.call(.get, path).object["stopsAt"] is NSNull)
    }

    @Test("An unchanged session is 304 for whoever has it, a changed one is not")
    func entityTags() async throws {
        let bench = try await APIBench([.example(1)])
        for target in [path, "/api/sessions"] {
            let tag = try #require(await bench.call(.get, target).headers[.eTag])
            for known in [tag, "\"x\", \(tag)", String(tag.dropFirst(2)), "*"] {
                let again = await bench.call(.get, target, headers: [.ifNoneMatch: known])
                #expect(again.status == .notModified && again.bytes.isEmpty && again.headers[.eTag] == tag)
            }
            bench.runtime.change(id) { $0.title = "\(target)" }
            try await bench.directory.until { $0[id]?.title == target }
            let changed = await bench.call(.get, target, headers: [.ifNoneMatch: tag])
            #expect(changed.status == .ok && changed.headers[.eTag] != tag)
        }
    }

    @Test(
        "If-Match is met by * alone, for the tags are weak; else nothing is done",
        arguments: [
            (HTTPRequest.Method.get, ""), (.head, ""), (.delete, ""), (.post, "/stop"), (.put, "/idle-timeout"),
        ])
    func strongTags(method: HTTPRequest.Method, rest: String) async throws {
        let bench = try await APIBench([.example(1)])
        let tag = try #require(await bench.call(.get, path).headers[.eTag])
        let body = method == .put ? #"{"minutes":60}"# : nil
        for wanted in [tag, String(tag.dropFirst(2)), "\"x\", \"y\"", ""] {
            let refused = await bench.call(method, path + rest, body: body, headers: [.ifMatch: wanted])
            #expect(refused.status == .preconditionFailed && refused.text.contains("precondition_failed"))
            #expect(await bench.call(method, path + rest, as: nil, headers: [.ifMatch: wanted]).status == .unauthorized)
        }
        #expect(await bench.call(.get, path).headers[.eTag] == tag)
        #expect(await bench.call(method, path + rest, body: body, headers: [.ifMatch: "*"]).status.kind == .successful)
    }

    @Test("The list shows the caller's sessions, newest activity first, and says when it may be out of date")
    func list() async throws {
        let bench = try await APIBench([
            .example(1), .example(2, activity: Timestamp(milliseconds: 1_900_000_000_000)),
            .example(3, owner: "bob@example.com"),
        ])
        var object = await bench.call(.get, "/api/sessions").object
        #expect(object["email"] as? String == "ann@example.com")
        let hashes = (object["sessions"] as? [[String: Any]])?.map { $0["hash"] as? String }
        #expect(hashes == ["000000000002", "000000000001"])
        #expect(object["stale"] as? Bool == false)
        bench.runtime.tell(.stale(reason: "gone"))
        try await bench.directory.until { !$0.inSync }
        object = await bench.call(.get, "/api/sessions").object
        #expect(object["stale"] as? Bool == true)
    }

    @Test("Stop, resume and delete reach the runtime, are seen at once and are audited")
    func life() async throws {
        let bench = try await APIBench([.example(1)])
        #expect(
            await bench.call(.post, path + "/stop").text == #"{"hash":"000000000001","state":"stopped","url":null}"#)
        #expect(bench.directory.snapshot[id]?.state == .stopped)
        #expect(await bench.call(.post, path + "/stop").status == .ok)
        let resumed = await bench.call(.post, path + "/resume", token: "tok-1")
        #expect(resumed.text == #"{"hash":"000000000001","state":"creating","url":null}"#)
        bench.runtime.move(id, to: .running(.example))
        try await bench.directory.until { $0[id]?.state == .running(.example) }
        let running = await bench.call(.post, path + "/resume")
        #expect(running.object["url"] as? String == "https://000000000001-oc.example.com:8443")
        #expect(await bench.call(.delete, path).status == .noContent)
        #expect(bench.directory.snapshot[id] == nil)
        #expect(await bench.call(.get, path).status == .notFound)
        #expect(
            bench.runtime.orders == [
                .stop(id, reason: "Stopped by its owner."), .resume(id, gitToken: "tok-1"), .delete(id),
            ])
        let facts = "email=ann@example.com peer=192.0.2.1 request=r-1 session=000000000001"
        #expect(
            bench.log.lines == [
                "session stopped by=owner \(facts)", "session resumed \(facts)", "session deleted \(facts)",
            ])
    }

    @Test("Who follows the start of a failed session is not told of the failure before", arguments: 0..<20)
    func retry(round: Int) async throws {
        let failure = SessionFailure(code: "clone_failed", message: "m", hint: "h")
        let bench = try await APIBench([.example(1, state: .failed(failure))])
        if round % 2 == 0 {
            #expect(await bench.call(.post, path + "/resume").status == .ok)
        } else {
            // The session's own wish again, as a form sends it.
            let key = SessionKey(
                email: "ann@example.com", repositoryURL: "https://example.com/a", branch: "x\(round)")
            let body = #"{"repoUrl":"https://example.com/a","branch":"x\#(round)"}"#
            let hash = await bench.call(.post, "/api/sessions", body: body).object["hash"] as? String
            let made = try #require(hash.flatMap { SessionID($0) })
            bench.runtime.move(made, to: .failed(failure))
            try await bench.directory.until { $0[made]?.state == .failed(failure) }
            #expect(bench.directory.snapshot[made]?.key == key)
            #expect(await bench.call(.post, "/api/sessions", body: body).status == .created)
            #expect(bench.directory.snapshot[made]?.state == .creating(.initializing))
            return
        }
        #expect(bench.directory.snapshot[id]?.state == .creating(.initializing))
    }

    @Test("A visit wakes a sleeping session of the visitor once, within the limits")
    func wake() async throws {
        let bench = try await APIBench([.example(1, state: .stopped)])
        await bench.api.wake(id, for: "bob@example.com", requestID: "r-2")
        #expect(bench.runtime.orders == [])
        await withTaskGroup { group in
            for _ in 0..<20 { group.addTask { await bench.api.wake(id, for: "ann@example.com", requestID: "r-2") } }
        }
        #expect(bench.runtime.orders == [.resume(id, gitToken: nil)])
        #expect(
            bench.log.lines == ["session resumed by=visit email=ann@example.com request=r-2 session=000000000001"])
        let full = try await APIBench([.example(1, state: .stopped), .example(2)]) { $0.limits.runningPerUser = 1 }
        await full.api.wake(id, for: "ann@example.com", requestID: "r-2")
        #expect(full.runtime.orders == [])
        #expect(full.log.lines.first?.contains("too_many_running") == true)
    }

    @Test("An administrator's stop is audited as such")
    func adminStop() async throws {
        let bench = try await APIBench([.example(1)])
        #expect(await bench.call(.post, path + "/stop", as: APIBench.root).status == .ok)
        #expect(bench.runtime.orders == [.stop(id, reason: "Stopped by an administrator.")])
        #expect(bench.log.lines.first?.contains("by=administrator email=root@example.com") == true)
    }

    @Test(
        "What the runtime refuses has its own status and sentence",
        arguments: [
            (.notFound(SessionID(rawValue: 1)), 404, "session_not_found"),
            (.conflict(message: "It is being deleted."), 409, "conflict"),
            (.unavailable(message: "The disk is full."), 503, "runtime_unavailable"),
            (.failed(SessionFailure(code: "quota", message: "Too much.", hint: "Ask.")), 500, "quota"),
        ] as [(SessionRuntimeError, Int, String)])
    func refusals(error: SessionRuntimeError, status: Int, code: String) async throws {
        let bench = try await APIBench([.example(1, state: .stopped)])
        bench.runtime.fail(with: error)
        for (method, action) in [(.post, "/resume"), (.delete, ""), (.get, "/log")] as [(HTTPRequest.Method, String)] {
            let response = await bench.call(method, path + action)
            #expect(response.status.code == status)
            #expect(response.code == code)
        }
    }

    @Test("The log is plain text of the part asked for")
    func log() async throws {
        let bench = try await APIBench([.example(1)])
        bench.runtime.setLog("fatal: <b>\n", of: id)
        let response = await bench.call(.get, path + "/log?container=init&limit=100")
        #expect(response.headers[.contentType] == "text/plain; charset=utf-8")
        #expect(response.text == "fatal: <b>\n")
        #expect(!response.compressible)
        _ = await bench.call(.get, path + "/log")
        #expect(bench.runtime.orders == [.log(id, .initialisation, limit: 100), .log(id, .agent, limit: 65_536)])
        for query in ["container=main", "container=", "limit=0", "limit=x", "limit=99999999"] {
            #expect(await bench.call(.get, path + "/log?" + query).code == "invalid_field")
        }
    }

    @Test("Keep-alive stores the use, only for a session that runs")
    func keepAlive() async throws {
        let bench = try await APIBench([.example(1), .example(2, state: .stopped)])
        let response = await bench.call(.post, path + "/keep-alive")
        #expect(response.object["stopsAt"] as? String == "2026-01-02T03:19:05.000Z")
        #expect(bench.runtime.orders == [.record(id, Activity(at: .example, source: .keepAlive))])
        #expect(await bench.call(.post, "/api/sessions/000000000002/keep-alive").status == .conflict)
    }

    @Test("The idle time of one session lies within the administrator's maximum")
    func idleTimeout() async throws {
        let bench = try await APIBench([.example(1)]) { $0.idle.maximumTimeout = .seconds(3600) }
        let set = path + "/idle-timeout"
        #expect(await bench.call(.put, set, body: #"{"minutes":60}"#).object["idleTimeoutMinutes"] as? Int == 60)
        #expect(await bench.call(.get, path).object["idleTimeoutMinutes"] as? Int == 60)
        #expect(await bench.call(.put, set, body: #"{"minutes":null}"#).status == .ok)
        #expect(await bench.call(.get, path).object["idleTimeoutMinutes"] as? Int == 15)
        for body in [#"{"minutes":0}"#, #"{"minutes":61}"#, #"{"minutes":"5"}"#, #"{"minutes":1.5}"#] {
            let response = await bench.call(.put, set, body: body)
            #expect(response.status == .badRequest && response.code == "invalid_field")
            #expect(response.text.contains("whole number"))
        }
        // Null has to be said.
        #expect(await bench.call(.put, set, body: #"{"minute":30}"#).code == "missing_field")
    }

    @Test("The attach password is made once, shown to the owner uncompressed, and never logged")
    func attach() async throws {
        let bench = try await APIBench([.example(1)])
        let first = await bench.call(.get, path + "/attach-info")
        let password = try #require(first.object["attachPassword"] as? String)
        #expect(password.count == 32 && password.allSatisfy(\.isHexDigit))
        #expect(first.object["attachUrl"] as? String == "https://attach-000000000001-oc.example.com:4096")
        #expect(!first.compressible)
        #expect(await bench.call(.get, path + "/attach-info").object["attachPassword"] as? String == password)
        let rotated = await bench.call(.post, path + "/attach-password").object["attachPassword"] as? String
        #expect(rotated != nil && rotated != password)
        #expect(await bench.call(.get, path + "/attach-info").object["attachPassword"] as? String == rotated)
        for text in [await bench.call(.get, path).text, await bench.call(.get, "/api/sessions").text] + bench.log.lines
        {
            #expect(!text.contains(password) && !text.contains(rotated!))
        }
        let without = try await APIBench([.example(1)]) { $0.attachDomain = nil }
        #expect(await without.call(.get, path + "/attach-info").code == "not_supported")
        #expect(await without.call(.get, path).object["attachUrl"] == nil)
    }

    @Test("Suggested branches are new to the repository and valid")
    func suggestions() async throws {
        let bench = try await APIBench()
        var seen: Set<String> = []
        for _ in 0..<50 {
            let response = await bench.call(.get, "/api/sessions/suggest-branch?repoUrl=https%3A%2F%2Fexample.com%2Fa")
            let name = try #require(response.object["branch"] as? String)
            #expect(try BranchName(name).text.split(separator: "-").count == 3)
            seen.insert(name)
        }
        #expect(seen.count > 45)
        for query in ["", "?repoUrl=", "?repo=x", "?repoUrl=%zz"] {
            #expect(await bench.call(.get, "/api/sessions/suggest-branch" + query).status == .badRequest)
        }
    }

    @Test("Version, identity and limits")
    func me() async throws {
        let bench = try await APIBench { $0.limits = SessionLimits(runningPerUser: 3) }
        #expect(await bench.call(.get, "/api/version").text == #"{"name":"opencode-router","version":"1.2.3"}"#)
        #expect(
            await bench.call(.get, "/api/me", as: APIBench.root).text == """
                {"email":"root@example.com","admin":true,"limits":{"sessions":null,"running":3,"runningTotal":null,\
                "idleTimeoutMinutes":15,"maximumIdleTimeoutMinutes":1440}}
                """)
    }
}
