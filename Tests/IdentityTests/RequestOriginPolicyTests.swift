import Testing

@testable import Identity

@Suite("Which page may ask")
struct RequestOriginPolicyTests {
    /// One request as a browser or a tool sends it.
    struct Case: Sendable, CustomTestStringConvertible {
        let surface: RequestOriginPolicy.Surface
        let method: String
        let fields: [String]
        let expected: OriginDecision
        var testDescription: String { "\(method) \(fields) on \(surface)" }

        init(
            _ surface: RequestOriginPolicy.Surface, _ method: String, _ fields: [String],
            _ expected: OriginRefusal? = nil
        ) {
            self.surface = surface
            self.method = method
            self.fields = fields
            self.expected = expected.map(OriginDecision.refused) ?? .admitted
        }
    }

    private static let own = "Origin: https://abc123def456-oc.example.com"
    private static let evil = "Origin: https://eeeeeeeeeeee-oc.example.com"
    private static let sameOrigin = "Sec-Fetch-Site: same-origin"
    private static let sameSite = "Sec-Fetch-Site: same-site"
    private static let crossSite = "Sec-Fetch-Site: cross-site"
    private static let typed = "Sec-Fetch-Site: none"
    private static let page = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"]
    private static let cookie = "Cookie: _oauth2_proxy=x"
    private static let json = ["Content-Type: application/json", "Content-Length: 2"]
    private static let form = ["Content-Type: application/x-www-form-urlencoded", "Content-Length: 2"]
    private static let webSocket = [
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]

    static let cases: [Case] = [
        // A session's own page does as it likes.
        Case(.session, "GET", [sameOrigin, cookie]), Case(.session, "POST", [sameOrigin, own, cookie]),
        Case(.session, "DELETE", [sameOrigin, own, cookie]), Case(.session, "PATCH", [own, cookie] + json),
        Case(.session, "POST", [sameOrigin, own, cookie] + form), Case(.session, "GET", [typed, cookie] + page),
        // Links and redirects from elsewhere open pages, and nothing but pages.
        Case(.session, "GET", [sameSite, cookie] + page), Case(.session, "GET", [crossSite, cookie] + page),
        Case(.session, "HEAD", [crossSite, cookie] + page),
        Case(.session, "GET", [sameSite, cookie], .crossSite), Case(.session, "GET", [crossSite, cookie], .crossSite),
        Case(.session, "GET", [sameSite, "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"], .crossSite),
        Case(.session, "GET", [sameSite, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"], .crossSite),
        Case(.session, "GET", [sameSite, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: object"], .crossSite),
        Case(.session, "GET", [sameSite, "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: document"], .crossSite),
        Case(.session, "GET", ["Sec-Fetch-Site: surprise", cookie], .crossSite),
        Case(.session, "GET", [evil, cookie], .foreignOrigin), Case(.session, "GET", [sameSite, evil], .foreignOrigin),
        Case(.session, "OPTIONS", [crossSite, evil], .foreignOrigin),
        Case(.session, "OPTIONS", [sameSite, cookie], .crossSite),
        // Changes need the own origin.
        Case(.session, "POST", [sameSite, evil, cookie], .foreignOrigin),
        Case(.session, "POST", [crossSite, evil, cookie] + page, .foreignOrigin),
        Case(.session, "POST", [evil, cookie], .foreignOrigin),
        Case(.session, "POST", ["Origin: null", cookie], .foreignOrigin),
        Case(.session, "POST", [sameOrigin, "Origin: null", cookie], .foreignOrigin),
        Case(.session, "POST", [cookie], .missingOrigin), Case(.session, "POST", [sameOrigin, cookie], .missingOrigin),
        Case(.session, "POST", [sameSite, cookie], .crossSite), Case(.session, "POST", [typed], .crossSite),
        // Tools without cookies.
        Case(.session, "GET", []), Case(.session, "POST", []), Case(.session, "POST", ["Authorization: Basic x"]),
        Case(.session, "GET", [cookie]),
        // WebSockets.
        Case(.session, "GET", webSocket + [own, cookie]), Case(.session, "GET", webSocket),
        Case(.session, "GET", webSocket + [own, sameOrigin, "Sec-Fetch-Mode: websocket", cookie]),
        Case(.session, "GET", webSocket + [evil, cookie], .foreignOrigin),
        Case(.session, "GET", webSocket + ["Origin: null", cookie], .foreignOrigin),
        Case(.session, "GET", webSocket + [cookie], .missingOrigin),
        Case(.session, "GET", webSocket + [evil, crossSite, cookie] + page, .foreignOrigin),
        Case(.session, "GET", webSocket + ["Origin: http://abc123def456-oc.example.com"], .foreignOrigin),
        Case(.session, "GET", webSocket + ["Origin: wss://abc123def456-oc.example.com"], .foreignOrigin),
        // Service workers would outlive the session.
        Case(.session, "GET", [sameOrigin, "Service-Worker: script"], .serviceWorker),
        Case(.session, "GET", [sameOrigin, "Sec-Fetch-Dest: serviceworker"], .serviceWorker),
        // What comes twice is read differently by two readers.
        Case(.session, "POST", [own, evil], .ambiguous), Case(.session, "GET", [sameSite, sameOrigin], .ambiguous),
        Case(
            .session, "GET",
            [sameSite, "Sec-Fetch-Mode: cors", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"],
            .ambiguous),
        Case(.session, "GET", [sameSite, "Sec-Fetch-Dest: image", "Sec-Fetch-Dest: document"], .ambiguous),
        // The spelling of an origin.
        Case(.session, "POST", ["Origin: HTTPS://ABC123DEF456-OC.example.com", cookie]),
        Case(.session, "POST", ["Origin: https://abc123def456-oc.example.com:443", cookie]),
        Case(.session, "POST", ["Origin: https://abc123def456-oc.example.com:444", cookie], .foreignOrigin),
        Case(.session, "POST", ["Origin: https://abc123def456-oc.example.com.evil.org", cookie], .foreignOrigin),
        Case(.session, "POST", ["Origin: https://abc123def456-oc.example.com/", cookie], .foreignOrigin),
        Case(.session, "POST", ["Origin: https://abc123def456-oc.example.com:", cookie], .foreignOrigin),
        Case(.session, "POST", ["Origin: https://evil@abc123def456-oc.example.com", cookie], .foreignOrigin),
        Case(.session, "POST", ["Origin: https:/abc123def456-oc.example.com", cookie], .foreignOrigin),
        Case(.session, "POST", ["Origin: abc123def456-oc.example.com", cookie], .foreignOrigin),
        Case(.session, "POST", ["Origin:", cookie], .foreignOrigin),
        Case(
            .session, "POST", ["Origin: https://abc123def456-oc.example.com https://eeeeeeeeeeee-oc.example.com"],
            .foreignOrigin),
        // The API: the picker's own page, and JSON.
        Case(.api, "GET", [sameOrigin, cookie]), Case(.api, "GET", [typed, cookie] + page), Case(.api, "GET", []),
        Case(.api, "GET", [sameSite, cookie], .crossSite), Case(.api, "GET", [crossSite, cookie] + page, .crossSite),
        Case(.api, "GET", [sameSite, cookie] + page, .crossSite), Case(.api, "GET", [evil, cookie], .foreignOrigin),
        Case(.api, "POST", [own, sameOrigin, cookie] + json), Case(.api, "POST", [own, cookie] + json),
        Case(.api, "POST", [own, sameOrigin, cookie]), Case(.api, "DELETE", [own, sameOrigin, cookie]),
        Case(.api, "POST", json), Case(.api, "DELETE", []),
        Case(.api, "POST", [own, cookie, "Content-Type: Application/JSON ; charset=utf-8", "Content-Length: 2"]),
        Case(.api, "POST", [own, sameOrigin, cookie] + form, .jsonRequired),
        Case(.api, "POST", [own, cookie, "Content-Length: 2"], .jsonRequired),
        Case(.api, "POST", [own, cookie, "Content-Type: application/jsonp", "Content-Length: 2"], .jsonRequired),
        Case(.api, "POST", [own, cookie, "Content-Type: text/plain", "Transfer-Encoding: chunked"], .jsonRequired),
        Case(.api, "POST", [own, cookie, "Content-Type: application/json x", "Content-Length: 2"], .jsonRequired),
        Case(.api, "POST", form, .jsonRequired),
        Case(.api, "POST", [evil, sameSite, cookie] + json, .foreignOrigin),
        Case(.api, "POST", [cookie] + json, .missingOrigin), Case(.api, "DELETE", [cookie], .missingOrigin),
        Case(.api, "DELETE", [crossSite, cookie], .crossSite),
        // The picker's files.
        Case(.site, "GET", [sameOrigin, cookie]), Case(.site, "GET", [crossSite, cookie] + page),
        Case(.site, "GET", [crossSite, "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"], .crossSite),
    ]

    @Test("Over https", arguments: cases)
    func https(sample: Case) throws {
        let request = try RequestSample(sample.fields, method: sample.method)
        let decision = request.use { RequestOriginPolicy().decide($0, in: $1, for: sample.surface) }
        #expect(decision == sample.expected)
    }

    @Test(
        "Over plain http on localhost, where browsers send the same fields",
        arguments: [
            ("localhost:3000", "Origin: http://localhost:3000", nil),
            ("abc123def456.localhost:3000", "Origin: http://abc123def456.localhost:3000", nil),
            ("[::1]:3000", "Origin: http://[::1]:3000", nil), ("localhost", "Origin: http://localhost", nil),
            ("localhost:80", "Origin: http://localhost", nil), ("localhost", "Origin: http://localhost:80", nil),
            ("localhost:3000", "Origin: http://localhost", OriginRefusal.foreignOrigin),
            ("localhost:3000", "Origin: http://localhost:3001", .foreignOrigin),
            ("localhost:3000", "Origin: http://localhost:30000", .foreignOrigin),
            ("localhost:3000", "Origin: http://abc123def456.localhost:3000", .foreignOrigin),
            ("abc123def456.localhost:3000", "Origin: http://localhost:3000", .foreignOrigin),
            ("localhost:3000", "Origin: https://localhost:3000", .foreignOrigin),
        ] as [(String, String, OriginRefusal?)])
    func http(host: String, origin: String, refusal: OriginRefusal?) throws {
        let policy = RequestOriginPolicy(usesHTTPS: false)
        let fields = [origin, "Sec-Fetch-Mode: cors", "Content-Type: application/json", "Content-Length: 2"]
        let request = try RequestSample(fields, method: "POST", host: host)
        let decision = request.use { policy.decide($0, in: $1, for: .api) }
        #expect(decision == refusal.map(OriginDecision.refused) ?? .admitted)
    }
}

@Suite("Sign-in cookies")
struct CookiePolicyTests {
    @Test(
        "Come once each, or the request is refused",
        arguments: [
            ([], nil), (["_oauth2_proxy=a"], nil), (["_oauth2_proxy=a; theme=dark; theme=light"], nil),
            (["_oauth2_proxy_0=a; _oauth2_proxy_1=b; _oauth2_proxy_csrf=c"], nil),
            (["_oauth2_proxy=a=b|c=; x=_oauth2_proxy=b"], nil), (["theme=dark", "theme=light"], nil),
            (["_oauth2_proxy=a; _oauth2_proxy=b"], .duplicate), (["_oauth2_proxy=a", "_oauth2_proxy=a"], .duplicate),
            (["_oauth2_proxy=a;_oauth2_proxy=b"], .duplicate),
            (["x=1; _oauth2_proxy =a;\t_oauth2_proxy=b"], .duplicate),
            (["_oauth2_proxy=\"a; _oauth2_proxy=b\""], .duplicate), (["_oauth2_proxy; _oauth2_proxy=b"], .duplicate),
            (["_oauth2_proxy=a; =_oauth2_proxy=b"], .duplicate), (["_oauth2_proxy=a;;; _OAuth2_Proxy=b"], .duplicate),
            ([(0..<200).map { "_oauth2_\($0)=x" }.joined(separator: ";")], .tooMany),
        ] as [([String], CookiePolicy.Refusal?)])
    func duplicates(cookies: [String], expected: CookiePolicy.Refusal?) throws {
        let request = try RequestSample(cookies.map { "Cookie: \($0)" })
        let policy = CookiePolicy(prefixes: ["_oauth2", ""])
        #expect(request.use { policy.refusal($0, in: $1) } == expected)
    }
}
