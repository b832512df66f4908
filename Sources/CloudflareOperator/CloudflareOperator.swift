package import HTTPClient
package import KubernetesAPI
package import Logging
internal import Sessions
internal import Synchronization

/// Makes DNS, tunnel and Traefik routes follow the sessions.
///
/// Nothing is remembered: every pass compares what should be with what is. So it does not matter at which point the last
/// one was killed. Only the holder of the Lease writes.
package struct CloudflareOperator: Sendable {
    private let settings: OperatorSettings
    private let http: HTTPClient
    /// In the namespace of the sessions.
    private let cluster: KubernetesClient
    private let pass: Pass
    private let logger: Logger
    private let report: @Sendable (OperatorReport) -> Void

    private static let leaseName = "opencode-cloudflare-operator"

    /// - Parameter cluster: a client for a namespace.
    package init(
        _ settings: OperatorSettings, http: HTTPClient, sessions: KubernetesClient, routes: KubernetesClient,
        logger: Logger, report: @escaping @Sendable (OperatorReport) -> Void
    ) {
        self.settings = settings
        self.http = http
        self.cluster = sessions
        self.logger = logger
        self.report = report
        pass = Pass(
            reconciler: Reconciler(
                hosts: settings.hosts, template: settings.template, service: settings.service,
                tunnel: settings.cloudflare.tunnel, isWildcard: settings.isWildcard),
            cloudflare: CloudflareClient(http, access: settings.cloudflare) { operation, status in
                report(.asked(operation: operation, status: status))
            },
            cluster: routes, logger: logger, report: report)
    }

    private var leadership: Leadership {
        Leadership(cluster, name: Self.leaseName, identity: settings.identity) { [logger, report] event in
            switch event {
            case .gained:
                logger.notice("this operator holds the lease and works")
                report(.leads(true))
            case .lost(let reason):
                logger.notice("this operator does not work any more", metadata: ["reason": "\(reason)"])
                report(.leads(false))
            case .failed(let error):
                logger.warning("the lease cannot be read or written", metadata: ["error": "\(error)"])
                report(.waits("the lease cannot be read or written: \(error)"))
            }
        }
    }

    /// Works until the task is cancelled, whenever the Lease is ours.
    package func run() async {
        // What another one did must not be judged by an old view, so everything is read anew with every lease.
        await leadership.run { await follow() }
    }

    /// Makes one pass, when the Lease is ours; nil if somebody else holds it for too long, or sessions cannot be listed.
    package func once(within limit: Duration) async -> PassOutcome? {
        let (outcomes, finish) = AsyncStream<PassOutcome?>.makeStream()
        return await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await leadership.run {
                    finish.yield(await listAndPass())
                    // Until the lease is given back, which cancelling does.
                    while !Task.isCancelled { try? await Task.sleep(for: .seconds(60)) }
                }
            }
            group.addTask {
                try? await Task.sleep(for: limit)
                finish.yield(nil)
            }
            var first: PassOutcome?
            for await outcome in outcomes {
                first = outcome
                break
            }
            group.cancelAll()
            return first
        }
    }

    /// What a pass would change, a line each; needs no Lease, for it changes nothing.
    package func difference() async throws(DifferenceFailure) -> [String] {
        let sessions: [SessionID: SessionFacts]
        do throws(KubernetesError) { sessions = try await listedSessions() } catch {
            throw DifferenceFailure(sentence: error.description)
        }
        return try await pass.difference(sessions)
    }

    private func listAndPass() async -> PassOutcome? {
        do throws(KubernetesError) {
            return await timedPass(try await listedSessions())
        } catch {
            logger.error("sessions cannot be listed", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func listedSessions() async throws(KubernetesError) -> [SessionID: SessionFacts] {
        guard !settings.isWildcard else { return [:] }
        var table = SessionTable()
        _ = table.take(pods: .listed(try await cluster.list(Pod.self, settings.pods)))
        _ = table.take(claims: .listed(try await cluster.list(PersistentVolumeClaim.self, settings.claims)))
        guard let source = settings.ports else { return table.sessions(ports: [:]) }
        let ports = PortWatch(source, http, logger)
        _ = await ports.ask(table.running)
        return table.sessions(ports: ports.ports)
    }

    // MARK: Following

    /// The table as watches fill it and passes read it.
    private final class View: Sendable {
        let table = Mutex(SessionTable())
    }

    private func follow() async {
        let view = View()
        let bell = Doorbell()
        let ports = settings.ports.map { PortWatch($0, http, logger) }
        let (retries, retry) = AsyncStream<Duration>.makeStream(bufferingPolicy: .bufferingNewest(1))
        await withDiscardingTaskGroup { group in
            if !settings.isWildcard {
                group.addTask {
                    await Reflector<Pod>(cluster, selector: settings.pods).run { event in
                        if view.table.withLock({ $0.take(pods: event) }) { bell.ring() }
                    }
                }
                group.addTask {
                    await Reflector<PersistentVolumeClaim>(cluster, selector: settings.claims).run { event in
                        if view.table.withLock({ $0.take(claims: event) }) { bell.ring() }
                    }
                }
            }
            if let ports {
                group.addTask {
                    await every(settings.portInterval) {
                        let (problem, running) = view.table.withLock { ($0.problem, $0.running) }
                        if problem == nil, await ports.ask(running) { bell.ring() }
                    }
                }
            }
            group.addTask { await every(settings.resync) { bell.ring() } }
            group.addTask {
                for await pause in retries {
                    do { try await Task.sleep(for: pause) } catch { return }
                    bell.ring()
                }
            }
            group.addTask {
                var failures = 0
                await bell.answer(settle: settings.settle) {
                    let table = view.table.withLock { $0 }
                    if !settings.isWildcard, let problem = table.problem {
                        report(.waits("sessions are not known: \(problem)"))
                        return
                    }
                    let outcome = await timedPass(table.sessions(ports: ports?.ports ?? [:]))
                    failures = outcome.succeeded ? 0 : failures + 1
                    guard failures > 0 else { return }
                    retry.yield(
                        RetryPolicy.pauseOfPasses(
                            failures: failures, retryAfter: outcome.retryAfter, jitter: Double.random(in: 0...1)))
                }
            }
        }
    }

    private func timedPass(_ sessions: [SessionID: SessionFacts]) async -> PassOutcome {
        let begin = ContinuousClock.now
        let outcome = await pass.run(sessions)
        // A pass that was cancelled has failures that say nothing.
        if !Task.isCancelled { report(.passed(outcome, begin.duration(to: .now))) }
        return outcome
    }

    /// Calls `body` now and again after every interval, until the task is cancelled.
    private func every(_ interval: Duration, _ body: () async -> Void) async {
        while !Task.isCancelled {
            await body()
            do { try await Task.sleep(for: interval) } catch { return }
        }
    }
}
