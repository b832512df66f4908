import Testing

@testable import Identity

@Suite("Who is asking")
struct IdentityPolicyTests {
    /// Every peer of 10/8 is believed.
    let policy: IdentityPolicy
    let secured: IdentityPolicy

    init() throws {
        let proxies = try AddressRange.list("10.0.0.0/8")
        policy = try IdentityPolicy(IdentitySettings(trustedProxies: proxies))
        secured = try IdentityPolicy(
            IdentitySettings(trustedProxies: proxies, secrets: ["first-key-of-the-two", "second-key-of-the-two"]))
    }

    @Test(
        "A proven address is the identity, trimmed and lower-cased",
        arguments: [
            ("X-Auth-Request-Email: alice@example.com", "alice@example.com"),
            ("x-auth-request-email: Alice@Example.COM", "alice@example.com"),
            ("X-AUTH-REQUEST-EMAIL: \t a.b+c_d@x \t", "a.b+c_d@x"),
            ("X-Auth-Request-Email: o'neil@sub.example.co", "o'neil@sub.example.co"),
        ])
    func accepted(field: String, email: String) throws {
        #expect(policy.identify(try RequestSample([field])).email == email)
    }

    @Test(
        "Everything doubtful is refused",
        arguments: [
            ([String](), IdentityRefusal.missing),
            (["X-Auth-Request-Email:"], .malformed),
            (["X-Auth-Request-Email: alice"], .malformed), (["X-Auth-Request-Email: @example.com"], .malformed),
            (["X-Auth-Request-Email: alice@"], .malformed), (["X-Auth-Request-Email: a@b@c"], .malformed),
            (["X-Auth-Request-Email: alice@example.com,bob@example.com"], .malformed),
            (["X-Auth-Request-Email: alice@example.com, x"], .malformed),
            (["X-Auth-Request-Email: al ice@example.com"], .malformed),
            (["X-Auth-Request-Email: <alice@example.com>"], .malformed),
            (["X-Auth-Request-Email: \"alice\"@example.com"], .malformed),
            (["X-Auth-Request-Email: alice:repo@example.com"], .malformed),
            (["X-Auth-Request-Email: alice@example.com:repo"], .malformed),
            (["X-Auth-Request-Email: alice@[127.0.0.1]"], .malformed),
            (["X-Auth-Request-Email: \u{e4}lice@example.com"], .malformed),
            (["X-Auth-Request-Email: alice@ex\u{430}mple.com"], .malformed),
            (["X-Auth-Request-Email: " + String(repeating: "a", count: 250) + "@b.co"], .malformed),
            (["X-Auth-Request-Email: a@example.com", "X-Auth-Request-Email: a@example.com"], .duplicate),
            (["X-Auth-Request-Email: a@example.com", "x-auth-request-email: b@example.com"], .duplicate),
            (["X-Auth-Request-Email: a@example.com", "X_Auth_Request_Email: b@example.com"], .lookAlike),
            (["X_Auth_Request_Email: b@example.com"], .lookAlike),
            (["X-Auth_Request-Email: b@example.com"], .lookAlike),
            (["x.auth.request.email: b@example.com"], .lookAlike),
            (["X-Forwarded_Email: b@example.com", "X-Auth-Request-Email: a@example.com"], .lookAlike),
            (["X-Forwarded-Email: b@example.com"], .missing),
            (["X-Auth-Request-User: b@example.com"], .missing),
            (["X-Auth-Request-Email2: b@example.com"], .missing),
        ])
    func refused(fields: [String], expected: IdentityRefusal) throws {
        #expect(policy.identify(try RequestSample(fields)).who == .refused(expected))
    }

    @Test("The other family is the client's to write, and is ignored")
    func otherFamily() throws {
        let sample = try RequestSample(
            ["X-Forwarded-Email: mallory@example.com", "X-Auth-Request-Email: alice@example.com"])
        #expect(policy.identify(sample).email == "alice@example.com")
        let upstream = try IdentityPolicy(
            IdentitySettings(mode: .upstream, trustedProxies: AddressRange.list("10.0.0.0/8")))
        #expect(upstream.identify(sample).email == "mallory@example.com")
    }

    @Test("A header of one's own takes the place of the mode's")
    func ownHeader() throws {
        let own = try IdentityPolicy(
            IdentitySettings(emailHeader: "X-Who", trustedProxies: AddressRange.list("10.0.0.0/8")))
        #expect(own.identify(try RequestSample(["x-who: a@b"])).email == "a@b")
        #expect(own.identify(try RequestSample(["X-Auth-Request-Email: a@b"])).who == .refused(.missing))
        #expect(own.identify(try RequestSample(["X_Who: a@b"])).who == .refused(.lookAlike))
    }

    @Test(
        "Only the proxies' addresses are believed",
        arguments: [
            ("10.255.255.255", true), ("::ffff:10.0.0.1", true), ("11.0.0.0", false), ("9.255.255.255", false),
            ("::1", false), ("127.0.0.1", false), ("::10.0.0.1", false),
        ])
    func peers(peer: String, trusted: Bool) throws {
        let sample = try RequestSample(["X-Auth-Request-Email: a@b"])
        let who = policy.identify(sample, peer: try #require(PeerAddress(peer))).who
        if trusted { #expect(who != .refused(.untrustedPeer)) } else { #expect(who == .refused(.untrustedPeer)) }
    }

    @Test(
        "The key is asked for besides the address, either of two is good",
        arguments: [
            (["X-Gateway-Key: first-key-of-the-two"], nil), (["x-gateway-key: second-key-of-the-two"], nil),
            ([], IdentityRefusal.missingSecret), (["X-Gateway-Key:"], .wrongSecret),
            (["X-Gateway-Key: first-key-of-the-tw"], .wrongSecret),
            (["X-Gateway-Key: first-key-of-the-two2"], .wrongSecret),
            (["X-Gateway-Key: First-key-of-the-two"], .wrongSecret),
            (["X-Gateway-Key: first-key-of-the-two", "X-Gateway-Key: first-key-of-the-two"], .duplicateSecret),
            (["X-Gateway-Key: first-key-of-the-two", "X_Gateway_Key: guess"], .lookAlike),
            (["X_Gateway_Key: first-key-of-the-two"], .lookAlike),
        ] as [([String], IdentityRefusal?)])
    func secrets(fields: [String], expected: IdentityRefusal?) throws {
        let sample = try RequestSample(fields + ["X-Auth-Request-Email: a@b"])
        let answer = secured.identify(sample)
        if let expected {
            #expect(answer.who == .refused(expected))
        } else {
            #expect(answer.email == "a@b")
        }
        #expect(
            secured.identify(sample, peer: PeerAddress("192.168.0.1")!).email == nil, "the address is asked for, too")
    }

    @Test("A key alone is proof; a key without an identity is nobody")
    func secretAlone() throws {
        let policy = try IdentityPolicy(IdentitySettings(secrets: ["a-key-of-some-length"]))
        let anywhere = try #require(PeerAddress("203.0.113.9"))
        let named = try RequestSample(["X-Gateway-Key: a-key-of-some-length", "X-Auth-Request-Email: a@b"])
        #expect(policy.identify(named, peer: anywhere).email == "a@b")
        let unnamed = try RequestSample(["X-Gateway-Key: a-key-of-some-length"])
        #expect(policy.identify(unnamed, peer: anywhere).who == .refused(.missing))
    }

    @Test("In development everybody without a header is the developer; a header needs proof even there")
    func development() throws {
        let policy = try IdentityPolicy(
            IdentitySettings(development: true, developmentEmail: " Dev@Local.test ", listensOnLoopback: true))
        let plain = try RequestSample([])
        #expect(policy.identify(plain).who == .development)
        #expect(policy.identify(plain).email == "dev@local.test")
        #expect(policy.identify(try RequestSample(["X-Auth-Request-Email: a@b"])).who == .refused(.noProof))
        #expect(policy.identify(try RequestSample(["X_Auth_Request_Email: a@b"])).who == .refused(.lookAlike))
        let proven = try IdentityPolicy(
            IdentitySettings(
                trustedProxies: AddressRange.list("10.0.0.0/8"), development: true, developmentEmail: "dev@local.test",
                listensOnLoopback: true))
        #expect(proven.identify(try RequestSample(["X-Auth-Request-Email: a@b"])).email == "a@b")
        #expect(proven.identify(plain).email == "dev@local.test")
    }

    @Test("Development without a developer has nobody")
    func noDeveloper() throws {
        let policy = try IdentityPolicy(IdentitySettings(development: true))
        #expect(policy.identify(try RequestSample([])).who == .refused(.missing))
    }

    @Test(
        "What would believe strangers does not start",
        arguments: [
            (IdentitySettings(), IdentitySettingsError.noProof),
            (IdentitySettings(mode: .upstream), .noProof),
            (IdentitySettings(listensOnLoopback: true), .noProof),
            (
                IdentitySettings(trustsAnyPeer: true, developmentEmail: "a@b", listensOnLoopback: true),
                .developmentEmailOutsideDevelopment
            ),
            (IdentitySettings(development: true, developmentEmail: "a@b"), .developmentEmailNotOnLoopback),
            (
                IdentitySettings(development: true, developmentEmail: "nobody", listensOnLoopback: true),
                .malformedDevelopmentEmail("nobody")
            ),
            (IdentitySettings(secrets: ["short"]), .weakSecret),
            (IdentitySettings(secrets: ["has spaces in between"]), .weakSecret),
            (IdentitySettings(secrets: ["", ""]), .weakSecret),
            (
                IdentitySettings(secrets: ["one-key-of-some-length", "two-key-of-some-length", "3"]),
                .tooManySecrets(3)
            ),
            (
                IdentitySettings(emailHeader: "X_Email", trustsAnyPeer: true),
                .malformedHeaderName(setting: "AUTH_EMAIL_HEADER", name: "X_Email")
            ),
            (
                IdentitySettings(secretHeader: "", trustsAnyPeer: true),
                .malformedHeaderName(setting: "AUTH_SECRET_HEADER", name: "")
            ),
            (
                IdentitySettings(emailHeader: "x-gateway-KEY", secrets: ["one-key-of-some-length"]),
                .sameHeaderTwice("x-gateway-KEY")
            ),
        ])
    func failsClosed(settings: IdentitySettings, expected: IdentitySettingsError) {
        #expect(throws: expected) { try IdentityPolicy(settings) }
        #expect(!expected.description.isEmpty)
    }

    @Test("Trusting any peer must be said, and counts only where nothing better is set")
    func anyPeer() throws {
        let open = try IdentityPolicy(IdentitySettings(trustsAnyPeer: true))
        #expect(open.trustsAnyPeer)
        let sample = try RequestSample(["X-Auth-Request-Email: a@b"])
        #expect(open.identify(sample, peer: PeerAddress("203.0.113.9")!).email == "a@b")
        let both = try IdentityPolicy(
            IdentitySettings(trustedProxies: AddressRange.list("10.0.0.0/8"), trustsAnyPeer: true))
        #expect(!both.trustsAnyPeer)
        #expect(both.identify(sample, peer: PeerAddress("203.0.113.9")!).who == .refused(.untrustedPeer))
    }

    @Test("The owner is matched without case, and nothing else matches")
    func owners() throws {
        let sample = try RequestSample(["X-Auth-Request-Email: Alice@Example.com"])
        sample.use { head, buffer in
            let who = policy.identify(head, in: buffer, peer: PeerAddress("10.0.0.1")!)
            #expect(policy.matches(who, owner: Array("alice@example.com".utf8), in: buffer))
            #expect(!policy.matches(who, owner: Array("alice@example.co".utf8), in: buffer))
            #expect(!policy.matches(who, owner: Array("alice@example.comm".utf8), in: buffer))
            #expect(!policy.matches(who, owner: Array("bob@example.com".utf8), in: buffer))
            #expect(!policy.matches(who, owner: [], in: buffer))
            #expect(!policy.matches(.refused(.missing), owner: Array("alice@example.com".utf8), in: buffer))
            #expect(!policy.matches(.development, owner: Array("alice@example.com".utf8), in: buffer))
            #expect(!policy.matches(.development, owner: [], in: buffer))
        }
    }

    @Test("Codes are distinct and stable words")
    func codes() {
        let codes = IdentityRefusal.allCases.map(\.code) + OriginRefusal.allCases.map(\.code)
        #expect(Set(codes).count == codes.count)
        for code in codes { #expect(code.utf8.allSatisfy { $0 == 0x5f || (0x61...0x7a).contains($0) }) }
    }
}
