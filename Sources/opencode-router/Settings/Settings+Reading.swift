internal import Archive
internal import FoundationEssentials
internal import Glibc
internal import Routing
internal import Sessions

extension Settings {
    /// Reads and checks everything; throws all problems at once.
    ///
    /// - Parameter machine: what is asked of the machine, so that tests can answer.
    init(
        flags: CommandLineFlags = CommandLineFlags(), environment: [String: String],
        machine: Machine = .current
    ) throws(InvalidSettings) {
        var reader = SettingReader(flags: flags, environment: environment)
        let mocked = reader.boolean("MOCK_K8S")
        if mocked {
            // What the mock implies is a default like others: whatever is set wins.
            let implied = ["DEVELOPMENT": "true", "PORT": "3002", "DEV_EMAIL": "dev@local.test"]
            let unset = implied.filter { !reader.isSet($0.key) }
            reader = SettingReader(flags: flags, environment: environment.merging(unset) { $1 })
            _ = reader.boolean("MOCK_K8S")
        }
        development = reader.boolean("DEVELOPMENT")
        if mocked, !development {
            reader.refuse("MOCK_K8S", value: "true", because: "only with DEVELOPMENT=true")
        }
        listeners = .init(&reader, development: development, machine: machine)
        hosts = .init(&reader, development: development, port: listeners.port)
        identity = .init(&reader, development: development, address: listeners.address)
        repositories = .init(&reader)
        sessions = .init(&reader, mocked: mocked, machine: machine)
        local = .init(&reader, environment: environment)
        kubernetes = .init(&reader, required: sessions.runtime == .kubernetes)
        files = .init(&reader, machine: machine)
        operations = .init(&reader, development: development, machine: machine)
        limits = .init(&reader)
        developmentRoutes = .init(&reader, development: development)
        _ = reader.text("DEV_VITE_URL")
        effective = SettingTable.all.compactMap { [effective = reader.effective] in effective[$0.name] }
        if !reader.problems.isEmpty { throw InvalidSettings(problems: reader.problems) }
    }
}

/// What the defaults depend on besides the settings themselves.
struct Machine: Sendable {
    var cores: Int
    /// The folder of the running binary.
    var binaryDirectory: String
    var isTerminal: Bool
    var exists: @Sendable (_ path: String) -> Bool

    /// This machine.
    static var current: Machine {
        let binary = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return Machine(
            cores: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))),
            binaryDirectory: String(binary[..<(binary.lastIndex(of: "/") ?? binary.startIndex)]),
            isTerminal: isatty(STDERR_FILENO) == 1,
            exists: { FileManager.default.fileExists(atPath: $0) })
    }

    static let clusterToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"
}

extension Settings.Listeners {
    init(_ reader: inout SettingReader, development: Bool, machine: Machine) {
        let written = reader.text("BIND_ADDRESS") ?? "0.0.0.0"
        address = development && !reader.isSet("BIND_ADDRESS") ? "127.0.0.1" : written
        if !reader.isSet("BIND_ADDRESS") { reader.show("BIND_ADDRESS", address) }
        port = reader.port("PORT")
        let attach = reader.port("ATTACH_PORT")
        attachPort = attach == port && port != 0 ? nil : attach
        podPort = reader.port("POD_PORT")
        metricsPort = reader.port("METRICS_PORT")
        let shared = [("METRICS_PORT", metricsPort), ("POD_PORT", podPort)]
        for (name, value) in shared where value != 0 && (value == port || value == attachPort) {
            reader.refuse(name, value: "\(value)", because: "must differ from PORT and ATTACH_PORT")
        }
        if metricsPort != 0, metricsPort == podPort {
            reader.refuse("POD_PORT", value: "\(podPort)", because: "must differ from METRICS_PORT")
        }
        takesOver = reader.boolean("TAKE_OVER")
        workers = reader.isSet("WORKERS") ? max(1, reader.integer("WORKERS")) : machine.cores
        if !reader.isSet("WORKERS") { reader.show("WORKERS", "\(workers)") }
    }
}

extension Settings.Hosts {
    init(_ reader: inout SettingReader, development: Bool, port: UInt16) {
        let text = reader.text("ROUTER_DOMAIN")
        followsListener = text == nil
        if text == nil, !reader.isSet("ROUTER_DOMAIN") {
            if development {
                // Which port the kernel chooses nobody knows yet.
                reader.show("ROUTER_DOMAIN", port == 0 ? "localhost:PORT" : "localhost:\(port)")
            } else {
                reader.refuse(
                    "ROUTER_DOMAIN",
                    because: "not set; expected the base domain of the session hosts, such as example.com")
            }
        }
        let halves = (text ?? "localhost").lowercased().split(separator: ":", maxSplits: 1).map(String.init)
        domain = halves.first ?? "localhost"
        domainPort = halves.count == 2 ? UInt16(halves[1]) : nil
        let named = reader.items("ROUTER_HOSTS").map { $0.lowercased() }
        routerHosts = named.isEmpty ? nil : named.map { String($0.prefix { $0 != ":" }) }
        scheme = reader.text("ROUTER_PROTO") ?? "https"
        if development, !reader.isSet("ROUTER_PROTO") {
            scheme = "http"
            reader.show("ROUTER_PROTO", scheme)
        }
        routeSuffix = (reader.text("ROUTE_SUFFIX") ?? "").lowercased()
        attachPrefix = (reader.text("ATTACH_ROUTE_PREFIX") ?? "").lowercased()
        editorPrefix = (reader.text("EDITOR_ROUTE_PREFIX") ?? "").lowercased()
        if editorPrefix == attachPrefix {
            reader.refuse("EDITOR_ROUTE_PREFIX", value: editorPrefix, because: "must differ from ATTACH_ROUTE_PREFIX")
        } else {
            refuseAmbiguities(&reader)
        }
    }

    /// How these hosts are told from each other.
    func routing(
        allowsLoopbackNames: Bool = false, deniedPorts: Set<UInt16> = RoutingSettings.sidecarPorts
    ) throws(RoutingSettingsError) -> RoutingSettings {
        try RoutingSettings(
            routerDomain: domain, routeSuffix: routeSuffix, attachPrefix: attachPrefix, editorPrefix: editorPrefix,
            routerHosts: routerHosts ?? [], allowsLoopbackNames: allowsLoopbackNames, deniedPorts: deniedPorts)
    }

    /// Which hosts can be told from each other, only the routing knows; which variable that was, only this.
    private func refuseAmbiguities(_ reader: inout SettingReader) {
        do {
            _ = try routing()
        } catch {
            switch error {
            case .malformedPrefix(let prefix):
                reader.malformed(
                    prefix == attachPrefix ? "ATTACH_ROUTE_PREFIX" : "EDITOR_ROUTE_PREFIX", value: prefix,
                    expected: "a letter from g to z among up to 30 letters, digits and hyphens, or it reads like a hash"
                )
            case .malformedHost(let host):
                reader.malformed("ROUTER_HOSTS", value: host, expected: "DNS names separated by commas, without \"*\"")
            case .hostIsSessionPattern(let host):
                reader.refuse(
                    "ROUTER_HOSTS", value: host, because: "is the host of a session; the picker needs another name")
            case .malformedDomain, .malformedPort, .malformedSuffix, .samePrefixTwice:
                reader.refuse("ROUTER_DOMAIN", value: domain, because: error.description)
            }
        }
    }
}

extension Settings.IdentitySettings {
    init(_ reader: inout SettingReader, development: Bool, address: String) {
        mode = reader.text("AUTH_MODE").flatMap(Mode.init(rawValue:)) ?? .forwardAuth
        let usual = mode == .forwardAuth ? "X-Auth-Request-Email" : "X-Forwarded-Email"
        let named = reader.text("AUTH_EMAIL_HEADER")
        emailField = named ?? usual
        if named == nil { reader.show("AUTH_EMAIL_HEADER", usual) }
        trustedProxies = reader.items("TRUSTED_PROXIES")
        secrets = reader.secret("AUTH_SECRET")?.split(whereSeparator: \.isWhitespace).map(String.init) ?? []
        if secrets.count > 2 {
            reader.malformed("AUTH_SECRET", value: "", expected: "one secret, or two separated by white space")
        }
        for secret in secrets where secret.utf8.count < 16 || !secret.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) {
            reader.malformed("AUTH_SECRET", value: secret, expected: "at least 16 printable ASCII characters")
        }
        secretField = reader.text("AUTH_SECRET_HEADER") ?? "X-Gateway-Key"
        if secretField.lowercased() == emailField.lowercased() {
            reader.refuse("AUTH_SECRET_HEADER", value: secretField, because: "must differ from AUTH_EMAIL_HEADER")
        }
        trustsAnyPeer = reader.boolean("AUTH_TRUST_ANY_PEER")
        let fresh = reader.integer("AUTH_RECHECK_SECONDS")
        let stream = reader.integer("AUTH_RECHECK_STREAM_SECONDS")
        recheck = reader.text("AUTH_RECHECK_URL").map { Recheck(url: $0, fresh: fresh, stream: stream) }
        cookiePrefixes = reader.items("AUTH_COOKIE_PREFIXES")
        tellsPods = reader.boolean("POD_IDENTITY")
        adminEmails = reader.items("ADMIN_EMAILS").map { $0.lowercased() }
        adminSecret = reader.secret("ADMIN_SECRET")
        developmentEmail = reader.text("DEV_EMAIL")?.lowercased()

        if let email = developmentEmail {
            if !development {
                reader.refuse("DEV_EMAIL", value: email, because: "only with DEVELOPMENT=true")
            } else if !SettingSyntax.isLoopback(address) {
                reader.refuse(
                    "DEV_EMAIL", value: email,
                    because: "only with a loopback BIND_ADDRESS, which is \(address); anybody could be this user")
            }
        }
        let isProven = reader.isSet("TRUSTED_PROXIES") || reader.isSet("AUTH_SECRET") || trustsAnyPeer
        if !development, !isProven, !reader.isSet("AUTH_SECRET_FILE") {
            reader.refuse(
                "AUTH_SECRET",
                because: "not set, and neither is TRUSTED_PROXIES: anybody who can connect could name himself any user;"
                    + " expected one of the two, or AUTH_TRUST_ANY_PEER=true if the network is the proof")
        }
    }
}

extension Settings.RepositorySettings {
    init(_ reader: inout SettingReader) {
        schemes = reader.items("ALLOWED_REPO_SCHEMES").map { $0.lowercased() }
        let known = ["https", "http", "git", "ssh", "file"]
        for scheme in schemes where !known.contains(scheme) {
            reader.malformed(
                "ALLOWED_REPO_SCHEMES", value: scheme, expected: known.joined(separator: ", ") + ", separated by commas"
            )
        }
        hosts = reader.items("ALLOWED_REPO_HOSTS").map { $0.lowercased() }
        allowsPrivateAddresses = reader.boolean("ALLOW_PRIVATE_REPO_ADDRESSES")
        catalogueURL = reader.text("GITHUB_API_URL") ?? ""
        let servers = reader.items("GIT_TOKEN_HOSTS")
        tokenHosts = TokenHosts(servers) ?? .github
        if TokenHosts(servers) == nil {
            reader.malformed(
                "GIT_TOKEN_HOSTS", value: servers.joined(separator: ","),
                expected: "[user@]host[:port], separated by commas, without a scheme")
        }
    }
}

extension Settings.SessionSettings {
    init(_ reader: inout SettingReader, mocked: Bool, machine: Machine) {
        switch reader.text("SESSION_RUNTIME") {
        case _ where mocked: runtime = .mock
        case "kubernetes": runtime = .kubernetes
        case "local": runtime = .local
        default:
            let inCluster = reader.isSet("KUBECONFIG") || machine.exists(Machine.clusterToken)
            runtime = inCluster ? .kubernetes : .local
            reader.show("SESSION_RUNTIME", runtime.rawValue)
        }
        let idle = reader.duration("IDLE_TIMEOUT_MINUTES", unit: .seconds(60))
        idleTimeout = idle == .zero ? nil : idle
        humanWait = reader.duration("HUMAN_WAIT_HOURS", unit: .seconds(3600))
        let age = reader.duration("MAX_AGE_HOURS", unit: .seconds(3600))
        maximumAge = age == .zero ? nil : age
        func bound(_ name: String) -> Int? {
            let value = reader.integer(name)
            return value == 0 ? nil : value
        }
        perUser = bound("MAX_SESSIONS_PER_USER")
        runningPerUser = bound("MAX_RUNNING_PER_USER")
        runningInTotal = bound("MAX_RUNNING_TOTAL")
        agentGeneration = reader.text("OPENCODE_API").flatMap(AgentGeneration.init(rawValue:))
        let exportTime = Duration.milliseconds(reader.integer("ARCHIVE_TIMEOUT_MS"))
        let startTime = Duration.milliseconds(reader.integer("ARCHIVE_TEMP_POD_TIMEOUT_MS"))
        let isStrict = reader.boolean("ARCHIVE_STRICT_MODE")
        archive = reader.text("ARCHIVE_DIR").map {
            ArchiveSettings(folder: $0, exportTime: exportTime, startTime: startTime, isStrict: isStrict)
        }
    }
}

extension Settings.LocalSettings {
    init(_ reader: inout SettingReader, environment: [String: String]) {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil } }
        // Only absolute paths count (XDG Base Directory Specification).
        let base = variable("XDG_STATE_HOME") ?? variable("HOME").map { $0 + "/.local/state" } ?? "/var/lib"
        stateDirectory = reader.text("STATE_DIR") ?? base + "/opencode-router"
        if !reader.isSet("STATE_DIR") { reader.show("STATE_DIR", stateDirectory) }
        agentCommand = reader.text("AGENT_COMMAND")
    }
}

extension Settings.KubernetesSettings {
    /// Nil unless sessions run in Kubernetes; all values are checked in any case.
    init?(_ reader: inout SettingReader, required: Bool) {
        let image = reader.text("OPENCODE_IMAGE")
        if required, image == nil {
            reader.refuse(
                "OPENCODE_IMAGE", because: "not set; expected the session image, since sessions run in Kubernetes")
        }
        self.image = image ?? ""
        namespace = reader.text("OPENCODE_NAMESPACE") ?? ""
        kubeconfig = reader.text("KUBECONFIG")
        apiKeySecret = reader.text("API_KEY_SECRET_NAME") ?? ""
        configMap = reader.text("CONFIG_MAP_NAME") ?? ""
        imagePullSecret = reader.text("IMAGE_PULL_SECRET_NAME").flatMap { $0.isEmpty ? nil : $0 }
        storageClass = reader.text("STORAGE_CLASS").flatMap { $0.isEmpty ? nil : $0 }
        storageSize = reader.text("STORAGE_SIZE") ?? ""
        chromiumImage = reader.text("CHROMIUM_IMAGE") ?? ""
        editorImage = reader.text("EDITOR_IMAGE").flatMap { $0.isEmpty ? nil : $0 }
        editorPort = reader.port("EDITOR_PORT")
        if [4096, 9222].contains(editorPort) {
            reader.refuse("EDITOR_PORT", value: "\(editorPort)", because: "is the agent's or the browser's in a pod")
        }
        cpuRequest = reader.text("POD_CPU_REQUEST") ?? ""
        cpuLimit = reader.text("POD_CPU_LIMIT")
        memoryRequest = reader.text("POD_MEMORY_REQUEST") ?? ""
        memoryLimit = reader.text("POD_MEMORY_LIMIT") ?? ""
        // The API server would refuse every single pod.
        for (kind, request, limit) in [("CPU", cpuRequest, cpuLimit), ("MEMORY", memoryRequest, memoryLimit)] {
            guard let requested = SettingSyntax.amount(request), let limit, let limited = SettingSyntax.amount(limit),
                requested > limited
            else { continue }
            reader.refuse(
                "POD_\(kind)_REQUEST", value: request, because: "must not be more than POD_\(kind)_LIMIT=\(limit)")
        }
        routerURL = reader.text("OPENCODE_ROUTER_URL")
        externalDomain = reader.text("OPENCODE_ROUTER_EXTERNAL_DOMAIN")
        metricsURL = reader.text("VICTORIA_METRICS_URL")
        models = [:]
        for use in ["THINKING", "CODING", "RESEARCH"] { models[use] = reader.text("OPENCODE_MODEL_\(use)") }
        environment = (reader.text("POD_ENV") ?? "").split(separator: "\n").map { line in
            let name = line.prefix { $0 != "=" }
            return (String(name), String(line.dropFirst(name.count + 1)))
        }
        if !required { return nil }
    }
}

extension Settings.FileSettings {
    init(_ reader: inout SettingReader, machine: Machine) {
        func directory(_ name: String, _ folder: String) -> String {
            if let path = reader.text(name) { return path }
            let beside = machine.binaryDirectory + "/" + folder
            let path = machine.exists(beside) ? beside : "./" + folder
            reader.show(name, path)
            return path
        }
        publicDirectory = directory("PUBLIC_DIR", "Public")
        resourcesDirectory = directory("RESOURCES_DIR", "Resources")
    }
}

extension Settings.OperationsSettings {
    init(_ reader: inout SettingReader, development: Bool, machine: Machine) {
        if development, !reader.isSet("DRAIN_DELAY_SECONDS") {
            // Nobody balances load on a developer's machine, and Ctrl-C should not take seconds.
            drainDelay = .zero
            reader.show("DRAIN_DELAY_SECONDS", "0")
        } else {
            drainDelay = reader.duration("DRAIN_DELAY_SECONDS", unit: .seconds(1))
        }
        drain = reader.duration("DRAIN_SECONDS", unit: .seconds(1))
        logLevel = reader.text("LOG_LEVEL") ?? "info"
        let format = reader.text("LOG_FORMAT").flatMap(LogFormat.init(rawValue:))
        logFormat = format ?? (machine.isTerminal ? .text : .json)
        if format == nil { reader.show("LOG_FORMAT", logFormat.rawValue) }
        accessLog = reader.boolean("ACCESS_LOG")
        debugHeaders = reader.boolean("DEBUG_HEADERS")
    }
}

extension Settings.LimitSettings {
    init(_ reader: inout SettingReader) {
        requestLineBytes = reader.integer("MAX_REQUEST_LINE_BYTES")
        requestHeadBytes = reader.integer("MAX_REQUEST_HEAD_BYTES")
        requestFields = reader.integer("MAX_REQUEST_FIELDS")
        responseHeadBytes = reader.integer("MAX_RESPONSE_HEAD_BYTES")
        apiBodyBytes = reader.integer("MAX_API_BODY_BYTES")
        headTimeout = reader.duration("HEAD_TIMEOUT_SECONDS", unit: .seconds(1))
        idleConnection = reader.duration("IDLE_CONNECTION_SECONDS", unit: .seconds(1))
        connectTimeout = reader.duration("CONNECT_TIMEOUT_SECONDS", unit: .seconds(1))
        connectionsPerWorker = reader.integer("MAX_CONNECTIONS_PER_WORKER")
        // Without TRUSTED_PROXIES nobody can tell the ingress, which holds most connections, from anybody else.
        let usual = reader.isSet("TRUSTED_PROXIES") ? 256 : 0
        connectionsPerPeer =
            reader.isSet("MAX_CONNECTIONS_PER_PEER") ? reader.integer("MAX_CONNECTIONS_PER_PEER") : usual
        if !reader.isSet("MAX_CONNECTIONS_PER_PEER") { reader.show("MAX_CONNECTIONS_PER_PEER", "\(usual)") }
        bodyBytesPerSecond = reader.integer("MIN_BODY_BYTES_PER_SECOND")
        bodyWindowSeconds = reader.integer("MIN_BODY_WINDOW_SECONDS")
        streamsPerUser = reader.integer("MAX_STREAMS_PER_USER")
        requestsPerSecondPerUser = reader.integer("MAX_REQUESTS_PER_SECOND_PER_USER")
        if requestLineBytes > requestHeadBytes {
            reader.refuse(
                "MAX_REQUEST_LINE_BYTES", value: "\(requestLineBytes)",
                because: "must not exceed MAX_REQUEST_HEAD_BYTES")
        }
    }
}

extension Settings.DevelopmentRoutes {
    init(_ reader: inout SettingReader, development: Bool) {
        if let target = reader.text("DEV_POD_PROXY_TARGET") {
            everything = SessionEndpoint(target: target, incarnation: "DEV_POD_PROXY_TARGET")
            if everything == nil {
                reader.malformed("DEV_POD_PROXY_TARGET", value: target, expected: SessionEndpoint.acceptedTarget)
            }
            if !development {
                reader.refuse("DEV_POD_PROXY_TARGET", value: target, because: "only with DEVELOPMENT=true")
            }
        }
        guard let text = reader.text("DEV_ROUTES") else { return }
        if !development { reader.refuse("DEV_ROUTES", because: "only with DEVELOPMENT=true") }
        guard let rows = try? JSONDecoder().decode([Row].self, from: Data(text.utf8)) else {
            reader.malformed(
                "DEV_ROUTES", value: text,
                expected: #"a JSON list of {"hash": "…", "email": "…", "target": "http://127.0.0.1:4096"}"#)
            return
        }
        for row in rows {
            if let id = SessionID(row.hash), SettingSyntax.isEmail(row.email),
                let endpoint = SessionEndpoint(target: row.target, incarnation: "DEV_ROUTES \(row.hash)")
            {
                routes.append(Route(id: id, owner: row.email.lowercased(), endpoint: endpoint))
            } else {
                reader.malformed(
                    "DEV_ROUTES", value: "\(row.hash), \(row.email), \(row.target)",
                    expected: "twelve digits of 0-9a-f, an e-mail address and " + SessionEndpoint.acceptedTarget)
            }
        }
    }

    private struct Row: Decodable {
        var hash: String
        var email: String
        var target: String
    }
}

extension SessionEndpoint {
    fileprivate static let acceptedTarget = "http://ADDRESS:PORT with a numeric address or localhost"

    /// A fixed place to proxy to, written as `http://127.0.0.1:4096`.
    fileprivate init?(target: String, incarnation: String) {
        guard let url = URL(string: target), url.scheme == "http", url.user() == nil,
            url.path() == "" || url.path() == "/", url.query() == nil,
            var address = url.host(), let port = UInt16(exactly: url.port ?? 80), port > 0
        else { return nil }
        if address == "localhost" { address = "127.0.0.1" }
        if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
        guard SettingSyntax.isAddress(address) else { return nil }
        self.init(incarnation: incarnation, address: address, port: port)
    }
}
