internal import Synchronization

/// One finished request as the access log tells it.
public struct AccessRecord: Equatable, Sendable {
    /// When it ended, in milliseconds since 1970.
    public var time: Int64
    public var kind: RouteKind
    /// The method as spelt.
    public var method: String
    /// The host without port; the log names the route, never the target.
    public var host: String
    /// 0: the answer broke off.
    public var status: Int
    public var microseconds: UInt64
    public var bytesToClient: UInt64
    public var bytesToUpstream: UInt64
    /// The value of X-Request-Id.
    public var requestID: String
    /// Who asked; nil if nobody was verified.
    public var email: String?
    /// Whether a token for the repository's host came along.
    public var hasToken: Bool

    public init(
        time: Int64, kind: RouteKind, method: String, host: String, status: Int, microseconds: UInt64,
        bytesToClient: UInt64 = 0, bytesToUpstream: UInt64 = 0, requestID: String = "", email: String? = nil,
        hasToken: Bool = false
    ) {
        self.time = time
        self.kind = kind
        self.method = method
        self.host = host
        self.status = status
        self.microseconds = microseconds
        self.bytesToClient = bytesToClient
        self.bytesToUpstream = bytesToUpstream
        self.requestID = requestID
        self.email = email
        self.hasToken = hasToken
    }
}

/// Access records on their way from one worker to the log: bounded, and never waiting.
///
/// One thread pushes, one task pops. When the log cannot keep up, new records are dropped and counted.
public final class AccessRing: Sendable {
    // The slots between `taken` and `filled` are initialised and belong to the reader, the others to the writer.
    private nonisolated(unsafe) let slots: UnsafeMutablePointer<AccessRecord>
    private let capacity: Int
    private let filled = Atomic<Int>(0)
    private let taken = Atomic<Int>(0)

    public init(capacity: Int = 4096) {
        self.capacity = capacity
        slots = .allocate(capacity: capacity)
    }

    deinit {
        while pop() != nil {}
        slots.deallocate()
    }

    /// Hands over a record; false if there was no room. Only the worker's thread may call this.
    public func push(_ record: AccessRecord) -> Bool {
        let end = filled.load(ordering: .relaxed)
        guard end &- taken.load(ordering: .acquiring) < capacity else { return false }
        (slots + end % capacity).initialize(to: record)
        filled.store(end &+ 1, ordering: .releasing)
        return true
    }

    /// Takes the oldest record; nil if there is none. Only one reader may call this.
    public func pop() -> AccessRecord? {
        let start = taken.load(ordering: .relaxed)
        guard start != filled.load(ordering: .acquiring) else { return nil }
        let record = (slots + start % capacity).move()
        taken.store(start &+ 1, ordering: .releasing)
        return record
    }
}

extension WorkerTelemetry {
    /// Hands a record to the access log, if there is one; what does not fit is counted as dropped.
    public func access(_ record: @autoclosure () -> AccessRecord) {
        guard let accessLog else { return }
        if !accessLog.push(record()) { count(.accessRecordsDropped) }
    }
}
