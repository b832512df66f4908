// The words by which things are counted. Each is a small closed set, so that a counter is a place in an array and a
// scrape stays bounded: never a hash, an address or a path.

/// What a request was routed to.
public enum RouteKind: UInt8, CaseIterable, Sendable {
    /// A file of the picker.
    case asset
    case api
    /// A session's agent.
    case session
    /// Another port of a session.
    case port
    /// A session's agent by `opencode attach`.
    case attach
    /// What pods ask of the router.
    case pod
    /// Nothing: the request was refused before or instead of a route.
    case refusal

    /// The label's value.
    public var name: String { "\(self)" }
}

/// A request's method, in the order of HTTPWire's `Method`, so that one converts to the other by raw value.
public enum MethodClass: UInt8, CaseIterable, Sendable {
    case get, head, post, put, delete, patch, options, connect, trace, other

    /// The label's value.
    public var name: String { "\(self)" }
}

/// How a request ended.
public enum StatusClass: UInt8, CaseIterable, Sendable {
    case informational, success, redirection, clientError, serverError
    /// The exchange broke off before its answer was complete.
    case aborted

    /// The class of a status; 0, for none, is `aborted`.
    public init(status: Int) {
        switch status {
        case 100..<200: self = .informational
        case 200..<300: self = .success
        case 300..<400: self = .redirection
        case 400..<500: self = .clientError
        case 500..<600: self = .serverError
        default: self = .aborted
        }
    }

    /// The label's value.
    public var name: String {
        switch self {
        case .informational: "1xx"
        case .success: "2xx"
        case .redirection: "3xx"
        case .clientError: "4xx"
        case .serverError: "5xx"
        case .aborted: "aborted"
        }
    }
}

/// Which way bytes went.
public enum ByteDirection: UInt8, CaseIterable, Sendable {
    case toClient, toUpstream

    /// The label's value.
    public var name: String { self == .toClient ? "to_client" : "to_upstream" }
}

/// How bytes were moved.
public enum ByteWay: UInt8, CaseIterable, Sendable {
    /// By splice(2), never through this process's memory.
    case spliced
    /// Read into a buffer and written from it.
    case copied
    /// From memory or a file that this process holds: the picker, the API, refusals.
    case memory

    /// The label's value.
    public var name: String { "\(self)" }
}

/// Why a session did not answer as it should.
public enum UpstreamFault: UInt8, CaseIterable, Sendable {
    case refused, unreachable, connectTimeout, reset
    /// The connection ended before an answer began.
    case closed
    /// The answer ended before its length.
    case truncated
    /// The answer is not HTTP that everybody reads alike.
    case malformed
    case headTooLarge, silent

    /// The label's value.
    public var name: String { snakeCase("\(self)") }
}

/// Why the gateway answered instead of a session, the API or a file.
public enum RefusalReason: UInt8, CaseIterable, Sendable {
    case malformed, headTooLarge, headTimeout, unsupported
    /// No verified user.
    case unauthenticated
    /// The page that asks may not.
    case forbiddenOrigin
    /// A host that is nobody's or somebody else's.
    case unknownSession
    case misdirected, notFound, methodNotAllowed
    /// The session is not running.
    case notReady
    case bodyTooLarge, rateLimited, tooManyStreams, tooManyConnections, draining, exhausted

    /// The label's value.
    public var name: String { snakeCase("\(self)") }
}

/// Numbers that only grow.
public enum Counter: UInt8, CaseIterable, Sendable {
    case connectionsAccepted, upstreamOpened, upstreamReused, upstreamRetried
    case tunnelsOpened, streamsOpened
    /// Requests that asked for a sleeping session to be started.
    case wakeUps
    /// Times that accepting paused for want of descriptors.
    case acceptPauses
    /// Jobs that another thread put on this loop.
    case foreignEnqueues
    case loopWakeups
    /// Bodies that were copied because no pipe was to be had.
    case pipesRefused
    /// Clients cut off because they moved too few bytes while they were the slow side.
    case slowClients
    case accessRecordsDropped

    /// Part of the metric's name.
    public var name: String { snakeCase("\(self)") }
}

/// Numbers that say how many there are now.
public enum Gauge: UInt8, CaseIterable, Sendable {
    case clientConnections, upstreamIdle, upstreamInUse, tunnels, streams, pipesInPool, pipesInUse
    /// Buffers that hold bytes in flight.
    case buffersInUse

    /// Part of the metric's name.
    public var name: String { snakeCase("\(self)") }
}

/// `headTooLarge` as `head_too_large`.
private func snakeCase(_ name: String) -> String {
    name.reduce(into: "") { text, letter in
        if letter.isUppercase {
            text += "_" + letter.lowercased()
        } else {
            text.append(letter)
        }
    }
}
