internal import HTTPClient
internal import KubernetesAPI
internal import Logging
internal import Sessions

/// One comparison of what should be with what is, and the changes that make them alike.
///
/// The three parts (routes, tunnel, DNS) fail each for itself, and so does each item of a part.
struct Pass: Sendable {
    let reconciler: Reconciler
    let cloudflare: CloudflareClient
    /// In the namespace of the routes.
    let cluster: KubernetesClient
    let logger: Logger
    let report: @Sendable (OperatorReport) -> Void

    /// Requests at a time; the API allows four a second in the long run.
    private static let width = 4
    /// Failures of one kind that are logged in full.
    private static let loggedFailures = 5

    func run(_ sessions: [SessionID: SessionFacts]) async -> PassOutcome {
        // The cluster and Cloudflare do not wait for each other. Nothing is taken away before what replaces it is there.
        async let routesMade = additionsOfRoutes(sessions)
        var outcome = PassOutcome()
        outcome.hosts = reconciler.wantedHosts(sessions).count
        await writeTunnel(sessions, &outcome)
        let records = await recordPlan(sessions, &outcome)
        if let records { await makeRecords(records, &outcome) }
        let (routes, others) = await routesMade
        outcome.add(others)
        guard !reconciler.isWildcard || outcome.succeeded else { return outcome }
        if let records { await removeRecords(records, &outcome) }
        if let routes { await removeRoutes(routes, &outcome) }
        return outcome
    }

    private func additionsOfRoutes(
        _ sessions: [SessionID: SessionFacts]
    ) async -> (Reconciler.RoutePlan?, PassOutcome) {
        var outcome = PassOutcome()
        let plan = await routePlan(sessions, &outcome)
        if let plan { await makeRoutes(plan, &outcome) }
        return (plan, outcome)
    }

    /// Why one item was not changed.
    struct ItemFailure: Sendable {
        var sentence: String
        var retryAfter: Duration?

        init(_ sentence: String, _ retryAfter: Duration?) {
            self.sentence = sentence
            self.retryAfter = retryAfter
        }
    }

    /// Changes item by item; one that fails does not stop the others.
    func apply<Item: Sendable>(
        _ part: OperatorReport.Part, _ action: OperatorReport.Action, _ items: [Item], _ outcome: inout PassOutcome,
        _ body: @escaping @Sendable (Item) async -> ItemFailure?
    ) async {
        guard !items.isEmpty else { return }
        let failures = await inParallel(items, width: Self.width, body).compactMap { $0 }
        let succeeded = items.count - failures.count
        outcome.changes += succeeded
        if succeeded > 0 {
            report(.changed(part, action, count: succeeded, succeeded: true))
            logger.info("\(part) \(action)", metadata: ["count": "\(succeeded)"])
        }
        // What was cut off by the end of a lease says nothing.
        guard !failures.isEmpty, !Task.isCancelled else { return }
        report(.changed(part, action, count: failures.count, succeeded: false))
        for failure in failures.prefix(Self.loggedFailures) {
            logger.warning("a change failed", metadata: ["what": "\(part) \(action)", "reason": "\(failure.sentence)"])
        }
        if failures.count > Self.loggedFailures {
            logger.warning("more changes failed", metadata: ["count": "\(failures.count - Self.loggedFailures)"])
        }
        outcome.failures += failures.map { "\(part) \(action): \($0.sentence)" }
        outcome.wait(failures.compactMap(\.retryAfter).max())
    }

    func fail(
        _ what: String, _ reason: String, _ outcome: inout PassOutcome, _ retryAfter: Duration? = nil
    ) {
        guard !Task.isCancelled else { return }
        logger.warning("a part of a pass failed", metadata: ["what": "\(what)", "reason": "\(reason)"])
        outcome.failures.append("\(what): \(reason)")
        outcome.wait(retryAfter)
    }

    func conflict(_ what: String, _ host: String, _ outcome: inout PassOutcome) {
        outcome.conflicts.append("\(what) \(host)")
        logger.warning(
            "a host is taken by something that is not ours, and left alone",
            metadata: ["host": "\(host)", "by": "\(what)"])
    }
}
