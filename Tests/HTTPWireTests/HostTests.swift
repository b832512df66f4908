import HTTPWire
import Testing

@Suite struct HostTests {
    @Test(
        "A host is taken as it was sent, without its port",
        arguments: [
            ("a", "a", ""), ("AAA-oc.Example.COM", "AAA-oc.Example.COM", ""), ("a:8443", "a", "8443"),
            ("a:", "a", ""), ("a.b.", "a.b.", ""), ("a:0", "a", "0"), ("a:65535", "a", "65535"),
            ("127.0.0.1:80", "127.0.0.1", "80"), ("999.1", "999.1", ""), ("a_b~c!$&'()*+,;=", "a_b~c!$&'()*+,;=", ""),
            ("a%2db", "a%2db", ""), ("[::1]:3000", "[::1]", "3000"), ("[::]", "[::]", ""),
            ("[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", ""), ("[1::8]", "[1::8]", ""),
            ("[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7::]", ""),
            ("[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]", ""), ("[fe80::ABCD]:1", "[fe80::ABCD]", "1"),
            ("[1:2:3:4:5:6:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", ""),
        ])
    func accepted(value: String, host: String, port: String) throws {
        let head = try parseRequest("GET / HTTP/1.1\nHost: \(value)\n\n")
        #expect(head.host == host)
        #expect(head.port == port)
    }

    @Test(
        "A host that is not one is refused",
        arguments: [
            "", ":80", "a:b", "a:65536", "a:123456", "a:-1", "a:+1", "a: 80", "a :80", "a b", "a,b c", "u@a", "u:p@a",
            "a/b", "a?b", "a#b", "a\\b", "\u{E9}.example", "a%", "a%2", "a%zz", "a:80:80", "[", "[]", "[::1", "::1",
            "[::1]x", "[::1]80", "[1]", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1::2::3]", "[12345::]", "[:1]",
            "[1:]",
            "[::g]", "[fe80::1%25eth0]", "[v1.a]", "[::1.2.3]", "[::1.2.3.4.5]", "[::256.1.1.1]", "[::01.1.1.1]",
            "[1:2:3:4:5:6:7:1.2.3.4]", "[1:2:3:4:5:6:7::8]", "[:::1]", "a\tb", "\"a\"", "<a>", "[::1.2.3.4:1]",
        ])
    func refused(value: String) {
        #expect(error { try parseRequest("GET / HTTP/1.1\nHost: \(value)\n\n") } == .malformedHost)
    }

    @Test("A host of more than 255 bytes is refused")
    func length() {
        let longest = String(repeating: "a", count: 255)
        #expect(error { try parseRequest("GET / HTTP/1.1\nHost: \(longest)\n\n") } == nil)
        #expect(error { try parseRequest("GET / HTTP/1.1\nHost: \(longest)a\n\n") } == .malformedHost)
    }

    @Test("There is exactly one Host, in HTTP/1.0 as well")
    func exactlyOne() {
        #expect(error { try parseRequest("GET / HTTP/1.1\n\n") } == .missingHost)
        #expect(error { try parseRequest("GET / HTTP/1.0\n\n") } == .missingHost)
        #expect(error { try parseRequest("GET http://a/ HTTP/1.1\n\n") } == .missingHost)
        #expect(error { try parseRequest("GET / HTTP/1.1\nHost: a\nHost: a\n\n") } == .duplicateHost)
        #expect(error { try parseRequest("GET / HTTP/1.1\nHost: a\nhOST: b\n\n") } == .duplicateHost)
    }
}
