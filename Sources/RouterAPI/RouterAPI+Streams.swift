import HTTPTypes
import Sessions

extension RouterAPI {
    func streamSessions(_ request: APIRequest, _ caller: APICaller) throws(APIError) -> APIResponse {
        _ = try loadedSnapshot()
        return try stream(
            SessionListEvents(owner: caller.email, presenter: presenter), directory.updates(.owner(caller.email)),
            request)
    }

    func sessionEvents(
        _ id: SessionID, _ request: APIRequest, _ caller: APICaller
    ) throws(APIError) -> APIResponse {
        _ = try find(id, request, caller)
        return try stream(StartEvents(id: id, presenter: presenter), directory.updates(.session(id)), request)
    }

    func stream<Source: EventSource>(
        _ source: Source, _ updates: AsyncStream<Source.State>, _ request: APIRequest
    ) throws(APIError) -> APIResponse {
        let headers: HTTPFields = [
            .contentType: "text/event-stream", .cacheControl: "no-store, no-transform", .xAccelBuffering: "no",
        ]
        // Without a length, which a stream has none of: the answer to a GET would tell none (RFC 9110 §8.6).
        guard request.method != .head else {
            return APIResponse(status: .ok, headers: headers, body: .stream(AsyncStream { $0.finish() }))
        }
        let pump = EventPump(source, updates, pingInterval: settings.pingInterval)
        return APIResponse(
            status: .ok, headers: headers, body: .stream(AsyncStream(unfolding: { await pump.next() })))
    }
}

extension HTTPField.Name {
    /// Tells nginx and its kin not to collect events before they pass them on.
    static let xAccelBuffering = Self("X-Accel-Buffering")!
    static let xAdminSecret = Self("X-Admin-Secret")!
}
