internal import DataPlane
internal import Observability
internal import ServiceLifecycle

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
