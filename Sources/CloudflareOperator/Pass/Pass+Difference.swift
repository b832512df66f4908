internal import KubernetesAPI
internal import Sessions

extension Pass {
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
