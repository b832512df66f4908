/// Why routing settings cannot be used; the text names the setting and says what is accepted.
public enum RoutingSettingsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// ROUTER_DOMAIN is empty, has empty or overlong labels, or bytes that no host name has.
    case malformedDomain(String)
    /// The port behind ROUTER_DOMAIN is no number from 1 to 65535.
    case malformedPort(String)
    /// ROUTE_SUFFIX has bytes that no host label has.
    case malformedSuffix(String)
    /// A route prefix is empty, has bytes that no host label has, or reads like a port.
    case malformedPrefix(String)
    /// Two kinds of session hosts have the same prefix.
    case samePrefixTwice(String)
    /// An entry of ROUTER_HOSTS is no host name.
    case malformedHost(String)
    /// An entry of ROUTER_HOSTS is the host of a session.
    case hostIsSessionPattern(String)

    public var description: String {
        switch self {
        case .malformedDomain(let text):
            "ROUTER_DOMAIN is \"\(text)\": a host name such as example.com or localhost:3000 is needed."
        case .malformedPort(let text):
            "ROUTER_DOMAIN ends with the port \"\(text)\": a number from 1 to 65535 is needed."
        case .malformedSuffix(let text):
            "ROUTE_SUFFIX is \"\(text)\": only letters, digits and hyphens are accepted, at most 32."
        case .malformedPrefix(let text):
            "The route prefix \"\(text)\" is not accepted: letters, digits and hyphens, at most 32, not all digits."
        case .samePrefixTwice(let text):
            "The route prefix \"\(text)\" is set for two kinds of hosts: each needs its own."
        case .malformedHost(let text):
            "ROUTER_HOSTS names \"\(text)\": a host name without port is needed."
        case .hostIsSessionPattern(let text):
            "ROUTER_HOSTS names \"\(text)\", which is the host of a session: choose another name for the picker."
        }
    }
}

/// What decides which host leads where, read once at start.
///
/// All names are kept in lower case. The hosts themselves are described in `HostPattern`.
public struct RoutingSettings: Sendable {
    /// The base domain, without port.
    public let domain: String
    /// The port that public URLs carry; nil when the scheme's own port is meant. Never part of host matching.
    public let publicPort: UInt16?
    /// What follows the hash in the first label.
    public let routeSuffix: String
    /// What stands before the hash on hosts for `opencode attach`.
    public let attachPrefix: String
    /// What stands before the hash on hosts of the editor; nil while there is none.
    public let editorPrefix: String?
    /// The hosts of the picker; empty means the domain itself and every host one label below that is no session's.
    public let routerHosts: [String]
    /// Whether `localhost`, `127.0.0.1` and `[::1]` are hosts of the picker, too; for development.
    public let allowsLoopbackNames: Bool
    /// Ports that no port host reaches: sidecars and the agent itself.
    public let deniedPorts: Set<UInt16>
    /// The gateway's own listeners; out of reach of sessions on this machine, who would find them on their loopback.
    public private(set) var ownPorts: Set<UInt16> = []

    /// The agent, the browser sidecar's unauthenticated debugger, and the editor sidecar.
    public static let sidecarPorts: Set<UInt16> = [4096, 9222, 7681]

    /// Checks and normalises the settings; `routerDomain` may carry `:port` as the environment variable does.
    public init(
        routerDomain: String,
        routeSuffix: String = "",
        attachPrefix: String = "attach-",
        editorPrefix: String? = nil,
        routerHosts: [String] = [],
        allowsLoopbackNames: Bool = false,
        deniedPorts: Set<UInt16> = RoutingSettings.sidecarPorts
    ) throws(RoutingSettingsError) {
        var name = routerDomain.lowercased()
        var port: UInt16?
        // An IPv6 literal has colons, too; it cannot be a base domain, so only the last one matters.
        if let colon = name.lastIndex(of: ":") {
            let text = String(name[name.index(after: colon)...])
            guard let number = UInt16(text), number > 0, text.utf8.allSatisfy(ASCII.isDigit) else {
                throw .malformedPort(text)
            }
            port = number
            name = String(name[..<colon])
        }
        if name.hasSuffix(".") { name.removeLast() }
        guard Self.isHostName(name) else { throw .malformedDomain(routerDomain) }
        domain = name
        publicPort = port

        let suffix = routeSuffix.lowercased()
        guard suffix.utf8.count <= 32, suffix.utf8.allSatisfy(ASCII.isLabelByte) else {
            throw .malformedSuffix(routeSuffix)
        }
        self.routeSuffix = suffix

        let attach = attachPrefix.lowercased()
        let editor = editorPrefix?.lowercased()
        for prefix in [attach, editor].compactMap({ $0 }) {
            guard !prefix.isEmpty, prefix.utf8.count <= 32, prefix.utf8.allSatisfy(ASCII.isLabelByte),
                prefix.utf8.contains(where: { ASCII.hexValue($0) == nil && $0 != 0x2d })
            else { throw .malformedPrefix(prefix) }
        }
        guard attach != editor else { throw .samePrefixTwice(attach) }
        self.attachPrefix = attach
        self.editorPrefix = editor

        var hosts: [String] = []
        for host in routerHosts {
            let lowered = host.lowercased()
            guard Self.isHostName(lowered) || lowered == "[::1]" else { throw .malformedHost(host) }
            hosts.append(lowered)
        }
        self.routerHosts = hosts
        self.allowsLoopbackNames = allowsLoopbackNames
        self.deniedPorts = deniedPorts

        let pattern = HostPattern(self)
        for host in hosts {
            var copy = host
            let kind = copy.withUTF8 { pattern.classify(UnsafeRawBufferPointer($0)) }
            guard kind == .picker else { throw .hostIsSessionPattern(host) }
        }
    }

    /// The same settings once the gateway's own listeners are bound.
    public func reserving(ownPorts: some Sequence<UInt16>) -> RoutingSettings {
        var copy = self
        copy.ownPorts = Set(ownPorts)
        return copy
    }

    /// The host of a session, with the public port where there is one; for URLs.
    public func host(ofSession id: UInt64) -> String { authority(prefix: "", id) }

    /// The host of a session's port, with the public port where there is one; for URLs.
    public func host(ofSession id: UInt64, port: UInt16) -> String { authority(prefix: "\(port)-", id) }

    /// The host of a session's editor, with the public port where there is one; nil while editors have no hosts.
    public func editorHost(ofSession id: UInt64) -> String? { editorPrefix.map { authority(prefix: $0, id) } }

    /// The host for `opencode attach`; its port is the attach listener's, so none is added here.
    public func attachHost(ofSession id: UInt64) -> String { label(prefix: attachPrefix, id) + "." + domain }

    private func authority(prefix: String, _ id: UInt64) -> String {
        let name = label(prefix: prefix, id) + "." + domain
        return publicPort.map { "\(name):\($0)" } ?? name
    }

    private func label(prefix: String, _ id: UInt64) -> String {
        let digits = String(id & 0xffff_ffff_ffff, radix: 16)
        return prefix + String(repeating: "0", count: 12 - digits.utf8.count) + digits + routeSuffix
    }

    /// Whether the text is labels of 1 to 63 host bytes, joined by dots, at most 253 bytes.
    private static func isHostName(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        return text.utf8.split(separator: 0x2e, omittingEmptySubsequences: false).allSatisfy {
            (1...63).contains($0.count) && $0.allSatisfy(ASCII.isLabelByte)
        }
    }
}
