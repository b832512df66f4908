package import KubernetesAPI
package import Sessions

/// What is known of a session.
package struct SessionFacts: Hashable, Sendable {
    /// Its volume claim, and so the session, exists.
    package var hasClaim: Bool
    /// Its pod exists and is not on its way out.
    package var isRunning: Bool
    /// Ports that its servers listen on and that may be reached.
    package var ports: Set<Int>

    package init(hasClaim: Bool, isRunning: Bool, ports: Set<Int> = []) {
        self.hasClaim = hasClaim
        self.isRunning = isRunning
        self.ports = ports
    }
}

/// What should be there and what is: facts in, differences out, without I/O.
///
/// A tunnel rule and the routes of a host live as long as what they lead to. A DNS record lives as long as the session,
/// so that nobody keeps the answer "no such name" for a session that comes back.
package struct Reconciler: Sendable {
    package let hosts: SessionHosts
    package let template: RouteTemplate
    /// Where our tunnel rules lead.
    package let service: String
    /// The name that our records point at.
    package let tunnelName: String
    /// One record and one rule for all hosts, nothing per session.
    package let isWildcard: Bool

    package init(
        hosts: SessionHosts, template: RouteTemplate, service: String, tunnel: String, isWildcard: Bool
    ) {
        self.hosts = hosts
        self.template = template
        self.service = service
        tunnelName = "\(tunnel).cfargotunnel.com"
        self.isWildcard = isWildcard
    }

    /// The hosts that must be reachable now.
    package func wantedHosts(_ sessions: [SessionID: SessionFacts]) -> [SessionHost] {
        guard !isWildcard else { return [] }
        return sessions.filter(\.value.isRunning).flatMap { id, facts in hosts.all(of: id, ports: facts.ports) }
    }

    // MARK: DNS

    package struct RecordPlan: Hashable, Sendable {
        package var added: [String] = []
        /// Ours, with another target or past the proxy.
        package var changed: [DNSRecord] = []
        package var removed: [DNSRecord] = []

        package var isEmpty: Bool { added.isEmpty && changed.isEmpty && removed.isEmpty }
    }

    /// A record with our mark at a name that only a session of ours, or the wildcard, has.
    package func owns(_ record: DNSRecord) -> Bool {
        record.type == "CNAME" && record.comment == DNSRecord.mark
            && (record.name == hosts.wildcard || hosts.host(named: record.name) != nil)
    }

    package func plan(records: [DNSRecord], sessions: [SessionID: SessionFacts]) -> RecordPlan {
        var missing = isWildcard ? [hosts.wildcard] : Set(wantedHosts(sessions).map(hosts.name))
        var plan = RecordPlan()
        for record in records where owns(record) {
            if missing.remove(record.name) != nil {
                if record.content != tunnelName || record.proxied != true { plan.changed.append(record) }
                continue
            }
            // With our mark, but of an installation with another tunnel.
            guard record.content == tunnelName else { continue }
            let session = hosts.host(named: record.name)?.session
            let lives = session.flatMap { sessions[$0] }.map { $0.hasClaim || $0.isRunning } ?? false
            if isWildcard || !lives { plan.removed.append(record) }
        }
        plan.added = missing.sorted()
        return plan
    }

    // MARK: Tunnel

    /// What the tunnel's rules should say.
    package func tunnelIntent(_ sessions: [SessionID: SessionFacts]) -> TunnelIntent {
        let wanted = isWildcard ? [hosts.wildcard] : Set(wantedHosts(sessions).map(hosts.name))
        // A rule for *.domain carries no mark, so one that is not wanted may be somebody else's and stays.
        return TunnelIntent(wanted: wanted, service: service) { [hosts] host in hosts.host(named: host) != nil }
    }

    // MARK: Routes

    package struct RoutePlan: Hashable, Sendable {
        /// Specs by name.
        package var added: [String: JSONValue] = [:]
        /// Routes that differ, with the spec that they should have.
        package var changed: [IngressRoute: JSONValue] = [:]
        package var removed: [IngressRoute] = []

        package var isEmpty: Bool { added.isEmpty && changed.isEmpty && removed.isEmpty }
    }

    package func plan(routes: [IngressRoute], sessions: [SessionID: SessionFacts]) -> RoutePlan {
        var missing: [String: JSONValue] = [:]
        for host in wantedHosts(sessions) {
            missing.merge(template.routes(of: host, in: hosts)) { $1 }
        }
        var plan = RoutePlan()
        for route in routes where template.owns(route, in: hosts) {
            guard let name = route.metadata.name, let spec = missing.removeValue(forKey: name) else {
                if route.metadata.deletionTimestamp == nil { plan.removed.append(route) }
                continue
            }
            if route.spec != spec { plan.changed[route] = spec }
        }
        plan.added = missing
        return plan
    }
}
