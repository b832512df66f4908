import FoundationEssentials
import KubernetesAPI
import Sessions
import Testing

@testable import CloudflareOperator

/// What the tests of pure decisions share.
enum Sample {
    static let hosts = SessionHosts(domain: "example.com", suffix: "-oc", attachPrefix: "attach-")
    static let service = "http://traefik:80"
    static let template = RouteTemplate(
        namespace: "code", chain: "chain", router: .init(name: "code", namespace: "code", port: 80),
        attach: .init(name: "code-attach", namespace: "code", port: 4096),
        signIn: .init(name: "proxy", namespace: "auth", port: 80))
    static let one = SessionID("a1b2c3d4e5f6")!
    static let two = SessionID("0000000000aa")!

    static func reconciler(wildcard: Bool = false) -> Reconciler {
        Reconciler(hosts: hosts, template: template, service: service, tunnel: "t", isWildcard: wildcard)
    }

    static func record(
        _ name: String, _ content: String = "t.cfargotunnel.com", comment: String? = DNSRecord.mark,
        proxied: Bool = true, type: String = "CNAME"
    ) -> DNSRecord {
        DNSRecord(id: name, type: type, name: name, content: content, proxied: proxied, comment: comment)
    }

    static func route(_ name: String, _ spec: JSONValue? = nil, manager: String? = RouteTemplate.manager)
        -> IngressRoute
    {
        IngressRoute(
            metadata: ObjectMeta(name: name, uid: name, labels: manager.map { [RouteTemplate.label: $0] } ?? [:]),
            spec: spec)
    }

    static let running = SessionFacts(hasClaim: true, isRunning: true)
    static let stopped = SessionFacts(hasClaim: true, isRunning: false)
}

@Suite("Hosts of sessions")
struct SessionHostsTests {
    @Test("Reading is the inverse of writing", arguments: [SessionHost.Kind.agent, .attach, .editor, .port(5173)])
    func roundTrip(kind: SessionHost.Kind) {
        for suffix in ["-oc", ""] {
            let hosts = SessionHosts(
                domain: "example.com", suffix: suffix, attachPrefix: "attach-", editorPrefix: "editor-")
            let host = SessionHost(Sample.one, kind)
            #expect(hosts.host(named: hosts.name(of: host)) == host)
        }
    }

    @Test(
        "What is spelt otherwise is no host of a session",
        arguments: [
            "A1B2C3D4E5F6-oc.example.com", "a1b2c3d4e5f-oc.example.com", "a1b2c3d4e5f6.example.com",
            "a1b2c3d4e5f6-oc.example.org", "a1b2c3d4e5f6-oc.example.com.", "a1b2c3d4e5f6-ocexample.com",
            "x.a1b2c3d4e5f6-oc.example.com", "05173-a1b2c3d4e5f6-oc.example.com", "80-a1b2c3d4e5f6-oc.example.com",
            "70000-a1b2c3d4e5f6-oc.example.com", "+5173-a1b2c3d4e5f6-oc.example.com", "-a1b2c3d4e5f6-oc.example.com",
            "attach--a1b2c3d4e5f6-oc.example.com", "editor-a1b2c3d4e5f6-oc.example.com", "*.example.com",
            "www.example.com", "example.com", "",
        ])
    func others(name: String) {
        #expect(Sample.hosts.host(named: name) == nil)
    }
}

@Suite("DNS records")
struct RecordPlanTests {
    private let one = "a1b2c3d4e5f6-oc.example.com"
    private let attach = "attach-a1b2c3d4e5f6-oc.example.com"

    @Test("A running session needs a record for each of its hosts")
    func added() {
        let facts = SessionFacts(hasClaim: true, isRunning: true, ports: [5173])
        let plan = Sample.reconciler().plan(records: [], sessions: [Sample.one: facts, Sample.two: Sample.stopped])
        #expect(plan.added == ["5173-\(one)", one, attach])
        #expect(plan.changed.isEmpty && plan.removed.isEmpty)
    }

    @Test("A record lives as long as its session, running or not")
    func kept() {
        let records = [Sample.record(one), Sample.record(attach), Sample.record("5173-\(one)")]
        for facts in [Sample.running, Sample.stopped] {
            #expect(Sample.reconciler().plan(records: records, sessions: [Sample.one: facts]).isEmpty)
        }
        #expect(Sample.reconciler().plan(records: records, sessions: [:]).removed == records)
    }

    @Test("A record of ours that leads elsewhere or past the proxy is corrected, if it is needed")
    func changed() {
        let records = [Sample.record(one, "old.cfargotunnel.com"), Sample.record(attach, proxied: false)]
        let plan = Sample.reconciler().plan(records: records, sessions: [Sample.one: Sample.running])
        #expect(plan.changed == records && plan.added.isEmpty && plan.removed.isEmpty)
    }

    @Test("What is not ours is not touched")
    func foreign() {
        let records = [
            Sample.record(one, comment: nil), Sample.record(one, comment: "by hand"),
            Sample.record("www.example.com"), Sample.record("a1b2c3d4e5f6.example.com"),
            Sample.record(one, "another.cfargotunnel.com"), Sample.record(one, type: "A"),
        ]
        #expect(Sample.reconciler().plan(records: records, sessions: [:]).isEmpty)
        #expect(Sample.reconciler(wildcard: true).plan(records: records, sessions: [:]).removed.isEmpty)
    }

    @Test("With a wildcard there is one record, and none per session")
    func wildcard() {
        let reconciler = Sample.reconciler(wildcard: true)
        let plan = reconciler.plan(records: [Sample.record(one)], sessions: [Sample.one: Sample.running])
        #expect(plan.added == ["*.example.com"] && plan.removed == [Sample.record(one)])
        let back = Sample.reconciler().plan(records: [Sample.record("*.example.com")], sessions: [:])
        #expect(back.removed == [Sample.record("*.example.com")])
    }
}

@Suite("Routes")
struct RoutePlanTests {
    @Test("What was made is left as it is, what differs is changed, what leads nowhere is removed")
    func life() {
        let reconciler = Sample.reconciler()
        let sessions = [Sample.one: Sample.running]
        let made = reconciler.plan(routes: [], sessions: sessions)
        #expect(
            Set(made.added.keys) == [
                "opencode-session-a1b2c3d4e5f6-oc-app", "opencode-session-a1b2c3d4e5f6-oc-signin",
                "opencode-session-attach-a1b2c3d4e5f6-oc-attach",
            ])
        var routes = made.added.map { Sample.route($0.key, $0.value) }
        #expect(reconciler.plan(routes: routes, sessions: sessions).isEmpty)
        #expect(Set(reconciler.plan(routes: routes, sessions: [Sample.one: Sample.stopped]).removed) == Set(routes))
        routes[0].spec = ["entryPoints": ["websecure"]]
        let plan = reconciler.plan(routes: routes, sessions: sessions)
        #expect(plan.changed.keys.map(\.metadata.name) == [routes[0].metadata.name] && plan.added.isEmpty)
        routes[0].spec = nil
        #expect(reconciler.plan(routes: routes, sessions: sessions).changed.count == 1)
    }

    @Test("A route without our label, or with another name, is not ours")
    func foreign() {
        let routes = [
            Sample.route("opencode-session-a1b2c3d4e5f6-oc-app", manager: nil),
            Sample.route("opencode-session-a1b2c3d4e5f6-oc-app", manager: "somebody"),
            Sample.route("opencode-session-a1b2c3d4e5f6-app"), Sample.route("opencode-session-a1b2c3d4e5f6-oc"),
            Sample.route("picker"), Sample.route("opencode-session--app"),
        ]
        #expect(Sample.reconciler().plan(routes: routes, sessions: [:]).isEmpty)
    }

    @Test("An attach host has no chain, for a command has no browser to sign in with")
    func attach() {
        let routes = Sample.template.routes(of: SessionHost(Sample.one, .attach), in: Sample.hosts)
        let rule = routes.values.first?["routes"]?.elements?.first
        #expect(routes.count == 1 && rule?["middlewares"] == nil)
        #expect(rule?["match"] == "Host(`attach-a1b2c3d4e5f6-oc.example.com`)")
    }

    @Test("With a central sign-in, sign-in paths of session hosts lead nowhere")
    func centralSignIn() {
        var template = Sample.template
        template.signIn = nil
        let routes = template.routes(of: SessionHost(Sample.one, .agent), in: Sample.hosts)
        #expect(routes.count == 1)
        #expect(
            routes.values.first?["routes"]?.elements?.first?["match"]
                == "Host(`a1b2c3d4e5f6-oc.example.com`) && !PathPrefix(`/oauth2/`)")
    }
}

@Suite("Sessions as they are told")
struct SessionTableTests {
    /// The table, behind a reference so that what it answers can be expected.
    private final class Told {
        var table = SessionTable()

        func pods(_ event: ReflectorEvent<Pod>) -> Bool { table.take(pods: event) }
        func claims(_ event: ReflectorEvent<PersistentVolumeClaim>) -> Bool { table.take(claims: event) }
    }

    private func pod(
        _ hash: String, uid: String = "1", leaving: Bool = false, labels: [String: String] = [:]
    ) throws -> Pod {
        var metadata: JSONValue = [
            "name": "pod", "uid": .string(uid),
            "labels": .strings(labels.merging(["opencode.ai/session-hash": hash]) { $1 }),
        ]
        if leaving { metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z" }
        return try JSONDecoder().decode(Pod.self, from: JSONEncoder().encode(["metadata": metadata]))
    }

    private func claim(_ hash: String) throws -> PersistentVolumeClaim {
        let metadata: JSONValue = ["name": "claim", "labels": ["opencode.ai/session-hash": .string(hash)]]
        return try JSONDecoder().decode(
            PersistentVolumeClaim.self, from: JSONEncoder().encode(["metadata": metadata]))
    }

    @Test("Nothing is concluded before both kinds are listed, and while a watch fails")
    func problem() {
        let told = Told()
        #expect(told.table.problem != nil)
        #expect(told.pods(.listed([])))
        #expect(told.table.problem != nil)
        #expect(told.claims(.listed([])))
        #expect(told.table.problem == nil)
        let error = KubernetesError(KubernetesRequest(.watch, .pods, namespace: "n"), .unreachable("gone"))
        #expect(told.pods(.lost(error)))
        #expect(told.table.problem?.contains("gone") == true)
        #expect(told.pods(.resumed))
        #expect(told.table.problem == nil)
    }

    @Test("A pod on its way out does not run, an export does not count, and an old pod's end is not the new one's")
    func pods() throws {
        let told = Told()
        _ = try told.claims(.listed([claim("a1b2c3d4e5f6")]))
        _ = try told.pods(.listed([pod("a1b2c3d4e5f6")]))
        #expect(told.table.sessions(ports: [Sample.one: [5173]])[Sample.one]?.ports == [5173])
        #expect(try told.pods(.changed(pod("a1b2c3d4e5f6", leaving: true))))
        #expect(told.table.sessions(ports: [Sample.one: [5173]])[Sample.one] == Sample.stopped)
        #expect(try told.pods(.changed(pod("a1b2c3d4e5f6", uid: "2"))))
        #expect(try !told.pods(.removed(pod("a1b2c3d4e5f6"))))
        #expect(told.table.running == [Sample.one: "2"])
        #expect(try !told.pods(.changed(pod("0000000000aa", labels: ["opencode.ai/export-pod": "true"]))))
        #expect(try !told.pods(.changed(pod("not-a-hash"))))
        #expect(try told.claims(.removed(claim("a1b2c3d4e5f6"))))
        #expect(told.table.sessions(ports: [:])[Sample.one] == SessionFacts(hasClaim: false, isRunning: true))
    }

    @Test("News that change nothing ring no bell")
    func silence() throws {
        let told = Told()
        _ = try told.pods(.listed([pod("a1b2c3d4e5f6")]))
        #expect(try !told.pods(.changed(pod("a1b2c3d4e5f6"))))
        #expect(try !told.pods(.listed([pod("a1b2c3d4e5f6")])))
    }
}

@Suite("Repeating requests")
struct RetryPolicyTests {
    @Test("Pauses double, jitter adds up to half, and what the API asks for counts")
    func pauses() {
        #expect(RetryPolicy.pause(after: 1, retryAfter: nil, jitter: 0) == .milliseconds(500))
        #expect(RetryPolicy.pause(after: 3, retryAfter: nil, jitter: 1) == .seconds(3))
        #expect(RetryPolicy.pause(after: 1, retryAfter: .seconds(7), jitter: 0) == .seconds(7))
        #expect(RetryPolicy.pause(after: 1, retryAfter: .seconds(21), jitter: 0) == nil)
        #expect(RetryPolicy.pause(after: RetryPolicy.maximumAttempts, retryAfter: nil, jitter: 0) == nil)
    }

    @Test("Passes that fail come later and later, but within two minutes unless the API asks for more")
    func passes() {
        #expect(RetryPolicy.pauseOfPasses(failures: 1, retryAfter: nil, jitter: 0) == .seconds(2))
        #expect(RetryPolicy.pauseOfPasses(failures: 50, retryAfter: nil, jitter: 1) == .seconds(90))
        #expect(RetryPolicy.pauseOfPasses(failures: 1, retryAfter: .seconds(300), jitter: 0) == .seconds(300))
        #expect(RetryPolicy.pauseOfPasses(failures: 1, retryAfter: .seconds(86400), jitter: 0) == .seconds(600))
    }
}
