/// The field names that the gateway itself looks at, recognised once while parsing.
public enum FieldName: UInt8, Sendable {
    /// Any name the gateway has no rule for; it is forwarded as it was spelt.
    case other
    case host, connection, contentLength, transferEncoding, upgrade, expect, te, trailer, keepAlive
    case proxyConnection, proxyAuthenticate, proxyAuthorization, http2Settings
    case cookie, setCookie, authorization, origin, referer, accept, acceptEncoding, contentType, contentEncoding
    case ifMatch, ifNoneMatch, ifModifiedSince, ifRange, range
    case etag, lastModified, cacheControl, vary, date, server, location
    case forwarded, via, xForwarded /* any X-Forwarded-* */, xRealIP, xRequestID
    case xAuthRequest /* any X-Auth-Request-* */, gap /* GAP-Auth, GAP-Signature */, xAdmin, xPod, xAttachPassword
    case secFetchSite, secFetchMode, secFetchDest, secWebSocket /* any Sec-WebSocket-* */, serviceWorker
    case clearSiteData, altSvc, strictTransportSecurity, serviceWorkerAllowed, publicKeyPins, nel, reportTo
    case accessControlAllowCredentials, accessControlAllowOrigin
    case xContentTypeOptions, referrerPolicy, contentSecurityPolicy, crossOriginOpenerPolicy, originAgentCluster
    case xFrameOptions, retryAfter, userAgent, lastEventID, maxForwards
    /// Any other Proxy-*, meant for a proxy and so for nobody behind us.
    case proxyOther
    /// A name with `_` in it: some software folds it into `-`, so it never passes the gateway.
    case underscored
    /// A name that this message's own Connection field lists (RFC 9110 §7.6.1); it ends here.
    case hopByHop
}

/// The names the parser recognises, and which field each of them is.
///
/// Built once per process: an open-addressed table of 512 slots keyed by a name's length and its last eight bytes.
struct FieldNameTable: @unchecked Sendable {
    // Unchecked: the memory is written in `init` only.
    static let shared = FieldNameTable()

    private struct Slot {
        var tail: UInt64 = 0
        var spelling: UnsafePointer<UInt8>?
        var count: UInt8 = 0
        var name = FieldName.other
    }

    private let slots: UnsafeMutablePointer<Slot>

    /// Names in lower case. Those mapped to `other` are here because recognising a name whole is quicker than checking
    /// it byte by byte, and browsers send them all the time.
    private static let names: [(StaticString, FieldName)] = [
        ("host", .host), ("connection", .connection), ("content-length", .contentLength),
        ("transfer-encoding", .transferEncoding), ("upgrade", .upgrade), ("expect", .expect), ("te", .te),
        ("trailer", .trailer), ("keep-alive", .keepAlive), ("proxy-connection", .proxyConnection),
        ("proxy-authenticate", .proxyAuthenticate), ("proxy-authorization", .proxyAuthorization),
        ("http2-settings", .http2Settings),
        ("cookie", .cookie), ("set-cookie", .setCookie), ("set-cookie2", .setCookie),
        ("authorization", .authorization), ("origin", .origin), ("referer", .referer), ("accept", .accept),
        ("accept-encoding", .acceptEncoding), ("content-type", .contentType),
        ("content-encoding", .contentEncoding), ("if-match", .ifMatch), ("if-none-match", .ifNoneMatch),
        ("if-modified-since", .ifModifiedSince), ("if-range", .ifRange), ("range", .range), ("etag", .etag),
        ("last-modified", .lastModified), ("cache-control", .cacheControl), ("vary", .vary), ("date", .date),
        ("server", .server), ("location", .location),
        ("forwarded", .forwarded), ("via", .via), ("x-forwarded-for", .xForwarded),
        ("x-forwarded-host", .xForwarded), ("x-forwarded-proto", .xForwarded), ("x-forwarded-port", .xForwarded),
        ("x-forwarded-server", .xForwarded), ("x-forwarded-email", .xForwarded), ("x-forwarded-user", .xForwarded),
        ("x-real-ip", .xRealIP), ("x-request-id", .xRequestID),
        ("x-auth-request-email", .xAuthRequest), ("x-auth-request-user", .xAuthRequest),
        ("x-auth-request-groups", .xAuthRequest), ("x-auth-request-access-token", .xAuthRequest),
        ("gap-auth", .gap), ("gap-signature", .gap), ("x-admin-secret", .xAdmin), ("x-pod-secret", .xPod),
        ("x-attach-password", .xAttachPassword),
        ("sec-fetch-site", .secFetchSite), ("sec-fetch-mode", .secFetchMode), ("sec-fetch-dest", .secFetchDest),
        ("sec-websocket-key", .secWebSocket), ("sec-websocket-version", .secWebSocket),
        ("sec-websocket-extensions", .secWebSocket), ("sec-websocket-protocol", .secWebSocket),
        ("sec-websocket-accept", .secWebSocket), ("service-worker", .serviceWorker),
        ("clear-site-data", .clearSiteData), ("alt-svc", .altSvc),
        ("strict-transport-security", .strictTransportSecurity),
        ("service-worker-allowed", .serviceWorkerAllowed), ("public-key-pins", .publicKeyPins),
        ("public-key-pins-report-only", .publicKeyPins), ("nel", .nel), ("report-to", .reportTo),
        ("access-control-allow-credentials", .accessControlAllowCredentials),
        ("access-control-allow-origin", .accessControlAllowOrigin),
        ("x-content-type-options", .xContentTypeOptions), ("referrer-policy", .referrerPolicy),
        ("content-security-policy", .contentSecurityPolicy),
        ("cross-origin-opener-policy", .crossOriginOpenerPolicy), ("origin-agent-cluster", .originAgentCluster),
        ("x-frame-options", .xFrameOptions), ("retry-after", .retryAfter), ("user-agent", .userAgent),
        ("last-event-id", .lastEventID), ("max-forwards", .maxForwards),
        ("accept-language", .other), ("upgrade-insecure-requests", .other), ("sec-fetch-user", .other),
        ("sec-ch-ua", .other), ("sec-ch-ua-mobile", .other), ("sec-ch-ua-platform", .other), ("pragma", .other),
        ("priority", .other), ("dnt", .other), ("sec-gpc", .other), ("accept-ranges", .other),
        ("content-range", .other), ("expires", .other), ("age", .other), ("x-opencode-directory", .other),
        ("access-control-request-method", .other), ("access-control-request-headers", .other),
        // What AUTH_SECRET_HEADER is where nobody says otherwise.
        ("x-gateway-key", .other),
    ]

    /// Beginnings of names, in lower case, that stand for whole families.
    private static let families: [(StaticString, FieldName)] = [
        ("x-forwarded-", .xForwarded), ("x-auth-request-", .xAuthRequest), ("gap-", .gap), ("x-admin-", .xAdmin),
        ("x-pod-", .xPod), ("sec-websocket-", .secWebSocket), ("proxy-", .proxyOther),
    ]

    private static let slotCount = 512

    private init() {
        slots = .allocate(capacity: Self.slotCount)
        slots.initialize(repeating: Slot(), count: Self.slotCount)
        for (spelling, name) in Self.names {
            let bytes = UnsafeRawBufferPointer(start: spelling.utf8Start, count: spelling.utf8CodeUnitCount)
            let tail = Self.tail(of: bytes.bytes, start: 0, count: bytes.count)
            var index = Self.slot(tail, bytes.count)
            while slots[index].spelling != nil { index = (index + 1) & (Self.slotCount - 1) }
            slots[index] = Slot(
                tail: tail, spelling: spelling.utf8Start, count: UInt8(bytes.count), name: name)
        }
    }

    @inline(__always)
    private static func slot(_ tail: UInt64, _ count: Int) -> Int {
        // Fibonacci hashing: the high bits of the product depend on every byte of the tail.
        Int(truncatingIfNeeded: ((tail ^ UInt64(truncatingIfNeeded: count)) &* 0x9E37_79B9_7F4A_7C15) >> 55)
    }

    /// The last (up to) eight bytes of a name, letters in lower case.
    @inline(__always)
    private static func tail(of bytes: RawSpan, start: Int, count: Int) -> UInt64 {
        let end = start &+ count
        if end >= 8 {
            let word = bytes.word(end &- 8)
            return lowercased(count >= 8 ? word : word >> (8 * UInt64(truncatingIfNeeded: 8 - count)))
        }
        var word: UInt64 = 0
        for index in start..<end { word |= UInt64(bytes.byte(index)) << (8 * UInt64(index - start)) }
        return lowercased(word)
    }

    /// Which of the known names these bytes spell, letters in any case; nil if none.
    ///
    /// A name that is found consists of token bytes only, because all names of the table do.
    @inline(__always)
    func find(in bytes: RawSpan, start: Int, count: Int) -> FieldName? {
        guard count > 0 else { return nil }
        let tail = Self.tail(of: bytes, start: start, count: count)
        var index = Self.slot(tail, count)
        while let spelling = slots[index].spelling {
            if slots[index].tail == tail, Int(slots[index].count) == count {
                var offset = 0
                while offset &+ 8 < count {
                    let expected = UInt64(
                        littleEndian: UnsafeRawPointer(spelling).loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                    if lowercased(bytes.word(start &+ offset)) != expected { break }
                    offset &+= 8
                }
                if offset &+ 8 >= count { return slots[index].name }
            }
            index = (index &+ 1) & (Self.slotCount &- 1)
        }
        return nil
    }

    /// The family that a valid token belongs to by its beginning, else `underscored` by a `_` anywhere, else `other`.
    ///
    /// Families that may pass give way to `underscored`, families that never do come first: either way it stays here.
    func family(of bytes: RawSpan, start: Int, count: Int) -> FieldName {
        var family = FieldName.other
        for (prefix, name) in Self.families where bytes.hasPrefix(prefix, at: start, count: count) { family = name }
        guard family == .other || family == .secWebSocket else { return family }
        return bytes.first(UInt8(ascii: "_"), from: start, to: start + count) < start + count ? .underscored : family
    }
}
