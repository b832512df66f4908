import Sessions
import Testing

@testable import opencode_router

@Suite("Settings")
struct SettingsTests {
    /// A machine without a cluster, whatever runs the tests.
    static let machine = Machine(cores: 4, binaryDirectory: "/opt/router", isTerminal: false) { _ in false }

    /// What a plain production deployment sets.
    static let production = ["ROUTER_DOMAIN": "example.com", "TRUSTED_PROXIES": "10.0.0.0/8"]

    static func settings(_ environment: [String: String], _ arguments: [String] = []) throws -> Settings {
        try Settings(flags: CommandLineFlags(arguments), environment: environment, machine: machine)
    }

    /// The problems that these settings have.
    static func problems(_ environment: [String: String], _ arguments: [String] = []) -> [String] {
        do {
            _ = try settings(environment, arguments)
            return []
        } catch let error as InvalidSettings {
            return error.problems.map(\.description)
        } catch {
            return ["\(error)"]
        }
    }

    @Test("Defaults are the contract's")
    func defaults() throws {
        let settings = try Self.settings(Self.production)
        #expect(settings.listeners.port == 3000)
        #expect(settings.listeners.attachPort == 4096)
        #expect(settings.listeners.podPort == 3001)
        #expect(settings.listeners.metricsPort == 9090)
        #expect(settings.listeners.address == "0.0.0.0")
        #expect(settings.listeners.workers == 4)
        #expect(settings.hosts.scheme == "https")
        #expect(settings.hosts.authority(boundPort: 3000) == "example.com")
        #expect(settings.identity.emailField == "X-Auth-Request-Email")
        #expect(settings.identity.cookiePrefixes == ["_oauth2"])
        #expect(settings.repositories.schemes == ["https"])
        #expect(settings.sessions.runtime == .local)
        #expect(settings.sessions.idleTimeout == .seconds(900))
        #expect(settings.sessions.perUser == nil)
        #expect(settings.operations.drain == .seconds(30))
        #expect(settings.operations.logFormat == .json)
        #expect(settings.files.publicDirectory == "./Public")
        #expect(settings.local.stateDirectory == "/var/lib/opencode-router")
    }

    @Test("Development mode needs nothing else and stays on this machine")
    func development() throws {
        let settings = try Self.settings(["DEVELOPMENT": "true", "PORT": "0"])
        #expect(settings.listeners.address == "127.0.0.1")
        #expect(settings.hosts.scheme == "http")
        #expect(settings.hosts.domain == "localhost")
        #expect(settings.hosts.authority(boundPort: 41234) == "localhost:41234")
    }

    @Test("The mock implies a development router of its own; what is set wins", arguments: [[], ["--port", "4000"]])
    func mock(arguments: [String]) throws {
        let settings = try Self.settings([:], ["--mock"] + arguments)
        #expect(settings.sessions.runtime == .mock)
        #expect(settings.development && settings.listeners.address == "127.0.0.1")
        #expect(settings.listeners.port == (arguments.isEmpty ? 3002 : 4000))
        #expect(settings.identity.developmentEmail == "dev@local.test")
        #expect(Self.problems(["MOCK_K8S": "true", "DEVELOPMENT": "false"]).contains { $0.contains("MOCK_K8S") })
    }

    @Test("A flag wins over the environment", arguments: [["--port", "4000"], ["--port=4000"]])
    func flagWins(arguments: [String]) throws {
        let settings = try Self.settings(Self.production.merging(["PORT": "5000"]) { $1 }, arguments)
        #expect(settings.listeners.port == 4000)
        #expect(settings.effective.first { $0.declaration.name == "PORT" }?.origin == .flag)
    }

    @Test("A boolean flag stands alone or takes a value")
    func booleanFlags() throws {
        #expect(try CommandLineFlags(["--development", "--port", "1"]).values == ["DEVELOPMENT": "true", "PORT": "1"])
        #expect(try CommandLineFlags(["--development", "false"]).values == ["DEVELOPMENT": "false"])
    }

    @Test(
        "A wrong value is one line with the variable, the value and what is accepted",
        arguments: [
            ("PORT", "80a", "PORT=80a: expected a whole number from 0 to 65535"),
            ("PORT", "65536", "PORT=65536: expected a whole number from 0 to 65535"),
            ("DEVELOPMENT", "maybe", "DEVELOPMENT=maybe: expected true or false"),
            ("ROUTER_PROTO", "ftp", "ROUTER_PROTO=ftp: expected http or https"),
            ("ROUTER_DOMAIN", "-x.com", "ROUTER_DOMAIN=-x.com: expected a DNS name, with or without :port"),
            ("TRUSTED_PROXIES", "10.0.0.0/33", "TRUSTED_PROXIES=10.0.0.0/33: expected addresses or ranges"),
            ("IDLE_TIMEOUT_MINUTES", "-1", "IDLE_TIMEOUT_MINUTES=-1: expected a number from 0 to 1000000000"),
            ("IDLE_TIMEOUT_MINUTES", "nan", "IDLE_TIMEOUT_MINUTES=nan: expected a number from 0 to 1000000000"),
            // More than a clock can count to.
            ("MAX_AGE_HOURS", "6e16", "MAX_AGE_HOURS=6e16: expected a number from 0 to 1000000000"),
            ("DRAIN_SECONDS", "1e19", "DRAIN_SECONDS=1e19: expected a number from 0 to 1000000000"),
            ("STORAGE_SIZE", "10 GB", "STORAGE_SIZE=10 GB: expected a Kubernetes quantity"),
            (
                "POD_MEMORY_REQUEST", "2049Mi", "POD_MEMORY_REQUEST=2049Mi: must not be more than POD_MEMORY_LIMIT=2Gi"
            ),
            ("POD_MEMORY_LIMIT", "500M", "POD_MEMORY_REQUEST=512Mi: must not be more than POD_MEMORY_LIMIT=500M"),
            ("POD_CPU_LIMIT", "249m", "POD_CPU_REQUEST=250m: must not be more than POD_CPU_LIMIT=249m"),
            ("AUTH_EMAIL_HEADER", "X_Email", "AUTH_EMAIL_HEADER=X_Email: expected the name of an HTTP field"),
            ("AUTH_RECHECK_URL", "https://u:p@x", "AUTH_RECHECK_URL=https://u:p@x: expected an http"),
            ("ALLOWED_REPO_SCHEMES", "ext", "ALLOWED_REPO_SCHEMES=ext: expected https, http, git, ssh, file"),
            ("GIT_TOKEN_HOSTS", "https://x", "GIT_TOKEN_HOSTS=https://x: expected [user@]host[:port]"),
            ("GITHUB_API_URL", "https://x:0/", "GITHUB_API_URL=https://x:0/: expected an http"),
            ("ATTACH_ROUTE_PREFIX", "a-", "ATTACH_ROUTE_PREFIX=a-: expected a letter from g to z"),
            ("EDITOR_ROUTE_PREFIX", "4096-", "EDITOR_ROUTE_PREFIX=4096-: expected a letter from g to z"),
            ("ROUTER_HOSTS", "*.example.com", "ROUTER_HOSTS=*.example.com: expected DNS names"),
            (
                "ROUTER_HOSTS", "0123456789ab.example.com",
                "ROUTER_HOSTS=0123456789ab.example.com: is the host of a session"
            ),
            (
                "AUTH_SECRET_HEADER", "x-auth-request-email",
                "AUTH_SECRET_HEADER=x-auth-request-email: must differ from AUTH_EMAIL_HEADER"
            ),
            ("METRICS_PORT", "3000", "METRICS_PORT=3000: must differ from PORT"),
            ("DEV_EMAIL", "a@b.c", "DEV_EMAIL=a@b.c: only with DEVELOPMENT=true"),
            ("SESSION_RUNTIME", "kubernetes", "OPENCODE_IMAGE: not set; expected the session image"),
            ("KUBECONFIG", "/k", "OPENCODE_IMAGE: not set; expected the session image"),
        ])
    func wrongValues(name: String, value: String, expected: String) {
        let problems = Self.problems(Self.production.merging([name: value]) { $1 })
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix(expected) == true, "\(problems)")
        #expect(problems.first?.contains("\n") == false)
    }

    @Test("A request up to the limit is accepted, in whatever units", arguments: ["2Gi", "2048Mi", "2G", "1.5Gi", "0"])
    func request(memory: String) throws {
        _ = try Self.settings(Self.production.merging(["POD_MEMORY_REQUEST": memory, "POD_CPU_LIMIT": "0.25"]) { $1 })
    }

    @Test("A secret's value is in no message and no listing")
    func redaction() throws {
        let problems = Self.problems(Self.production.merging(["AUTH_SECRET": "tooShort1"]) { $1 })
        #expect(problems == ["AUTH_SECRET=(redacted): expected at least 16 printable ASCII characters"])
        let settings = try Self.settings(Self.production.merging(["ADMIN_SECRET": "hunter2"]) { $1 })
        let listing = settings.effective.map(CheckConfigCommand.line).joined(separator: "\n")
        #expect(listing.contains("ADMIN_SECRET=(redacted)"))
        #expect(!listing.contains("hunter2"))
    }

    @Test("All problems are told at once")
    func allAtOnce() {
        let problems = Self.problems(["PORT": "x", "WORKERS": "0", "AUTH_TRUST_ANY_PEER": "true"])
        #expect(problems.count == 3)
        #expect(problems.contains { $0.hasPrefix("ROUTER_DOMAIN: not set") })
    }

    @Test(
        "Without proof of who is asking, nothing starts outside development",
        arguments: [
            (["TRUSTED_PROXIES": "10.1.2.3"], true), (["AUTH_SECRET": "0123456789abcdef"], true),
            (["AUTH_TRUST_ANY_PEER": "true"], true), (["AUTH_TRUST_ANY_PEER": "false"], false), ([:], false),
            (["TRUSTED_PROXIES": ""], false), (["DEVELOPMENT": "true"], true),
        ])
    func proof(environment: [String: String], starts: Bool) {
        let problems = Self.problems(environment.merging(["ROUTER_DOMAIN": "example.com"]) { $1 })
        #expect(problems.isEmpty == starts, "\(problems)")
    }

    @Test("Everybody is DEV_EMAIL only where nobody else can connect")
    func developmentEmail() {
        let environment = ["DEVELOPMENT": "true", "DEV_EMAIL": "dev@example.com"]
        #expect(Self.problems(environment).isEmpty)
        let open = environment.merging(["BIND_ADDRESS": "0.0.0.0"]) { $1 }
        #expect(Self.problems(open).first?.contains("loopback BIND_ADDRESS") == true)
    }

    @Test(
        "A misspelt flag is refused with the one that was meant",
        arguments: [
            (["--prot", "80"], "unknown option --prot; did you mean --port?"),
            (["--idle-timeout-minute=3"], "unknown option --idle-timeout-minute; did you mean --idle-timeout-minutes?"),
            (["--frobnicate"], "unknown option --frobnicate; `opencode-router serve --help` lists all options"),
            (["stray"], "unexpected argument \"stray\"; settings are given as --name value"),
            (["--port"], "--port needs a value: a whole number from 0 to 65535"),
        ])
    func misspelt(arguments: [String], expected: String) {
        #expect(Self.problems(Self.production, arguments) == [expected])
    }

    @Test("Fixed routes are read in development mode only")
    func developmentRoutes() throws {
        let routes = #"[{"hash":"0123456789ab","email":"A@b.c","target":"http://localhost:4097"}]"#
        let settings = try Self.settings(["DEVELOPMENT": "true", "DEV_ROUTES": routes])
        let route = try #require(settings.developmentRoutes.routes.first)
        #expect(route.id == SessionID("0123456789ab"))
        #expect(route.owner == "a@b.c")
        #expect(route.endpoint.address == "127.0.0.1")
        #expect(route.endpoint.port == 4097)
        let refused = Self.problems(Self.production.merging(["DEV_ROUTES": routes]) { $1 })
        #expect(refused == ["DEV_ROUTES: only with DEVELOPMENT=true"])
        let wrong = Self.problems(["DEVELOPMENT": "true", "DEV_ROUTES": #"[{"hash":"x","email":"a@b","target":"y"}]"#])
        #expect(wrong.count == 1)
    }

    @Test("A value with commas reaches its setting whole")
    func commas() throws {
        let settings = try Self.settings(Self.production, ["--agent-command", "agent --list a,b,c"])
        #expect(settings.local.agentCommand == "agent --list a,b,c")
    }

    @Test("Every declaration is read, described and has its own flag")
    func table() throws {
        let settings = try Self.settings(Self.production)
        let read = Set(settings.effective.map(\.declaration.name))
        let unread = SettingTable.all.filter { !read.contains($0.name) }.map(\.name)
        #expect(unread.isEmpty)
        #expect(Set(SettingTable.all.map(\.flag)).count == SettingTable.all.count)
        for declaration in SettingTable.all {
            #expect(declaration.meaning.hasSuffix("."), "\(declaration.name)")
            if let fallback = declaration.fallback, !fallback.isEmpty {
                #expect(SettingSyntax.accepts(fallback, as: declaration.kind), "\(declaration.name)")
            }
        }
    }
}
