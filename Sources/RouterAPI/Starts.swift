import HTTPTypes
import Sessions

/// Starts under way: two orders for one session become one, and limits count what the directory does not show yet.
actor Starts {
    private struct Start {
        var owner: String
        var task: Task<Result<Void, APIError>, Never>
    }
    private var underWay: [SessionID: Start] = [:]

    /// Carries out a start, or joins the one under way for that session.
    ///
    /// It goes on when the caller goes away: the order was given.
    func run(
        _ id: SessionID, owner: String, limits: SessionLimits, directory: SessionDirectory,
        _ start: @escaping @Sendable () async throws(APIError) -> Void
    ) async throws(APIError) {
        if let other = underWay[id] { return try await other.task.value.get() }
        let starting = underWay.mapValues(\.owner)
        if let refusal = limits.refusal(starting: id, of: owner, in: directory.snapshot, underWay: starting) {
            throw APIError(.tooManyRequests, refusal.code, refusal.message)
        }
        let task = Task {
            let result: Result<Void, APIError>
            do throws(APIError) {
                try await start()
                result = .success(())
            } catch {
                result = .failure(error)
            }
            self.ended(id)
            return result
        }
        underWay[id] = Start(owner: owner, task: task)
        try await task.value.get()
    }

    private func ended(_ id: SessionID) { underWay[id] = nil }
}
