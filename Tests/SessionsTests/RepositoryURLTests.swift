import Testing

@testable import Sessions

@Suite("Repository addresses")
struct RepositoryURLTests {
    static let accepted: [(String, host: String, port: UInt16?, path: String)] = [
        ("https://github.com/owner/name", "github.com", nil, "/owner/name"),
        ("https://github.com/owner/name.git", "github.com", nil, "/owner/name.git"),
        ("https://github.com/owner/name/", "github.com", nil, "/owner/name/"),
        ("HTTPS://GitHub.COM/owner/name", "github.com", nil, "/owner/name"),
        ("https://github.com./owner/name", "github.com", nil, "/owner/name"),
        ("https://git.example.com:8443/a", "git.example.com", 8443, "/a"),
        ("https://gitlab.com/a/b/c/d.git", "gitlab.com", nil, "/a/b/c/d.git"),
        ("https://xn--bcher-kva.example/a", "xn--bcher-kva.example", nil, "/a"),
        ("https://192.0.2.7/a", "192.0.2.7", nil, "/a"),
        ("https://[2001:db8::1]/a", "[2001:db8::1]", nil, "/a"),
        ("https://[2001:db8::1]:444/a", "[2001:db8::1]", 444, "/a"),
        ("https://host/~user/a%20b", "host", nil, "/~user/a%20b"),
        ("https://host/a;$(x)&'b", "host", nil, "/a;$(x)&'b"),
        ("https://host/...", "host", nil, "/..."),
    ]

    @Test("A plain https address is taken apart", arguments: accepted)
    func acceptance(text: String, host: String, port: UInt16?, path: String) throws {
        let url = try RepositoryURLPolicy().check(text)
        #expect((url.scheme, url.host, url.port, url.path, url.text) == ("https", host, port, path, text))
    }

    static let refused: [(String, RepositoryURLProblem)] = [
        ("", .empty),
        ("-uhttps://host/a", .leadingDash),
        ("--upload-pack=touch /tmp/x", .leadingDash),
        ("http://host/a", .schemeNotAllowed("http", allowed: ["https"])),
        ("git://host/a", .schemeNotAllowed("git", allowed: ["https"])),
        ("ssh://git@host/a", .schemeNotAllowed("ssh", allowed: ["https"])),
        ("file:///etc", .schemeNotAllowed("file", allowed: ["https"])),
        ("ftp://host/a", .schemeNotAllowed("ftp", allowed: ["https"])),
        ("git+ssh://host/a", .schemeNotAllowed("git+ssh", allowed: ["https"])),
        ("javascript://host/a", .schemeNotAllowed("javascript", allowed: ["https"])),
        ("ext::sh -c id", .forbiddenCharacter(0x20)),
        ("ext::sh", .noScheme(suggestion: nil)),
        ("fd::17", .noScheme(suggestion: nil)),
        ("https::https://host/a", .noScheme(suggestion: nil)),
        ("/etc/passwd", .noScheme(suggestion: nil)),
        ("./a", .noScheme(suggestion: nil)),
        ("github.com/owner/name", .noScheme(suggestion: "https://github.com/owner/name")),
        ("git@github.com:owner/name.git", .noScheme(suggestion: "https://github.com/owner/name.git")),
        ("owner/name", .noScheme(suggestion: nil)),
        ("1https://host/a", .noScheme(suggestion: nil)),
        ("://host/a", .noScheme(suggestion: nil)),
        ("https:/host/a", .noScheme(suggestion: nil)),
        ("https:host/a", .noScheme(suggestion: nil)),
        ("https://user@host/a", .userInfo),
        ("https://user:token@host/a", .userInfo),
        ("https://:@host/a", .userInfo),
        ("https://github.com@evil.example/a", .userInfo),
        ("https:///a", .noHost),
        ("https://./a", .noHost),
        ("https://:443/a", .noHost),
        ("https://host", .noPath),
        ("https://host/", .noPath),
        ("https://host//", .noPath),
        ("https://host/a?b", .queryOrFragment),
        ("https://host/a#b", .queryOrFragment),
        ("https://host?x/a", .queryOrFragment),
        ("https://host/../a", .dotSegment),
        ("https://host/a/./b", .dotSegment),
        ("https://host/%2e%2e/a", .dotSegment),
        ("https://host/.%2E/a", .dotSegment),
        ("https://ho st/a", .forbiddenCharacter(0x20)),
        ("https://host/a\nb", .forbiddenCharacter(10)),
        ("https://host/a\r\nX: y", .forbiddenCharacter(13)),
        ("https://host/a\0", .forbiddenCharacter(0)),
        ("https://host/a\u{7f}", .forbiddenCharacter(0x7f)),
        ("https://höst/a", .forbiddenCharacter(0xc3)),
        ("https://host/ä", .forbiddenCharacter(0xc3)),
        ("https://host\\@evil/a", .forbiddenCharacter(0x5c)),
        ("https://host/a\\b", .forbiddenCharacter(0x5c)),
        ("https://host/`id`", .forbiddenCharacter(0x60)),
        ("https://host/{a}", .forbiddenCharacter(0x7b)),
        ("https://host:/a", .badPort("")),
        ("https://host:0/a", .badPort("0")),
        ("https://host:65536/a", .badPort("65536")),
        ("https://host:+80/a", .badPort("+80")),
        ("https://host:80x/a", .badPort("80x")),
        ("https://-host/a", .badHost("-host")),
        ("https://host-/a", .badHost("host-")),
        ("https://ho_st/a", .badHost("ho_st")),
        ("https://ho%73t/a", .badHost("ho%73t")),
        ("https://host../a", .badHost("host.")),
        ("https://a..b/a", .badHost("a..b")),
        ("https://2130706433/a", .badHost("2130706433")),
        ("https://0x7f000001/a", .badHost("0x7f000001")),
        ("https://0x7f.1/a", .badHost("0x7f.1")),
        ("https://127.1/a", .badHost("127.1")),
        ("https://0177.0.0.1/a", .badHost("0177.0.0.1")),
        ("https://256.1.1.1/a", .badHost("256.1.1.1")),
        ("https://[::1/a", .badHost("[:")),
        ("https://[fe80::1%25eth0]/a", .badHost("[fe80::1%25eth0]")),
        ("https://[host]/a", .badHost("[host]")),
    ]

    @Test("Everything else is refused, with the reason", arguments: refused)
    func refusal(text: String, problem: RepositoryURLProblem) {
        #expect(throws: problem) { try RepositoryURLPolicy().check(text) }
        #expect(problem.message.hasSuffix("."))
    }

    @Test("An at sign in the path is no user")
    func atInPath() throws {
        #expect(try RepositoryURLPolicy().check("https://host/a@b").host == "host")
    }

    @Test("An address may be long, not endless")
    func length() {
        let text = "https://host/" + String(repeating: "a", count: 2048)
        #expect(throws: RepositoryURLProblem.tooLong) { try RepositoryURLPolicy().check(text) }
    }

    @Test(
        "Hosts are allowed by name, by name and port, or below a domain",
        arguments: [
            (["github.com"], "https://github.com/a", true), (["github.com"], "https://GITHUB.com./a", true),
            (["github.com"], "https://github.com:8443/a", true), (["github.com"], "https://gist.github.com/a", false),
            (["github.com"], "https://evilgithub.com/a", false), (["github.com"], "https://github.com.evil/a", false),
            (["*.github.com"], "https://gist.github.com/a", true), (["*.github.com"], "https://github.com/a", false),
            (["*.github.com"], "https://evilgithub.com/a", false), (["host:8443"], "https://host:8443/a", true),
            (["host:8443"], "https://host/a", false), (["a", "b"], "https://b/a", true), (["*"], "https://b/a", true),
        ])
    func hosts(allowed: [String], text: String, expected: Bool) {
        #expect(((try? RepositoryURLPolicy(hosts: allowed).check(text)) != nil) == expected)
    }

    @Test("Other schemes are allowed only by configuration")
    func schemes() throws {
        let open = RepositoryURLPolicy(schemes: ["https", "HTTP", "file", "ssh"])
        #expect(try open.check("http://127.0.0.1:8080/repo.git").port == 8080)
        #expect(try open.check("file:///srv/repo.git").path == "/srv/repo.git")
        #expect(try open.check("ssh://git@host/repo.git").host == "host")
        #expect(throws: RepositoryURLProblem.badHost("host")) { try open.check("file://host/srv") }
        #expect(throws: RepositoryURLProblem.userInfo) { try open.check("ssh://-oProxyCommand=id@host/a") }
        #expect(throws: RepositoryURLProblem.badHost("-oproxycommand=id")) {
            try open.check("ssh://-oProxyCommand=id/a")
        }
    }
}
