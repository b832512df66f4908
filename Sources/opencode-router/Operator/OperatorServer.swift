internal import CloudflareOperator
internal import HTTPClient
internal import KubernetesAPI
internal import LinuxIO
internal import Logging
internal import Observability
internal import ServiceLifecycle

/// Builds the operator's parts, connects them and runs them.
enum OperatorServer {
    /// How often it works.
    enum Mode: Sendable { case continuous, once, dryRun }

    /// How long `--once` waits for the lease of somebody else.
    private static let patience = Duration.seconds(60)

    /// Runs to the end, or until SIGTERM or SIGINT; returns the exit code, or throws what kept it from starting.
    static func run(_ configuration: OperatorConfiguration, mode: Mode) async throws -> Int32 {
        let log = LogWriter()
        RouterLogHandler.install(
            level: Logger.Level(rawValue: configuration.logLevel) ?? .info,
            format: configuration.logFormat == .json ? .json : .text, writer: log)
        let logger = Logger(label: "operator")
        defer { log.flush() }

        let access: ClusterAccess
        do throws(AccessProblem) { access = try Server.clusterAccess(kubeconfig: configuration.kubeconfig) } catch {
            throw StartFailure("the cluster cannot be reached: \(error.sentence)")
        }
        let client: HTTPClient
        do throws(IOError) { client = try await HTTPClient.standalone() } catch {
            throw StartFailure("no event loop: \(error)")
        }
        let registry = MetricRegistry(OperatorMetrics.known)
        let readiness = Readiness()
        readiness.set(.directory, nil)
        let metrics = OperatorMetrics(registry: registry, readiness: readiness)
        let settings = configuration.settings
        let worker = CloudflareOperator(
            settings, http: client,
            sessions: KubernetesClient(client, access: access, namespace: configuration.watchNamespace),
            routes: KubernetesClient(client, access: access, namespace: settings.template.namespace),
            logger: logger, report: { metrics.take($0) })

        switch mode {
        case .dryRun:
            do throws(DifferenceFailure) {
                let lines = try await worker.difference()
                for line in lines { print(line) }
                return lines.contains { !$0.hasPrefix("!") } ? 2 : 0
            } catch {
                throw StartFailure(error.sentence)
            }
        case .once:
            guard let outcome = await worker.once(within: patience) else {
                throw StartFailure(
                    "no pass was made: sessions could not be listed, or another operator holds the lease; see the log")
            }
            for failure in outcome.failures { StandardError.print("opencode-router: \(failure)") }
            print("\(outcome.hosts) hosts, \(outcome.changes) changes, \(outcome.failures.count) failures")
            return outcome.succeeded ? 0 : 1
        case .continuous:
            try await serve(configuration, worker, readiness, registry, log, logger)
            return 0
        }
    }

    private static func serve(
        _ configuration: OperatorConfiguration, _ worker: CloudflareOperator, _ readiness: Readiness,
        _ registry: MetricRegistry, _ log: LogWriter, _ logger: Logger
    ) async throws {
        guard let address = SocketAddress(numeric: configuration.address, port: configuration.healthPort) else {
            throw StartFailure("BIND_ADDRESS is no address")
        }
        let operations: OperationsListener
        do throws(IOError) { operations = try await OperationsListener(address: address) } catch {
            throw StartFailure("cannot listen on \(configuration.address):\(configuration.healthPort): \(error)")
        }
        // Before anybody is told that this process is there.
        let end = await EndSignals()
        await operations.serve(
            OperationsResponder(
                workers: [], registry: registry, readiness: readiness, version: Version.current, log: log))
        readiness.set(.listeners, nil)
        logger.notice(
            "listening",
            metadata: [
                "address": "\(operations.address.host)", "metrics_port": "\(operations.address.port)",
                "domain": "\(configuration.settings.hosts.domain)", "namespace": "\(configuration.watchNamespace)",
                "wildcard": "\(configuration.settings.isWildcard)", "version": "\(Version.current)",
            ])
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [end.service, .init(service: LoopService("operator") { await worker.run() })],
                logger: Logger(label: "lifecycle")))
        try await group.run()
        logger.notice("stopped")
    }
}
