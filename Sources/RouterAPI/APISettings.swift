package import Sessions

/// What the API needs to know of the installation.
package struct APISettings: Sendable {
    /// The product's version, as `GET /api/version` tells it.
    package var version: String
    /// Scheme of session addresses (ROUTER_PROTO).
    package var scheme: String
    /// Base domain, with its port if it has one (ROUTER_DOMAIN).
    package var domain: String
    /// Between hash and domain (ROUTE_SUFFIX).
    package var routeSuffix: String
    /// Before the hash in attach hosts (ATTACH_ROUTE_PREFIX).
    package var attachPrefix: String
    /// Host and port behind which attach hosts are served, if not the domain itself.
    package var attachDomain: String?
    /// Before the hash in the hosts of editors (EDITOR_ROUTE_PREFIX).
    package var editorPrefix = "editor-"
    package var repositories: RepositoryURLPolicy
    package var limits: SessionLimits
    package var idle: IdleSettings
    /// Which ports of sessions may be reached.
    package var ports: PortPolicy
    /// Value of X-Admin-Secret that opens the admin endpoints (ADMIN_SECRET).
    package var adminSecret: String?
    /// So often an event stream says that it lives.
    package var pingInterval: Duration
    /// So long an order waits for the directory to show what it did.
    package var settleTime: Duration
    /// The folder that a session's agent works in, for deep links to a conversation; nil where it is not known.
    package var agentDirectory: @Sendable (Session) -> String?
    /// The agents' API where a session does not say which (OPENCODE_API).
    package var agentGeneration = AgentGeneration.v1
    /// The servers that the users' tokens belong to (GIT_TOKEN_HOSTS).
    package var tokenHosts = TokenHosts.github

    package init(
        version: String, scheme: String, domain: String, routeSuffix: String = "", attachPrefix: String = "attach-",
        attachDomain: String? = nil, repositories: RepositoryURLPolicy = RepositoryURLPolicy(),
        limits: SessionLimits = SessionLimits(), idle: IdleSettings = IdleSettings(),
        ports: PortPolicy = PortPolicy(), adminSecret: String? = nil, pingInterval: Duration = .seconds(15),
        settleTime: Duration = .seconds(2),
        agentDirectory: @escaping @Sendable (Session) -> String? = { _ in "/home/opencode/repo" }
    ) {
        self.version = version
        self.scheme = scheme
        self.domain = domain
        self.routeSuffix = routeSuffix
        self.attachPrefix = attachPrefix
        self.attachDomain = attachDomain
        self.repositories = repositories
        self.limits = limits
        self.idle = idle
        self.ports = ports
        self.adminSecret = adminSecret
        self.pingInterval = pingInterval
        self.settleTime = settleTime
        self.agentDirectory = agentDirectory
    }
}
