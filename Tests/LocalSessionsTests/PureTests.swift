import Sessions
import Testing

@testable import LocalSessions

@Suite("Decisions without a process")
struct PureTests {
    @Test(
        "A command line is split as a shell would, without expanding anything",
        arguments: [
            ("opencode serve --port {port}", ["opencode", "serve", "--port", "{port}"]),
            ("  a\tb  ", ["a", "b"]), ("'a b' \"c d\"", ["a b", "c d"]), ("a\\ b", ["a b"]), ("''", [""]),
            ("\"a\\\"b\"", ["a\"b"]), ("'a\\b'", ["a\\b"]), ("$HOME *", ["$HOME", "*"]), ("a'b'\"c\"", ["abc"]),
        ])
    func parsing(line: String, words: [String]) throws {
        #expect(try AgentCommand.parse(line) == words)
    }

    @Test("A command line that is none is refused", arguments: ["", "  ", "'a", "a\\", "\"a"])
    func notACommand(line: String) {
        #expect(throws: AgentCommand.Problem.self) { try AgentCommand.parse(line) }
    }

    @Test("Places are filled in once, never in what was filled in")
    func filling() {
        let words = AgentCommand.fill(
            ["a", "{dir}/x", "--port={port}", "{other}{", "{port}{dir}"], port: 9, directory: "/{port}")
        #expect(words == ["a", "/{port}/x", "--port=9", "{other}{", "9/{port}"])
    }

    @Test(
        "git's words become stable codes",
        arguments: [
            ("fatal: repository 'http://h/x/' not found", "repository_not_found"),
            ("fatal: '/x' does not appear to be a git repository", "repository_not_found"),
            ("fatal: could not read Username for 'http://h': terminal prompts disabled", "authentication_required"),
            ("fatal: Authentication failed for 'https://h/x/'", "authentication_required"),
            ("fatal: unable to access 'http://h/': The requested URL returned error: 403", "authentication_required"),
            ("fatal: unable to access 'http://h/': Could not resolve host: h", "host_not_found"),
            ("fatal: unable to access 'http://h/': Failed to connect to h port 1 after 0 ms", "repository_unreachable"),
            ("error: RPC failed; curl 28 Operation too slow", "repository_unreachable"),
            ("fatal: write error: No space left on device", "disk_full"),
            ("fatal: transport 'ext' not allowed", "repository_scheme_refused"),
            ("fatal: unable to access 'https://h/': SSL certificate problem: self-signed", "certificate_refused"),
            ("fatal: The requested URL returned error: 302", "repository_moved"),
            ("fatal: something never seen", "clone_failed"), ("", "clone_failed"),
        ])
    func causes(text: String, code: String) {
        let failure = GitFailure.cause(of: text, ended: "exit status 128", address: "http://h/x", hasToken: false)
        #expect(failure.code == code)
        #expect(!failure.message.contains("ADDRESS"))
        #expect(failure.log == (text.isEmpty ? nil : text))
    }

    @Test(
        "Where a redirect leads is understood, or nothing is followed",
        arguments: [
            ("/b.git/info/refs?service=git-upload-pack", "https://h:8/b.git"),
            ("https://other/b/info/refs?service=git-upload-pack", "https://other/b"),
            ("//other/b/info/refs?service=git-upload-pack", "https://other/b"),
            ("http://other/b/info/refs?service=git-upload-pack", nil), ("https://other/login", nil),
            ("info/refs?service=git-upload-pack", nil), ("", nil),
        ])
    func redirects(location: String, target: String?) throws {
        let url = try RepositoryURLPolicy().check("https://h:8/a")
        let cause = SessionFailure(code: "repository_moved", message: "", hint: "")
        #expect((try? RemoteListing.redirect(from: url, to: location, cause: cause)) == target)
    }

    @Test("The process table's line is read even when the command's name imitates it")
    func stat() throws {
        let tail = " S 10 20 30 " + (7...21).map { "\($0)" }.joined(separator: " ") + " 4242 9 9\n"
        let entry = try #require(ProcessTable.parse(stat: Array(("5 (a) b (c))" + tail).utf8), pid: 5))
        #expect(entry.identity == ProcessIdentity(pid: 5, startTime: 4242))
        #expect((entry.parent, entry.group, entry.session) == (10, 20, 30))
        #expect(ProcessTable.parse(stat: Array("5 (a".utf8), pid: 5) == nil)
        #expect(ProcessTable.parse(stat: [], pid: 5) == nil)
    }

    @Test("A token that could end a line is not handed to git, and one for a file is not kept")
    func tokens() throws {
        let policy = RepositoryURLPolicy(schemes: ["https", "file"])
        let url = try policy.check("https://example.test/a/b")
        let hosts = try #require(TokenHosts(["example.test"]))
        #expect(
            GitAccess(token: "abc", to: url, hosts: hosts)?.environment["GIT_CONFIG_KEY_0"]
                == "credential.https://example.test.helper")
        #expect(GitAccess(token: "a\nb", to: url, hosts: hosts) == nil)
        #expect(GitAccess(token: "", to: url, hosts: hosts) == nil)
        #expect(GitAccess(token: "abc", to: try policy.check("file:///a/b"), hosts: hosts) == nil)
        #expect(GitAccess(token: "abc", to: url, hosts: .github) == nil)
    }

    @Test("Every code of a failure is explained to people, and no other is")
    func documentation() throws {
        let root = Bench.support + "/../.."
        func text(_ path: String) throws -> String {
            String(decoding: try SmallFile.contents(of: root + path, limit: 1 << 20), as: UTF8.self)
        }
        var used: Set<String> = []
        for folder in ["", "/Git", "/Disk", "/Processes"] {
            let path = "/Sources/LocalSessions" + folder
            for name in FolderListing.names(of: root + path) where name.hasSuffix(".swift") {
                let pattern = /(?:code: |refuse: |: )"([a-z]+(?:_[a-z]+)+)"/
                used.formUnion(try text(path + "/" + name).matches(of: pattern).map { String($0.1) })
            }
        }
        // The names of a format's members are none.
        used.subtract(["state_dir"])
        let table = try #require(try text("/docs/local-sessions.md").split(separator: "## Why a session failed").last)
        let explained = Set(table.matches(of: /`([a-z]+(?:_[a-z]+)+)`/).map { String($0.1) })
        #expect(used.subtracting(explained).isEmpty)
        #expect(explained.subtracting(used).isEmpty)
    }
}
