internal import DataPlane
internal import Observability
internal import ServiceLifecycle
internal import UnixSignals

/// A part that runs until the router shuts down, and ends by cancellation.
struct LoopService: Service {
    private let name: String
    private let body: @Sendable () async -> Void

    init(_ name: String, _ body: @escaping @Sendable () async -> Void) {
        self.name = name
        self.body = body
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { await body() }
    }
}

/// SIGTERM and SIGINT, trapped from the moment this exists: what is not trapped yet ends the process at once.
struct EndSignals {
    private let signals: UnixSignalsSequence

    init() async { signals = await UnixSignalsSequence(trapping: .sigterm, .sigint) }

    /// The service that has its group shut down in order when the first of them comes.
    var service: ServiceGroupConfiguration.ServiceConfiguration {
        .init(
            service: LoopService("end") { [signals] in
                for await _ in signals { break }
            }, successTerminationBehavior: .gracefullyShutdownGroup)
    }
}

/// Waits for the signal to stop, then says "not ready", serves on until load balancers have heard, stops accepting and
/// lets what runs finish.
struct DrainService: Service {
    let plane: Workers
    let readiness: Readiness
    let delay: Duration
    let limit: Duration

    func run() async throws {
        try? await gracefulShutdown()
        readiness.drain()
        // Endpoints and health checks are seconds behind; a connection refused meanwhile would be a lost request.
        try? await Task.sleep(for: delay)
        await plane.drain(within: limit)
    }
}
