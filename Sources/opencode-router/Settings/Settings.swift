internal import Archive
internal import Sessions

/// The router's settings, read once at start and then passed down as plain values.
struct Settings: Sendable {
    var development: Bool
    var listeners: Listeners
    var hosts: Hosts
    var identity: IdentitySettings
    var repositories: RepositorySettings
    var sessions: SessionSettings
    var local: LocalSettings
    /// What the Kubernetes runtime needs; nil when sessions are local.
    var kubernetes: KubernetesSettings?
    var files: FileSettings
    var operations: OperationsSettings
    var limits: LimitSettings
    var developmentRoutes: DevelopmentRoutes
    /// Every setting with the value in force, in the order of the table.
    var effective: [EffectiveSetting]

    struct Listeners: Sendable {
        /// A numeric address; all listeners bind it.
        var address: String
        var port: UInt16
        /// Nil if it equals `port`: `opencode attach` then comes through the main listener. 0: the kernel chooses.
        var attachPort: UInt16?
        var podPort: UInt16
        var metricsPort: UInt16
        var workers: Int
        /// Whether a router that runs may have the ports, too.
        var takesOver: Bool
    }

    struct Hosts: Sendable {
        /// Lower-cased, without a port.
        var domain: String
        /// The port that URLs carry; nil for the scheme's own.
        var domainPort: UInt16?
        /// Whether `domainPort` is the main listener's port, which is only known once it is bound.
        var followsListener: Bool
        /// Hosts of the picker; nil: the domain itself and any host one label below it that is no session host.
        var routerHosts: [String]?
        /// `http` or `https`.
        var scheme: String
        var routeSuffix: String
        var attachPrefix: String
        var editorPrefix: String

        /// Domain and port as they stand in URLs, given the port the main listener got.
        func authority(boundPort: UInt16) -> String {
            guard let port = followsListener ? boundPort : domainPort else { return domain }
            return "\(domain):\(port)"
        }
    }

    struct IdentitySettings: Sendable {
        /// Whom to ask whether a sign-in still holds; times in seconds.
        struct Recheck: Sendable {
            var url: String
            var fresh: Int
            var stream: Int
        }

        /// How the ingress tells who somebody is.
        enum Mode: String, Sendable { case forwardAuth = "forward-auth", upstream }
        var mode: Mode
        /// The one identity field, as configured or by `mode`.
        var emailField: String
        var trustedProxies: [String]
        /// At most two, in the order given; empty if the ingress proves itself by its address.
        var secrets: [String]
        var secretField: String
        var trustsAnyPeer: Bool
        var recheck: Recheck?
        var cookiePrefixes: [String]
        var tellsPods: Bool
        var adminEmails: [String]
        var adminSecret: String?
        /// Everybody is this user; development mode only.
        var developmentEmail: String?
    }

    struct RepositorySettings: Sendable {
        var schemes: [String]
        /// Empty: any host.
        var hosts: [String]
        var allowsPrivateAddresses: Bool
        /// The servers that the users' tokens belong to.
        var tokenHosts: TokenHosts
        /// Where the users' repositories are listed.
        var catalogueURL: String
    }

    struct SessionSettings: Sendable {
        enum Runtime: String, Sendable { case kubernetes, local, mock }
        var runtime: Runtime
        /// Nil: sessions are never stopped for idleness.
        var idleTimeout: Duration?
        var humanWait: Duration
        var maximumAge: Duration?
        /// The three bounds; nil: no limit.
        var perUser: Int?
        var runningPerUser: Int?
        var runningInTotal: Int?
        /// Nil: each agent is asked.
        var agentGeneration: AgentGeneration?
        /// Nil: what was said goes with its session.
        var archive: ArchiveSettings?
    }

    struct LocalSettings: Sendable {
        var stateDirectory: String
        /// Nil: `opencode serve` if it is on PATH, else the demo agent.
        var agentCommand: String?
    }

    struct KubernetesSettings: Sendable {
        var image: String
        var namespace: String
        var kubeconfig: String?
        var apiKeySecret: String
        var configMap: String
        var imagePullSecret: String?
        var storageClass: String?
        var storageSize: String
        var chromiumImage: String
        /// Nil: sessions have no editor.
        var editorImage: String?
        var editorPort: UInt16
        var cpuRequest: String
        var cpuLimit: String?
        var memoryRequest: String
        var memoryLimit: String
        var routerURL: String?
        var externalDomain: String?
        var metricsURL: String?
        /// By use: THINKING, CODING, RESEARCH.
        var models: [String: String]
        /// POD_ENV, in its order.
        var environment: [(name: String, value: String)]
    }

    struct FileSettings: Sendable {
        var publicDirectory: String
        var resourcesDirectory: String
    }

    struct OperationsSettings: Sendable {
        enum LogFormat: String, Sendable { case json, text }
        var drainDelay: Duration
        var drain: Duration
        var logLevel: String
        var logFormat: LogFormat
        var accessLog: Bool
        var debugHeaders: Bool
    }

    struct LimitSettings: Sendable {
        var requestLineBytes: Int
        var requestHeadBytes: Int
        var requestFields: Int
        var responseHeadBytes: Int
        var apiBodyBytes: Int
        var headTimeout: Duration
        var idleConnection: Duration
        var connectTimeout: Duration
        var connectionsPerWorker: Int
        /// 0: no limit.
        var connectionsPerPeer: Int
        var bodyBytesPerSecond: Int
        var bodyWindowSeconds: Int
        var streamsPerUser: Int
        var requestsPerSecondPerUser: Int
    }

    /// Session hosts that lead to fixed places; development mode only.
    struct DevelopmentRoutes: Sendable {
        struct Route: Sendable, Equatable {
            var id: SessionID
            var owner: String
            var endpoint: SessionEndpoint
        }
        var routes: [Route] = []
        /// Where every other session host of the development user leads.
        var everything: SessionEndpoint?
    }
}
