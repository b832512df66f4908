internal import AgentClient
internal import FoundationEssentials
internal import GitRemote
internal import HTTPClient
internal import LinuxIO
internal import LocalSessions
internal import Logging
internal import Observability
internal import RouterAPI
internal import Sessions

/// The session runtime with what belongs to it.
struct SessionParts: Sendable {
    var runtime: any SessionRuntime
    var directory: SessionDirectory
    var branches: any BranchSource
    var catalogue: any RepositoryCatalogue
    /// What the router itself asks of agents.
    var agent: AgentClient
    /// The folder a session's agent works in, as the agent sees it.
    var agentDirectory: @Sendable (Session) -> String?
    /// Users' own variables for their sessions; nil where there is no place for them.
    var secrets: (any UserSecretStore)?
    /// Keeps what is said in sessions.
    var messages: (any MessageStore)?
    /// Pulls images ahead; nil where there is nobody to pull them.
    var images: (any ImagePuller)?
    /// Removes what replicas that died left behind; on one replica at a time.
    var tidy: (@Sendable () async -> Void)?
    /// Ends what the runtime started.
    var shutdown: @Sendable () async -> Void
    /// Runs work on one replica at a time; set where there may be others.
    var exclusively: (@Sendable (@escaping @Sendable () async -> Void) async -> Void)?
    /// Finds out whether the runtime may do all that it has to.
    var checkPermissions: (@Sendable (Readiness) async -> Void)?
}

extension Server {
    /// Builds the runtime that the settings ask for.
    ///
    /// `podPort` is where sessions of this machine call the router.
    static func sessionParts(
        _ settings: Settings, podPort: UInt16, registry: MetricRegistry
    ) async throws -> SessionParts {
        let client: HTTPClient
        do {
            client = try await HTTPClient(loop: Loop(name: "client"))
        } catch {
            throw StartFailure("no event loop could be made: \(error)")
        }
        if settings.sessions.runtime == .kubernetes, let cluster = settings.kubernetes {
            return try clusterParts(settings, cluster, client: client, registry: registry)
        }
        if settings.sessions.runtime == .mock { return try await mockParts(settings, client: client) }
        let runtime = try await localSessions(settings, podPort: podPort, client: client)
        return SessionParts(
            runtime: runtime, directory: SessionDirectory(runtime: runtime),
            branches: RemoteBranchSource(client: client, settings.repositories),
            catalogue: try GitHubCatalogue(client: client, settings.repositories),
            agent: AgentClient(client, generation: settings.sessions.agentGeneration),
            agentDirectory: { runtime.repositoryFolder(of: $0.id) }, secrets: await runtime.secrets,
            messages: runtime, shutdown: { await runtime.shutDown() })
    }

    private static func localSessions(
        _ settings: Settings, podPort: UInt16, client: HTTPClient
    ) async throws -> LocalSessions {
        let environment = ProcessInfo.processInfo.environment
        let command: [String]
        do throws(AgentCommand.Problem) {
            command =
                try settings.local.agentCommand.map { text throws(AgentCommand.Problem) in
                    try AgentCommand.parse(text)
                }
                ?? AgentCommand.standard(
                    searchPath: environment["PATH"] ?? "/usr/bin:/bin", ownExecutable: Self.ownExecutable)
        } catch {
            throw StartFailure("AGENT_COMMAND \(error.message)")
        }
        var local = LocalSessionSettings(
            stateDirectory: settings.local.stateDirectory, agentCommand: command, environment: environment)
        local.repositories = RepositoryURLPolicy(
            schemes: settings.repositories.schemes, hosts: settings.repositories.hosts)
        local.tokenHosts = settings.repositories.tokenHosts
        local.credentialHelper = settings.files.resourcesDirectory + "/git-credential.sh"
        local.allowsPrivateRepositoryAddresses = settings.repositories.allowsPrivateAddresses
        local.agentEnvironment["RESOURCES_DIR"] = settings.files.resourcesDirectory
        local.agentEnvironment["OPENCODE_ROUTER_URL"] = "http://\(settings.listeners.localAuthority(podPort))"
        do {
            return try await LocalSessions.open(local, agent: .http(client), logger: Logger(label: "sessions"))
        } catch {
            throw StartFailure(error.message)
        }
    }

    /// The path of this program, for the demonstration agent.
    private static var ownExecutable: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    }
}

extension LocalSecrets: UserSecretStore {}

/// Branches of a remote for the API, by git's smart HTTP.
struct RemoteBranchSource: BranchSource {
    private let remote: GitRemote

    init(client: HTTPClient, _ settings: Settings.RepositorySettings) {
        var configuration = GitRemote.Configuration()
        configuration.schemes = Set(settings.schemes.compactMap(HTTPScheme.init(rawValue:)))
        // The API has judged the address itself by the same policy; here it also holds for redirects.
        let policy = RepositoryURLPolicy(schemes: settings.schemes, hosts: settings.hosts)
        configuration.isAllowed = { (try? policy.check($0.description)) != nil }
        configuration.tokens = TokenPolicy(
            users: Dictionary(
                settings.tokenHosts.entries.map { ($0.host, $0.user) }, uniquingKeysWith: { first, _ in first }))
        configuration.addresses = settings.allowsPrivateAddresses ? .publicAndPrivate : .publicOnly
        remote = GitRemote(client: client, configuration: configuration)
    }

    func branches(of url: String, token: String?) async throws(RemoteFailure) -> RemoteBranchList {
        do throws(GitRemoteError) {
            let branches = try await remote.branches(of: url, credentials: token.map(GitCredentials.init(token:)))
            return RemoteBranchList(names: branches.names, defaultBranch: branches.defaultBranch)
        } catch {
            throw RemoteFailure(error)
        }
    }
}

/// The caller's repositories, by GitHub's API.
struct GitHubCatalogue: RepositoryCatalogue {
    private let api: GitHubAPI

    init(client: HTTPClient, _ settings: Settings.RepositorySettings) throws {
        do {
            api = GitHubAPI(client: client, base: try HTTPURL(settings.catalogueURL))
        } catch {
            throw StartFailure("GITHUB_API_URL is \(settings.catalogueURL), which cannot be asked: \(error)")
        }
    }

    func repositories(token: String) async throws(RemoteFailure) -> [CatalogueRepository] {
        do throws(GitRemoteError) {
            return try await api.repositories(token: token).map {
                CatalogueRepository(
                    name: $0.name, fullName: $0.fullName, url: $0.url, isPrivate: $0.isPrivate,
                    defaultBranch: $0.defaultBranch ?? "")
            }
        } catch {
            throw RemoteFailure(error)
        }
    }

    func branches(of repository: String, token: String) async throws(RemoteFailure) -> [String] {
        do throws(GitRemoteError) {
            return try await api.branches(of: repository, token: token).map(\.name)
        } catch {
            throw RemoteFailure(error)
        }
    }
}

extension RemoteFailure {
    init(_ error: GitRemoteError) {
        self =
            switch error.reason {
            case .schemeNotAllowed, .hostNotAllowed, .addressNotAllowed, .insecureRedirect, .refusedRedirect:
                .refused(error.sentence)
            case .unexpectedStatus(let status): .status(status, error.sentence)
            case .authenticationRequired, .forbidden, .notFound, .rateLimited: .status(error.status, error.sentence)
            default: .unreachable(error.sentence)
            }
    }
}
