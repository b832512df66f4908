import HTTPClient
import Testing

@Suite("URLs")
struct HTTPURLTests {
    @Test(
        "A URL is split into what a request needs",
        arguments: [
            ("http://example.com", "http", "example.com", UInt16(80), "/"),
            ("HTTPS://Example.COM/Path?q=1#frag", "https", "example.com", 443, "/Path?q=1"),
            ("https://example.com:8443?x", "https", "example.com", 8443, "/?x"),
            ("http://127.0.0.1:4096/global/health", "http", "127.0.0.1", 4096, "/global/health"),
            ("http://[::1]:80/a%20b", "http", "[::1]", 80, "/a%20b"),
            ("https://[2001:DB8::1]/", "https", "[2001:db8::1]", 443, "/"),
            (
                "https://kubernetes.default.svc/api/v1/pods?watch=1&labelSelector=a%3Db", "https",
                "kubernetes.default.svc", 443,
                "/api/v1/pods?watch=1&labelSelector=a%3Db"
            ),
            ("http://my_host-1/", "http", "my_host-1", 80, "/"),
        ])
    func splits(text: String, scheme: String, host: String, port: UInt16, target: String) throws {
        let url = try HTTPURL(text)
        #expect(url.origin.scheme.rawValue == scheme)
        #expect(url.origin.host.description == host)
        #expect(url.origin.port == port)
        #expect(url.target == target)
    }

    private static let problems: [(String, URLProblem)] = [
        ("", .missingScheme), ("example.com", .missingScheme), ("//example.com", .missingScheme),
        ("http:/example.com", .missingScheme), ("://x", .missingScheme),
        ("ftp://example.com/", .unsupportedScheme("ftp")), ("file:///etc/passwd", .unsupportedScheme("file")),
        ("ext::sh -c id", .forbiddenByte), ("ssh://git@example.com/x", .unsupportedScheme("ssh")),
        ("http://user@example.com/", .userInformation), ("http://user:pass@example.com/", .userInformation),
        ("http://example.com@127.0.0.1/", .userInformation), ("http://@example.com/", .userInformation),
        ("http:///path", .malformedHost), ("http://", .malformedHost), ("http://:80/", .malformedHost),
        ("http://a..b/", .malformedHost), ("http://.a/", .malformedHost), ("http://a./", .malformedHost),
        ("http://-a/", .malformedHost), ("http://a-/", .malformedHost), ("http://a,b/", .malformedHost),
        ("http://a%2eb/", .malformedHost), ("http://[::1/", .malformedHost), ("http://[::1]x/", .malformedHost),
        ("http://[127.0.0.1]/", .malformedHost), ("http://[fe80::1%25eth0]/", .malformedHost),
        ("http://::1/", .malformedHost),
        ("http://127.1/", .malformedHost), ("http://2130706433/", .malformedHost),
        ("http://0x7f000001/", .malformedHost),
        ("http://0177.0.0.1/", .malformedHost), ("http://127.0.0.1.5/", .malformedHost),
        ("http://1.2.3.0x4/", .malformedHost),
        ("http://a:/", .malformedPort), ("http://a:0/", .malformedPort), ("http://a:080/", .malformedPort),
        ("http://a:65536/", .malformedPort), ("http://a:+80/", .malformedPort), ("http://a:80:80/", .malformedPort),
        ("http://a/ b", .forbiddenByte), ("http://a/\r\nX: y", .forbiddenByte), ("http://a/\u{0}", .forbiddenByte),
        ("http://a\\@b/", .forbiddenByte), ("http://ex\u{e4}mple.com/", .forbiddenByte),
        ("http://a/<x>", .forbiddenByte),
        ("http://a/%", .malformedEscape), ("http://a/%2", .malformedEscape), ("http://a/%zz", .malformedEscape),
        ("http://a/" + String(repeating: "x", count: 5000), .tooLong),
        ("http://" + String(repeating: "a", count: 64) + "/", .malformedHost),
    ]

    @Test("What two readers could understand differently is no URL", arguments: problems)
    func refused(text: String, problem: URLProblem) {
        #expect(throws: problem) { try HTTPURL(text) }
    }

    @Test(
        "References are resolved as RFC 3986 says",
        arguments: [
            ("https://other.example/x", "https://other.example/x"),
            ("//other.example:8080/x", "http://other.example:8080/x"),
            ("/x?y#z", "http://a/x?y"), ("x", "http://a/b/c/x"), ("./x", "http://a/b/c/x"), ("../x", "http://a/b/x"),
            ("../../../../x", "http://a/x"), ("x/../y", "http://a/b/c/y"), ("..", "http://a/b/"),
            (".", "http://a/b/c/"),
            ("?n", "http://a/b/c/d?n"), ("", "http://a/b/c/d?q"), ("#f", "http://a/b/c/d?q"), ("x:y", nil),
            ("javascript:alert(1)", nil), ("http://user@b/", nil), ("//", nil), ("/\u{e9}", nil),
        ])
    func resolves(reference: String, expected: String?) throws {
        let resolved = try? HTTPURL("http://a/b/c/d?q").resolving(reference)
        #expect(resolved.map { "\($0.origin)\($0.target)" } == expected)
    }

    @Test("The text for logs has no query")
    func description() throws {
        #expect(try HTTPURL("https://a.example:444/p?token=SECRET").description == "https://a.example:444/p")
    }
}
