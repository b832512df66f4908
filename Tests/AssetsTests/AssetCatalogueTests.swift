import Testing

@testable import Assets

@Suite("The catalogue's answers")
struct AssetCatalogueTests {
    let site: TemporarySite
    let catalogue: AssetCatalogue
    let script = prose(200)

    init() throws {
        site = try TemporarySite([
            "index.html": Array("<!doctype html><title>OpenCode</title>".utf8) + prose(20),
            "app/main.js": script, "app/deep/er/x.css": prose(30), "favicon.svg": prose(10),
            "tiny.txt": Array("hi".utf8),
            "empty.txt": [], "photo.png": prose(100), "no-extension": prose(10), "a b.txt": Array("space".utf8),
            "\u{fc}.txt": Array("umlaut".utf8), "app.0a1b2c3d4e.js": prose(5), "app.deadbeef.js": prose(5),
        ])
        catalogue = try site.catalogue()
    }

    @Test(
        "Each coding gives the same bytes under its own strong tag",
        arguments: ["/", "/app/main.js", "/app/deep/er/x.css", "/favicon.svg", "/no-extension"])
    func codings(path: String) throws {
        let plain = try catalogue.ask(path)
        let zipped = try catalogue.ask(path, ["Accept-Encoding: gzip"])
        let small = try catalogue.ask(path, ["Accept-Encoding: gzip, deflate, br, zstd"])
        #expect(plain.fields["content-encoding"] == nil)
        #expect(zipped.fields["content-encoding"] == "gzip")
        #expect(small.fields["content-encoding"] == "br")
        #expect(gunzip(zipped.body, room: plain.body.count) == plain.body)
        #expect(unbrotli(small.body, room: plain.body.count) == plain.body)
        var tags: Set<String> = []
        for answer in [plain, zipped, small] {
            #expect(answer.status == 200)
            #expect(answer.fields["vary"] == "Accept-Encoding")
            #expect(answer.fields["content-length"] == "\(answer.body.count)")
            #expect(answer.fields["accept-ranges"] == "bytes")
            #expect(answer.fields["cache-control"] == "no-cache")
            let tag = try #require(answer.fields["etag"])
            #expect(tag.wholeMatch(of: /"[0-9a-f]{32}"/) != nil)
            tags.insert(tag)
        }
        #expect(tags.count == 3)
    }

    @Test(
        "A second visit costs no body, in every coding, for GET and HEAD",
        arguments: ["identity", "gzip", "br"], ["GET", "HEAD"])
    func unchanged(coding: String, method: String) throws {
        let accept = "Accept-Encoding: \(coding)"
        let first = try catalogue.ask("/app/main.js", [accept])
        let tag = try #require(first.fields["etag"])
        for value in [tag, "W/\(tag)", "\"other\", \(tag)", "*"] {
            let second = try catalogue.ask("/app/main.js", [accept, "If-None-Match: \(value)"], method: method)
            #expect(second.status == 304)
            #expect(second.body.isEmpty)
            #expect(second.fields["content-length"] == nil)
            for name in ["etag", "vary", "cache-control"] { #expect(second.fields[name] == first.fields[name]) }
        }
        let lines = try catalogue.ask("/app/main.js", [accept, "If-None-Match: \"x\"", "If-None-Match: \(tag)"])
        #expect(lines.status == 304)
        let changed = try catalogue.ask("/app/main.js", [accept, "If-None-Match: \"other\""])
        #expect(changed.status == 200 && changed.body == first.body)
    }

    @Test("The tag of another coding is another state")
    func otherCoding() throws {
        let tag = try #require(try catalogue.ask("/app/main.js", ["Accept-Encoding: gzip"]).fields["etag"])
        #expect(try catalogue.ask("/app/main.js", ["Accept-Encoding: br", "If-None-Match: \(tag)"]).status == 200)
    }

    @Test("HEAD has the head of GET and no body", arguments: ["/", "/app/main.js", "/nowhere", "/photo.png"])
    func head(path: String) throws {
        let get = try catalogue.ask(path, ["Accept-Encoding: br"])
        let head = try catalogue.ask(path, ["Accept-Encoding: br"], method: "HEAD")
        #expect(head.statusLine == get.statusLine)
        #expect(head.fields == get.fields)
        #expect(head.body.isEmpty)
        let ranged = try catalogue.ask(path, ["Accept-Encoding: br", "Range: bytes=0-1"], method: "HEAD")
        #expect(ranged.fields == get.fields)
    }

    @Test(
        "One range is cut from the chosen coding",
        arguments: ["identity", "gzip", "br"],
        [("bytes=0-9", 0..<10), ("bytes=10-", 10..<Int.max), ("bytes=-5", -5..<Int.max)])
    func parts(coding: String, range: (value: String, bounds: Range<Int>)) throws {
        let accept = "Accept-Encoding: \(coding)"
        let whole = try catalogue.ask("/app/main.js", [accept])
        let tag = try #require(whole.fields["etag"])
        let size = whole.body.count
        let lower = range.bounds.lowerBound < 0 ? size + range.bounds.lowerBound : range.bounds.lowerBound
        let upper = min(range.bounds.upperBound, size)
        for condition in [[], ["If-Range: \(tag)"]] {
            let part = try catalogue.ask("/app/main.js", [accept, "Range: \(range.value)"] + condition)
            #expect(part.status == 206)
            #expect(part.body == Array(whole.body[lower..<upper]))
            #expect(part.fields["content-range"] == "bytes \(lower)-\(upper - 1)/\(size)")
            #expect(part.fields["content-length"] == "\(upper - lower)")
            for name in ["etag", "vary", "content-type", "content-encoding", "cache-control"] {
                #expect(part.fields[name] == whole.fields[name])
            }
        }
        for condition in ["If-Range: \"other\"", "If-Range: W/\(tag)", "If-Range: Mon, 23 Nov 2026 17:41:00 GMT"] {
            let full = try catalogue.ask("/app/main.js", [accept, "Range: \(range.value)", condition])
            #expect(full.status == 200 && full.body == whole.body)
        }
        let known = try catalogue.ask("/app/main.js", [accept, "Range: \(range.value)", "If-None-Match: \(tag)"])
        #expect(known.status == 304)
    }

    @Test("A range outside is 416 and tells the size; two ranges are the whole")
    func outside() throws {
        let outside = try catalogue.ask("/app/main.js", ["Range: bytes=999999-"])
        #expect(outside.status == 416)
        #expect(outside.fields["content-range"] == "bytes */\(script.count)")
        #expect(outside.fields["content-length"] == "0")
        #expect(outside.body.isEmpty)
        #expect(try catalogue.ask("/app/main.js", ["Range: bytes=0-1,3-4"]).status == 200)
        #expect(try catalogue.ask("/app/main.js", ["Range: bytes=0-1", "Range: bytes=0-1"]).status == 200)
        #expect(try catalogue.ask("/empty.txt", ["Range: bytes=0-"]).status == 416)
        #expect(try catalogue.ask("/empty.txt").fields["content-length"] == "0")
    }

    @Test(
        "The picker's own routes show its page, and only those",
        arguments: [
            ("/", 200), ("/settings", 200), ("/admin", 200), ("/session/abc123def456", 200), ("/?x=y", 200),
            ("/session/abc123def456?from=mail", 200), ("/session/ABC123DEF456", 404), ("/session/abc123def45", 404),
            ("/session/abc123def4567", 404), ("/session/", 404), ("/session/abc123def456/", 404), ("/settings/", 404),
            ("/Settings", 404), ("//", 404), ("/admin/x", 404), ("/%73ettings", 404), ("/nowhere", 404), ("/app", 404),
            ("/app/", 404), ("/app/main.js/", 404), ("/index.html", 200), ("/APP/main.js", 404),
        ])
    func clientRoutes(target: String, status: Int) throws {
        let answer = try catalogue.ask(target)
        #expect(answer.status == status)
        let page = try catalogue.ask("/index.html").body
        if status == 200 { #expect(answer.body == page) } else { #expect(answer.body != page) }
    }

    @Test(
        "Escapes are decoded once, where they are plain",
        arguments: [
            ("/a%20b.txt", "space"), ("/%C3%BC.txt", "umlaut"), ("/%c3%bc.txt", "umlaut"), ("/t%69ny.txt", "hi"),
            ("/tiny%2etxt", nil), ("/app%2fmain.js", nil), ("/app%2Fmain.js", nil), ("/tin%2579.txt", nil),
            ("/tiny.tx%", nil), ("/tiny.tx%7", nil), ("/tiny.tx%7g", nil), ("/tiny.txt%00", nil), ("/tiny.txt%0a", nil),
            ("/%FC.txt", nil),
        ] as [(String, String?)])
    func escapes(target: String, text: String?) throws {
        guard let answer = try? catalogue.ask(target) else {
            // The parser itself refuses broken escapes and NUL.
            #expect(text == nil)
            return
        }
        #expect(answer.status == (text == nil ? 404 : 200))
        if let text { #expect(answer.body == Array(text.utf8)) }
    }

    @Test("Other methods are refused with what is allowed", arguments: ["POST", "PUT", "DELETE", "OPTIONS", "PURGE"])
    func methods(method: String) throws {
        for target in ["/", "/app/main.js", "/nowhere"] {
            let answer = try catalogue.ask(target, method: method)
            #expect(answer.status == 405)
            #expect(answer.fields["allow"] == "GET, HEAD")
            #expect(answer.fields["content-length"] == "\(answer.body.count)")
        }
    }

    @Test("A request that refuses every coding at hand is told so")
    func notAcceptable() throws {
        #expect(try catalogue.ask("/photo.png", ["Accept-Encoding: identity;q=0"]).status == 406)
        #expect(try catalogue.ask("/app/main.js", ["Accept-Encoding: *;q=0"]).status == 406)
        let zipped = try catalogue.ask("/app/main.js", ["Accept-Encoding: identity;q=0, gzip;q=0.1"])
        #expect(zipped.status == 200 && zipped.fields["content-encoding"] == "gzip")
    }

    @Test("If-Match of other bytes is a 412, before any other condition (RFC 9110 §13.2.2)")
    func changed() throws {
        let tag = try #require(try catalogue.ask("/app/main.js").fields["etag"])
        func status(_ fields: String..., method: String = "GET", target: String = "/app/main.js") throws -> Int {
            try catalogue.ask(target, fields, method: method).status
        }
        #expect(try status("If-Match: \(tag)") == 200)
        #expect(try status("If-Match: *") == 200)
        #expect(try status("If-Match: \"x\"", "If-Match: \(tag)") == 200)
        #expect(try status("If-Match: \(tag)", "If-None-Match: \(tag)") == 304)
        #expect(try status("If-Match: \(tag)", "Range: bytes=0-1") == 206)
        for other in ["\"x\"", "W/\(tag)", "x", ""] {
            #expect(try status("If-Match: \(other)") == 412)
            #expect(try status("If-Match: \(other)", method: "HEAD") == 412)
            #expect(try status("If-Match: \(other)", "If-None-Match: \(tag)", "Range: bytes=0-1") == 412)
        }
        // A condition counts only where the answer would be a good one.
        #expect(try status("If-Match: \"x\"", target: "/nowhere") == 404)
        #expect(try status("If-Match: \"x\"", method: "POST") == 405)
    }

    @Test("Accept-Encoding may come in several lines")
    func severalLines() throws {
        let answer = try catalogue.ask("/app/main.js", ["Accept-Encoding: gzip;q=0.5", "Accept-Encoding: br;q=0.4"])
        #expect(answer.fields["content-encoding"] == "gzip")
    }

    @Test("What is compressed already, or too small, is sent as it is", arguments: ["/photo.png", "/tiny.txt"])
    func uncompressed(path: String) throws {
        let answer = try catalogue.ask(path, ["Accept-Encoding: gzip, br"])
        #expect(answer.status == 200 && answer.fields["content-encoding"] == nil)
    }

    @Test(
        "Types come with their charset",
        arguments: [
            ("/", "text/html;charset=utf-8"), ("/app/main.js", "text/javascript;charset=utf-8"),
            ("/app/deep/er/x.css", "text/css;charset=utf-8"), ("/favicon.svg", "image/svg+xml;charset=utf-8"),
            ("/tiny.txt", "text/plain;charset=utf-8"), ("/photo.png", "image/png"),
            ("/no-extension", "application/octet-stream"),
        ])
    func types(path: String, type: String) throws {
        #expect(try catalogue.ask(path).fields["content-type"] == type)
    }

    @Test(
        "Only names that carry a digest are kept without asking",
        arguments: [
            ("/app.0a1b2c3d4e.js", "x"), ("/a/b.1234567890abcdef.css", "x"), ("/app.deadbeef.js", nil),
            ("/app.js", nil), ("/app.0a1b2c3.js", nil), ("/app.0A1B2C3D4E.js", nil), ("/0a1b2c3d4e.js", nil),
            ("/app.js.0a1b2c3d4e", nil), ("/app.0a1b2c3d4g.js", nil), ("/index.html", nil),
        ] as [(String, String?)])
    func caching(path: String, immutable: String?) {
        let expected = immutable == nil ? "no-cache" : "public, max-age=31536000, immutable"
        #expect(AssetBuilder.cacheControl(path: path, status: 200) == expected)
    }

    @Test("Every answer carries the security fields")
    func security() throws {
        let zero = try catalogue.ask("/app/main.js")
        let tag = try #require(zero.fields["etag"])
        let answers = [
            zero, try catalogue.ask("/"), try catalogue.ask("/nowhere"), try catalogue.ask("/", method: "POST"),
            try catalogue.ask("/app/main.js", ["If-None-Match: \(tag)"]),
            try catalogue.ask("/app/main.js", ["Range: bytes=0-1"]),
            try catalogue.ask("/app/main.js", ["Range: bytes=9999999-"]),
            try catalogue.ask("/photo.png", ["Accept-Encoding: identity;q=0"]),
            try catalogue.ask("/photo.png", ["If-Match: \"x\""]),
        ]
        #expect(answers.map(\.status) == [200, 200, 404, 405, 304, 206, 416, 406, 412])
        for answer in answers {
            #expect(answer.fields["x-content-type-options"] == "nosniff")
            let policy = try #require(answer.fields["content-security-policy"])
            for rule in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"] {
                #expect(policy.contains(rule))
            }
            #expect(!policy.contains("unsafe"))
            #expect(answer.fields["cross-origin-opener-policy"] == "same-origin")
            #expect(answer.fields["referrer-policy"] != nil && answer.fields["permissions-policy"] != nil)
        }
    }

    @Test(
        "Fields that could not be sent, or that are the catalogue's own, are refused",
        arguments: [
            ("Bad Name", "x"), ("", "x"), ("X-Y", "a\r\nSet-Cookie: b"), ("X-Y", "\u{e4}"), ("Content-Length", "1"),
            ("ETAG", "x"),
        ])
    func fields(name: String, value: String) {
        #expect(throws: AssetError.malformedField(name: name)) { try SecurityFields([(name, value)]) }
    }

    @Test("A site's own page for unknown paths is shown, and is no page of its own")
    func ownMissingPage() throws {
        try site.write("404.html", prose(20))
        let catalogue = try site.catalogue()
        for target in ["/nowhere", "/404.html"] {
            let answer = try catalogue.ask(target, ["Accept-Encoding: br"])
            #expect(answer.status == 404)
            #expect(answer.fields["content-encoding"] == "br")
            #expect(unbrotli(answer.body, room: 10_000) == prose(20))
            #expect(answer.fields["cache-control"] == "no-store")
            #expect(answer.fields["etag"] == nil)
        }
        #expect(try catalogue.ask("/nowhere", ["If-None-Match: *", "Range: bytes=0-1"]).status == 404)
    }

    @Test("Two files with different bytes never share a tag, equal ones do")
    func tags() throws {
        let site = try TemporarySite(["index.html": [1], "a.txt": [2], "b.txt": [2], "c.txt": [3]])
        let catalogue = try site.catalogue()
        let tags = try ["/index.html", "/a.txt", "/b.txt", "/c.txt"].map { try catalogue.ask($0).fields["etag"] }
        #expect(tags[1] == tags[2])
        #expect(Set(tags).count == 3)
    }
}
