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
    /// Reads of the tunnel's document before it is left to the next pass.
    private static let tunnelAttempts = 6
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

    // MARK: Routes

    private func routePlan(
        _ sessions: [SessionID: SessionFacts], _ outcome: inout PassOutcome
    ) async -> Reconciler.RoutePlan? {
        do throws(KubernetesError) {
            let present = try await cluster.list(IngressRoute.self, RouteTemplate.selector)
            return reconciler.plan(routes: present, sessions: sessions)
        } catch {
            fail("routes cannot be listed", error.description, &outcome)
            return nil
        }
    }

    private func makeRoutes(_ plan: Reconciler.RoutePlan, _ outcome: inout PassOutcome) async {
        let template = reconciler.template
        await apply(.route, .create, plan.added.sorted { $0.key < $1.key }, &outcome) { name, spec in
            await self.send(.create, name: nil, template.document(name, spec), what: name)
        }
        await apply(.route, .update, Array(plan.changed), &outcome) { route, spec in
            let name = route.metadata.name ?? ""
            let document = template.document(name, spec, version: route.metadata.resourceVersion)
            return await self.send(.update, name: name, document, what: name)
        }
    }

    private func removeRoutes(_ plan: Reconciler.RoutePlan, _ outcome: inout PassOutcome) async {
        await apply(.route, .delete, plan.removed, &outcome) { route in
            let name = route.metadata.name ?? ""
            do throws(KubernetesError) {
                _ = try await self.cluster.delete(IngressRoute.resource, name, uid: route.metadata.uid)
                return nil
            } catch {
                return ItemFailure("\(name): \(error)", nil)
            }
        }
    }

    private func send(_ verb: Verb, name: String?, _ document: JSONValue, what: String) async -> ItemFailure? {
        do throws(KubernetesError) {
            try await cluster.perform(
                KubernetesRequest(
                    verb, IngressRoute.resource, namespace: cluster.namespace, name: name, body: document))
            return nil
        } catch {
            return ItemFailure("\(what): \(error)", error.retryAfter.map { .seconds($0) })
        }
    }

    // MARK: DNS

    private func recordPlan(
        _ sessions: [SessionID: SessionFacts], _ outcome: inout PassOutcome
    ) async -> Reconciler.RecordPlan? {
        do throws(CloudflareError) {
            return reconciler.plan(records: try await cloudflare.ownRecords(), sessions: sessions)
        } catch {
            fail("DNS records cannot be listed", error.description, &outcome, error.retryAfter)
            return nil
        }
    }

    private func makeRecords(_ plan: Reconciler.RecordPlan, _ outcome: inout PassOutcome) async {
        let target = reconciler.tunnelName
        await apply(.dns, .create, plan.added, &outcome) { name in
            await Self.item(name) { () async throws(CloudflareError) in
                try await self.cloudflare.createRecord(name, to: target)
            }
        }
        await apply(.dns, .update, plan.changed, &outcome) { record in
            await Self.item(record.name) { () async throws(CloudflareError) in
                try await self.cloudflare.correctRecord(record, to: target)
            }
        }
    }

    private func removeRecords(_ plan: Reconciler.RecordPlan, _ outcome: inout PassOutcome) async {
        await apply(.dns, .delete, plan.removed, &outcome) { record in
            await Self.item(record.name) { () async throws(CloudflareError) in
                try await self.cloudflare.deleteRecord(record)
            }
        }
    }

    // MARK: Tunnel

    /// Reads, plans, reads again, writes at most once, and reads what was stored.
    ///
    /// The API has no conditional write. The second read comes right before the write; what was changed until then is
    /// planned anew. What is changed between that read and the write shows in the version, and is reported.
    private func writeTunnel(_ sessions: [SessionID: SessionFacts], _ outcome: inout PassOutcome) async {
        let intent = reconciler.tunnelIntent(sessions)
        var written: TunnelEdit?
        do throws(CloudflareError) {
            var document = try await cloudflare.tunnelDocument()
            for host in document.conflicts(with: intent) { conflict("tunnel rule", host, &outcome) }
            for _ in 0..<Self.tunnelAttempts {
                guard let edit = document.edit(toward: intent) else {
                    if let written { check(document, after: written, intent) }
                    return
                }
                let again = try await cloudflare.tunnelDocument()
                guard again == document else {
                    document = again
                    continue
                }
                try await write(edit, over: document, &outcome)
                written = edit
                document = try await cloudflare.tunnelDocument()
            }
            fail("the tunnel's rules", "somebody else keeps changing them", &outcome)
        } catch {
            report(.changed(.tunnel, .update, count: 1, succeeded: false))
            fail("the tunnel's rules", error.description, &outcome, error.retryAfter)
        }
    }

    private func write(
        _ edit: TunnelEdit, over document: TunnelDocument, _ outcome: inout PassOutcome
    ) async throws(CloudflareError) {
        let version = try await cloudflare.replaceTunnel(edit.body)
        outcome.changes += edit.added.count + edit.removed.count
        report(.changed(.tunnel, .update, count: 1, succeeded: true))
        logger.info(
            "tunnel rules written",
            metadata: [
                "added": "\(edit.added.count)", "removed": "\(edit.removed.count)", "version": "\(version ?? 0)",
            ])
        if let version, let before = document.version, version != before + 1 {
            report(.overwrote)
            logger.error(
                """
                somebody else changed the tunnel's rules at the same moment, and our write may have replaced theirs; \
                compare the rules with the audit log of the account
                """,
                metadata: ["read": "\(before)", "written": "\(version)"])
        }
    }

    /// That the rules of others are what was sent; nothing more is done about it, for a second write would not help.
    private func check(_ document: TunnelDocument, after edit: TunnelEdit, _ intent: TunnelIntent) {
        let present = document.foreign(to: intent)
        for rule in edit.foreign where !present.contains(where: rule.says) {
            // Somebody may have taken it away since, which is their right; they will know.
            logger.warning(
                "a rule of somebody else is not in the tunnel any more",
                metadata: ["hostname": "\(rule.hostname ?? "*")", "service": "\(rule.service ?? "")"])
        }
    }

    // MARK: Items

    /// Why one item was not changed.
    private struct ItemFailure: Sendable {
        var sentence: String
        var retryAfter: Duration?

        init(_ sentence: String, _ retryAfter: Duration?) {
            self.sentence = sentence
            self.retryAfter = retryAfter
        }
    }

    private static func item(
        _ name: String, _ body: () async throws(CloudflareError) -> Void
    ) async -> ItemFailure? {
        do throws(CloudflareError) {
            try await body()
            return nil
        } catch {
            return ItemFailure("\(name): \(error)", error.retryAfter)
        }
    }

    /// Changes item by item; one that fails does not stop the others.
    private func apply<Item: Sendable>(
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

    private func fail(
        _ what: String, _ reason: String, _ outcome: inout PassOutcome, _ retryAfter: Duration? = nil
    ) {
        guard !Task.isCancelled else { return }
        logger.warning("a part of a pass failed", metadata: ["what": "\(what)", "reason": "\(reason)"])
        outcome.failures.append("\(what): \(reason)")
        outcome.wait(retryAfter)
    }

    private func conflict(_ what: String, _ host: String, _ outcome: inout PassOutcome) {
        outcome.conflicts.append("\(what) \(host)")
        logger.warning(
            "a host is taken by something that is not ours, and left alone",
            metadata: ["host": "\(host)", "by": "\(what)"])
    }

    // MARK: Difference

    /// What a pass would change, a line each; changes nothing.
    func difference(_ sessions: [SessionID: SessionFacts]) async throws(DifferenceFailure) -> [String] {
        let routes: [IngressRoute]
        let records: [DNSRecord]
        let document: TunnelDocument
        do throws(KubernetesError) {
            routes = try await cluster.list(IngressRoute.self, RouteTemplate.selector)
        } catch {
            throw DifferenceFailure(sentence: "routes cannot be listed: \(error)")
        }
        do throws(CloudflareError) {
            document = try await cloudflare.tunnelDocument()
            records = try await cloudflare.ownRecords()
        } catch {
            throw DifferenceFailure(sentence: error.description)
        }
        let intent = reconciler.tunnelIntent(sessions)
        let routePlan = reconciler.plan(routes: routes, sessions: sessions)
        let recordPlan = reconciler.plan(records: records, sessions: sessions)
        let edit = document.edit(toward: intent)
        var lines = recordPlan.added.map { "+ dns record     \($0) -> \(reconciler.tunnelName)" }
        lines += recordPlan.changed.map {
            "~ dns record     \($0.name) -> \(reconciler.tunnelName) (was \($0.content))"
        }
        lines += recordPlan.removed.map { "- dns record     \($0.name)" }
        lines += (edit?.added ?? []).map { "+ tunnel rule    \($0) -> \(reconciler.service)" }
        lines += (edit?.removed ?? []).map { "- tunnel rule    \($0)" }
        if let edit, edit.added.isEmpty, edit.removed.isEmpty {
            lines.append("~ tunnel rules   moved in front of a rule that takes their hosts")
        }
        lines += routePlan.added.keys.sorted().map { "+ ingress route  \($0)" }
        lines += routePlan.changed.keys.compactMap(\.metadata.name).sorted().map { "~ ingress route  \($0)" }
        lines += routePlan.removed.compactMap(\.metadata.name).sorted().map { "- ingress route  \($0)" }
        lines += document.conflicts(with: intent).map { "! tunnel rule    \($0) is somebody else's and stays" }
        return lines
    }
}

/// Why it cannot be said what a pass would change.
package struct DifferenceFailure: Error, Hashable, Sendable {
    package var sentence: String
}
