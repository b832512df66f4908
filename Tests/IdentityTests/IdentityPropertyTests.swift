import Testing

@testable import Identity

@Suite("Identity, cookies and origins agree with a slow reader")
struct IdentityPropertyTests {
    @Test("On heads made of likely fields, whole and with a changed byte", arguments: 0..<4)
    func fields(seed: UInt64) throws {
        var state = seed &* 7919 &+ 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let names = [
            "X-Auth-Request-Email", "x-auth-request-email", "X_Auth_Request_Email", "X-Forwarded-Email",
            "X-Gateway-Key", "Authorization", "X-Attach-Password",
            "X_Gateway_Key", "Cookie", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Content-Type",
            "Service-Worker", "X-Other",
        ]
        let values = [
            "alice@example.com", "Alice@Example.com", "a@b@c", "a-key-of-some-length", "_oauth2_proxy=a; theme=x",
            "_oauth2_proxy=a; _OAuth2_proxy=b", "=_oauth2_proxy=c", "https://h.example.com",
            "https://h.example.com:443",
            "https://evil.example.com", "null", "same-origin", "same-site", "cross-site", "none", "navigate", "cors",
            "Basic b3BlbmNvZGU6c2VjcmV0", "basic Og==", "Basic ***", "Basic c2VjcmV0", "Basic =", "secret",
            "document", "empty", "application/json", "script", "",
        ]
        let targets = ["", "?password=secret", "?a&password=&password=x&b", "?xpassword=secret&password"]
        let policies = try PoliciesForProperties()
        for round in 0..<3000 {
            var lines = [
                "\(["GET", "POST", "DELETE", "OPTIONS"][random(4)]) /\(targets[random(4)]) HTTP/1.1",
                "Host: h.example.com",
            ]
            if random(2) == 0 {
                lines += ["X-Gateway-Key: a-key-of-some-length", "X-Auth-Request-Email: \(values[random(3)])"]
            }
            for _ in 0..<random(6) { lines.append("\(names[random(names.count)]): \(values[random(values.count)])") }
            var bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
            if round % 3 == 0 { bytes[random(bytes.count)] = UInt8(random(256)) }
            try onGuardPages(bytes) {
                try checkIdentity($0, policies)
                try checkAttachPassword($0)
            }
        }
    }
}
