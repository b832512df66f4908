public import HTTPWire

/// Decides from fetch metadata and `Origin` whether the page behind a request may make it.
///
/// Sessions, picker and API are siblings under one domain, so cookies reach all of them whoever asks (SameSite does not
/// help between siblings). What a page may do is therefore decided here: the own origin may do everything, other origins
/// may only navigate (W3C Fetch Metadata; RFC 6454). Browsers send `Sec-Fetch-*` to https and loopback addresses, and
/// `Origin` with every WebSocket and every method but GET and HEAD; tools that keep no cookies need send neither.
public struct RequestOriginPolicy: Sendable {
    /// What the request is for.
    public enum Surface: Sendable {
        /// A session's host or one of its ports, HTTP and WebSocket.
        case session
        /// The picker's files.
        case site
        /// The API of the picker's hosts.
        case api
    }

    /// The scheme that browsers use to reach the gateway (ROUTER_PROTO), without colon.
    private let scheme: [UInt8]
    private let defaultPort: [UInt8]

    /// Makes the policy for `https`, or for `http` in development.
    public init(usesHTTPS: Bool = true) {
        scheme = Array((usesHTTPS ? "https" : "http").utf8)
        defaultPort = Array((usesHTTPS ? "443" : "80").utf8)
    }

    /// Whether the request may be carried out; the own origin is the scheme and the request's own Host.
    public func decide(
        _ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer, for surface: Surface
    ) -> OriginDecision {
        let facts: OriginFacts
        switch OriginFacts.read(head, in: buffer) {
        case .success(let read): facts = read
        case .failure(let refusal): return .refused(refusal)
        }
        if facts.isServiceWorker { return .refused(.serviceWorker) }

        // Above all, an Origin that is not ours is somebody else's page, unless that page only navigates here.
        let origin = facts.origin.map { isOwn($0.bytes(in: buffer), head, in: buffer) }
        if head.upgrade == .webSocket {
            // Coverage of Sec-Fetch on WebSockets varies; Origin is always there.
            if let origin { return origin ? .admitted : .refused(.foreignOrigin) }
            return facts.hasCookie ? .refused(.missingOrigin) : .admitted
        }
        let reads = head.method == .get || head.method == .head
        if reads && facts.isNavigation && surface != .api { return .admitted }
        if origin == false { return .refused(.foreignOrigin) }
        switch facts.site {
        case .sameOrigin: break
        case .none where reads: break
        // A person may repeat a form; the Origin that every browser sends with it has been checked.
        case .none where origin == true: break
        case .absent where reads: break
        case .absent where origin == true || !facts.hasCookie: break
        case .absent: return .refused(.missingOrigin)
        case .none, .sameSite, .crossSite, .unknown: return .refused(.crossSite)
        }
        if !head.method.isSafe, origin == nil, facts.hasCookie { return .refused(.missingOrigin) }
        if surface == .api, !head.method.isSafe, head.framing != .none, !facts.isJSON {
            return .refused(.jsonRequired)
        }
        return .admitted
    }

    /// Whether the value of an Origin field is the scheme and host that the request itself names.
    private func isOwn(
        _ origin: UnsafeRawBufferPointer, _ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer
    ) -> Bool {
        // scheme "://" host [":" port]
        let start = scheme.count + 3
        guard origin.count > start, Bytes.equal(origin, 0..<scheme.count, scheme), origin[scheme.count] == 0x3a,
            origin[scheme.count + 1] == 0x2f, origin[scheme.count + 2] == 0x2f
        else { return false }
        let host = head.host.bytes(in: buffer)
        guard !host.isEmpty, origin.count >= start + host.count else { return false }
        let named = UnsafeRawBufferPointer(rebasing: origin[start..<(start + host.count)])
        guard named.equalsIgnoringCase(host) else { return false }
        let port = head.port.bytes(in: buffer)
        let rest = UnsafeRawBufferPointer(rebasing: origin[(start + host.count)...])
        let hostHasDefault = port.isEmpty || Bytes.equal(port, 0..<port.count, defaultPort)
        guard !rest.isEmpty else { return hostHasDefault }
        guard rest[0] == 0x3a, rest.count > 1 else { return false }
        let sent = UnsafeRawBufferPointer(rebasing: rest[1...])
        if hostHasDefault { return Bytes.equal(sent, 0..<sent.count, defaultPort) }
        guard sent.count == port.count else { return false }
        for index in 0..<sent.count where sent[index] != port[index] { return false }
        return true
    }
}
