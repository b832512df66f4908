internal import DataPlane
internal import FoundationEssentials
internal import LinuxIO
internal import Observability
internal import RouterAPI
internal import Routing
internal import Sessions
internal import Synchronization

/// Turns every state of the session directory into a route table for the workers, before anybody else sees the state.
final class RoutePublisher: ActivitySource {
    private struct State {
        var identities = IncarnationNumbers()
        var generation: UInt64 = 0
    }

    private let plane: Workers
    private let settings: RoutingSettings
    private let fixed: FixedRoutes
    private let readiness: Readiness
    /// Where the editor of a session that starts now will listen; nil if it will have none.
    private let editorPort: UInt16?
    private let state = Mutex(State())
    /// The cells of sessions by id; they outlive tables.
    private let cells = Mutex<[SessionID: ActivityCell]>([:])

    init(
        plane: Workers, settings: RoutingSettings, fixed: FixedRoutes, readiness: Readiness, editorPort: UInt16? = nil
    ) {
        self.plane = plane
        self.settings = settings
        self.fixed = fixed
        self.readiness = readiness
        self.editorPort = editorPort
    }

    /// Gives the workers the table of this state; a worker uses it from its next look at its mailbox on, and that comes
    /// before any request that was sent later.
    func publish(_ snapshot: DirectorySnapshot) {
        let reason = snapshot.inSync ? nil : snapshot.staleReason ?? "not in sync yet"
        readiness.set(.directory, snapshot.isLoaded ? nil : reason)
        readiness.set(.sync, snapshot.isLoaded ? reason : nil)
        guard snapshot.isLoaded else { return }
        state.withLock { state in
            state.generation += 1
            let routes = snapshot.sessions.map { route($0, &state.identities) }
            forgetCells(of: snapshot)
            state.identities.keep(snapshot.sessions)
            plane.publish(
                RouteTable(
                    settings: settings, sessions: routes + fixed.routes, generation: state.generation,
                    fallback: fixed.fallback))
        }
    }

    private func route(_ session: Session, _ identities: inout IncarnationNumbers) -> SessionRoute {
        let cell = cells.withLock { cells in
            if let cell = cells[session.id] { return cell }
            let cell = ActivityCell()
            cells[session.id] = cell
            return cell
        }
        var editorPort = editorPort
        if case .running(let endpoint) = session.state { editorPort = endpoint.editorPort }
        let condition: SessionRoute.Condition =
            switch session.state {
            case .creating: .starting
            case .running(let endpoint):
                .running(
                    UpstreamTarget(
                        identity: identities.number(of: endpoint.incarnation), incarnation: endpoint.incarnation,
                        address: endpoint.address, port: endpoint.port,
                        authorization: endpoint.password.map(FixedRoutes.authorization)))
            case .stopping: .stopping
            case .stopped: .asleep
            case .failed: .failed
            }
        return SessionRoute(
            id: session.id.rawValue, owner: Array(session.owner.utf8), condition: condition, activity: cell,
            attachPassword: session.attachPassword.map { Array($0.utf8) }, sharedPorts: sharedPorts(of: session),
            editorPort: editorPort)
    }

    /// Rules that are in force, their ends on the monotonic clock: the wall clock may jump while the table is in use, and
    /// the byte path does not ask it.
    private func sharedPorts(of session: Session) -> [SharedPort] {
        guard !session.portRules.isEmpty else { return [] }
        let now = Timestamp.now()
        let monotonic = Int64(Deadline.current().milliseconds)
        return session.portRules.compactMap { port, rule in
            let audience: PortAudience
            switch rule.visibility {
            case .owner: return nil
            case .signedIn: audience = .signedIn
            case .everyone: audience = .everyone
            }
            guard rule.isInForce(at: now) else { return nil }
            let rest = rule.expiresAt.map { $0.milliseconds - now.milliseconds }
            return SharedPort(port: port, audience: audience, until: rest.map { monotonic + $0 } ?? .max)
        }
    }

    private func forgetCells(of snapshot: DirectorySnapshot) {
        cells.withLock { cells in
            guard cells.count > snapshot.sessions.count else { return }
            let ids = Set(snapshot.sessions.map(\.id))
            cells = cells.filter { ids.contains($0.key) }
        }
    }

    func lastUse(of id: SessionID) async -> RecentUse? {
        guard let cell = cells.withLock({ $0[id] }) else { return nil }
        let used = cell.lastUse
        guard used > 0 else { return nil }
        let ago = Int64(Deadline.current().milliseconds) - used
        return RecentUse(ago: .milliseconds(max(0, ago)), source: cell.openTunnels > 0 ? .tunnel : .request)
    }
}

/// A number for every incarnation of a session, never used twice: what connections are pooled by.
struct IncarnationNumbers {
    private var numbers: [String: UInt64] = [:]
    /// Low numbers are the fixed routes'.
    private var last: UInt64 = 1 << 32

    mutating func number(of incarnation: String) -> UInt64 {
        if let number = numbers[incarnation] { return number }
        last += 1
        numbers[incarnation] = last
        return last
    }

    /// Forgets incarnations that no session has any more.
    mutating func keep(_ sessions: [Session]) {
        guard numbers.count > sessions.count * 2 + 64 else { return }
        var current: Set<String> = []
        for session in sessions {
            if case .running(let endpoint) = session.state { current.insert(endpoint.incarnation) }
        }
        numbers = numbers.filter { current.contains($0.key) }
    }
}

/// The session hosts of development that lead to fixed places (DEV_ROUTES, DEV_POD_PROXY_TARGET).
struct FixedRoutes: Sendable {
    let routes: [SessionRoute]
    let fallback: SessionRoute?

    init(_ settings: Settings.DevelopmentRoutes) {
        routes = settings.routes.enumerated().map { number, route in
            SessionRoute(
                id: route.id.rawValue, owner: Array(route.owner.utf8),
                condition: .running(Self.target(route.endpoint, identity: UInt64(number) + 2)))
        }
        fallback = settings.everything.map {
            SessionRoute(id: 0, owner: [], condition: .running(Self.target($0, identity: 1)), ownedByAnyone: true)
        }
    }

    /// The table before the directory has told its sessions.
    func table(_ settings: RoutingSettings) -> RouteTable {
        RouteTable(settings: settings, sessions: routes, generation: 0, fallback: fallback, isComplete: false)
    }

    private static func target(_ endpoint: SessionEndpoint, identity: UInt64) -> UpstreamTarget {
        UpstreamTarget(
            identity: identity, incarnation: endpoint.incarnation, address: endpoint.address, port: endpoint.port,
            authorization: endpoint.password.map(authorization))
    }

    /// HTTP Basic as opencode expects it: user `opencode` and the run's password (RFC 7617).
    static func authorization(password: String) -> [UInt8] {
        Array("Basic \(Data("opencode:\(password)".utf8).base64EncodedString())".utf8)
    }
}
