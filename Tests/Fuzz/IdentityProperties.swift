// What holds for the identity, the cookies and the origin of every request head that parses, whatever its bytes; tried by
// the fuzz target and, through a symbolic link, by unit tests.
import HTTPWire

#if canImport(Identity)
    @testable import Identity
#endif

/// A property of identities that an input broke.
struct IdentityViolation: Error, CustomStringConvertible {
    var description: String
}

/// The policies that the properties are about.
struct PoliciesForProperties {
    let identity: IdentityPolicy
    let cookies = CookiePolicy(prefixes: ["_oauth2"])
    let origins = RequestOriginPolicy()
    let peer: PeerAddress

    init() throws {
        identity = try IdentityPolicy(
            IdentitySettings(trustedProxies: AddressRange.list("10.0.0.0/8"), secrets: ["a-key-of-some-length"]))
        guard let peer = PeerAddress("10.1.2.3") else { throw IdentityViolation(description: "no peer") }
        self.peer = peer
    }
}

/// Decides about the head with the policies and once more slowly, on whole arrays; what is let through must agree.
func checkIdentity(_ input: UnsafeRawBufferPointer, _ policies: PoliciesForProperties) throws {
    var head = RequestHead()
    guard (try? HeadParser.parse(input, into: &head)) != nil else { return }
    let fields = head.fields.map { (Array($0.name.bytes(in: input)), Array($0.value.bytes(in: input))) }
    try checkWho(head, fields, input, policies)
    try checkCookies(head, fields, input, policies)
    try checkOrigin(head, fields, input, policies)
}

private func require(_ holds: Bool, _ claim: @autoclosure () -> String) throws {
    if !holds { throw IdentityViolation(description: claim()) }
}

private func lowered(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    bytes.map { (65...90).contains($0) ? $0 + 32 : $0 }
}

private func folded(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    lowered(bytes).map { $0 == 95 || $0 == 46 ? 45 : $0 }
}

private typealias Fields = [(name: [UInt8], value: [UInt8])]

private func checkWho(
    _ head: borrowing RequestHead, _ fields: Fields, _ input: UnsafeRawBufferPointer, _ policies: PoliciesForProperties
) throws {
    let who = policies.identity.identify(head, in: input, peer: policies.peer)
    let email = policies.identity.email(who, in: input)
    guard let email else {
        try require(!policies.identity.matches(who, owner: [], in: input), "a refused request owns something")
        return
    }
    let name = Array("x-auth-request-email".utf8)
    let claims = fields.filter { folded($0.name) == name }
    try require(claims.count == 1 && lowered(claims[0].name) == name, "several claims, or a look-alike")
    try require(lowered(claims[0].value) == Array(email.utf8), "\(email) is not what the field says")
    let keys = fields.filter { folded($0.name) == Array("x-gateway-key".utf8) }
    try require(
        keys.count == 1 && keys[0].value == Array("a-key-of-some-length".utf8), "no key, or not exactly the key")
    try require(email.utf8.count(where: { $0 == 64 }) == 1, "not one @ in \(email)")
    try require(email.utf8.allSatisfy { (0x21...0x7e).contains($0) && !(65...90).contains($0) }, "odd bytes")
    try require(!email.utf8.contains { ":,;<>()[]\\\"".utf8.contains($0) }, "a byte with a meaning in \(email)")
    try require(policies.identity.matches(who, owner: Array(email.utf8), in: input), "\(email) is not itself")
    try require(!policies.identity.matches(who, owner: Array(("x" + email).utf8), in: input), "\(email) is another")
    try require(!policies.identity.matches(who, owner: Array(email.utf8.dropLast()), in: input), "a shorter owner")
    let stranger = policies.identity.identify(head, in: input, peer: PeerAddress(ipv4: 0x0b00_0001))
    try require(stranger == .refused(.untrustedPeer), "a stranger was believed")
}

private func checkCookies(
    _ head: borrowing RequestHead, _ fields: Fields, _ input: UnsafeRawBufferPointer, _ policies: PoliciesForProperties
) throws {
    var names: [[UInt8]] = []
    for field in fields where lowered(field.name) == Array("cookie".utf8) {
        for pair in field.value.split(separator: 59) {
            let start = pair.drop { $0 == 32 || $0 == 9 || $0 == 61 }
            var name = start.prefix { $0 != 61 }
            while let last = name.last, last == 32 || last == 9 { name.removeLast() }
            if lowered(name).starts(with: Array("_oauth2".utf8)) { names.append(lowered(name)) }
        }
    }
    let isDoubled = Set(names).count < names.count
    switch policies.cookies.refusal(head, in: input) {
    case nil: try require(!isDoubled && names.count <= 128, "a doubled sign-in cookie passed")
    case .duplicate: try require(isDoubled, "\(names.count) different cookies were taken for doubled ones")
    case .tooMany: try require(names.count > 128, "\(names.count) cookies were too many")
    }
}

private func checkOrigin(
    _ head: borrowing RequestHead, _ fields: Fields, _ input: UnsafeRawBufferPointer, _ policies: PoliciesForProperties
) throws {
    let origins = fields.filter { lowered($0.name) == Array("origin".utf8) }.map { lowered($0.value) }
    let host = lowered(head.host.bytes(in: input))
    let port = Array(head.port.bytes(in: input))
    let isDefault = port.isEmpty || port == Array("443".utf8)
    let bare = Array("https://".utf8) + host
    let own = isDefault ? [bare, bare + Array(":443".utf8)] : [bare + [58] + port]
    let isOwn = origins.count == 1 && own.contains(origins[0])
    let changes = ![Method.get, .head, .options, .trace].contains(head.method)
    for surface in [RequestOriginPolicy.Surface.session, .site, .api] {
        guard policies.origins.decide(head, in: input, for: surface) == .admitted else { continue }
        try require(origins.count <= 1, "two origins passed")
        let isForeign = !origins.isEmpty && !isOwn
        try require(!isForeign || (!changes && head.upgrade == .none && surface != .api), "a foreign page passed")
        let hasCookie = fields.contains { lowered($0.name) == Array("cookie".utf8) }
        if changes || head.upgrade != .none {
            try require(isOwn || !hasCookie, "a change or tunnel with cookies passed without an origin")
        }
    }
}
