/// Builds the router's parts, connects them and runs them.
enum Server {
    /// Serves until SIGTERM or SIGINT, then drains; throws what kept it from starting.
    static func run(_ settings: Settings) async throws {
        preconditionFailure("not wired yet")
    }
}
