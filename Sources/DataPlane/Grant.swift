internal import Routing

/// What lets somebody use a session who is not its owner; it may end while the exchange lasts.
///
/// An owner is let in by being the owner, and that does not end. A password and a shared port do: every new table, and
/// every second's tick, asks each open exchange whether its grant is still in force.
enum Grant {
    /// This session's attach password, as it was.
    case password(UInt64, [UInt8])
    /// This port of this session, for these people.
    case port(UInt64, UInt16, PortAudience)

    /// Whether the table still says so, at this time in milliseconds on the monotonic clock.
    func isInForce(in table: RouteTable, at milliseconds: Int64) -> Bool {
        switch self {
        // Not secret from itself: both sides are the gateway's own.
        case .password(let id, let password): table.session(id)?.attachPassword == password
        case .port(let id, let port, let audience):
            (table.session(id)?.audience(ofPort: port, at: milliseconds) ?? .owner).rawValue >= audience.rawValue
        }
    }
}
