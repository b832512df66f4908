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
        session: SessionRecord, run: String, password: String, podSecret: String, git: GitAccess?,
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
        if let git { result.merge(git.environment) { _, new in new } }
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

/// The owner's token for one host, in the form that git takes without it ever being an argument, a URL or a file.
///
/// A credential helper in the environment's configuration answers for this origin only, so a redirect or a submodule
/// elsewhere is never given the token; git asks it after the server's 401.
struct GitAccess: Sendable {
    /// What git is to find in its environment.
    let environment: [String: String]
    /// The token itself, to be taken out of everything that is logged.
    let token: String

    /// Access to this repository's host; nil where no token is of use.
    init?(token: String?, to url: RepositoryURL?) {
        guard let token, !token.isEmpty, let url, url.scheme == "https" || url.scheme == "http" else { return nil }
        // A line break would end the helper's answer early; such a token is none.
        guard token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        let origin = "\(url.scheme)://\(url.host)\(url.port.map { ":\($0)" } ?? "")"
        // GitHub, GitLab and Gitea all take a token as the password of a user of any name; this one is GitHub's.
        let helper =
            "!f() { test \"$1\" = get && echo username=x-access-token && echo \"password=$OPENCODE_GIT_TOKEN\"; }; f"
        var environment = [
            "OPENCODE_GIT_TOKEN": token,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "credential.\(origin).helper",
            "GIT_CONFIG_VALUE_0": helper,
        ]
        if url.host == "github.com" { environment["GITHUB_TOKEN"] = token }
        self.environment = environment
        self.token = token
    }
}
