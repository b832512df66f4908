/// Who may reach a port of a session.
public enum PortAudience: UInt8, Sendable {
    case owner
    /// Every verified user.
    case signedIn
    /// Whoever knows the host; nobody is asked for.
    case everyone
}

/// A port of a session that others may reach, until a moment.
public struct SharedPort: Equatable, Sendable {
    public let port: UInt16
    public let audience: PortAudience
    /// Milliseconds on the monotonic clock, which the byte path has at hand; the greatest number is for ever.
    public let until: Int64

    public init(port: UInt16, audience: PortAudience, until: Int64 = .max) {
        self.port = port
        self.audience = audience
        self.until = until
    }
}
