package import Sessions

extension LocalSessions {
    /// On one machine the session itself is started: there is nobody whose start it could be in the way of.
    package func read(
        _ id: SessionID, within limit: Duration, _ body: @escaping @Sendable (SessionEndpoint) async -> Void
    ) async throws(SessionRuntimeError) {
        try await resume(id, gitToken: nil)
        let deadline = ContinuousClock.now + limit
        while true {
            guard let entry = entries[id], entry.wanted != .deleted else { throw .notFound(id) }
            if case .running(let endpoint) = entry.state {
                await body(endpoint)
                break
            }
            if case .failed(let failure) = entry.state { throw .failed(failure) }
            guard ContinuousClock.now < deadline else {
                try await stop(id, reason: "It was started to be read, and did not start in time.")
                throw .unavailable(message: "The session did not start in time to be read.")
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
        try await stop(id, reason: "It was started to be read.")
    }
}
