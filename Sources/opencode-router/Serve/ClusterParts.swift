internal import AgentClient
internal import FoundationEssentials
internal import Glibc
internal import HTTPClient
internal import Identity
internal import KubernetesAPI
internal import KubernetesSessions
internal import Logging
internal import Observability
internal import RouterAPI
internal import Sessions

extension Server {
    /// Sessions as pods, by the cluster that the token or KUBECONFIG names.
    static func clusterParts(
        _ settings: Settings, _ given: Settings.KubernetesSettings, client: HTTPClient, registry: MetricRegistry
    ) throws -> SessionParts {
        let logger = Logger(label: "sessions")
        let access: ClusterAccess
        do throws(AccessProblem) { access = try clusterAccess(kubeconfig: given.kubeconfig) } catch {
            throw StartFailure("SESSION_RUNTIME is kubernetes, but \(error.sentence)")
        }
        var sessions = KubernetesSessionSettings(
            image: given.image, initScript: try script("session-init.sh", settings.files),
            agentScript: try script("session-agent.sh", settings.files), apiKeySecret: given.apiKeySecret,
            configMap: given.configMap, imagePullSecret: given.imagePullSecret, storageClass: given.storageClass,
            storageSize: given.storageSize, chromiumImage: given.chromiumImage.isEmpty ? nil : given.chromiumImage,
            cpuRequest: given.cpuRequest, cpuLimit: given.cpuLimit, memoryRequest: given.memoryRequest,
            memoryLimit: given.memoryLimit, routerURL: given.routerURL, externalDomain: given.externalDomain)
        sessions.editor = given.editorImage.map { .init(image: $0, port: given.editorPort) }
        sessions.credentialScript = try script("git-credential.sh", settings.files)
        sessions.tokenHosts = settings.repositories.tokenHosts
        sessions.metricsURL = given.metricsURL
        sessions.models = given.models
        sessions.environment = given.environment
        sessions.gitProtocols = settings.repositories.schemes
        let metrics = KubernetesMetrics(registry, followed: [.pods, .claims, .events])
        let cluster = KubernetesClient(
            client, access: access, namespace: given.namespace, observer: metrics.observer)
        let runtime = KubernetesSessions(cluster, settings: sessions, http: client, logger: logger)
        logger.info(
            "sessions are pods",
            metadata: ["server": "\(access.server)\(access.prefix)", "namespace": "\(given.namespace)"])
        var parts = SessionParts(
            runtime: runtime, directory: SessionDirectory(runtime: runtime),
            branches: RemoteBranchSource(client: client, settings.repositories),
            catalogue: try GitHubCatalogue(client: client, settings.repositories),
            agent: AgentClient(client, generation: settings.sessions.agentGeneration),
            agentDirectory: { _ in KubernetesSessionSettings.repositoryFolder }, messages: runtime,
            shutdown: { await runtime.shutDown() })
        parts.secrets = ClusterSecretStore(secrets: UserSecrets(cluster))
        let pulls = ImagePulls(cluster, settings: sessions, logger: logger)
        parts.images = ClusterImages(pulls: pulls, sessionImage: given.image)
        parts.tidy = { await pulls.sweep() }
        let leadership = Leadership(cluster, name: "opencode-router-sweeper", identity: Self.replicaName) { report in
            switch report {
            case .gained: logger.info("this replica sweeps")
            case .lost(let reason): logger.info("this replica sweeps no more", metadata: ["reason": "\(reason)"])
            case .failed(let error):
                logger.warning("the lease cannot be read or written", metadata: ["error": "\(error)"])
            }
        }
        parts.exclusively = { work in await leadership.run(work) }
        parts.checkPermissions = { readiness in await checkPermissions(cluster, readiness, logger) }
        return parts
    }

    /// The cluster that this process is in, else the one that KUBECONFIG names.
    static func clusterAccess(kubeconfig: String?) throws(AccessProblem) -> ClusterAccess {
        if let cluster = try ClusterAccess.inCluster(environment: ProcessInfo.processInfo.environment) {
            return cluster
        }
        guard let kubeconfig else { throw AccessProblem("there is neither a service account token nor KUBECONFIG") }
        return try ClusterAccess.kubeconfig(path: kubeconfig)
    }

    private static func script(_ name: String, _ files: Settings.FileSettings) throws -> String {
        let path = "\(files.resourcesDirectory)/\(name)"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StartFailure("\(path) cannot be read (RESOURCES_DIR)")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// The pod's name for people, and digits that no other process has.
    static var replicaName: String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let host = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return "\(host)_\(Random.hex(bytes: 8))"
    }

    /// Asks the server what we may do, until we may do everything that is needed.
    private static func checkPermissions(
        _ cluster: KubernetesClient, _ readiness: Readiness, _ logger: Logger
    ) async {
        var known: [Permission]?
        while !Task.isCancelled {
            do throws(KubernetesError) {
                let missing = try await cluster.missing(of: KubernetesSessions.permissions)
                let names = missing.map(\.description).joined(separator: ", ")
                readiness.set(.permissions, missing.isEmpty ? nil : "missing in the role: \(names)")
                if missing != known {
                    if !missing.isEmpty {
                        logger.error(
                            "the router's role lacks permissions; apply deployment/kubernetes/base/rbac.yaml",
                            metadata: ["missing": "\(names)", "namespace": "\(cluster.namespace)"])
                    } else if known != nil {
                        logger.notice("the router's role is complete now")
                    }
                }
                if missing.isEmpty { return }
                known = missing
            } catch {
                logger.debug("permissions cannot be checked now", metadata: ["error": "\(error)"])
            }
            do { try await Task.sleep(for: .seconds(30)) } catch { return }
        }
    }
}

/// Images for the API.
struct ClusterImages: ImagePuller {
    let pulls: ImagePulls
    let sessionImage: String

    func pull(_ image: String) async throws(SessionFailure) { try await pulls.pull(image) }
}

/// Users' variables for the API, in Secrets.
struct ClusterSecretStore: UserSecretStore {
    let secrets: UserSecrets

    func names(of email: String) async throws -> [String] { try await secrets.names(of: email) }
    func replaceAll(of email: String, with values: [String: String]) async throws {
        try await secrets.replaceAll(of: email, with: values)
    }
    func put(_ value: String, as name: String, of email: String) async throws {
        try await secrets.put(value, as: name, of: email)
    }
    func remove(_ name: String, of email: String) async throws { try await secrets.remove(name, of: email) }
}

/// Stores what this replica's byte path saw, so that the one that sweeps knows of it.
struct ActivityRecorder: Sendable {
    let directory: SessionDirectory
    let runtime: any SessionRuntime
    let activity: any ActivitySource

    /// Soon after a use; the runtime itself writes no more than once a minute.
    private static let interval = Duration.seconds(10)

    func run() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: Self.interval) } catch { return }
            let snapshot = directory.snapshot
            guard snapshot.inSync else { continue }
            for session in snapshot.sessions {
                guard case .running = session.state, let use = await activity.lastUse(of: session.id),
                    use.ago < .seconds(60)
                else { continue }
                let at = Timestamp.now().advanced(by: .zero - use.ago)
                // What is stored is hardly older.
                guard at.milliseconds - session.activity.at.milliseconds > 30_000 else { continue }
                try? await runtime.record(Activity(at: at, source: use.source), of: session.id)
            }
        }
    }
}
