/// Every setting of the Cloudflare operator, declared once.
enum OperatorSettingTable {
    private static let port = SettingTable.port
    private static let seconds = SettingKind.number(0.01...86400)

    static let rows: [SettingDeclaration] = [
        .init(
            "CF_API_TOKEN", .text, .cloudflare, note: "required", secret: true,
            "API token with DNS:Edit and Zone:Read of the zone and Cloudflare Tunnel:Edit of its account."),
        .init("CF_ZONE_ID", .text, .cloudflare, note: "required", "The zone that DOMAIN is in."),
        .init("CF_TUNNEL_ID", .text, .cloudflare, note: "required", "The tunnel whose rules are kept."),
        .init(
            "CF_API_URL", .url, .cloudflare, default: "https://api.cloudflare.com/client/v4",
            "Base of Cloudflare's API; http:// only for this machine."),

        .init("DOMAIN", .domain, .routes, note: "required", "Base domain of the session hosts."),
        .init(
            "ROUTE_SUFFIX", .labelPart, .routes, default: "", "What follows the hash in a session host's first label."),
        .init("ATTACH_ROUTE_PREFIX", .labelPart, .routes, default: "attach-", "Prefix of attach hosts."),
        .init(
            "EDITOR_ROUTE_PREFIX", .labelPart, .routes, note: "editors have no hosts",
            "Prefix of editors' hosts, as the router has it."),
        .init(
            "WILDCARD", .boolean, .routes, default: "false",
            "Keep one record and one tunnel rule for *.DOMAIN, and nothing per session. Recommended."),
        .init(
            "ROUTER_SERVICE_URL", .url, .routes, note: "required",
            "Where the tunnel's rules lead, as cloudflared reaches it: the ingress, or the router itself."),
        .init(
            "INGRESSROUTE_NAMESPACE", .text, .routes, note: "WATCH_NAMESPACE",
            "Namespace of the IngressRoutes, their middleware and the router's services."),
        .init(
            "OAUTH2_CHAIN_MIDDLEWARE", .text, .routes, default: "opencode-router-oauth2-chain",
            "Traefik middleware that asks who somebody is."),
        .init(
            "ROUTER_SERVICE_NAME", .text, .routes, default: "opencode-router",
            "The router's Service, on port 80, that session hosts lead to."),
        .init(
            "ATTACH_SERVICE_NAME", .text, .routes, note: "ROUTER_SERVICE_NAME", "Service that attach hosts lead to."),
        .init("ATTACH_SERVICE_PORT", .integer(1...65535), .routes, default: "4096", "Its port."),
        .init(
            "OAUTH2_PROXY_SERVICE", .text, .routes, default: "oauth2-proxy/oauth2-proxy-users:80",
            "Service (namespace/name:port) that /oauth2/ of session hosts leads to."),
        .init(
            "CENTRAL_SIGN_IN", .boolean, .routes, default: "false",
            "Sign-in has a host of its own: /oauth2/ leads nowhere on session hosts. Safer."),

        .init("WATCH_NAMESPACE", .text, .watching, default: "opencode-router", "Namespace of the sessions."),
        .init(
            "POD_LABEL_SELECTOR", .text, .watching, default: "app.kubernetes.io/managed-by=opencode-router",
            "Which pods are sessions."),
        .init("KUBECONFIG", .path, .watching, "Client configuration; used only without an in-cluster token."),
        .init(
            "ROUTER_ADMIN_URL", .url, .watching, note: "required without WILDCARD",
            "Where the router tells which ports sessions listen on."),
        .init(
            "ROUTER_ADMIN_HOST", .domain, .watching, note: "DOMAIN",
            "The host that the router is asked as: one on which its API answers (ROUTER_HOSTS)."),
        .init(
            "ROUTER_ADMIN_SECRET", .text, .watching, note: "required without WILDCARD", secret: true,
            "The router's ADMIN_SECRET."),
        .init(
            "DEV_PORT_ALLOWLIST", .list, .watching, default: "3000,3001,4321,5173,5174,8000,8080,8888",
            "Ports that get a host of their own while something listens on them."),
        .init(
            "OPENCODE_PORT", .integer(1...65535), .watching, default: "4096",
            "The agent's port; never a host of its own."),

        .init("BIND_ADDRESS", .address, .running, default: "0.0.0.0", "Address of the operations listener."),
        .init(
            "HEALTH_PORT", port, .running, default: "8080",
            "Operations listener: /healthz, /readyz and /metrics. 0: the kernel chooses."),
        .init(
            "SETTLE_SECONDS", seconds, .running, default: "2",
            "Changes are collected until none has come for so long, at most five times as long."),
        .init("RESYNC_SECONDS", seconds, .running, default: "300", "Everything is compared at least so often."),
        .init("PORT_POLL_SECONDS", seconds, .running, default: "30", "How often ports are asked for."),
        .init(
            "LOG_LEVEL", .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), .running,
            default: "info", "Least level that is logged."),
        .init(
            "LOG_FORMAT", .choice(["json", "text"]), .running, note: "json; text on a terminal",
            "Shape of log lines on standard error."),
    ]
}
