import HTTPWire
import Testing

@Suite struct RequestLineTests {
    @Test(
        "Methods are recognised by exact spelling, others pass as they are",
        arguments: [
            ("GET", Method.get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete),
            ("PATCH", .patch), ("OPTIONS", .options), ("PROPFIND", .other), ("M-SEARCH", .other),
            ("GETT", .other), ("G", .other), ("VERSION-CONTROL", .other), ("X_Y", .other),
        ])
    func methods(spelling: String, expected: Method) throws {
        let head = try parseRequest("\(spelling) / HTTP/1.1\nHost: a\n\n")
        #expect(head.method == expected)
        #expect(head.methodText == spelling)
    }

    @Test(
        "A target always starts at its path, whatever form it was sent in",
        arguments: [
            ("/", "/", "/", ""),
            ("/a/b?c=d?e&f=%", "/a/b?c=d?e&f=%", "/a/b", "c=d?e&f=%"),
            ("/a%2Fb%20c", "/a%2Fb%20c", "/a%2Fb%20c", ""),
            ("/?", "/?", "/", ""),
            ("//x", "//x", "//x", ""),
            ("/{}|^`\"<>\\[]", "/{}|^`\"<>\\[]", "/{}|^`\"<>\\[]", ""),
            ("/?%00%zz", "/?%00%zz", "/", "%00%zz"),
            ("http://a/x?y", "/x?y", "/x", "y"),
            ("HTTP://A/x", "/x", "/x", ""),
            ("http://a:80/x", "/x", "/x", ""),
            ("http://a:/x", "/x", "/x", ""),
            ("https://a:80/x", "/x", "/x", ""),
            ("http://a", "/", "/", ""),
            ("http://a/", "/", "/", ""),
        ])
    func targets(sent: String, target: String, path: String, query: String) throws {
        // The Host agrees with every authority above: for https, the port is spelt out.
        let host = sent.hasPrefix("https") ? "a:80" : "a"
        let head = try parseRequest("GET \(sent) HTTP/1.1\nHost: \(host)\n\n")
        #expect(head.target == target)
        #expect(head.path == path)
        #expect(head.query == query)
        #expect(head.host == "a")
    }

    @Test("An asterisk is for OPTIONS only")
    func asterisk() throws {
        #expect(try parseRequest("OPTIONS * HTTP/1.1\nHost: a\n\n").target == "*")
        #expect(error { try parseRequest("GET * HTTP/1.1\nHost: a\n\n") } == .malformedTarget)
        #expect(error { try parseRequest("OPTIONS ** HTTP/1.1\nHost: a\n\n") } == .malformedTarget)
    }

    @Test(
        "A request line that is not exactly method, space, target, space, version is refused",
        arguments: [
            ("GET  / HTTP/1.1", WireError.malformedRequestLine),
            ("GET /  HTTP/1.1", .malformedRequestLine),
            ("GET / HTTP/1.1 ", .malformedRequestLine),
            (" GET / HTTP/1.1", .malformedRequestLine),
            ("GET / x HTTP/1.1", .malformedRequestLine),
            ("GET\t/ HTTP/1.1", .malformedMethod),
            ("GET /\tHTTP/1.1", .http09),
            ("GET /\ta HTTP/1.1", .malformedTarget),
            ("GET", .malformedRequestLine),
            ("GET ", .malformedRequestLine),
            ("GET /", .http09),
            ("GET / ", .malformedRequestLine),
            ("G(T / HTTP/1.1", .malformedMethod), ("get / HTTP/1.1", .malformedMethod),
            ("xGET / HTTP/1.1", .malformedMethod), ("0GET / HTTP/1.1", .malformedMethod),
            ("GE'T / HTTP/1.1", .malformedMethod),
            ("G.T / HTTP/1.1", .malformedMethod), ("@ / HTTP/1.1", .malformedMethod),
            ("[ / HTTP/1.1", .malformedMethod),
            ("^ / HTTP/1.1", .malformedMethod), ("` / HTTP/1.1", .malformedMethod),
            ("G\u{E9}T / HTTP/1.1", .malformedMethod),
            ("GET / http/1.1", .malformedRequestLine),
            ("GET / HTTP/1.1x", .malformedRequestLine),
            ("GET / HTTP/11", .malformedRequestLine),
            ("GET / HTTP/1,1", .malformedRequestLine),
            ("GET / HTTPS/1.1", .malformedRequestLine),
            ("GET / HTTP/1.2", .unsupportedVersion),
            ("GET / HTTP/0.9", .unsupportedVersion),
            ("GET / HTTP/2.0", .unsupportedVersion),
            ("GET / HTTP/3.0", .unsupportedVersion),
            ("PRI * HTTP/2.0", .http2Preface),
            ("CONNECT a:443 HTTP/1.1", .connectRefused),
            ("CONNECT / HTTP/1.1", .connectRefused),
            ("CONNECT a:443", .connectRefused),
            ("TRACE / HTTP/1.1", .traceRefused),
        ])
    func refusal(line: String, expected: WireError) {
        #expect(error { try parseRequest("\(line)\nHost: a\n\n") } == expected)
    }

    @Test(
        "A target with raw bytes that readers treat differently is refused",
        arguments: [
            "/#", "/a?b#c", "/\u{E9}", "/?\u{E9}", "/%", "/%1", "/%zz", "/%2", "/a%00b", "/%0", "a", "a/b", "?x",
            "ftp://a/", "http:/a/", "http://", "http:///x", "http://u@a/", "http://a?x", "http://a:99999/", "a:80",
            "http://a b/",
        ])
    func malformedTarget(target: String) {
        let found = error { try parseRequest("GET \(target) HTTP/1.1\nHost: a\n\n") }
        let accepted: [WireError] = [.malformedTarget, .malformedHost, .malformedRequestLine]
        #expect(found.map(accepted.contains) == true)
    }

    @Test(
        "An absolute target must name the host that Host names",
        arguments: [
            ("http://b/", "a"), ("http://a:8080/", "a"), ("http://a/", "a:8080"), ("http://a.b/", "a"),
            ("https://a/", "a:80"), ("http://a/", "a:443"), ("http://[::1]/", "[::2]"),
        ])
    func mismatch(target: String, host: String) {
        #expect(error { try parseRequest("GET \(target) HTTP/1.1\nHost: \(host)\n\n") } == .hostTargetMismatch)
    }

    @Test("One empty line before a request is passed over, two are not")
    func emptyLine() throws {
        #expect(try parseRequest("\nGET / HTTP/1.1\nHost: a\n\n").target == "/")
        #expect(error { try parseRequest("\n\nGET / HTTP/1.1\nHost: a\n\n") } == .malformedRequestLine)
    }

    @Test("A head that has no end is refused; what follows one is not looked at")
    func exactness() throws {
        let bytes = wire("GET / HTTP/1.1\nHost: a\nContent-Length: 5\n\n")
        for count in 0..<bytes.count {
            #expect(error { try parseRequest(bytes: Array(bytes[..<count])) } != nil)
        }
        #expect(try parseRequest(bytes: bytes + [0, 65]).byteCount == bytes.count)
    }

    @Test("The parser keeps the limits, too")
    func limits() {
        let limits = HeadLimits(line: 18, head: 44, fields: 2)
        #expect(error { try parseRequest("GET /xy HTTP/1.1\nHost: a\n\n", limits: limits) } == nil)
        #expect(error { try parseRequest("GET /xyz HTTP/1.1\nHost: a\n\n", limits: limits) } == .lineTooLong)
        let method = String(repeating: "G", count: 18)
        #expect(error { try parseRequest("\(method) / HTTP/1.1\nHost: a\n\n", limits: limits) } == .malformedMethod)
        #expect(
            error { try parseRequest("GET / HTTP/1.1111\nHost: a\n\n", limits: limits) } == .malformedRequestLine)
        #expect(error { try parseRequest("GET / HTTP/1.1\nHost: a\nb: c\nd: e\n\n", limits: limits) } == .tooManyFields)
        #expect(
            error { try parseRequest("GET / HTTP/1.1\nHost: a\nb: ccccccccccccccccccc\n\n", limits: limits) }
                == .headTooLarge)
    }
}
