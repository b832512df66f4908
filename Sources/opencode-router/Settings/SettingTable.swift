/// Every setting of the router, declared once.
enum SettingTable {
    /// All settings with the file variants of secrets, in the order in which they are printed.
    static var all: [SettingDeclaration] { SettingCatalogue.router.all }

    static let rows: [SettingDeclaration] =
        listeners + hosts + identity + repositories + sessions + local + kubernetes + files + operations + limits
        + development

    static let port = SettingKind.integer(0...65535)
    private static let count = SettingKind.integer(0...Int.max)
    private static let positive = SettingKind.integer(1...Int.max)
    private static let milliseconds = SettingKind.integer(1...3_600_000)
    /// Bounded, for a multiple of it has to be a time that clocks can count to; the longest is as good as never.
    private static let amount = SettingKind.number(0...1_000_000_000)

    private static let listeners: [SettingDeclaration] = [
        .init(
            "BIND_ADDRESS", .address, .listeners, default: "0.0.0.0", note: "0.0.0.0; 127.0.0.1 in development mode",
            "Address that all listeners bind; :: takes IPv6 and IPv4."),
        .init("PORT", port, .listeners, default: "3000", "Main listener, behind the ingress. 0: the kernel chooses."),
        .init(
            "ATTACH_PORT", port, .listeners, default: "4096",
            "Listener for `opencode attach`; not opened if equal to PORT."),
        .init(
            "POD_PORT", port, .listeners, default: "3001",
            "Listener for calls from sessions, each proven by its pod's own secret; serves nothing else."),
        .init(
            "METRICS_PORT", port, .listeners, default: "9090",
            "Operations listener: /healthz, /readyz and /metrics; never reachable through the main one."),
        .init(
            "TAKE_OVER", .boolean, .listeners, default: "false",
            "Share the ports with a router that runs, METRICS_PORT aside, until it is told to end; no connection is lost."
        ),
        .init(
            "WORKERS", .integer(1...1024), .listeners, note: "number of cores",
            "Proxy threads; each has its own event loop and listener."),
    ]

    private static let hosts: [SettingDeclaration] = [
        .init(
            "ROUTER_DOMAIN", .domain, .hosts, note: "required; localhost:PORT in development mode",
            "Base domain of the session hosts. A port is ignored when hosts are matched and kept in URLs."),
        .init(
            "ROUTER_HOSTS", .domains, .hosts,
            note: "ROUTER_DOMAIN and any host one label below it that is no session host",
            "Hosts on which the picker and the API answer."),
        .init(
            "ROUTER_PROTO", .choice(["http", "https"]), .hosts, default: "https",
            note: "https; http in development mode", "Scheme of generated URLs."),
        .init(
            "ROUTE_SUFFIX", .labelPart, .hosts, default: "", "What follows the hash in a session host's first label."),
        .init("ATTACH_ROUTE_PREFIX", .labelPart, .hosts, default: "attach-", "Prefix of attach hosts."),
        .init("EDITOR_ROUTE_PREFIX", .labelPart, .hosts, default: "editor-", "Prefix of editor hosts."),
    ]

    private static let identity: [SettingDeclaration] = [
        .init(
            "AUTH_MODE", .choice(["forward-auth", "upstream"]), .identity, default: "forward-auth",
            "How oauth2-proxy is wired: forward-auth reads X-Auth-Request-Email, upstream reads X-Forwarded-Email."),
        .init(
            "AUTH_EMAIL_HEADER", .fieldName, .identity, note: "by AUTH_MODE",
            "The one field that carries the user's e-mail address, if it has another name."),
        .init(
            "TRUSTED_PROXIES", .addressRanges, .identity,
            "Peers that may say who the user is. This or AUTH_SECRET is required outside development mode."),
        .init(
            "AUTH_SECRET", .text, .identity, secret: true,
            "Shared secret by which the ingress proves itself; two, separated by white space, while it is rotated."),
        .init("AUTH_SECRET_HEADER", .fieldName, .identity, default: "X-Gateway-Key", "Field that carries AUTH_SECRET."),
        .init(
            "AUTH_TRUST_ANY_PEER", .boolean, .identity, default: "false",
            "Believe the identity field from anybody who can connect. Only where the network itself is the proof."),
        .init(
            "AUTH_RECHECK_URL", .url, .identity,
            "oauth2-proxy's /oauth2/auth, asked with a request's own sign-in cookies whether the sign-in still holds."),
        .init(
            "AUTH_RECHECK_SECONDS", .integer(1...3600), .identity, default: "30",
            "So long an answer of AUTH_RECHECK_URL counts."),
        .init(
            "AUTH_RECHECK_STREAM_SECONDS", .integer(1...86400), .identity, default: "300",
            "So often it is asked again while a stream or WebSocket stays open."),
        .init(
            "AUTH_COOKIE_PREFIXES", .list, .identity, default: "_oauth2",
            "Cookies whose names start so are kept from sessions."),
        .init("POD_IDENTITY", .boolean, .identity, default: "false", "Tell sessions the user in X-Forwarded-User."),
        .init("ADMIN_EMAILS", .emails, .identity, "Administrators."),
        .init(
            "ADMIN_SECRET", .text, .identity, secret: true, "Value of X-Admin-Secret that opens the admin endpoints."),
    ]

    private static let repositories: [SettingDeclaration] = [
        .init(
            "ALLOWED_REPO_SCHEMES", .list, .repositories, default: "https", "Schemes a repository URL may have."),
        .init(
            "ALLOWED_REPO_HOSTS", .domains, .repositories, note: "any",
            "Hosts that repositories may be on; *.example.com takes every host below it."),
        .init(
            "ALLOW_PRIVATE_REPO_ADDRESSES", .boolean, .repositories, default: "false",
            "Allow repositories on private, loopback and link-local addresses."),
        .init(
            "GIT_TOKEN_HOSTS", .list, .repositories, default: "github.com",
            "Git servers, `[user@]host[:port]`, that the tokens of the sign-in belong to; by https, and to no other."),
        .init(
            "GITHUB_API_URL", .url, .repositories, default: "https://api.github.com",
            "GitHub's API for lists of repositories; `https://HOST/api/v3` of GitHub Enterprise Server."),
    ]

    private static let sessions: [SettingDeclaration] = [
        .init(
            "SESSION_RUNTIME", .choice(["auto", "kubernetes", "local"]), .sessions, default: "auto",
            "Where sessions run. auto: kubernetes with an in-cluster token or KUBECONFIG, else local."),
        .init(
            "IDLE_TIMEOUT_MINUTES", amount, .sessions, default: "15",
            "Stop a session after so long without use; 0: never."),
        .init(
            "HUMAN_WAIT_HOURS", amount, .sessions, default: "24",
            "How long a session that waits for a person's answer is kept."),
        .init("MAX_AGE_HOURS", amount, .sessions, default: "0", "Stop a session this long after its start; 0: never."),
        .init("MAX_SESSIONS_PER_USER", count, .sessions, default: "0", "Sessions one user may have; 0: no limit."),
        .init(
            "MAX_RUNNING_PER_USER", count, .sessions, default: "0", "Sessions one user may run at a time; 0: no limit."),
        .init("MAX_RUNNING_TOTAL", count, .sessions, default: "0", "Sessions that may run at a time; 0: no limit."),
        .init(
            "ARCHIVE_DIR", .path, .sessions, note: "none: nothing is kept",
            "Where the conversations of a session are kept when it is deleted, for its owner."),
        .init(
            "ARCHIVE_TIMEOUT_MS", milliseconds, .sessions, default: "30000",
            "How long an agent may take to tell its conversations."),
        .init(
            "ARCHIVE_TEMP_POD_TIMEOUT_MS", milliseconds, .sessions, default: "120000",
            "How long the agent of a session that sleeps may take to start, to be asked."),
        .init(
            "ARCHIVE_STRICT_MODE", .boolean, .sessions, default: "false",
            "Do not delete a session whose conversations cannot be kept."),
    ]

    private static let local: [SettingDeclaration] = [
        .init(
            "STATE_DIR", .path, .local, note: "$XDG_STATE_HOME/opencode-router, else ~/.local/state/opencode-router",
            "Folder of local sessions: their state, logs and clones."),
        .init(
            "AGENT_COMMAND", .text, .local, note: "opencode serve if on PATH, else the demo agent",
            "What a local session runs; {port} and {dir} are filled in."),
    ]

    private static let kubernetes: [SettingDeclaration] = [
        .init(
            "OPENCODE_IMAGE", .text, .kubernetes, note: "required with Kubernetes",
            "Image of a session's init and agent containers."),
        .init(
            "OPENCODE_NAMESPACE", .text, .kubernetes, default: "opencode", "Namespace of all objects."),
        .init(
            "KUBECONFIG", .path, .kubernetes,
            "Client configuration; used only without an in-cluster token."),
        .init(
            "API_KEY_SECRET_NAME", .text, .kubernetes, default: "opencode-api-keys",
            "Secret whose entries become the agent's environment."),
        .init(
            "CONFIG_MAP_NAME", .text, .kubernetes, default: "opencode-config-dir",
            "ConfigMap mounted as the agent's configuration."),
        .init("IMAGE_PULL_SECRET_NAME", .text, .kubernetes, default: "", "Secret for pulling images."),
        .init(
            "STORAGE_CLASS", .text, .kubernetes, default: "", note: "the cluster's default",
            "Storage class of sessions' volumes."),
        .init("STORAGE_SIZE", .quantity, .kubernetes, default: "2Gi", "Size of a session's volume."),
        .init(
            "CHROMIUM_IMAGE", .text, .kubernetes, default: "chromedp/headless-shell:latest",
            "Image of the browser sidecar."),
        .init(
            "POD_CPU_REQUEST", .quantity, .kubernetes, default: "250m",
            "CPU that the agent container requests."),
        .init(
            "POD_CPU_LIMIT", .quantity, .kubernetes, note: "none", "CPU limit of the agent container."),
        .init(
            "POD_MEMORY_REQUEST", .quantity, .kubernetes, default: "512Mi",
            "Memory that the agent container requests."),
        .init(
            "POD_MEMORY_LIMIT", .quantity, .kubernetes, default: "2Gi",
            "Memory limit of the agent container."),
        .init(
            "OPENCODE_ROUTER_URL", .url, .kubernetes,
            "In-cluster URL of POD_PORT (`http://<service>:3001`), given to pods; unset: pods stay silent."),
        .init(
            "OPENCODE_ROUTER_EXTERNAL_DOMAIN", .domain, .kubernetes,
            "Domain that pods put into preview URLs."),
        .init(
            "EDITOR_IMAGE", .text, .kubernetes, note: "none: sessions have no editor",
            "Image of the editor sidecar, which shows and changes the session's files on a host of its own."),
        .init(
            "EDITOR_PORT", .integer(1024...65535), .kubernetes, default: "7681",
            "Port of the editor sidecar, told to it as EDITOR_PORT; never reachable as a port host."),
        .init(
            "VICTORIA_METRICS_URL", .url, .kubernetes, "Where pods push what their models cost."),
        .init("POD_ENV", .lines, .kubernetes, "Further variables of the agent container."),
        .init(
            "OPENCODE_API", .choice(["auto", "v1", "v2"]), .sessions, default: "auto",
            "Version of the agents' API; `auto` asks each agent."),
        .init("OPENCODE_MODEL_THINKING", .text, .kubernetes, "Model for thinking, where a user has set none."),
        .init("OPENCODE_MODEL_CODING", .text, .kubernetes, "Model for coding, where a user has set none."),
        .init("OPENCODE_MODEL_RESEARCH", .text, .kubernetes, "Model for research, where a user has set none."),
    ]

    private static let files: [SettingDeclaration] = [
        .init(
            "PUBLIC_DIR", .path, .files, note: "Public beside the binary, else ./Public", "Files of the picker."),
        .init(
            "RESOURCES_DIR", .path, .files, note: "Resources beside the binary, else ./Resources",
            "Data files read at run time."),
    ]

    private static let operations: [SettingDeclaration] = [
        .init(
            "DRAIN_DELAY_SECONDS", amount, .operations, default: "5", note: "5; 0 in development mode",
            "How long the router serves on as before after SIGTERM while /readyz says no, until load balancers know."),
        .init(
            "DRAIN_SECONDS", amount, .operations, default: "30",
            "How long open requests may go on after that."),
        .init(
            "LOG_LEVEL", .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), .operations,
            default: "info", "Least level that is logged."),
        .init(
            "LOG_FORMAT", .choice(["json", "text"]), .operations, note: "json; text on a terminal",
            "Shape of log lines on standard error."),
        .init(
            "ACCESS_LOG", .boolean, .operations, default: "false",
            "Log a line per request. Off, because such lines tell who works on what, and the ingress has its own."),
        .init(
            "DEBUG_HEADERS", .boolean, .operations, default: "false",
            "Log method, host, e-mail address and whether a token came, for every request."),
    ]

    private static let limits: [SettingDeclaration] = [
        .init("MAX_REQUEST_LINE_BYTES", .integer(256...65536), .limits, default: "8192", "Longest request line."),
        .init(
            "MAX_REQUEST_HEAD_BYTES", .integer(1024...1_048_576), .limits, default: "65536", "Largest request head."),
        .init("MAX_REQUEST_FIELDS", .integer(10...2000), .limits, default: "200", "Most fields in a request head."),
        .init(
            "MAX_RESPONSE_HEAD_BYTES", .integer(1024...4_194_304), .limits, default: "262144",
            "Largest response head of a session."),
        .init("MAX_API_BODY_BYTES", .integer(1024...16_777_216), .limits, default: "262144", "Largest API body."),
        .init("HEAD_TIMEOUT_SECONDS", amount, .limits, default: "10", "A request head must be complete in so long."),
        .init(
            "IDLE_CONNECTION_SECONDS", amount, .limits, default: "120",
            "Idle connections close after so long; keep it above the ingress's own limit."),
        .init("CONNECT_TIMEOUT_SECONDS", amount, .limits, default: "2", "Connecting to a session may take so long."),
        .init(
            "MAX_CONNECTIONS_PER_WORKER", positive, .limits, default: "10000", "Client connections of one worker."),
        .init(
            "MAX_CONNECTIONS_PER_PEER", count, .limits, note: "256 with TRUSTED_PROXIES, else 0",
            "Client connections that one address may hold on one worker, TRUSTED_PROXIES aside; 0: no limit."),
        .init(
            "MIN_BODY_BYTES_PER_SECOND", count, .limits, default: "500",
            "A client that sends or reads a body more slowly, so that the session waits for it, is cut off; 0: never."),
        .init(
            "MIN_BODY_WINDOW_SECONDS", .integer(1...3600), .limits, default: "30",
            "Time over which MIN_BODY_BYTES_PER_SECOND is measured."),
        .init(
            "MAX_STREAMS_PER_USER", positive, .limits, default: "64",
            "Event streams that one user may hold: of the API, and of all sessions."),
        .init(
            "MAX_REQUESTS_PER_SECOND_PER_USER", positive, .limits, default: "256",
            "Requests that one user may make in a second: picker, API and sessions together."),
    ]

    private static let development: [SettingDeclaration] = [
        .init(
            "MOCK_K8S", .boolean, .development, default: "false", alias: "--mock",
            """
            Three sessions in memory with a demonstration agent, for working on the picker. Implies DEVELOPMENT=true, \
            PORT=3002 and DEV_EMAIL=dev@local.test unless they are set.
            """),
        .init(
            "DEV_VITE_URL", .url, .development,
            "Replaced by PUBLIC_DIR: the picker has no build step. Does nothing, and the start says so."),
        .init(
            "DEVELOPMENT", .boolean, .development, default: "false",
            "Development mode: loopback listeners, ROUTER_DOMAIN and ROUTER_PROTO for this machine, DEV_* allowed."),
        .init(
            "DEV_EMAIL", .email, .development,
            "Everybody is this user. Needs DEVELOPMENT and a loopback BIND_ADDRESS."),
        .init(
            "DEV_POD_PROXY_TARGET", .url, .development,
            "All session hosts go to this URL, as running sessions of whoever asks. Needs DEVELOPMENT."),
        .init(
            "DEV_ROUTES", .json, .development,
            #"Fixed session hosts: [{"hash": "…", "email": "…", "target": "http://127.0.0.1:4096"}]. Needs DEVELOPMENT."#
        ),
    ]
}
