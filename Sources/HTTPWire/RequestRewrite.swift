/// What a request becomes on its way to a session, beyond what no request keeps.
///
/// One value per route, made when the route table is made: writing a head with it allocates nothing. Names and
/// prefixes are compared without regard to case.
package struct RequestRewrite: Sendable {
    /// The Host to send; nil keeps the one the browser sent, which is what sessions expect.
    package var hostOverride: [UInt8]?
    /// The complete Authorization value for the session; the browser's own never passes.
    package var authorization: [UInt8]?
    /// Cookies whose names begin with one of these stay here.
    package var authCookiePrefixes: [[UInt8]] = []
    /// Whether no cookie at all passes.
    package var dropsAllCookies = false
    /// The field by which the ingress proves itself; it stays here.
    package var secretFieldName: [UInt8]?
    /// The field that carries the identity; it stays here.
    package var identityFieldName: [UInt8] = []
    /// The X-Forwarded-Proto to send.
    package var publicProto: [UInt8] = Array("https".utf8)
    /// The X-Forwarded-User to send, if sessions are told who is there.
    package var forwardedUser: [UInt8]?
    /// Whether parameters named `password` are cut out of the query (hosts where the gateway itself reads them).
    package var dropsQueryPassword = false
    /// What to append as Via (RFC 9110 §7.6.3: a gateway names itself towards the origin); nil appends nothing.
    package var via: [UInt8]? = Array("1.1 opencode-router".utf8)

    /// Makes a rewrite that adds nothing but the forwarding fields.
    package init() {}

    /// An upper bound of the head's size once rewritten, for choosing the memory to write to.
    package func byteCountBound(of head: RequestHead, clientAddressCount: Int, requestIDCount: Int) -> Int {
        var bound = head.byteCount + Int(head.host.count + head.port.count) + clientAddressCount + requestIDCount
        bound += publicProto.count + (hostOverride?.count ?? 0) + (authorization?.count ?? 0)
        bound += (forwardedUser?.count ?? 0) + (via?.count ?? 0)
        // The names and line ends of all that may be added, and two bytes per field that lacked its space.
        return bound + 320 + 2 * head.fields.count
    }
}
