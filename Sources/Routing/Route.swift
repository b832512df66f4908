/// Where a request goes, by its host, its path and the listener it came in on.
///
/// A route says nothing about who may go there; that is the gatekeeper's part. `unknownSession` must look the same to the
/// client as a session of somebody else.
public enum Route: Sendable {
    /// The API of the picker's hosts: `/api` and everything below.
    case api
    /// Any other path of the picker's hosts.
    case site
    /// The agent of a session.
    case session(SessionRoute)
    /// A port that something inside the session listens on; never the agent's own.
    case port(SessionRoute, UInt16)
    /// The agent, for the holder of the session's password; without a session nobody holds it.
    case attach(UInt64, SessionRoute?)
    /// The session's editor.
    case editor(SessionRoute)
    /// What pods ask of the router; whatever the host, for pods call it by its service's name.
    case pod
    /// The host is a session's by its spelling, but there is no such session, or no such port.
    case unknownSession
    /// The host is none of ours: 421.
    case misdirected
}

/// The listener that a request came in on.
public enum Entrance: UInt8, Sendable {
    /// Behind the signing-in ingress: everything but attach hosts.
    case main
    /// For `opencode attach`: attach hosts and nothing else.
    case attach
    /// One listener for both, when the two ports are the same.
    case combined
    /// For calls from pods: their routes and nothing else, and nobody's identity counts.
    case pod
}
