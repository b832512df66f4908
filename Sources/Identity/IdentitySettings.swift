/// Which header of the signing-in proxy names the person, and what proves that the proxy is talking.
public struct IdentitySettings: Sendable {
    /// The topology of oauth2-proxy, which decides the header family (AUTH_MODE).
    public enum Mode: String, Sendable, CaseIterable {
        /// The ingress asks oauth2-proxy and copies its answer: `X-Auth-Request-Email`.
        case forwardAuth = "forward-auth"
        /// oauth2-proxy itself passes requests on: `X-Forwarded-Email`.
        case upstream = "upstream"

        /// The one header that carries the e-mail address in this topology.
        public var emailHeader: String {
            switch self {
            case .forwardAuth: "X-Auth-Request-Email"
            case .upstream: "X-Forwarded-Email"
            }
        }
    }

    public var mode: Mode
    /// AUTH_EMAIL_HEADER; takes the place of the mode's header.
    public var emailHeader: String?
    /// TRUSTED_PROXIES; empty means that the peer's address proves nothing.
    public var trustedProxies: [AddressRange]
    /// AUTH_SECRET: one key, or two while rotating; empty means that no key is asked for.
    public var secrets: [String]
    /// AUTH_SECRET_HEADER.
    public var secretHeader: String
    /// AUTH_TRUST_ANY_PEER: whoever reaches the listener is believed.
    public var trustsAnyPeer: Bool
    /// DEVELOPMENT.
    public var development: Bool
    /// DEV_EMAIL: who is asking when no header says so.
    public var developmentEmail: String?
    /// Whether the main listener is bound to a loopback address.
    public var listensOnLoopback: Bool

    public init(
        mode: Mode = .forwardAuth, emailHeader: String? = nil, trustedProxies: [AddressRange] = [],
        secrets: [String] = [], secretHeader: String = "X-Gateway-Key", trustsAnyPeer: Bool = false,
        development: Bool = false, developmentEmail: String? = nil, listensOnLoopback: Bool = false
    ) {
        self.mode = mode
        self.emailHeader = emailHeader
        self.trustedProxies = trustedProxies
        self.secrets = secrets
        self.secretHeader = secretHeader
        self.trustsAnyPeer = trustsAnyPeer
        self.development = development
        self.developmentEmail = developmentEmail
        self.listensOnLoopback = listensOnLoopback
    }
}

/// Why the gateway does not start with these settings: it would have to believe strangers.
public enum IdentitySettingsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Neither TRUSTED_PROXIES nor AUTH_SECRET, and nobody said that this is wanted.
    case noProof
    case malformedHeaderName(setting: String, name: String)
    /// The e-mail header and the secret header are one.
    case sameHeaderTwice(String)
    case tooManySecrets(Int)
    case weakSecret
    case developmentEmailOutsideDevelopment
    case developmentEmailNotOnLoopback
    case malformedDevelopmentEmail(String)

    public var description: String {
        switch self {
        case .noProof:
            """
            Nothing proves that requests come from the signing-in proxy: set TRUSTED_PROXIES to its addresses, or \
            AUTH_SECRET to a key that it adds, or AUTH_TRUST_ANY_PEER=true if nobody else can reach this port.
            """
        case .malformedHeaderName(let setting, let name):
            "\(setting) is \"\(name)\": a header name of letters, digits and hyphens is needed."
        case .sameHeaderTwice(let name):
            "AUTH_EMAIL_HEADER and AUTH_SECRET_HEADER are both \"\(name)\": they must differ."
        case .tooManySecrets(let count):
            "AUTH_SECRET holds \(count) keys: one is needed, or two while one replaces the other."
        case .weakSecret:
            "AUTH_SECRET has a key of fewer than 16 or more than 1024 printable characters, or with spaces in it."
        case .developmentEmailOutsideDevelopment:
            "DEV_EMAIL is set without DEVELOPMENT=true: everybody would be that person."
        case .developmentEmailNotOnLoopback:
            "DEV_EMAIL needs a listener on a loopback address: everybody on the network would be that person."
        case .malformedDevelopmentEmail(let text):
            "DEV_EMAIL is \"\(text)\": an address such as dev@local.test is needed."
        }
    }
}
