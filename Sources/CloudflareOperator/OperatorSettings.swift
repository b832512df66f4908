package import HTTPClient
package import KubernetesAPI

/// Everything that an operator is told, checked by whoever reads the settings.
package struct OperatorSettings: Sendable {
    /// Where the router tells which ports a session listens on.
    package struct PortSource: Sendable {
        package var router: HTTPURL
        /// The name that the router answers to.
        package var host: String
        package var secret: String
        /// Ports that get a host of their own.
        package var allowed: Set<Int>

        package init(router: HTTPURL, host: String, secret: String, allowed: Set<Int>) {
            self.router = router
            self.host = host
            self.secret = secret
            self.allowed = allowed
        }
    }

    package var cloudflare: CloudflareClient.Access
    package var hosts: SessionHosts
    package var template: RouteTemplate
    /// Where the tunnel's rules lead: a URL as cloudflared takes it.
    package var service: String
    package var isWildcard: Bool
    /// Nil: ports get no hosts.
    package var ports: PortSource?
    package var pods: ObjectSelector
    package var claims = ObjectSelector(labels: "app.kubernetes.io/managed-by=opencode-router")
    /// Unlike that of every other process, now and later.
    package var identity: String
    /// Changes are waited for until none has come for so long, at most five times as long.
    package var settle = Duration.seconds(2)
    /// Everything is compared at least so often.
    package var resync = Duration.seconds(300)
    package var portInterval = Duration.seconds(30)

    package init(
        cloudflare: CloudflareClient.Access, hosts: SessionHosts, template: RouteTemplate, service: String,
        isWildcard: Bool, ports: PortSource?, pods: ObjectSelector, identity: String
    ) {
        self.cloudflare = cloudflare
        self.hosts = hosts
        self.template = template
        self.service = service
        self.isWildcard = isWildcard
        self.ports = ports
        self.pods = pods
        self.identity = identity
    }
}
