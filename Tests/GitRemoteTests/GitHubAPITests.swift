import GitRemote
import HTTPClient
import Synchronization
import Testing

private func json(_ body: String, _ fields: String = "", status: String = "200 OK") -> String {
    "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

private func repository(_ number: Int) -> String {
    """
    {"id": \(number), "name": "r\(number)", "full_name": "o/r\(number)", "html_url": "https://github.com/o/r\(number)",
     "private": \(number.isMultiple(of: 2)), "default_branch": \(number == 3 ? "null" : "\"main\""), "owner": {"login": "o"}}
    """
}

@Suite("GitHub's API")
struct GitHubAPITests {
    private func api(_ server: ScriptedServer, path: String = "") async throws -> GitHubAPI {
        GitHubAPI(
            client: try await HTTPClient.standalone(), base: try HTTPURL("http://127.0.0.1:\(server.port)\(path)"))
    }

    @Test("All pages of the repositories are read, each with the token", arguments: ["", "/api/v3/"])
    func pages(path: String) async throws {
        let requests = Mutex<[String]>([])
        let server = ScriptedServer { connection in
            while let head = connection.readHead() {
                requests.withLock { $0.append(head) }
                let page = head.contains("page=2") ? 2 : head.contains("page=3") ? 3 : 1
                let next =
                    "Link: <\(path.dropLast())/user/repos?page=\(page + 1)>; rel=\"next\", </user/repos?page=9>; rel=\"last\"\r\n"
                connection.send(
                    json("[\(repository(page))]", page < 3 ? next : "Link: </user/repos?page=1>; rel=\"prev\"\r\n"))
            }
        }
        let all = try await api(server, path: path).repositories(token: "t0ken")
        #expect(
            all
                == (1...3).map {
                    RemoteRepository(
                        name: "r\($0)", fullName: "o/r\($0)", url: "https://github.com/o/r\($0)", isPrivate: $0 == 2,
                        defaultBranch: $0 == 3 ? nil : "main")
                })
        let heads = requests.withLock { $0 }
        #expect(heads.count == 3 && heads.allSatisfy { $0.contains("\r\nAuthorization: Bearer t0ken\r\n") })
        #expect(heads[0].hasPrefix("GET \(path.dropLast())/user/repos?per_page=100&sort=updated HTTP/1.1\r\n"))
        #expect(server.connections == 1)
    }

    @Test("A page on another server is not asked, and pages end somewhere")
    func strayPages() async throws {
        let server = ScriptedServer { connection in
            while connection.readHead() != nil {
                connection.send(json("[{\"name\": \"main\"}]", "Link: <https://evil.example/steal>; rel=\"next\"\r\n"))
            }
        }
        #expect(try await api(server).branches(of: "o/r", token: "t") == [RemoteBranch(name: "main")])
        let endless = ScriptedServer { connection in
            while connection.readHead() != nil {
                connection.send(json("[{\"name\": \"main\"}]", "Link: </more>; rel=\"next\"\r\n"))
            }
        }
        #expect(try await api(endless).branches(of: "o/r", token: "t").count == 51)
    }

    @Test("A renamed repository is found at its permanent address")
    func renamed() async throws {
        let server = ScriptedServer { connection in
            while let head = connection.readHead() {
                if head.hasPrefix("GET /repositories/7/") {
                    connection.send(json("[{\"name\": \"main\"}, {\"name\": \"x/y\"}]"))
                } else {
                    connection.send(
                        json("{}", "Location: /repositories/7/branches\r\n", status: "301 Moved Permanently"))
                }
            }
        }
        #expect(try await api(server).branches(of: "o/old", token: "t").map(\.name) == ["main", "x/y"])
    }

    @Test(
        "GitHub's refusals are told apart",
        arguments: [
            (json("{}", status: "401 Unauthorized"), GitRemoteError.Reason.authenticationRequired),
            (json("{}", status: "404 Not Found"), .notFound), (json("{}", status: "403 Forbidden"), .forbidden),
            (json("{}", "X-RateLimit-Remaining: 0\r\n", status: "403 Forbidden"), .rateLimited),
            (json("{}", "Retry-After: 60\r\n", status: "403 Forbidden"), .rateLimited),
            (json("{}", status: "429 Too Many Requests"), .rateLimited),
            (json("{}", status: "502 Bad"), .unexpectedStatus(502)),
            (json("{}"), .unexpectedStatus(200)), (json("<html>"), .unexpectedStatus(200)),
        ])
    func refusals(answer: String, expected: GitRemoteError.Reason) async throws {
        let server = ScriptedServer { connection in
            while connection.readHead() != nil { connection.send(answer) }
        }
        let error = await #expect(throws: GitRemoteError.self) { try await api(server).repositories(token: "t") }
        #expect(error?.reason == expected)
    }

    @Test(
        "Names that would leave the path are not asked",
        arguments: [
            "", "o", "o/r/x", "../x", "o/..", "./r", "o/r?x", "o/r#", "o/%2e%2e", "o r/x", "/r", "o/",
        ])
    func names(name: String) async throws {
        let server = ScriptedServer { connection in _ = connection.readHead() }
        await #expect(throws: GitRemoteError.self) { try await api(server).branches(of: name, token: "t") }
        #expect(server.connections == 0)
    }

    @Test("A token that cannot stand in a field is refused before it is sent")
    func token() async throws {
        let server = ScriptedServer { connection in _ = connection.readHead() }
        let error = await #expect(throws: GitRemoteError.self) { try await api(server).repositories(token: "a\r\nb") }
        #expect(error?.reason == .authenticationRequired)
        #expect(server.connections == 0)
    }
}
