internal import Archive
internal import Assets
internal import DataPlane
internal import FoundationEssentials
internal import Identity
internal import LinuxIO
internal import Logging
internal import Observability
internal import RouterAPI
internal import Routing
internal import Sessions

// What each part is given of the settings.
extension Server {
    static func identityPolicy(_ settings: Settings, _ logger: Logger) throws -> IdentityPolicy {
        let given = settings.identity
        do {
            let policy = try IdentityPolicy(
                IdentitySettings(
                    mode: given.mode == .upstream ? .upstream : .forwardAuth, emailHeader: given.emailField,
                    trustedProxies: try given.trustedProxies.map { text throws(AddressRangeError) in
                        try AddressRange(text)
                    },
                    secrets: given.secrets, secretHeader: given.secretField, trustsAnyPeer: given.trustsAnyPeer,
                    development: settings.development, developmentEmail: given.developmentEmail,
                    listensOnLoopback: settings.listeners.isLoopback))
            if policy.trustsAnyPeer {
                logger.warning(
                    """
                    AUTH_TRUST_ANY_PEER is set: whoever reaches this port, a session's own code included, can be \
                    anybody. Set AUTH_SECRET or TRUSTED_PROXIES instead.
                    """)
            }
            return policy
        } catch let error as IdentitySettingsError {
            throw StartFailure(error.description)
        } catch let error as AddressRangeError {
            throw StartFailure("TRUSTED_PROXIES: \(error)")
        }
    }

    static func routingSettings(_ settings: Settings) throws -> RoutingSettings {
        do {
            return try settings.hosts.routing(
                allowsLoopbackNames: settings.development, deniedPorts: deniedPorts(settings))
        } catch {
            throw StartFailure(error.description)
        }
    }

    /// Ports of a session that no port host reaches, and nobody can share.
    static func deniedPorts(_ settings: Settings) -> Set<UInt16> {
        RoutingSettings.sidecarPorts.union([settings.kubernetes?.editorPort].compactMap { $0 })
    }

    static func catalogue(_ files: Settings.FileSettings) throws -> AssetCatalogue {
        do {
            return try AssetCatalogue(
                folder: files.publicDirectory, mimeTypes: MIMETypes(file: files.resourcesDirectory + "/mime.types"),
                digest: { Digest.sha256($0) })
        } catch {
            throw StartFailure("the site cannot be read (PUBLIC_DIR, RESOURCES_DIR): \(error)")
        }
    }

    /// - Parameter port: the main listener's.
    static func pages(_ settings: Settings, port: UInt16) throws -> DataPlaneSettings.Pages {
        let folder = settings.files.publicDirectory
        guard let starting = FileManager.default.contents(atPath: folder + "/starting.html"),
            let failed = FileManager.default.contents(atPath: folder + "/failed.html")
        else { throw StartFailure("starting.html and failed.html are not in \(folder) (PUBLIC_DIR)") }
        return SessionPages.make(
            starting: Array(starting), failed: Array(failed), hosts: settings.hosts, port: port)
    }

    static func apiSettings(
        _ settings: Settings, boundPort: UInt16, attachPort: UInt16, _ parts: SessionParts
    ) -> APISettings {
        var api = APISettings(
            version: Version.current, scheme: settings.hosts.scheme,
            domain: settings.hosts.authority(boundPort: boundPort), routeSuffix: settings.hosts.routeSuffix,
            attachPrefix: settings.hosts.attachPrefix,
            // Behind an ingress all hosts are at its port; without one the attach listener has its own.
            attachDomain: settings.hosts.authority(boundPort: attachPort),
            repositories: RepositoryURLPolicy(
                schemes: settings.repositories.schemes, hosts: settings.repositories.hosts),
            limits: SessionLimits(
                perUser: settings.sessions.perUser ?? 0, runningPerUser: settings.sessions.runningPerUser ?? 0,
                runningTotal: settings.sessions.runningInTotal ?? 0),
            idle: idleSettings(settings.sessions), ports: PortPolicy(denied: deniedPorts(settings)),
            adminSecret: settings.identity.adminSecret, agentDirectory: parts.agentDirectory)
        api.editorPrefix = settings.hosts.editorPrefix
        api.agentGeneration = settings.sessions.agentGeneration ?? .v1
        api.tokenHosts = settings.repositories.tokenHosts
        return api
    }

    /// Where what was said is kept when sessions are deleted; nil if nothing is.
    static func archive(
        _ settings: ArchiveSettings?, _ parts: SessionParts, _ registry: MetricRegistry, _ logger: Logger
    ) async throws -> Archivist? {
        guard let settings else { return nil }
        let archivist: Archivist
        do throws(ArchiveFailure) {
            archivist = try Archivist(settings, runtime: parts.runtime, agent: parts.agent, now: { .now() }) { event in
                switch event {
                case .kept(let id, let bytes):
                    registry.add(to: "opencode_router_archives", [("result", "kept")])
                    logger.info("session kept", metadata: ["session": "\(id)", "bytes": "\(bytes)"])
                case .failed(let id, let reason):
                    registry.add(to: "opencode_router_archives", [("result", "failed")])
                    logger.warning(
                        "session not kept",
                        metadata: [
                            "session": "\(id)", "reason": "\(reason)", "deleted": "\(!settings.isStrict)",
                        ])
                }
            }
        } catch { throw StartFailure("ARCHIVE_DIR cannot be used: \(error)") }
        do throws(ArchiveFailure) { try await archivist.check() } catch {
            // The disk may come later; until then, what is strict deletes nothing.
            logger.error("ARCHIVE_DIR cannot be used now", metadata: ["reason": "\(error)"])
        }
        return archivist
    }

    static func idleSettings(_ settings: Settings.SessionSettings) -> IdleSettings {
        IdleSettings(
            timeout: settings.idleTimeout ?? .zero, humanWait: settings.humanWait,
            maximumAge: settings.maximumAge ?? .zero)
    }

    /// The main listener, the pods', and the one for attaching if it is one of its own.
    static func entries(_ listeners: Settings.Listeners) throws(IOError) -> [Workers.Entry] {
        var entries = [
            Workers.Entry(
                address: try address(listeners.address, listeners.port),
                entrance: listeners.attachPort == nil ? .combined : .main)
        ]
        entries.append(Workers.Entry(address: try address(listeners.address, listeners.podPort), entrance: .pod))
        if let port = listeners.attachPort {
            entries.append(Workers.Entry(address: try address(listeners.address, port), entrance: .attach))
        }
        return entries
    }

    static func address(_ text: String, _ port: UInt16) throws(IOError) -> SocketAddress {
        guard let address = SocketAddress(numeric: text, port: port) else {
            throw .system(call: "inet_pton", Errno(code: 22))
        }
        return address
    }
}

extension DataPlaneSettings {
    /// The limits of the settings, in the byte path's units.
    mutating func apply(_ limits: Settings.LimitSettings) {
        connectionsPerWorker = limits.connectionsPerWorker
        requestsPerSecond = limits.requestsPerSecondPerUser
        streamsPerIdentity = limits.streamsPerUser
        requestLineLimit = limits.requestLineBytes
        requestHeadLimit = limits.requestHeadBytes
        requestFieldLimit = limits.requestFields
        responseHeadLimit = limits.responseHeadBytes
        apiBodyLimit = limits.apiBodyBytes
        connectionsPerPeer = limits.connectionsPerPeer
        floorSeconds = limits.bodyWindowSeconds
        let floor = limits.bodyBytesPerSecond.multipliedReportingOverflow(by: floorSeconds)
        floorBytes = floor.overflow ? .max : UInt64(floor.partialValue)
        headSeconds = Self.wholeSeconds(limits.headTimeout)
        idleSeconds = Self.wholeSeconds(limits.idleConnection)
        connectSeconds = Self.wholeSeconds(limits.connectTimeout)
        // 48 pipes of 1 MiB a process: a user that is not root may own 64 of that size.
        pipesPerWorker = max(4, 48 / max(1, workers))
    }

    /// Rounded up: half a second must not become none.
    private static func wholeSeconds(_ duration: Duration) -> Int {
        Int(duration.components.seconds) + (duration.components.attoseconds > 0 ? 1 : 0)
    }
}

extension Settings.Listeners {
    /// Whether nobody but this machine can reach the listeners.
    var isLoopback: Bool { PeerAddress(address)?.isLoopback ?? false }

    /// How a process of this machine reaches one of the listeners.
    func localAuthority(_ port: UInt16) -> String {
        switch address {
        case "0.0.0.0", "::": "127.0.0.1:\(port)"
        case _ where address.contains(":"): "[\(address)]:\(port)"
        default: "\(address):\(port)"
        }
    }
}
