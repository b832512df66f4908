import Glibc
import Sessions
import Testing

@testable import LocalSessions

@Suite("Making a session's folder with git", .timeLimit(.minutes(5)))
struct GitTests {
    /// Runs a session until it runs or fails, and tells which.
    private func outcome(
        _ bench: Bench, _ specification: SessionSpecification, _ settings: LocalSessionSettings? = nil
    ) async throws -> SessionFailure? {
        let runtime = try await bench.open(settings ?? bench.settings())
        var watcher = Watcher(runtime)
        try await runtime.create(specification)
        while true {
            switch watcher.sessions[specification.id]?.state {
            case .running:
                await runtime.shutDown()
                return nil
            case .failed(let failure):
                await runtime.shutDown()
                return failure
            default: try #require(await watcher.next() != nil)
            }
        }
    }

    private func head(_ bench: Bench) async throws -> String {
        try await Bench.shell(
            "git", "symbolic-ref", "HEAD", in: bench.stateDirectory + "/sessions/000000000001/repo")
    }

    @Test(
        "A branch that exists is checked out, another is made from its source, over every protocol",
        arguments: ["file", "http"], [("feature/x", "main", "feature/x"), ("new/branch", "feature/x", "feature/x")])
    func branches(scheme: String, names: (branch: String, source: String, content: String)) async throws {
        let bench = try Bench()
        try await bench.repository("one", branches: ["main", "feature/x"])
        let server = try await GitServer(bench)
        let url = scheme == "file" ? bench.file("one") : server.url("one.git")
        #expect(try await outcome(bench, bench.specification(url, branch: names.branch, source: names.source)) == nil)
        #expect(try await head(bench) == "refs/heads/\(names.branch)\n")
        #expect(bench.content("repo/README") == "one \(names.content)\n")
        let remote = try await Bench.shell(
            "git", "config", "remote.origin.url", in: bench.stateDirectory + "/sessions/000000000001/repo")
        #expect(remote == url + "\n")
        await server.stop()
    }

    @Test("A blank project is a repository with one empty commit in the owner's name")
    func blank() async throws {
        let bench = try Bench()
        #expect(try await outcome(bench, bench.specification(nil, branch: "idea")) == nil)
        #expect(try await head(bench) == "refs/heads/idea\n")
        let log = try await Bench.shell(
            "git", "log", "--format=%ae %an %s", in: bench.stateDirectory + "/sessions/000000000001/repo")
        #expect(log == "anna@example.test anna Empty project\n")
    }

    @Test("An empty repository begins on the session's branch")
    func empty() async throws {
        let bench = try Bench()
        try await bench.repository("none", branches: [])
        let server = try await GitServer(bench)
        #expect(try await outcome(bench, bench.specification(server.url("none.git"), branch: "begin")) == nil)
        #expect(try await head(bench) == "refs/heads/begin\n")
        await server.stop()
    }

    @Test(
        "What is wrong with a repository is said by a stable code",
        arguments: [
            ("http", "nothing/one.git", "repository_not_found"), ("http", "private/one.git", "authentication_required"),
            ("http", "forbidden/one.git", "authentication_required"), ("http", "garbage/one", "repository_not_found"),
            ("http", "loop/one", "repository_moved"), ("http", "broken/one", "repository_unreachable"),
            ("file", "absent", "repository_not_found"),
        ])
    func failures(scheme: String, path: String, code: String) async throws {
        let bench = try Bench()
        try await bench.repository("one")
        let server = try await GitServer(bench)
        let url = scheme == "file" ? bench.file(path) : server.url(path)
        let failure = try await outcome(bench, bench.specification(url))
        #expect(failure?.code == code, "\(String(describing: failure))")
        #expect(bench.content("init.log")?.contains(code) == true)
        await server.stop()
    }

    @Test("A source branch that is missing is named, with branches that are there")
    func missingBranch() async throws {
        let bench = try Bench()
        try await bench.repository("one", branches: ["main", "dev"])
        let failure = try #require(
            try await outcome(bench, bench.specification(bench.file("one"), branch: "mine", source: "mian")))
        #expect(failure.code == "branch_missing")
        #expect(failure.message.contains("\"mian\""))
        #expect(failure.hint.contains("\"dev\", \"main\""))
    }

    @Test("A server that answers nothing is given up after the time limit")
    func timeout() async throws {
        let bench = try Bench()
        try await bench.repository("one")
        let server = try await GitServer(bench)
        var settings = bench.settings()
        settings.remoteTimeout = .milliseconds(500)
        #expect(
            try await outcome(bench, bench.specification(server.url("slow/one.git")), settings)?.code
                == "clone_timed_out")
        await server.stop()
    }

    @Test("A redirect within the server is followed; the folder's remote is where it led")
    func redirect() async throws {
        let bench = try Bench()
        try await bench.repository("one")
        let server = try await GitServer(bench)
        #expect(try await outcome(bench, bench.specification(server.url("moved/one"))) == nil)
        #expect(bench.content("repo/README") == "one main\n")
        await server.stop()
    }

    @Test("A redirect to an address that is not permitted is refused before anybody there is asked")
    func redirectAway() async throws {
        let bench = try Bench()
        try await bench.repository("one")
        let server = try await GitServer(bench)
        let metadata = server.url("away/169.254.169.254:80/latest/info/refs")
        let failure = try await outcome(
            bench, bench.specification(metadata.replacing("/latest/info/refs", with: "/latest")))
        #expect(failure?.code == "repository_address_refused", "\(String(describing: failure))")
        await server.stop()
    }

    @Test("The token opens a private repository, goes to its own host only, and is written down nowhere")
    func token() async throws {
        let bench = try Bench()
        try await bench.repository("one")
        let server = try await GitServer(bench)
        let url = server.url("private/one.git")
        var settings = bench.settings()
        settings.tokenHosts = server.asTokenHost
        #expect(try await outcome(bench, bench.specification(url, token: "secret"), settings) == nil)
        #expect(bench.content("repo/README") == "one main\n")
        let found = try await Bench.shell(
            "sh", "-c", "grep -rl -e secret -e c2VjcmV0 . || true", in: bench.stateDirectory)
        #expect(found == "")

        let other = try await GitServer(bench)
        let away = server.url("away/127.0.0.1:\(other.port)/private/one.git")
        let failure = try await outcome(bench, bench.specification(away, id: 2, token: "secret"), settings)
        #expect(failure?.code == "authentication_required", "\(String(describing: failure))")
        #expect(other.requests.contains("GET /private/one.git/info/refs?service=git-upload-pack -\n"))
        #expect(!other.requests.contains("Basic"))
        await server.stop()
        await other.stop()
    }

    @Test("A wrong token is an authentication failure that says so")
    func wrongToken() async throws {
        let bench = try Bench()
        try await bench.repository("one")
        let server = try await GitServer(bench)
        var settings = bench.settings()
        settings.tokenHosts = server.asTokenHost
        let failure = try await outcome(
            bench, bench.specification(server.url("private/one.git"), token: "planted-token"), settings)
        #expect(failure?.code == "authentication_required")
        #expect(failure?.hint.contains("account") == true)
        #expect(failure?.log?.contains("planted-token") != true)
        await server.stop()
    }

    @Test(
        "Private addresses are refused unless they are allowed, by number and by name",
        arguments: [
            "http://127.0.0.1:PORT/one.git", "http://localhost:PORT/one.git", "http://[::1]:PORT/one.git",
            "http://10.1.2.3/one.git", "http://169.254.169.254/latest.git", "http://0.0.0.0:PORT/one.git",
            "http://[::ffff:127.0.0.1]:PORT/one.git",
        ])
    func privateAddresses(address: String) async throws {
        let bench = try Bench()
        try await bench.repository("one")
        let server = try await GitServer(bench)
        var settings = bench.settings()
        settings.allowsPrivateRepositoryAddresses = false
        let failure = try await outcome(
            bench, bench.specification(address.replacing("PORT", with: "\(server.port)")), settings)
        #expect(failure?.code == "repository_address_refused", "\(String(describing: failure))")
        #expect(server.requests == "")
        await server.stop()
    }

    @Test("A name that is pinned is not resolved again: git goes to the judged address, even by another name")
    func pinned() async throws {
        let bench = try Bench()
        try await bench.repository("one")
        let server = try await GitServer(bench)
        #expect(
            try await outcome(bench, bench.specification("http://localhost:\(server.port)/one.git")) == nil)
        let pin = try await RemoteAddresses.judge(
            RepositoryURLPolicy(schemes: ["http"]).check("http://localhost:8080/x"), allowsPrivate: true,
            timeout: .seconds(10))
        #expect(pin.pin?.hasPrefix("localhost:8080:") == true)
        await server.stop()
    }

    @Test(
        "Hostile repository addresses and branches are refused at the door, and nothing runs",
        arguments: [
            ("ext::sh -c touch% PROOF", "work", "main"), ("--upload-pack=touch PROOF", "work", "main"),
            ("-uPROOF", "work", "main"), ("file:///etc", "work", "main"), ("fd::17/foo", "work", "main"),
            ("https://example.test/$(touch PROOF)\n", "work", "main"), ("https://a:b@example.test/x", "work", "main"),
            ("https://example.test/a\nb", "work", "main"), ("ssh://-oProxyCommand=touch/x", "work", "main"),
            ("git@example.test:a/b", "work", "main"), ("https://example.test/../../x", "work", "main"),
            ("https://example.test/x", "--upload-pack=touch", "main"), ("https://example.test/x", "-b", "main"),
            ("https://example.test/x", "a..b", "main"), ("https://example.test/x", "work", "--orphan"),
            ("https://example.test/x", "work", "main\nx"), ("https://example.test/x", "$(touch PROOF)", "main"),
            ("https://example.test/x", "@{-1}", "main"), ("https://example.test/x", "HEAD", "main"),
        ])
    func hostile(url: String, branch: String, source: String) async throws {
        let bench = try Bench()
        var settings = bench.settings()
        settings.repositories = RepositoryURLPolicy(schemes: ["https", "ssh"])
        let runtime = try await bench.open(settings)
        let proof = bench.path + "/proof"
        let specification = bench.specification(
            url.replacing("PROOF", with: proof), branch: branch.replacing("PROOF", with: proof), source: source)
        if branch == "$(touch PROOF)" {
            // A legal name but for the space; with one it never comes to a shell either.
            #expect(throws: (any Error).self) { try BranchName(branch) }
        }
        await #expect(throws: SessionRuntimeError.self) { try await runtime.create(specification) }
        #expect(SmallFile.read(proof) == nil)
        #expect(FolderListing.names(of: bench.stateDirectory + "/sessions").isEmpty)
        await runtime.shutDown()
    }

    @Test("Names full of shell signs that git allows are only names")
    func strangeButLegal() async throws {
        let bench = try Bench()
        let branch = "a$(touch${IFS}/tmp/proof)`id`;&|'\"%s"
        try await bench.repository("o'ne;$x", branches: ["main"])
        let settings = bench.settings()
        let url = "file://\(bench.path)/repositories/o'ne;$x.git"
        #expect(try await outcome(bench, bench.specification(url, branch: branch), settings) == nil)
        #expect(try await head(bench) == "refs/heads/\(branch)\n")
    }

    @Test("A repository's hooks, submodules and configuration do not act while its folder is made")
    func repositoryCannotAct() async throws {
        let bench = try Bench()
        try await bench.repository("one")
        let tree = "\(bench.path)/tree-one"
        try SmallFile.replace(
            tree + "/.gitmodules",
            with: Array("[submodule \"s\"]\n\tpath = s\n\turl = ext::touch% \(bench.path)/proof\n".utf8))
        try await Bench.shell("git", "add", ".gitmodules", in: tree)
        let commit = try await Bench.shell("git", "rev-parse", "HEAD", in: tree).dropLast()
        try await Bench.shell(
            "git", "update-index", "--add", "--cacheinfo", "160000,\(commit),s", in: tree)
        try await Bench.shell("git", "commit", "--quiet", "-m", "submodule", in: tree)
        try await Bench.shell("git", "push", "--quiet", "\(bench.path)/repositories/one.git", "main", in: tree)
        #expect(try await outcome(bench, bench.specification(bench.file("one"))) == nil)
        #expect(bench.content("repo/.gitmodules") != nil)
        #expect(SmallFile.read(bench.path + "/proof") == nil)
    }

    @Test("A clone that was cut short is redone; a finished one, however changed, is left alone")
    func halfDone() async throws {
        let bench = try Bench()
        try await bench.repository("one")
        let folder = bench.stateDirectory + "/sessions/000000000001"
        try Folder.make(folder + "/repo.new/.git")
        try SmallFile.replace(folder + "/repo.new/half", with: [1, 2, 3])
        let specification = bench.specification(bench.file("one"))
        #expect(try await outcome(bench, specification) == nil)
        #expect(bench.content("repo/half") == nil)
        #expect(bench.content("repo.new/half") == nil)
        try SmallFile.replace(folder + "/repo/README", with: Array("changed".utf8))
        let runtime = try await bench.open(bench.settings())
        var watcher = Watcher(runtime)
        try await runtime.create(specification)
        _ = try await watcher.endpoint()
        #expect(bench.content("repo/README") == "changed")
        await runtime.shutDown()
    }

    @Test(
        "A disk without room is a failure that says so, leaves nothing behind, and lets the session be deleted",
        .enabled(if: geteuid() == 0, "making a small disk takes root"))
    func fullDisk() async throws {
        let bench = try Bench()
        try await bench.repository("big")
        let tree = bench.path + "/tree-big"
        var noise = SystemRandomNumberGenerator()
        try SmallFile.replace(
            tree + "/noise", with: (0..<(1 << 20)).map { _ in UInt8.random(in: 0...255, using: &noise) })
        try await Bench.shell("git", "add", "noise", in: tree)
        try await Bench.shell("git", "commit", "--quiet", "-m", "noise", in: tree)
        try await Bench.shell("git", "push", "--quiet", bench.path + "/repositories/big.git", "main", in: tree)
        try Folder.make(bench.stateDirectory)
        guard mount("tmpfs", bench.stateDirectory, "tmpfs", 0, "size=1m") == 0 else { return }
        defer { umount2(bench.stateDirectory, CInt(MNT_DETACH)) }
        let runtime = try await bench.open(bench.settings())
        var watcher = Watcher(runtime)
        let specification = bench.specification(bench.file("big"))
        try await runtime.create(specification)
        let failure = try await watcher.failure()
        #expect(failure.code == "disk_full", "\(failure)")
        #expect(bench.content("repo/noise") == nil)
        #expect(!FolderListing.names(of: bench.stateDirectory + "/sessions/000000000001").contains("repo.new"))
        // Not one byte more for the record of the deletion.
        let filler = open(bench.stateDirectory + "/filler", O_WRONLY | O_CREAT, 0o600)
        let block = [UInt8](repeating: 1, count: 4096)
        while write(filler, block, block.count) > 0 {}
        close(filler)
        await #expect(throws: SessionRuntimeError.self) {
            try await runtime.annotate(specification.id, title: "x", attachPassword: nil, conversationID: nil)
        }
        try await runtime.delete(specification.id)
        #expect(FolderListing.names(of: bench.stateDirectory + "/sessions").isEmpty)
        unlink(bench.stateDirectory + "/filler")
        await runtime.shutDown()
    }
}
