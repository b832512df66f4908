internal import CloudflareOperator
internal import FoundationEssentials
internal import HTTPClient
internal import KubernetesAPI

/// The operator's settings, read and checked; all problems come at once.
struct OperatorConfiguration: Sendable {
    var settings: OperatorSettings
    var watchNamespace: String
    var kubeconfig: String?
    var address: String
    var healthPort: UInt16
    var logLevel: String
    var logFormat: Settings.OperationsSettings.LogFormat

    init(
        flags: CommandLineFlags, environment: [String: String], identity: String, machine: Machine = .current
    ) throws(InvalidSettings) {
        var reader = SettingReader(flags: flags, environment: environment, catalogue: .cloudflareOperator)
        let isWildcard = reader.boolean("WILDCARD")
        watchNamespace = reader.text("WATCH_NAMESPACE") ?? ""
        let access = Self.access(&reader)
        let hosts = Self.hosts(&reader)
        let service = reader.required("ROUTER_SERVICE_URL", "the URL that the tunnel's rules lead to")
        let template = Self.template(&reader, watchNamespace)
        let ports = Self.ports(&reader, domain: hosts.domain, isWildcard: isWildcard)
        let pods = reader.text("POD_LABEL_SELECTOR")
        kubeconfig = reader.text("KUBECONFIG")
        address = reader.text("BIND_ADDRESS") ?? "0.0.0.0"
        healthPort = reader.port("HEALTH_PORT")
        logLevel = reader.text("LOG_LEVEL") ?? "info"
        logFormat =
            reader.text("LOG_FORMAT").flatMap(Settings.OperationsSettings.LogFormat.init(rawValue:))
            ?? (machine.isTerminal ? .text : .json)
        let settle = reader.duration("SETTLE_SECONDS", unit: .seconds(1))
        let resync = reader.duration("RESYNC_SECONDS", unit: .seconds(1))
        let portInterval = reader.duration("PORT_POLL_SECONDS", unit: .seconds(1))
        guard reader.problems.isEmpty, let access, let service else {
            throw InvalidSettings(problems: reader.problems)
        }
        settings = OperatorSettings(
            cloudflare: access, hosts: hosts, template: template, service: service, isWildcard: isWildcard,
            ports: ports,
            pods: ObjectSelector(labels: pods), identity: identity)
        settings.settle = settle
        settings.resync = resync
        settings.portInterval = portInterval
    }

    private static func access(_ reader: inout SettingReader) -> CloudflareClient.Access? {
        let token = reader.secret("CF_API_TOKEN")
        if token == nil, !reader.isSet("CF_API_TOKEN"), !reader.isSet("CF_API_TOKEN_FILE") {
            reader.refuse(
                "CF_API_TOKEN", because: "not set; expected an API token of Cloudflare, here or in CF_API_TOKEN_FILE")
        }
        if let token, !token.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) {
            reader.malformed("CF_API_TOKEN", value: token, expected: "printable ASCII characters without spaces")
        }
        let zone = reader.identifier("CF_ZONE_ID", "the zone's id, 32 hexadecimal digits")
        let tunnel = reader.identifier("CF_TUNNEL_ID", "the tunnel's UUID")
        let written = reader.text("CF_API_URL") ?? ""
        let api = try? HTTPURL(written)
        if let api, api.origin.scheme == .http, !isThisMachine(api.origin.host) {
            reader.malformed("CF_API_URL", value: written, expected: "https://, or http:// to a loopback address")
        }
        guard let token, let zone, let tunnel, let api else { return nil }
        return CloudflareClient.Access(api: api, token: token, zone: zone, tunnel: tunnel)
    }

    private static func isThisMachine(_ host: HTTPHost) -> Bool {
        host == .name("localhost") || SettingSyntax.isLoopback("\(host)".filter { $0 != "[" && $0 != "]" })
    }

    private static func hosts(_ reader: inout SettingReader) -> SessionHosts {
        let domain = (reader.required("DOMAIN", "the base domain of the session hosts") ?? "").lowercased()
        if domain.contains(":") { reader.malformed("DOMAIN", value: domain, expected: "a DNS name without a port") }
        let suffix = (reader.text("ROUTE_SUFFIX") ?? "").lowercased()
        let attach = reader.prefix("ATTACH_ROUTE_PREFIX") ?? ""
        let editor = reader.prefix("EDITOR_ROUTE_PREFIX")
        if attach == editor {
            reader.refuse("EDITOR_ROUTE_PREFIX", value: editor, because: "must differ from ATTACH_ROUTE_PREFIX")
        }
        if max(attach.count, editor?.count ?? 0) + 12 + suffix.count > 63 {
            reader.malformed(
                "ROUTE_SUFFIX", value: suffix, expected: "a suffix with which a label has at most 63 letters")
        }
        return SessionHosts(domain: domain, suffix: suffix, attachPrefix: attach, editorPrefix: editor)
    }

    private static func template(_ reader: inout SettingReader, _ watched: String) -> RouteTemplate {
        let namespace = reader.text("INGRESSROUTE_NAMESPACE") ?? watched
        if !reader.isSet("INGRESSROUTE_NAMESPACE") { reader.show("INGRESSROUTE_NAMESPACE", namespace) }
        let router = reader.text("ROUTER_SERVICE_NAME") ?? ""
        let attach = reader.text("ATTACH_SERVICE_NAME") ?? router
        let attachPort = reader.integer("ATTACH_SERVICE_PORT")
        let written = reader.text("OAUTH2_PROXY_SERVICE") ?? ""
        let signIn = service(written)
        if signIn == nil {
            reader.malformed("OAUTH2_PROXY_SERVICE", value: written, expected: "namespace/name:port")
        }
        let isCentral = reader.boolean("CENTRAL_SIGN_IN")
        return RouteTemplate(
            namespace: namespace, chain: reader.text("OAUTH2_CHAIN_MIDDLEWARE") ?? "",
            router: .init(name: router, namespace: namespace, port: 80),
            attach: .init(name: attach, namespace: namespace, port: attachPort), signIn: isCentral ? nil : signIn)
    }

    private static func service(_ text: String) -> RouteTemplate.Service? {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, !halves[0].isEmpty else { return nil }
        let parts = halves[1].split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, let port = UInt16(parts[1]), port > 0 else { return nil }
        return .init(name: String(parts[0]), namespace: String(halves[0]), port: Int(port))
    }

    private static func ports(
        _ reader: inout SettingReader, domain: String, isWildcard: Bool
    ) -> OperatorSettings.PortSource? {
        let agentPort = reader.integer("OPENCODE_PORT")
        var allowed: Set<Int> = []
        for item in reader.items("DEV_PORT_ALLOWLIST") {
            guard let port = Int(item), (1024...65535).contains(port) else {
                reader.malformed(
                    "DEV_PORT_ALLOWLIST", value: item, expected: "ports from 1024 to 65535 separated by commas")
                continue
            }
            allowed.insert(port)
        }
        allowed.remove(agentPort)
        let written = reader.text("ROUTER_ADMIN_URL")
        let host = reader.text("ROUTER_ADMIN_HOST") ?? domain
        let secret = reader.secret("ROUTER_ADMIN_SECRET")
        guard !isWildcard else { return nil }
        if written == nil, !reader.isSet("ROUTER_ADMIN_URL") {
            reader.refuse(
                "ROUTER_ADMIN_URL", because: "not set; expected the router's URL inside the cluster, or WILDCARD=true")
        }
        if secret == nil, !reader.isSet("ROUTER_ADMIN_SECRET"), !reader.isSet("ROUTER_ADMIN_SECRET_FILE") {
            reader.refuse(
                "ROUTER_ADMIN_SECRET",
                because:
                    "not set; expected the router's ADMIN_SECRET, here or in ROUTER_ADMIN_SECRET_FILE, or WILDCARD=true"
            )
        }
        guard let secret, let url = written.flatMap({ try? HTTPURL($0) }) else { return nil }
        return .init(router: url, host: host, secret: secret, allowed: allowed)
    }
}

extension SettingReader {
    /// A value that there must be; nil, and a problem, if it is not set.
    fileprivate mutating func required(_ name: String, _ what: String) -> String? {
        let value = text(name)
        if value == nil, !isSet(name) { refuse(name, because: "not set; expected \(what)") }
        return value
    }

    /// What stands in front of a hash, in lower case; a number there would be a port.
    fileprivate mutating func prefix(_ name: String) -> String? {
        guard let prefix = text(name)?.lowercased(), !prefix.isEmpty else { return nil }
        if prefix.first?.isLetter != true {
            malformed(name, value: prefix, expected: "a prefix that starts with a letter, such as attach-")
        }
        return prefix
    }

    /// An id that becomes a part of a path.
    fileprivate mutating func identifier(_ name: String, _ what: String) -> String? {
        guard let value = required(name, what) else { return nil }
        guard (1...64).contains(value.utf8.count),
            value.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) || $0 == 0x2d })
        else {
            malformed(name, value: value, expected: what)
            return nil
        }
        return value
    }
}
