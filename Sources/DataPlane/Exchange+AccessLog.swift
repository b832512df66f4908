internal import HTTPWire
internal import Identity
internal import Telemetry

/// What of a request's head the access log tells, kept because the head is gone when the request ends.
struct AccessDetails {
    var method: String
    var host: String
    var email: String?
    var hasToken: Bool
}

/// The access log is off by default: each line costs a few allocations, which the byte path otherwise has none of.
extension Exchange {
    /// Keeps what the log will tell, if there is a log.
    @inline(never)
    func noteAccess(_ who: Identification, _ bytes: UnsafeRawBufferPointer) {
        guard worker.telemetry.accessLog != nil else { return }
        accessDetails = AccessDetails(
            method: request.methodText.string(in: bytes), host: request.host.string(in: bytes),
            email: worker.settings.accessLogTellsWho ? worker.gatekeeper.email(who, in: bytes) : nil,
            hasToken: request.fields.contains { $0.name.string(in: bytes).lowercased().hasSuffix("-token") })
    }

    /// Hands the finished request to the log.
    func logAccess(_ kind: RouteKind, microseconds: UInt64) {
        guard let details = accessDetails else { return }
        worker.telemetry.access(
            AccessRecord(
                time: ClockText.milliseconds(), kind: kind, method: details.method, host: details.host, status: status,
                microseconds: microseconds, bytesToClient: download.spliced + download.copied,
                bytesToUpstream: upload.spliced + upload.copied, requestID: requestID.text, email: details.email,
                hasToken: details.hasToken))
    }
}
