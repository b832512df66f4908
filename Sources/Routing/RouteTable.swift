public import HTTPWire

/// Which host leads to which session: an immutable value that every worker holds its own reference to.
///
/// A change of any session makes a new table with a higher generation; the old one lives until the last request that looked
/// into it is through. A lookup allocates nothing and waits for nobody.
public final class RouteTable: Sendable {
    /// Counts tables; a worker replaces its table only by one of a higher generation.
    public let generation: UInt64
    /// Whether the table holds every session there is; before the first look at them an unknown one may exist.
    public let isComplete: Bool
    /// The sessions in no order.
    public var sessions: some Collection<SessionRoute> { byID.sessions }

    private let pattern: HostPattern
    private let byID: SessionIndex
    private let fallback: SessionRoute?
    /// Ports of this machine that belong to the gateway or to some session's agent.
    private let takenPorts: Set<UInt16>

    /// Makes a table; when two sessions have one id, none of them is reachable.
    ///
    /// `fallback` answers for every session host that the table does not hold: the fixed target of development.
    public init(
        settings: RoutingSettings, sessions: [SessionRoute], generation: UInt64, fallback: SessionRoute? = nil,
        isComplete: Bool = true
    ) {
        pattern = HostPattern(settings)
        self.generation = generation
        self.isComplete = isComplete
        self.fallback = fallback
        var table: [UInt64: SessionRoute] = Dictionary(minimumCapacity: sessions.count)
        var ambiguous: Set<UInt64> = []
        for session in sessions where table.updateValue(session, forKey: session.id) != nil {
            ambiguous.insert(session.id)
        }
        // Whose session it is cannot be told any more, and a guess could be a leak.
        for id in ambiguous { table[id] = nil }
        byID = SessionIndex(Array(table.values))
        let targets = (sessions + [fallback].compactMap { $0 }).compactMap(\.target)
        takenPorts = settings.ownPorts.union(targets.filter(\.isOnThisMachine).map(\.port))
    }

    /// The session with this id, for requests and tunnels that outlive the table they were routed by.
    public func session(_ id: UInt64) -> SessionRoute? { byID[id] ?? fallback }

    /// Whether an incarnation is that of the fixed target of development.
    public func isFallback(_ identity: UInt64) -> Bool { fallback?.target?.identity == identity }

    /// Where a parsed request goes.
    public func route(
        _ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer, entrance: Entrance
    ) -> Route {
        route(host: head.host.bytes(in: buffer), path: head.path.bytes(in: buffer), entrance: entrance)
    }

    /// Where a request with this host (without port, case as sent) and path goes.
    public func route(
        host: UnsafeRawBufferPointer, path: UnsafeRawBufferPointer, entrance: Entrance
    ) -> Route {
        if entrance == .pod { return .pod }
        let kind = pattern.classify(host)
        if case .attach(let id) = kind {
            guard entrance != .main else { return .misdirected }
            return .attach(id, session(id))
        }
        guard entrance != .attach else { return .misdirected }
        switch kind {
        case .picker:
            return Self.isAPI(path) ? .api : .site
        case .session(let id):
            return session(id).map(Route.session) ?? .unknownSession
        case .port(let id, let port):
            guard let session = session(id) else { return .unknownSession }
            if let target = session.target {
                // The agent's own port would be the agent without its credentials, by another origin. On a shared machine
                // other agents and the gateway's listeners (metrics!) are among the session's ports, too.
                let isTaken = target.port == port || target.isOnThisMachine && takenPorts.contains(port)
                if isTaken { return .unknownSession }
            }
            return .port(session, port)
        case .editor(let id):
            return session(id).map(Route.editor) ?? .unknownSession
        case .reserved:
            return .unknownSession
        case .foreign, .attach:
            return .misdirected
        }
    }

    /// Whether the path is `/api` or below it; the same bytes, no decoding: anything spelt otherwise is the site's 404.
    private static func isAPI(_ path: UnsafeRawBufferPointer) -> Bool {
        guard path.count >= 4, path[0] == 0x2f, path[1] == 0x61, path[2] == 0x70, path[3] == 0x69 else { return false }
        return path.count == 4 || path[4] == 0x2f
    }
}
