import Foundation
import HTTPTypes
import RouterAPI
import SessionDoubles
import Sessions
import Testing

@Suite("What belongs to the user")
struct UserRouteTests {
    @Test("Variables go in and only their names come out")
    func secrets() async throws {
        let bench = try await APIBench()
        let path = "/api/user/secret"
        #expect(await bench.call(.get, path).text == #"{"hasSecret":false,"keys":[]}"#)
        let stored = await bench.call(.post, path, body: #"{"secrets":{"B_KEY":"marker-1","A":"marker-2"}}"#)
        #expect(stored.text == #"{"success":true,"keys":["A","B_KEY"]}"#)
        #expect(await bench.call(.put, path + "/C", body: #"{"value":"marker-3"}"#).status == .ok)
        #expect(await bench.call(.get, path).text == #"{"hasSecret":true,"keys":["A","B_KEY","C"]}"#)
        #expect(bench.secrets.value("C", of: "ann@example.com") == "marker-3")
        #expect(await bench.call(.delete, path + "/A").status == .ok)
        #expect(await bench.call(.get, path, as: APIBench.bob).text == #"{"hasSecret":false,"keys":[]}"#)
        #expect(await bench.call(.delete, path).text == #"{"success":true}"#)
        #expect(await bench.call(.get, path).text == #"{"hasSecret":false,"keys":[]}"#)
        #expect(bench.log.lines.allSatisfy { !$0.contains("marker") } && bench.log.lines.count == 4)
    }

    @Test(
        "Bad variables are refused, and their values not repeated",
        arguments: [
            #"{"secrets":{}}"#, #"{"secrets":{"":"marker"}}"#, #"{"secrets":{"A":5}}"#, #"{"secrets":["marker"]}"#,
            #"{"secrets":{"PATH":"marker"}}"#, #"{"secrets":{"A B":"marker"}}"#, #"{}"#, #"{"secrets":null}"#,
            #"{"secrets":{"A":"marker\u0000"}}"#, "marker",
        ])
    func badSecrets(body: String) async throws {
        let bench = try await APIBench()
        let response = await bench.call(.post, "/api/user/secret", body: body)
        #expect(response.status == .badRequest)
        #expect(!response.text.contains("marker"))
        #expect(bench.log.lines.isEmpty)
    }

    @Test("Repositories need a token, and pass the host's refusals on")
    func repositories() async throws {
        let bench = try await APIBench()
        let response = await bench.call(.get, "/api/user/repos", token: "t")
        #expect(
            response.text == """
                [{"name":"app","fullName":"ann/app","url":"https://github.com/ann/app","isPrivate":true,\
                "defaultBranch":"main"}]
                """)
        let missing = await bench.call(.get, "/api/user/repos")
        #expect(missing.status == .unauthorized && missing.code == "token_required")
        let refused = try await APIBench(remotes: ScriptedRemotes(failing: .status(403, "Rate limit exceeded.")))
        #expect(await refused.call(.get, "/api/user/repos", token: "t").status == .forbidden)
        let broken = try await APIBench(remotes: ScriptedRemotes(failing: .status(500, "Oops.")))
        #expect(await broken.call(.get, "/api/user/repos", token: "t").status == .badGateway)
    }

    @Test("Branches of an own repository, or of any address that is allowed")
    func branches() async throws {
        let bench = try await APIBench()
        let path = "/api/user/repos/branches"
        #expect(
            await bench.call(.get, path + "?repo=ann/app", token: "t").text == #"[{"name":"main"},{"name":"next"}]"#)
        #expect(
            await bench.call(.get, path + "?repo=https%3A%2F%2Fexample.com%2Fa").text
                == #"[{"name":"main","default":true},{"name":"next","default":false}]"#)
        for repo in ["", "app", "a/b/c", "../x", "a/..", "a%2Fb%3Fx", "a/b%23", "file:///etc", "http://example.com/a"] {
            #expect(await bench.call(.get, path + "?repo=" + repo, token: "t").status == .badRequest)
        }
    }
}
