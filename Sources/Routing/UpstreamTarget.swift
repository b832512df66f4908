/// Where one incarnation of a session listens, and what it wants to hear.
///
/// Two incarnations are two targets, even at the same address: pools are keyed by `key`, never by address, because a
/// cluster gives an address to the next pod.
///
/// A class, because the byte path holds one for each request: the strings of a value would be counted one by one.
public final class UpstreamTarget: Equatable, Sendable {
    /// What a pool keeps its connections under.
    public struct Key: Hashable, Sendable {
        public let identity: UInt64
        public let port: UInt16
    }

    /// Unique per incarnation for the life of the process.
    public let identity: UInt64
    /// The incarnation's name for people: a pod's UID, a process's start.
    public let incarnation: String
    /// A numeric IPv4 or IPv6 address.
    public let address: String
    public let port: UInt16
    /// The complete value of the Authorization field that the agent expects, `Basic …`; nil where it expects none.
    public let authorization: [UInt8]?

    public init(
        identity: UInt64, incarnation: String, address: String, port: UInt16, authorization: [UInt8]? = nil
    ) {
        self.identity = identity
        self.incarnation = incarnation
        self.address = address
        self.port = port
        self.authorization = authorization
    }

    public static func == (one: UpstreamTarget, other: UpstreamTarget) -> Bool {
        one.identity == other.identity && one.incarnation == other.incarnation && one.address == other.address
            && one.port == other.port && one.authorization == other.authorization
    }

    /// Whether the incarnation shares this machine, and so its ports, with the gateway and with other sessions.
    public var isOnThisMachine: Bool { address.hasPrefix("127.") || address == "::1" }

    /// The key of a pool of connections to this target.
    public var key: Key { Key(identity: identity, port: port) }

    /// Another port of the same incarnation; the agent's credentials do not go there.
    public func atPort(_ port: UInt16) -> UpstreamTarget {
        UpstreamTarget(identity: identity, incarnation: incarnation, address: address, port: port)
    }
}
