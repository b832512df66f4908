internal import AgentClient
internal import DemoAgent
internal import FoundationEssentials
internal import Glibc
internal import HTTPClient
internal import Identity
internal import LinuxIO
internal import MockSessions
internal import RouterAPI
internal import Sessions
internal import Synchronization

extension Server {
    /// Sessions in memory with one demonstration agent behind all of them (MOCK_K8S).
    static func mockParts(_ settings: Settings, client: HTTPClient) async throws -> SessionParts {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "opencode-mock-\(Random.hex(bytes: 8))")
        let path = folder.path()
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
            try Data("# Mock\n\nEvery mock session shows this folder.\n".utf8)
                .write(to: folder.appendingPathComponent("README.md"))
        } catch {
            throw StartFailure("the folder of the mock sessions cannot be made: \(error)")
        }
        var configuration = DemoAgent.Configuration(
            directory: path, environment: ProcessInfo.processInfo.environment)
        configuration.port = 0
        configuration.resources = settings.files.resourcesDirectory
        configuration.scratch = path + "/.uploads"
        configuration.password = Random.hex(bytes: 16)
        configuration.followsProcess = false
        configuration.announces = false
        let password = configuration.password
        let (addresses, ready) = AsyncStream.makeStream(of: SocketAddress.self)
        let agent = DemoAgent(configuration) { ready.yield($0) }
        let running = Task {
            defer { ready.finish() }
            try await agent.run()
        }
        guard let address = await addresses.first(where: { _ in true }) else {
            let reason = await running.result
            throw StartFailure("the demonstration agent of the mock sessions does not start: \(reason)")
        }
        let runtime = MockSessions(owner: settings.identity.developmentEmail ?? "", now: { .now() }) { id in
            SessionEndpoint(
                incarnation: "\(id)-\(Random.hex(bytes: 4))", address: address.host, port: address.port,
                password: password)
        }
        return SessionParts(
            runtime: runtime, directory: SessionDirectory(runtime: runtime),
            branches: RemoteBranchSource(client: client, settings.repositories),
            catalogue: try GitHubCatalogue(client: client, settings.repositories), agent: AgentClient(client),
            agentDirectory: { _ in path },
            secrets: MockSecrets(),
            shutdown: {
                runtime.shutDown()
                running.cancel()
                _ = await running.result
                try? FileManager.default.removeItem(at: folder)
            })
    }
}

/// Users' variables for as long as the process lives; no session gets them.
private final class MockSecrets: UserSecretStore {
    private let values = Mutex<[String: [String: String]]>([:])

    func names(of email: String) async throws -> [String] {
        values.withLock { $0[email, default: [:]].keys.sorted() }
    }

    func replaceAll(of email: String, with secrets: [String: String]) async throws {
        values.withLock { $0[email] = secrets }
    }

    func put(_ value: String, as name: String, of email: String) async throws {
        values.withLock { $0[email, default: [:]][name] = value }
    }

    func remove(_ name: String, of email: String) async throws {
        values.withLock { $0[email, default: [:]][name] = nil }
    }
}
