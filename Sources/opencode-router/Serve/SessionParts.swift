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
    var probe: any AgentStatusProbe
    /// Ends what the runtime started.
    var shutdown: @Sendable () async -> Void
}

extension Server {
    /// Builds the runtime that the settings ask for.
    static func sessionParts(_ settings: Settings) async throws -> SessionParts {
        let client: HTTPClient
        do {
            client = try await HTTPClient(loop: Loop(name: "client"))
        } catch {
            throw StartFailure("no event loop could be made: \(error)")
        }
        let runtime = try await localSessions(settings, client: client)
        return SessionParts(
            runtime: runtime, directory: SessionDirectory(runtime: runtime),
            branches: RemoteBranchSource(client: client, settings.repositories),
            catalogue: GitHubCatalogue(client: client), probe: AgentStatusClient(client: client),
            shutdown: { await runtime.shutDown() })
    }

    private static func localSessions(_ settings: Settings, client: HTTPClient) async throws -> LocalSessions {
        guard settings.sessions.runtime == .local else {
            throw StartFailure(
                "SESSION_RUNTIME is kubernetes, which this build does not offer yet: set SESSION_RUNTIME=local")
        }
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
        local.allowsPrivateRepositoryAddresses = settings.repositories.allowsPrivateAddresses
        local.agentEnvironment["RESOURCES_DIR"] = settings.files.resourcesDirectory
        do {
            return try await LocalSessions.open(local, agent: .http(client), logger: Logger(label: "sessions"))
        } catch {
            throw StartFailure("local sessions cannot be opened in \(settings.local.stateDirectory): \(error)")
        }
    }

    /// The path of this program, for the demonstration agent.
    private static var ownExecutable: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    }
}

/// Branches of a remote for the API, by git's smart HTTP.
struct RemoteBranchSource: BranchSource {
    private let remote: GitRemote

    init(client: HTTPClient, _ settings: Settings.RepositorySettings) {
        var configuration = GitRemote.Configuration()
        configuration.schemes = Set(settings.schemes.compactMap(HTTPScheme.init(rawValue:)))
        // Which hosts are allowed was decided by the API's own policy, patterns included.
        configuration.hosts = nil
        configuration.addresses = settings.allowsPrivateAddresses ? .any : .publicOnly
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

    init(client: HTTPClient) { api = GitHubAPI(client: client) }

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
            default: .unreachable(error.sentence)
            }
    }
}

/// Asks agents what they do, as opencode tells it.
///
/// Only the folder the agent works in is asked about: a question about another one would start it up.
struct AgentStatusClient: AgentStatusProbe {
    private struct Status: Decodable { var type: String }

    let client: HTTPClient

    func status(of session: Session, at endpoint: SessionEndpoint) async -> AgentStatus {
        guard let bytes = await get("/session/status", endpoint),
            let entries = try? JSONDecoder().decode([String: Status].self, from: Data(bytes))
        else { return .unknown }
        let types = Set(entries.values.map(\.type))
        guard types.contains("busy") || types.contains("retry") else { return .idle }
        for list in ["/permission", "/question"] {
            if let bytes = await get(list, endpoint), !Self.isEmptyList(bytes) { return .waitingForHuman }
        }
        return types.contains("busy") ? .busy : .retrying
    }

    private static func isEmptyList(_ bytes: [UInt8]) -> Bool {
        bytes.allSatisfy { $0 == 0x5b || $0 == 0x5d || $0 <= 0x20 }
    }

    private func get(_ target: String, _ endpoint: SessionEndpoint) async -> [UInt8]? {
        guard let address = IPAddress(endpoint.address),
            let url = try? HTTPURL(
                origin: HTTPOrigin(scheme: .http, host: .address(address), port: endpoint.port), target: target)
        else { return nil }
        var request = ClientRequest(.get, url)
        if let password = endpoint.password {
            request.fields.append(
                ClientField(
                    "Authorization", String(decoding: FixedRoutes.authorization(password: password), as: UTF8.self)))
        }
        request.timeouts.total = .seconds(5)
        guard let answer = try? await client.collect(request, limit: 1 << 20), answer.status == 200 else { return nil }
        return answer.body
    }
}
