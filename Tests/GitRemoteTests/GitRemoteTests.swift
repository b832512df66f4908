import GitRemote
import HTTPClient
import TLS
import Testing

private let authority = TestAuthority.shared

/// Real repositories behind git's own `http-backend`, over http or https.
final class GitServer: Sendable {
    private let files = TemporaryDirectory()
    private let process: ChildProcess
    private let port: UInt16
    private let isSecure: Bool

    init(secure: Bool = false) {
        let script =
            "\(#filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined())/Support/git_http_server.py"
        var arguments = ["python3", script, "--root", files.path, "--password", "secret", "--trace", files("trace")]
        if secure {
            arguments += ["--certificate", authority.files("server.pem"), "--key", authority.files("server.key")]
        }
        Self.makeRepositories(in: files)
        process = ChildProcess(arguments)
        let line = process.readLine() ?? ""
        guard let port = UInt16(line) else { fatalError("the git server did not start: \(line)") }
        self.port = port
        isSecure = secure
    }

    /// The address of something on this server.
    func url(_ path: String, host: String = "127.0.0.1") -> String {
        "http\(isSecure ? "s" : "")://\(host):\(port)/\(path)"
    }

    var authorityText: String { "127.0.0.1:\(port)" }

    /// The requests so far: method, target, Authorization.
    var trace: [String] { files.read("trace").split(separator: "\n").map(String.init) }

    private static func makeRepositories(in files: TemporaryDirectory) {
        let environment = [
            "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t",
            "GIT_COMMITTER_NAME": "t",
            "GIT_COMMITTER_EMAIL": "t@t",
        ]
        func git(_ arguments: String...) {
            ChildProcess.run(["git"] + arguments, directory: files.path, environment: environment)
        }
        git("init", "-q", "--bare", "-b", "trunk", "full.git")
        git("init", "-q", "--bare", "-b", "trunk", "empty.git")
        git("init", "-q", "-b", "trunk", "work")
        git("-C", "work", "commit", "-q", "--allow-empty", "-m", "first")
        git("-C", "work", "branch", "feature/one")
        git("-C", "work", "branch", "main")
        git("-C", "work", "tag", "-a", "-m", "v1", "v1")
        git("-C", "work", "push", "-q", "../full.git", "--all")
        git("-C", "work", "push", "-q", "../full.git", "--tags", "trunk:refs/pull/1/head")
        git("clone", "-q", "--bare", "full.git", "detached.git")
        git("-C", "detached.git", "update-ref", "--no-deref", "HEAD", "trunk")
    }
}

/// A remote that may be on this machine.
func remote(secure: Bool = false, tokens: [String: String] = [:]) async throws -> GitRemote {
    var client = HTTPClient.Configuration()
    client.tls.trust = .onlyFile(authority.files("authority.pem"))
    var configuration = GitRemote.Configuration()
    configuration.schemes = secure ? [.https] : [.http, .https]
    configuration.addresses = .publicAndPrivate
    configuration.tokens = TokenPolicy(users: tokens)
    return GitRemote(client: try await HTTPClient.standalone(configuration: client), configuration: configuration)
}

/// Why asking for this address fails; nil if it does not.
func reason(
    _ address: String, _ remote: GitRemote, _ credentials: GitCredentials? = nil, _ limits: GitRemote.Limits = .init()
) async -> GitRemoteError.Reason? {
    do throws(GitRemoteError) {
        _ = try await remote.branches(of: address, credentials: credentials, limits: limits)
        return nil
    } catch {
        return error.reason
    }
}

private let full = RemoteBranches(names: ["feature/one", "main", "trunk"], defaultBranch: "trunk")

@Suite("A remote behind git http-backend")
struct GitRemoteTests {
    private static let server = GitServer()

    @Test(
        "Branches and the default branch, by version 2 and by version 0, with and without redirects",
        arguments: [
            ("full.git", full), ("full.git/", full), ("full", full), ("old/full.git", full), ("moved/full", full),
            ("empty.git", RemoteBranches(names: [], defaultBranch: "trunk")),
            ("old/empty.git", RemoteBranches(names: [], defaultBranch: nil)),
            ("detached.git", RemoteBranches(names: full.names, defaultBranch: "main")),
        ])
    func branches(path: String, expected: RemoteBranches) async throws {
        #expect(try await remote().branches(of: Self.server.url(path)) == expected)
    }

    @Test("A redirect to another server is followed, and the rest is asked there")
    func away() async throws {
        let other = GitServer()
        let address = Self.server.url("away/\(other.authorityText)/full.git")
        #expect(try await remote().branches(of: address) == full)
        #expect(other.trace.map { String($0.prefix(4)) } == ["GET ", "POST"])
    }

    @Test(
        "Each failure is told for what it is",
        arguments: [
            ("nothing", GitRemoteError.Reason.notFound), ("missing.git", .notFound),
            ("private/full.git", .authenticationRequired),
            ("forbidden/full.git", .forbidden), ("broken/full.git", .unexpectedStatus(500)),
            ("garbage/full.git", .notARepository),
            ("loop/full.git", .tooManyRedirects),
            ("away/169.254.169.254/latest", .addressNotAllowed(host: "169.254.169.254")),
            ("away/0.0.0.0:1/full.git", .addressNotAllowed(host: "0.0.0.0")),
            ("away/user:x@localhost/a", .refusedRedirect),
            ("", .invalidAddress(.noPath)),
        ])
    func failures(path: String, expected: GitRemoteError.Reason) async throws {
        #expect(try await reason(Self.server.url(path), remote()) == expected)
    }

    @Test("A server that never answers is given up in time")
    func slow() async throws {
        var limits = GitRemote.Limits()
        limits.time = .milliseconds(400)
        #expect(try await reason(Self.server.url("slow/full.git"), remote(), nil, limits) == .timedOut)
    }

    @Test("More bytes or branches than allowed are refused")
    func bounds() async throws {
        var limits = GitRemote.Limits()
        limits.bytes = 100
        #expect(try await reason(Self.server.url("full.git"), remote(), nil, limits) == .tooLarge)
        limits = GitRemote.Limits()
        limits.branches = 2
        #expect(try await reason(Self.server.url("full.git"), remote(), nil, limits) == .tooLarge)
        #expect(try await reason(Self.server.url("old/full.git"), remote(), nil, limits) == .tooLarge)
    }

    @Test("http, foreign hosts and private addresses are refused unless allowed")
    func configuration() async throws {
        let client = try await HTTPClient.standalone()
        let strict = GitRemote(client: client)
        #expect(await reason(Self.server.url("full.git"), strict) == .schemeNotAllowed("http"))
        var configuration = GitRemote.Configuration()
        configuration.schemes = [.http]
        #expect(
            await reason(Self.server.url("full.git"), GitRemote(client: client, configuration: configuration))
                == .addressNotAllowed(host: "127.0.0.1"))
        configuration.addresses = .any
        configuration.isAllowed = { $0.base.origin.host == .name("github.com") }
        #expect(
            await reason(Self.server.url("full.git"), GitRemote(client: client, configuration: configuration))
                == .hostNotAllowed("127.0.0.1"))
        // A redirect does not get around the list either.
        configuration.isAllowed = { "\($0.base.origin.host)" == "127.0.0.1" }
        #expect(
            await reason(
                Self.server.url("away/localhost:1/x.git"), GitRemote(client: client, configuration: configuration))
                == .hostNotAllowed("localhost"))
    }
}

@Suite("A user's token")
struct TokenTests {
    private static let server = GitServer(secure: true)
    private static let token = GitCredentials(token: "secret")

    @Test("It opens a private repository on the server it belongs to, in both requests")
    func belongs() async throws {
        let remote = try await remote(secure: true, tokens: [Self.server.authorityText: "x-access-token"])
        #expect(try await remote.branches(of: Self.server.url("private/full.git"), credentials: Self.token) == full)
        let expected = "Basic eC1hY2Nlc3MtdG9rZW46c2VjcmV0"
        #expect(Self.server.trace.filter { $0.contains("/private/") && $0.hasSuffix(expected) }.count == 2)
    }

    @Test("Another server does not get it, typed or redirected to")
    func stranger() async throws {
        let stranger = GitServer(secure: true)
        let remote = try await remote(
            secure: true, tokens: [Self.server.authorityText: "u", "github.com": "x-access-token"])
        #expect(await reason(stranger.url("private/full.git"), remote, Self.token) == .authenticationRequired)
        let address = Self.server.url("away-https/\(stranger.authorityText)/full.git")
        #expect(try await remote.branches(of: address, credentials: Self.token) == full)
        #expect(stranger.trace.count == 3 && stranger.trace.allSatisfy { $0.hasSuffix(" -") })
        // The same server by another name is another server.
        #expect(
            await reason(Self.server.url("private/full.git", host: "localhost"), remote, Self.token)
                == .authenticationRequired)
    }

    @Test("A redirect back does not revive it")
    func roundTrip() async throws {
        let stranger = GitServer(secure: true)
        // Known to both: the token would be the stranger's to ask for.
        let remote = try await remote(secure: true, tokens: [Self.server.authorityText: "u"])
        let address = stranger.url("away-https/\(Self.server.authorityText)/private/full.git")
        #expect(await reason(address, remote, Self.token) == .authenticationRequired)
    }

    @Test("A redirect from https to http is refused")
    func insecure() async throws {
        let plain = GitServer()
        var configuration = GitRemote.Configuration()
        configuration.schemes = [.http, .https]
        configuration.addresses = .any
        var client = HTTPClient.Configuration()
        client.tls.trust = .onlyFile(authority.files("authority.pem"))
        let remote = GitRemote(client: try await .standalone(configuration: client), configuration: configuration)
        #expect(await reason(Self.server.url("away/\(plain.authorityText)/full.git"), remote) == .insecureRedirect)
        #expect(plain.trace.isEmpty)
    }

    @Test("It never goes over a connection that others can read, and never shows in texts")
    func secrecy() throws {
        let policy = TokenPolicy(users: ["git.example": "u", "git.example:8443": "v"])
        let secret = GitCredentials(token: "s3cret")
        func field(_ url: String) throws -> String? {
            policy.authorization(secret, for: try HTTPURL(url).origin)?.value
        }
        #expect(try field("https://git.example/x") == "Basic dTpzM2NyZXQ=")
        #expect(try field("https://git.example:8443/x") == "Basic djpzM2NyZXQ=")
        for other in [
            "http://git.example/x", "https://git.example:444/x", "https://a.git.example/x",
            "https://git.example.evil/x",
        ] {
            #expect(try field(other) == nil)
        }
        #expect(!"\(secret) \(String(reflecting: secret))".contains("s3cret"))
        var dumped = ""
        dump(secret, to: &dumped)
        #expect(!dumped.contains("s3cret"))
    }
}
