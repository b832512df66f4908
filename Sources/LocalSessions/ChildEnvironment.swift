import Sessions

/// The environments that processes of a session get: chosen name by name, so that the gateway's secrets stay with it.
struct ChildEnvironment: Sendable {
    private let settings: LocalSessionSettings
    private let instanceMark: (name: String, value: String)

    /// Marks every process of one state directory; found again after a crash.
    static let instanceName = "OPENCODE_ROUTER_INSTANCE"
    /// Marks every process of one run of one session.
    static let runName = "OPENCODE_ROUTER_RUN"

    init(_ settings: LocalSessionSettings, instance: String) {
        self.settings = settings
        instanceMark = (Self.instanceName, instance)
    }

    /// What a person's programs need to work as that person expects, and no more.
    private static let alwaysPassed: Set<String> = [
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "COLORTERM", "LANG", "LANGUAGE", "TZ", "TMPDIR",
        "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
    ]

    /// The gateway's own, which no list may pass on.
    private static let neverPassed: Set<String> = [
        "AUTH_SECRET", "AUTH_SECRET_FILE", "ADMIN_SECRET", "ADMIN_SECRET_FILE", "CF_API_TOKEN", "KUBECONFIG",
        "OPENCODE_SERVER_PASSWORD", "OPENCODE_SERVER_USERNAME", instanceName, runName,
    ]

    private func isPassed(_ name: String) -> Bool {
        if Self.neverPassed.contains(name) { return false }
        return Self.alwaysPassed.contains(name) || name.hasPrefix("LC_") || settings.passedEnvironment.contains(name)
    }

    /// The agent's environment: what is passed on, what is set by the settings, and what names the session.
    func agent(
        session: SessionRecord, run: String, password: String, podSecret: String, token: String?,
        secrets: [String: String]
    ) -> [String: String] {
        var result = settings.environment.filter { isPassed($0.key) }
        result.merge(secrets.filter { !Self.neverPassed.contains($0.key) }) { _, new in new }
        result.merge(settings.agentEnvironment.filter { !Self.neverPassed.contains($0.key) }) { _, new in new }
        result["OPENCODE_SESSION_HASH"] = session.id
        result["OPENCODE_USER_EMAIL"] = session.email
        result["OPENCODE_POD_SECRET"] = podSecret
        result["OPENCODE_SERVER_USERNAME"] = "opencode"
        result["OPENCODE_SERVER_PASSWORD"] = password
        // An agent that replaces itself while the gateway watches it looks like one that crashed.
        result["OPENCODE_DISABLE_AUTOUPDATE"] = "1"
        result[Self.runName] = run
        result[instanceMark.name] = instanceMark.value
        if session.ownerHasToken == true {
            result.merge(ownerGit(token, hasOwn: secrets["GITHUB_TOKEN"] != nil)) { _, new in new }
        }
        return result
    }

    /// How the agent's git gets the owner's token: by asking the router whenever a server wants one.
    ///
    /// In place of what this account has for those servers: a session's pushes are its owner's, not the gateway's.
    private func ownerGit(_ token: String?, hasOwn: Bool) -> [String: String] {
        guard let helper = settings.credentialHelper else { return [:] }
        let script = "'\(helper.replacing("'", with: "'\\''"))'"
        var configuration: [(String, String)] = []
        for entry in settings.tokenHosts.entries {
            configuration.append(("credential.\(entry.origin).helper", ""))
            configuration.append(("credential.\(entry.origin).helper", "!sh \(script) \(entry.user) \(entry.host)"))
        }
        var result = ["GIT_CONFIG_COUNT": "\(configuration.count)"]
        for (index, (key, value)) in configuration.enumerated() {
            result["GIT_CONFIG_KEY_\(index)"] = key
            result["GIT_CONFIG_VALUE_\(index)"] = value
        }
        guard let token else { return result }
        result["OPENCODE_GIT_TOKEN"] = token
        // For GitHub's own tools; a token that the user has set is stronger.
        if !hasOwn, settings.tokenHosts.user(scheme: "https", host: "github.com") != nil {
            result["GITHUB_TOKEN"] = token
        }
        return result
    }

    /// git's environment while a folder is prepared: nobody's configuration, no questions, only these protocols.
    func git(run: String, home: String, schemes: [String], access: GitAccess?) -> [String: String] {
        let network: Set<String> = [
            "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
            "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "PATH", "TMPDIR", "TZ",
        ]
        var result = settings.environment.filter { network.contains($0.key) }
        result["HOME"] = home
        result["XDG_CONFIG_HOME"] = home
        // Messages are read by GitFailure, so they must be in its language.
        result["LC_ALL"] = "C.UTF-8"
        result["GIT_CONFIG_NOSYSTEM"] = "1"
        result["GIT_CONFIG_GLOBAL"] = "/dev/null"
        result["GIT_ATTR_NOSYSTEM"] = "1"
        result["GIT_TERMINAL_PROMPT"] = "0"
        result["GIT_ALLOW_PROTOCOL"] = schemes.filter(Self.gitProtocols.contains).joined(separator: ":")
        result["GIT_PROTOCOL_FROM_USER"] = "0"
        result["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
        result["GIT_OPTIONAL_LOCKS"] = "0"
        result[Self.runName] = run
        result[instanceMark.name] = instanceMark.value
        if let access { result.merge(access.environment) { _, new in new } }
        return result
    }

    /// The protocols that a setting can allow; `ext` runs commands and is none of them.
    private static let gitProtocols: Set<String> = ["https", "http", "file", "ssh", "git"]
}
