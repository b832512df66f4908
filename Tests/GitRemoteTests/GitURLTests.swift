import GitRemote
import HTTPClient
import Testing

@Suite("Repository addresses")
struct GitURLTests {
    @Test(
        "The two addresses of the protocol are derived",
        arguments: [
            ("https://github.com/owner/name", "https://github.com/owner/name"),
            ("https://github.com/owner/name/", "https://github.com/owner/name"),
            ("https://github.com/owner/name.git//", "https://github.com/owner/name.git"),
            ("HTTPS://GitHub.com:443/Owner/Name.git", "https://github.com/Owner/Name.git"),
            ("http://127.0.0.1:8080/a%20b/c", "http://127.0.0.1:8080/a%20b/c"),
        ])
    func derived(text: String, base: String) throws {
        let url = try GitURL(text)
        #expect(url.description == base)
        #expect("\(url.discovery.origin)\(url.discovery.target)" == "\(base)/info/refs?service=git-upload-pack")
        #expect(url.uploadPack.description == "\(base)/git-upload-pack")
        #expect(url.withSuffix?.description == (base.hasSuffix(".git") ? nil : base + ".git"))
    }

    @Test(
        "What hides where it leads is refused",
        arguments: [
            ("https://github.com", GitURLProblem.noPath), ("https://github.com/", .noPath),
            ("https://github.com///", .noPath),
            ("https://github.com/a?b", .query), ("https://github.com/a/../b", .deceptivePath),
            ("https://github.com/a/%2e%2E/b", .deceptivePath), ("https://github.com/./a", .deceptivePath),
            ("https://github.com/a%00b", .deceptivePath), ("https://github.com/a%0d%0aX:y", .deceptivePath),
            ("https://github.com/a%7F", .deceptivePath), ("https://u:p@github.com/a", .url(.userInformation)),
            ("git@github.com:a/b", .url(.missingScheme)), ("ssh://git@github.com/a/b", .url(.unsupportedScheme("ssh"))),
            ("file:///etc", .url(.unsupportedScheme("file"))), ("--upload-pack=x", .url(.missingScheme)),
            ("ext::sh -c id", .url(.forbiddenByte)), ("https://github.com/a b", .url(.forbiddenByte)),
            ("https://2130706433/a", .url(.malformedHost)),
            ("https://a/" + String(repeating: "x", count: 4070), .url(.tooLong)),
        ])
    func refused(text: String, problem: GitURLProblem) {
        #expect(throws: problem) { try GitURL(text) }
    }

    @Test(
        "A redirect tells the repository only if it ends as the question did",
        arguments: [
            ("https://a.example/x.git/info/refs?service=git-upload-pack", "https://a.example/x.git"),
            ("https://a.example/x.git/info/refs", nil),
            ("https://a.example/x.git/info/refs?service=git-upload-pack&a=b", nil),
            ("https://a.example/login", nil), ("https://a.example/info/refs?service=git-upload-pack", nil),
            ("https://a.example/x/../y/info/refs?service=git-upload-pack", nil),
        ])
    func redirected(text: String, base: String?) throws {
        #expect(GitURL(discoveredAt: try HTTPURL(text))?.description == base)
    }
}
