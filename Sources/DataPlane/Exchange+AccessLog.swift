internal import HTTPWire
internal import Identity
internal import Telemetry

/// What of a request's head the access log tells, kept because the head is gone when the request ends.
///
/// A class, so that whatever lasts holds one word where there is no log.
final class AccessDetails {
    private let method: String
    private let host: String
    private let email: String?
    private let hasToken: Bool

    init(method: String, host: String, email: String?, hasToken: Bool) {
        self.method = method
        self.host = host
        self.email = email
        self.hasToken = hasToken
    }

    /// The finished request.
    func record(
        _ kind: RouteKind, status: Int, microseconds: UInt64, _ upload: borrowing BodyRelay,
        _ download: borrowing BodyRelay, _ requestID: RequestID
    ) -> AccessRecord {
        AccessRecord(
            time: ClockText.milliseconds(), kind: kind, method: method, host: host, status: status,
            microseconds: microseconds, bytesToClient: download.spliced + download.copied,
            bytesToUpstream: upload.spliced + upload.copied, requestID: requestID.text, email: email,
            hasToken: hasToken)
    }
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
        guard let accessDetails else { return }
        worker.telemetry.access(
            accessDetails.record(
                kind, status: status, microseconds: microseconds, upload, download, requestID))
    }
}
