import Testing

@testable import Routing

/// The settings of the original's installation.
func settings(
    domain: String = "example.com", suffix: String = "-oc", hosts: [String] = [], loopback: Bool = false,
    editor: String? = nil
) throws -> RoutingSettings {
    try RoutingSettings(
        routerDomain: domain, routeSuffix: suffix, editorPrefix: editor, routerHosts: hosts,
        allowsLoopbackNames: loopback)
}

/// A short name for each route, with the session's id where it has one.
func spelled(_ route: Route) -> String {
    switch route {
    case .api: "api"
    case .site: "site"
    case .session(let session): "session \(String(session.id, radix: 16))"
    case .port(let session, let port): "port \(String(session.id, radix: 16)) \(port)"
    case .attach(let id, let session): session == nil ? "unknown" : "attach \(String(id, radix: 16))"
    case .editor(let session): "editor \(String(session.id, radix: 16))"
    case .pod: "pod"
    case .unknownSession: "unknown"
    case .misdirected: "misdirected"
    }
}

extension RouteTable {
    /// The route of a host and a path given as text.
    func route(_ host: String, _ path: String = "/", _ entrance: Entrance = .main) -> Route {
        let host = Array(host.utf8)
        let path = Array(path.utf8)
        return host.withUnsafeBytes { host in
            path.withUnsafeBytes { path in route(host: host, path: path, entrance: entrance) }
        }
    }
}

/// A running session at a fixed address.
func session(_ id: UInt64, owner: String = "alice@example.com", port: UInt16 = 4096) -> SessionRoute {
    let target = UpstreamTarget(identity: id, incarnation: "first", address: "10.0.0.7", port: port)
    return SessionRoute(id: id, owner: Array(owner.utf8), condition: .running(target))
}

@Suite("Hosts lead where the contract says")
struct HostRoutingTests {
    let table: RouteTable

    init() throws {
        table = RouteTable(
            settings: try settings(editor: "editor-"), sessions: [session(0xabc_123de_f456), session(0x1)],
            generation: 1)
    }

    @Test(
        "On the main listener",
        arguments: [
            ("abc123def456-oc.example.com", "session abc123def456"),
            ("ABC123DEF456-OC.EXAMPLE.COM", "session abc123def456"),
            ("abc123def456-oc.example.com.", "session abc123def456"),
            ("000000000001-oc.example.com", "session 1"),
            ("3000-abc123def456-oc.example.com", "port abc123def456 3000"),
            ("1024-abc123def456-oc.example.com", "port abc123def456 1024"),
            ("65535-abc123def456-oc.example.com", "port abc123def456 65535"),
            ("editor-abc123def456-oc.example.com", "editor abc123def456"),
            // The picker: the domain, and whatever lies one label below and is no session's.
            ("example.com", "site"), ("Example.com.", "site"), ("code.example.com", "site"),
            ("opencode-router.example.com", "site"), ("abc123def456.example.com", "site"),
            ("abc123def45-oc.example.com", "site"), ("abc123def4567-oc.example.com", "site"),
            ("abc123def45g-oc.example.com", "site"), ("-oc.example.com", "site"),
            // No such session, or no such port: one answer.
            ("ffffffffffff-oc.example.com", "unknown"), ("3000-ffffffffffff-oc.example.com", "unknown"),
            ("editor-ffffffffffff-oc.example.com", "unknown"),
            ("1023-abc123def456-oc.example.com", "unknown"), ("80-abc123def456-oc.example.com", "unknown"),
            ("0-abc123def456-oc.example.com", "unknown"), ("03000-abc123def456-oc.example.com", "unknown"),
            ("65536-abc123def456-oc.example.com", "unknown"), ("99999-abc123def456-oc.example.com", "unknown"),
            ("100000-abc123def456-oc.example.com", "unknown"), ("+3000-abc123def456-oc.example.com", "misdirected"),
            ("9222-abc123def456-oc.example.com", "unknown"), ("4096-abc123def456-oc.example.com", "unknown"),
            ("7681-abc123def456-oc.example.com", "unknown"), ("-abc123def456-oc.example.com", "unknown"),
            ("foo-abc123def456-oc.example.com", "unknown"), ("3000--abc123def456-oc.example.com", "unknown"),
            ("3000-3000-abc123def456-oc.example.com", "unknown"),
            // Ours only in part.
            ("attach-abc123def456-oc.example.com", "misdirected"),
            ("attach-ffffffffffff-oc.example.com", "misdirected"),
            ("", "misdirected"), (".", "misdirected"), ("..", "misdirected"), (".example.com", "misdirected"),
            ("example.com..", "misdirected"), ("abc123def456-oc.example.com..", "misdirected"),
            ("abc123def456-oc..example.com", "misdirected"), ("a.abc123def456-oc.example.com", "misdirected"),
            ("abc123def456-oc.a.example.com", "misdirected"), ("abc123def456-oc.example.org", "misdirected"),
            ("abc123def456-oc.notexample.com", "misdirected"), ("abc123def456-ocXexample.com", "misdirected"),
            ("abc123def456-oc.example.com.evil.org", "misdirected"), ("abc123def456-oc", "misdirected"),
            ("abc123def456-oc.", "misdirected"), ("abc123def456-oc.com", "misdirected"),
            ("abc123def456-oc.example.com:80", "misdirected"), ("abc123def456-oc%2eexample.com", "misdirected"),
            ("abc123def456-oc.example.com\0", "misdirected"), (" abc123def456-oc.example.com", "misdirected"),
            ("code .example.com", "misdirected"), ("c\u{f6}de.example.com", "misdirected"),
            ("localhost", "misdirected"), ("127.0.0.1", "misdirected"), ("[::1]", "misdirected"),
            ("10.0.0.7", "misdirected"),
        ])
    func main(host: String, expected: String) {
        #expect(spelled(table.route(host)) == expected)
    }

    @Test(
        "On the attach listener, attach hosts and nothing else",
        arguments: [
            ("attach-abc123def456-oc.example.com", "attach abc123def456"),
            ("ATTACH-abc123def456-oc.example.com.", "attach abc123def456"),
            ("attach-ffffffffffff-oc.example.com", "unknown"),
            ("abc123def456-oc.example.com", "misdirected"), ("3000-abc123def456-oc.example.com", "misdirected"),
            ("example.com", "misdirected"), ("code.example.com", "misdirected"),
            ("foo-abc123def456-oc.example.com", "misdirected"), ("attach-abc123def456.example.com", "misdirected"),
            ("attachabc123def456-oc.example.com", "misdirected"),
        ])
    func attach(host: String, expected: String) {
        #expect(spelled(table.route(host, "/", .attach)) == expected)
    }

    @Test("One listener for both takes both")
    func combined() {
        #expect(spelled(table.route("attach-abc123def456-oc.example.com", "/", .combined)) == "attach abc123def456")
        #expect(spelled(table.route("abc123def456-oc.example.com", "/", .combined)) == "session abc123def456")
        #expect(spelled(table.route("example.com", "/api", .combined)) == "api")
    }

    @Test(
        "The API is /api and what lies below it",
        arguments: [
            ("/api", "api"), ("/api/", "api"), ("/api/sessions", "api"), ("/api/../x", "api"), ("/apix", "site"),
            ("/API/sessions", "site"), ("/%61pi/sessions", "site"), ("//api", "site"), ("/ap", "site"), ("/", "site"),
            ("", "site"), ("*", "site"), ("/x/api", "site"),
        ])
    func api(path: String, expected: String) {
        #expect(spelled(table.route("example.com", path)) == expected)
    }

    @Test("A session's host sends every path to the session, /api too")
    func sessionPaths() {
        #expect(spelled(table.route("abc123def456-oc.example.com", "/api/sessions")) == "session abc123def456")
    }

    @Test("Explicit hosts of the picker replace the rule")
    func explicitHosts() throws {
        let table = RouteTable(
            settings: try settings(hosts: ["Code.Example.com", "other.org"]), sessions: [session(1)], generation: 1)
        #expect(spelled(table.route("code.example.com")) == "site")
        #expect(spelled(table.route("OTHER.org.")) == "site")
        #expect(spelled(table.route("example.com")) == "misdirected")
        #expect(spelled(table.route("else.example.com")) == "misdirected")
        #expect(spelled(table.route("000000000001-oc.example.com")) == "session 1")
        #expect(spelled(table.route("000000000001-oc.other.org")) == "misdirected")
    }

    @Test(
        "Development: sessions are names below localhost, the picker has loopback names",
        arguments: [
            ("localhost", "site"), ("127.0.0.1", "site"), ("[::1]", "site"), ("LOCALHOST", "site"),
            ("000000000001.localhost", "session 1"), ("5173-000000000001.localhost", "port 1 5173"),
            ("attach-000000000001.localhost", "misdirected"), ("ffffffffffff.localhost", "unknown"),
            ("127.0.0.2", "misdirected"), ("000000000001.127.0.0.1", "misdirected"),
            ("evil.example.com", "misdirected"),
        ])
    func development(host: String, expected: String) throws {
        let table = RouteTable(
            settings: try settings(domain: "localhost:3000", suffix: "", loopback: true), sessions: [session(1)],
            generation: 1)
        #expect(spelled(table.route(host)) == expected)
    }

    @Test("A fixed target answers for every well-formed session host, and for nothing else")
    func fallback() throws {
        let fixed = SessionRoute(
            id: 0, owner: [],
            condition: .running(UpstreamTarget(identity: 1, incarnation: "fixed", address: "127.0.0.1", port: 4000)),
            ownedByAnyone: true)
        let table = RouteTable(
            settings: try settings(), sessions: [session(1)], generation: 1, fallback: fixed)
        #expect(spelled(table.route("000000000001-oc.example.com")) == "session 1")
        #expect(spelled(table.route("ffffffffffff-oc.example.com")) == "session 0")
        #expect(spelled(table.route("3000-ffffffffffff-oc.example.com")) == "port 0 3000")
        #expect(spelled(table.route("foo-ffffffffffff-oc.example.com")) == "unknown")
        #expect(spelled(table.route("ffffffffffff-oc.example.org")) == "misdirected")
    }

    @Test("The agent's own port is no port host, whatever its number")
    func ownPort() throws {
        let table = RouteTable(settings: try settings(), sessions: [session(1, port: 40123)], generation: 1)
        #expect(spelled(table.route("40123-000000000001-oc.example.com")) == "unknown")
        #expect(spelled(table.route("40124-000000000001-oc.example.com")) == "port 1 40124")
    }

    @Test("On one machine, no port host reaches the gateway's listeners or another session's agent")
    func sharedMachine() throws {
        func local(_ id: UInt64, _ port: UInt16) -> SessionRoute {
            let target = UpstreamTarget(identity: id, incarnation: "", address: "127.0.0.1", port: port)
            return SessionRoute(id: id, owner: [], condition: .running(target))
        }
        let table = RouteTable(
            settings: try settings().reserving(ownPorts: [3000, 9090]),
            sessions: [local(1, 40001), local(2, 40002), session(3)], generation: 1)
        for port in [3000, 9090, 40001, 40002] {
            #expect(spelled(table.route("\(port)-000000000001-oc.example.com")) == "unknown")
            // A pod has its ports for itself.
            #expect(spelled(table.route("\(port)-000000000003-oc.example.com")) == "port 3 \(port)")
        }
        #expect(spelled(table.route("5173-000000000001-oc.example.com")) == "port 1 5173")
    }

    @Test("Two sessions with one id reach nobody")
    func ambiguous() throws {
        let table = RouteTable(
            settings: try settings(), sessions: [session(1), session(1, owner: "mallory@example.com"), session(2)],
            generation: 1)
        #expect(spelled(table.route("000000000001-oc.example.com")) == "unknown")
        #expect(spelled(table.route("000000000002-oc.example.com")) == "session 2")
    }
}
