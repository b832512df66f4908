import HTTPTypes
import RouterAPI
import SessionDoubles
import Sessions
import Testing

@Suite("Who may do what")
struct AccessTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var method: HTTPRequest.Method
        var target: String
        var body: String?
        /// Owner, somebody else, nobody, administrator.
        var expected: [Int]
        var testDescription: String { "\(method) \(target)" }
    }

    static let create = #"{"repoUrl":"https://example.com/team/other","branch":"x"}"#
    static let rows = [
        Row(method: .get, target: "/api/version", expected: [200, 200, 401, 200]),
        Row(method: .get, target: "/api/me", expected: [200, 200, 401, 200]),
        Row(method: .get, target: "/api/sessions", expected: [200, 200, 401, 200]),
        Row(method: .post, target: "/api/sessions", body: create, expected: [201, 201, 401, 201]),
        Row(method: .get, target: "/api/sessions/stream", expected: [200, 200, 401, 200]),
        Row(
            method: .get, target: "/api/sessions/suggest-branch?repoUrl=https://example.com/a",
            expected: [200, 200, 401, 200]),
        Row(method: .get, target: "/api/sessions/000000000001", expected: [200, 404, 401, 200]),
        Row(method: .get, target: "/api/sessions/000000000001/events", expected: [200, 404, 401, 404]),
        Row(method: .get, target: "/api/sessions/000000000001/log", expected: [200, 404, 401, 404]),
        Row(method: .post, target: "/api/sessions/000000000001/stop", expected: [200, 404, 401, 200]),
        Row(method: .post, target: "/api/sessions/000000000001/resume", expected: [200, 404, 401, 404]),
        Row(method: .post, target: "/api/sessions/000000000001/keep-alive", expected: [200, 404, 401, 404]),
        Row(
            method: .put, target: "/api/sessions/000000000001/idle-timeout", body: #"{"minutes":30}"#,
            expected: [200, 404, 401, 404]),
        Row(method: .get, target: "/api/sessions/000000000001/attach-info", expected: [200, 404, 401, 404]),
        Row(method: .post, target: "/api/sessions/000000000001/attach-password", expected: [200, 404, 401, 404]),
        Row(method: .get, target: "/api/sessions/000000000001/progress/stream", expected: [200, 404, 401, 404]),
        Row(method: .get, target: "/api/sessions/000000000001/ports", expected: [200, 404, 403, 200]),
        Row(
            method: .put, target: "/api/sessions/000000000001/ports/5173", body: #"{"visibility":"public"}"#,
            expected: [200, 404, 401, 404]),
        Row(method: .delete, target: "/api/sessions/000000000001/ports/5173", expected: [200, 404, 401, 404]),
        Row(method: .delete, target: "/api/sessions/000000000001", expected: [204, 404, 401, 404]),
        Row(method: .get, target: "/api/user/secret", expected: [200, 200, 401, 200]),
        Row(
            method: .post, target: "/api/user/secret", body: #"{"secrets":{"A":"b"}}"#, expected: [200, 200, 401, 200]),
        Row(method: .delete, target: "/api/user/secret", expected: [200, 200, 401, 200]),
        Row(method: .put, target: "/api/user/secret/A", body: #"{"value":"b"}"#, expected: [200, 200, 401, 200]),
        Row(method: .delete, target: "/api/user/secret/A", expected: [200, 200, 401, 200]),
        Row(method: .get, target: "/api/user/repos", expected: [200, 200, 401, 200]),
        Row(method: .get, target: "/api/user/repos/branches?repo=ann/app", expected: [200, 200, 401, 200]),
        Row(method: .get, target: "/api/admin/sessions", expected: [403, 403, 403, 200]),
    ]

    @Test("Each route answers owner, stranger, nobody and administrator as promised", arguments: rows)
    func table(_ row: Row) async throws {
        for (caller, expected) in zip([APIBench.ann, APIBench.bob, nil, APIBench.root], row.expected) {
            let bench = try await APIBench([.example(1)])
            let response = await bench.call(row.method, row.target, as: caller, body: row.body, token: "token")
            // Nobody is asked to sign in before being told that only administrators may.
            let wanted = caller == nil && row.target.contains("admin") ? 401 : expected
            #expect(response.status.code == wanted, "\(caller?.email ?? "nobody")")
            #expect(response.headers[.xContentTypeOptions] == "nosniff")
            if wanted >= 400 {
                #expect(response.object["error"] as? String != nil)
                #expect(response.code?.allSatisfy { $0.isLowercase || $0 == "_" } == true)
                #expect(bench.runtime.orders.isEmpty)
            }
        }
    }

    @Test("A session of somebody else is answered byte for byte like one that does not exist", arguments: rows)
    func sameAnswer(_ row: Row) async throws {
        guard row.target.contains("000000000001") else { return }
        let bench = try await APIBench([.example(1)])
        let foreign = await bench.call(row.method, row.target, as: APIBench.bob, body: row.body)
        let unknown = await bench.call(
            row.method, row.target.replacing("000000000001", with: "000000000002"), as: APIBench.bob, body: row.body)
        #expect(foreign.status == unknown.status)
        #expect(foreign.bytes == unknown.bytes)
        #expect(foreign.headers == unknown.headers)
        #expect(
            bench.log.lines == [
                "access denied email=bob@example.com peer=192.0.2.1 request=r-1 session=000000000001 why=not the owner"
            ])
    }

    @Test(
        "What is not there is 404 in JSON",
        arguments: [
            "/api", "/api/", "/api/nothing", "/api/status", "/api/sessions/", "/api/sessions/xyz",
            "/api/sessions/00000000000G", "/api/sessions/000000000001/", "/api/sessions/000000000001/nothing",
            "/api/sessions/000000000001/log/init", "/api/user", "/api/user/secret/", "/api/archives/", "/apix/version",
            "/api//version",
            "/api/version/", "/api/Version", "/api/sessions/%300000000001",
        ])
    func unknown(path: String) async throws {
        let bench = try await APIBench([.example(1)])
        let response = await bench.call(.get, path)
        #expect(response.status == .notFound && response.code == "not_found")
        #expect(response.headers[.contentType] == "application/json; charset=utf-8")
    }

    @Test(
        "A wrong method is 405 and says which are right",
        arguments: [
            ("/api/version", .post, "GET, HEAD"), ("/api/sessions", .delete, "GET, POST, HEAD"),
            ("/api/sessions/000000000001", .post, "GET, DELETE, HEAD"),
            ("/api/sessions/000000000001/stop", .get, "POST"), ("/api/sessions/000000000001/resume", .put, "POST"),
            ("/api/user/secret", .patch, "GET, POST, DELETE, HEAD"), ("/api/user/secret/A", .get, "PUT, DELETE"),
        ] as [(String, HTTPRequest.Method, String)])
    func wrongMethod(path: String, method: HTTPRequest.Method, allowed: String) async throws {
        let bench = try await APIBench([.example(1)])
        let response = await bench.call(method, path)
        #expect(response.status == .methodNotAllowed)
        #expect(response.headers[.allow] == allowed)
        #expect(response.code == "method_not_allowed")
    }

    @Test("HEAD is answered like GET")
    func head() async throws {
        let bench = try await APIBench([.example(1)])
        let (get, head) = (await bench.call(.get, "/api/sessions"), await bench.call(.head, "/api/sessions"))
        #expect(head.status == get.status && head.headers == get.headers && head.bytes == get.bytes)
        // A stream in which nothing comes: one without a length, as the answer to GET.
        let stream = try #require(await bench.call(.head, "/api/sessions/stream").stream)
        for await _ in stream { Issue.record("HEAD is told an event") }
    }

    @Test("Nothing is said of sessions before the directory is loaded")
    func notLoaded() async throws {
        let bench = try await APIBench(isLoaded: false)
        for target in ["/api/sessions", "/api/sessions/stream", "/api/sessions/000000000001", "/api/admin/sessions"] {
            let response = await bench.call(.get, target, as: APIBench.root)
            #expect(response.status == .serviceUnavailable)
            #expect(response.headers[.retryAfter] == "2")
        }
        #expect(await bench.call(.get, "/api/version").status == .ok)
    }

    @Test("The administrator's secret opens the list of everything, a wrong or empty one does not")
    func adminSecret() async throws {
        let bench = try await APIBench([.example(1), .example(2, owner: "bob@example.com")]) {
            $0.adminSecret = "s3cret"
        }
        let name = HTTPField.Name("X-Admin-Secret")!
        let right = await bench.call(.get, "/api/admin/sessions", as: nil, headers: [name: "s3cret"])
        #expect((right.object["sessions"] as? [Any])?.count == 2)
        #expect((right.object["totals"] as? [String: Int]) == ["sessions": 2, "running": 2])
        for wrong in ["", "s3cre", "s3cretx"] {
            #expect(await bench.call(.get, "/api/admin/sessions", as: nil, headers: [name: wrong]).status.code == 401)
        }
        let open = try await APIBench { $0.adminSecret = "" }
        #expect(await open.call(.get, "/api/admin/sessions", as: nil, headers: [name: ""]).status.code == 401)
        #expect(bench.log.lines.allSatisfy { !$0.contains("s3cre") })
    }
}
