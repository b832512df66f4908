package import Assets
package import Identity

/// What the workers need to know; read once at start.
package struct DataPlaneSettings: Sendable {
    /// How browsers reach the gateway: `https`, or `http` in development.
    package var publicScheme: String
    package var identity: IdentityPolicy
    package var origins: RequestOriginPolicy
    package var cookies: CookiePolicy
    /// Cookies whose names begin with one of these never reach a session.
    package var authCookiePrefixes: [String]
    /// Who may show a session in a frame, as CSP `frame-ancestors` sources: the picker's origin.
    package var frameAncestors = "'self'"
    /// The field that carries the ingress's key; never reaches a session.
    package var secretField: String
    /// Whether sessions are told the caller's address in X-Forwarded-User.
    package var tellsSessionsTheUser = false
    /// The site's files.
    package var assets: AssetCatalogue
    package var pages: Pages
    package var workers = 1
    /// Whether finished requests are told to an access log.
    package var accessLog = false
    /// Whether the access log also tells who asked.
    package var accessLogTellsWho = false
    /// How sign-ins are asked about again; nil: the ingress has asked, and that is enough.
    package var recheck: SignInRecheck?
    package var connectionsPerWorker = 10_000
    /// Whether a router that runs may have the ports, too, until it is told to end: listening then begins with `open`.
    package var takesOver = false
    /// Client connections that one address may hold on one worker, the trusted proxies aside; 0: no limit.
    package var connectionsPerPeer = 0
    /// What one identity may ask of all hosts together; also what one peer may ask without proving anybody. Zero is no
    /// limit.
    package var requestsPerSecond = 256
    /// Event streams of sessions that one identity may hold.
    package var streamsPerIdentity = 64
    package var requestLineLimit = 8 << 10
    package var requestHeadLimit = 64 << 10
    package var requestFieldLimit = 200
    package var responseHeadLimit = 256 << 10
    package var apiBodyLimit = 256 << 10
    package var headSeconds = 10
    package var idleSeconds = 120
    package var connectSeconds = 2
    /// A client that is the slow side must move this many bytes in every window of `floorSeconds`.
    package var floorBytes: UInt64 = 15_000
    package var floorSeconds = 30
    /// How long an idle connection lives on after SIGTERM: one that is in use learns of the end by its next answer.
    package var idleDrainMilliseconds: UInt64 = 1000
    /// Pipes of 1 MiB that each worker may own.
    package var pipesPerWorker = 16

    /// The documents that session hosts show instead of the session.
    package struct Pages: Sendable {
        /// Shown while a session starts; reloads itself.
        package var starting: [UInt8]
        /// Shown when it could not start.
        package var failed: [UInt8]
        /// The Content-Security-Policy of both.
        package var securityPolicy: String

        package init(starting: [UInt8], failed: [UInt8], securityPolicy: String) {
            self.starting = starting
            self.failed = failed
            self.securityPolicy = securityPolicy
        }
    }

    package init(
        publicScheme: String, identity: IdentityPolicy, origins: RequestOriginPolicy, cookies: CookiePolicy,
        authCookiePrefixes: [String], secretField: String, assets: AssetCatalogue, pages: Pages
    ) {
        self.publicScheme = publicScheme
        self.identity = identity
        self.origins = origins
        self.cookies = cookies
        self.authCookiePrefixes = authCookiePrefixes
        self.secretField = secretField
        self.assets = assets
        self.pages = pages
    }
}
