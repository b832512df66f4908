internal import DataPlane
internal import Glibc
internal import Identity
internal import LinuxIO
internal import Logging
internal import Observability
internal import RouterAPI
internal import Routing
internal import ServiceLifecycle
internal import Sessions
internal import UnixSignals

/// Builds the router's parts, connects them and runs them.
enum Server {
    /// Serves until SIGTERM or SIGINT, then drains; throws what kept it from starting.
    ///
    /// - Parameter reread: reads the settings again, for SIGHUP.
    static func run(
        _ settings: Settings, reread: @escaping @Sendable () throws(InvalidSettings) -> Settings
    ) async throws {
        let log = LogWriter()
        RouterLogHandler.install(
            level: Logger.Level(rawValue: settings.operations.logLevel) ?? .info,
            format: settings.operations.logFormat == .json ? .json : .text, writer: log)
        let logger = Logger(label: "router")
        defer { log.flush() }
        do {
            try await serve(settings, reread: reread, log: log, logger: logger)
        } catch let error as StartFailure {
            log.flush()
            StandardError.print("opencode-router: \(error.sentence)")
            throw error
        }
    }

    private static func serve(
        _ settings: Settings, reread: @escaping @Sendable () throws(InvalidSettings) -> Settings, log: LogWriter,
        logger: Logger
    ) async throws {
        raiseDescriptorLimit()
        let readiness = Readiness()
        let registry = MetricRegistry()
        let identity = try identityPolicy(settings, logger)
        var signIns: SignInChecker?
        if let recheck = settings.identity.recheck {
            signIns = try await SignInChecker(recheck.url, registry: registry)
        }
        let control = ControlPlaneAdapter(
            admins: settings.identity.adminEmails, audit: Logger(label: "audit"), signIns: signIns)
        let routing = try routingSettings(settings)
        let clock = ContinuousClock()
        let started = clock.now

        // Listening comes before anything that needs the port in a URL.
        var planeSettings = DataPlaneSettings(
            publicScheme: settings.hosts.scheme, identity: identity,
            origins: RequestOriginPolicy(usesHTTPS: settings.hosts.scheme == "https"),
            cookies: CookiePolicy(prefixes: settings.identity.cookiePrefixes),
            authCookiePrefixes: settings.identity.cookiePrefixes, secretField: settings.identity.secretField,
            assets: try catalogue(settings.files), pages: try pages(settings, port: settings.listeners.port))
        planeSettings.tellsSessionsTheUser = settings.identity.tellsPods
        planeSettings.workers = settings.listeners.workers
        planeSettings.takesOver = settings.listeners.takesOver
        planeSettings.accessLog = settings.operations.accessLog || settings.operations.debugHeaders
        planeSettings.accessLogTellsWho = settings.operations.debugHeaders
        planeSettings.recheck = settings.identity.recheck.map { SignInRecheck(fresh: $0.fresh, stream: $0.stream) }
        planeSettings.apply(settings.limits)
        let fixed = FixedRoutes(settings.developmentRoutes)
        let plane: Workers
        let operations: OperationsListener
        try await PortCheck.run(settings.listeners)
        do throws(IOError) {
            plane = try await Workers(
                settings: planeSettings, entries: entries(settings.listeners),
                table: fixed.table(routing), control: control)
            operations = try await OperationsListener(
                address: address(settings.listeners.address, settings.listeners.metricsPort))
        } catch {
            throw StartFailure(
                "cannot listen on \(settings.listeners.address): \(error). Is another process using the port?")
        }
        let port = plane.addresses[0].port
        if port != settings.listeners.port {
            // The kernel chose it. Nobody waits for a session yet: none is known before the directory is.
            plane.renew(
                RenewedSettings(
                    identity: identity, assets: planeSettings.assets, pages: try pages(settings, port: port)))
        }
        let attachPort = plane.addresses.count > 2 ? plane.addresses[2].port : port
        // Local sessions share this machine's ports with the gateway.
        let reserved = routing.reserving(ownPorts: plane.addresses.map(\.port) + [operations.address.port])

        let parts = try await sessionParts(settings, podPort: plane.addresses[1].port, registry: registry)
        let publisher = RoutePublisher(
            plane: plane, settings: reserved, fixed: fixed, readiness: readiness,
            editorPort: settings.kubernetes.flatMap { $0.editorImage == nil ? nil : $0.editorPort })
        parts.directory.showFirst { publisher.publish($0) }
        let messages = parts.messages.map { store in
            MessageBoard(store: store) { id, error in
                logger.warning("what was said is not stored", metadata: ["session": "\(id)", "error": "\(error)"])
            }
        }
        let api = RouterAPI(
            settings: apiSettings(settings, boundPort: port, attachPort: attachPort, parts), directory: parts.directory,
            runtime: parts.runtime, branches: parts.branches, catalogue: parts.catalogue, secrets: parts.secrets,
            messages: messages, images: parts.images,
            archive: try await archive(settings.sessions.archive, parts, registry, logger))
        control.connect(api: api)
        let sweeper = IdleSweeper(
            directory: parts.directory, runtime: parts.runtime, settings: idleSettings(settings.sessions),
            activity: publisher, probe: parts.agent, wallClock: { .now() },
            report: { event in report(event, to: logger, registry) })
        let courier = FirstPromptCourier(
            directory: parts.directory, runtime: parts.runtime, agent: parts.agent,
            report: { event in report(event, to: logger) })
        let titles = TitleKeeper(directory: parts.directory, runtime: parts.runtime, agent: parts.agent)
        let recorder = ActivityRecorder(directory: parts.directory, runtime: parts.runtime, activity: publisher)
        let responder = OperationsResponder(
            workers: plane.telemetry, registry: registry, readiness: readiness, version: Version.current, log: log)
        for sentence in settings.advice { logger.warning("\(sentence)") }
        // Before anybody is told that this process is there: what is not trapped yet would end it.
        let hangUps = await UnixSignalsSequence(trapping: .sighup)
        let end = await EndSignals()
        await operations.serve(responder)
        if !settings.listeners.takesOver { readiness.set(.listeners, nil) }
        var facts: Logger.Metadata = [
            "address": "\(plane.addresses[0].host)", "port": "\(port)", "metrics_port": "\(operations.address.port)",
            "url": "\(settings.hosts.scheme)://\(settings.hosts.authority(boundPort: port))",
            "sessions": "\(settings.sessions.runtime)", "version": "\(Version.current)",
            "milliseconds": "\(milliseconds(since: started, clock))",
        ]
        facts["pod_port"] = "\(plane.addresses[1].port)"
        if attachPort != port { facts["attach_port"] = "\(attachPort)" }
        logger.info("listening", metadata: facts)

        // Shut down in reverse order: the byte path drains while everything that it asks still answers.
        var group = ServiceGroupConfiguration(
            services: [
                end.service,
                .init(service: LoopService("directory") { await parts.directory.run() }),
                .init(
                    service: LoopService("session metrics") {
                        var metrics = SessionMetrics(registry)
                        for await snapshot in parts.directory.updates(.everything) {
                            metrics.take(snapshot, now: .now)
                        }
                    }),
                .init(
                    service: LoopService("messages") {
                        await messages?.run()
                        await untilCancelled()
                    }),
                .init(service: LoopService("access log") { await writeAccessLog(of: plane) }),
                .init(
                    service: LoopService("sweep, first prompts and titles") {
                        await alone(
                            parts.exclusively, registry,
                            [{ await sweeper.run() }, { await courier.run() }, { await titles.run() }]
                                + (parts.tidy.map { [$0] } ?? []))
                    }),
                .init(
                    service: LoopService("take over") {
                        if settings.listeners.takesOver { await takeOver(plane, parts.directory, readiness, logger) }
                        await untilCancelled()
                    }),
                .init(
                    service: LoopService("renewal") {
                        var renewal = Renewal(
                            of: settings, port: port, reread: reread, plane: plane, api: api, logger: logger)
                        for await _ in hangUps { renewal.run() }
                        await untilCancelled()
                    }),
                .init(
                    service: LoopService("activity") {
                        // Alone, the sweeper itself stores what it sees.
                        guard parts.exclusively != nil else { return await untilCancelled() }
                        await recorder.run()
                    }),
                .init(
                    service: LoopService("permissions") {
                        await parts.checkPermissions?(readiness)
                        await untilCancelled()
                    }),
                .init(
                    service: DrainService(
                        plane: plane, readiness: readiness, delay: settings.operations.drainDelay,
                        limit: settings.operations.drain)),
            ],
            logger: Logger(label: "lifecycle"))
        group.maximumGracefulShutdownDuration =
            settings.operations.drainDelay + settings.operations.drain + .seconds(10)
        try await ServiceGroup(configuration: group).run()
        await messages?.flushAll()
        await parts.shutdown()
        logger.info("stopped")
    }

    /// Listens beside the router that runs once the sessions are known: until then that one answers.
    private static func takeOver(
        _ plane: Workers, _ directory: SessionDirectory, _ readiness: Readiness, _ logger: Logger
    ) async {
        let known = Task {
            for await snapshot in directory.updates(.everything) where snapshot.isLoaded { break }
        }
        // A runtime that tells nothing must not keep the site from being served.
        let patience = Task {
            try await Task.sleep(for: .seconds(10))
            known.cancel()
        }
        await known.value
        patience.cancel()
        do throws(IOError) {
            try await plane.open()
            readiness.set(.listeners, nil)
            logger.notice("listening beside the router that runs; it may be told to end")
        } catch {
            logger.critical("cannot listen beside the router that runs", metadata: ["error": "\(error)"])
        }
    }

    /// Runs works side by side, on one replica at a time if there may be others; a metric tells on which.
    private static func alone(
        _ exclusively: (@Sendable (@escaping @Sendable () async -> Void) async -> Void)?, _ registry: MetricRegistry,
        _ works: [@Sendable () async -> Void]
    ) async {
        registry.set("opencode_router_leader", to: 0)
        let all: @Sendable () async -> Void = {
            registry.set("opencode_router_leader", to: 1)
            defer { registry.set("opencode_router_leader", to: 0) }
            await withDiscardingTaskGroup { group in
                for work in works { group.addTask { await work() } }
            }
        }
        if let exclusively { await exclusively(all) } else { await all() }
    }

    /// A service that ends is taken for one that failed.
    private static func untilCancelled() async {
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
    }

    /// As many connections as the system allows: the soft limit is for programs that use select(2).
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private static func milliseconds(since start: ContinuousClock.Instant, _ clock: ContinuousClock) -> Int64 {
        let (seconds, attoseconds) = start.duration(to: clock.now).components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}

/// Why the router did not start, as one sentence for the operator.
struct StartFailure: Error {
    let sentence: String

    init(_ sentence: String) { self.sentence = sentence }
}
