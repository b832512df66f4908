import HTTPTypes
import Sessions

/// Orders of one kind under way: two for one session become one.
actor Orders {
    private struct Order {
        var owner: String
        var task: Task<Result<Void, APIError>, Never>
    }
    private var underWay: [SessionID: Order] = [:]

    /// Carries out an order, or joins the one under way for that session.
    ///
    /// It goes on when the caller goes away: the order was given.
    ///
    /// - Parameter check: may refuse a new order, given the owners of those under way.
    func run(
        _ id: SessionID, owner: String, unless check: ([SessionID: String]) throws(APIError) -> Void = { _ in },
        _ body: @escaping @Sendable () async throws(APIError) -> Void
    ) async throws(APIError) {
        if let other = underWay[id] { return try await other.task.value.get() }
        try check(underWay.mapValues(\.owner))
        let task = Task {
            let result: Result<Void, APIError>
            do throws(APIError) {
                try await body()
                result = .success(())
            } catch {
                result = .failure(error)
            }
            self.ended(id)
            return result
        }
        underWay[id] = Order(owner: owner, task: task)
        try await task.value.get()
    }

    /// Carries out a start; limits count what the directory does not show yet.
    func run(
        _ id: SessionID, owner: String, limits: SessionLimits, directory: SessionDirectory,
        _ start: @escaping @Sendable () async throws(APIError) -> Void
    ) async throws(APIError) {
        let check = { (starting: [SessionID: String]) throws(APIError) in
            if let refusal = limits.refusal(starting: id, of: owner, in: directory.snapshot, underWay: starting) {
                throw APIError(.tooManyRequests, refusal.code, refusal.message)
            }
        }
        try await run(id, owner: owner, unless: check, start)
    }

    private func ended(_ id: SessionID) { underWay[id] = nil }
}
