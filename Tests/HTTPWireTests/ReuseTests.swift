import HTTPWire
import Testing

@Suite struct ReuseTests {
    @Test("A head that is filled again remembers nothing of what it held")
    func request() throws {
        let full = """
            POST /x?y HTTP/1.0
            Host: a:1
            X_Y: z
            Connection: close
            Content-Length: 5


            """
        let waiting = "POST / HTTP/1.1\nHost: a\nExpect: 100-continue\nContent-Length: 5\n\n"
        let upgrade = """
            GET / HTTP/1.1
            Host: a
            Connection: Upgrade
            Upgrade: websocket
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
            Sec-WebSocket-Version: 13


            """
        let plain = wire("OPTIONS * HTTP/1.1\nHost: b\n\n")
        for first in [full, waiting, upgrade, "GET / HTTP/1.1\nHost: a\nContent-Length: x\n\n"] {
            var head = RequestHead()
            wire(first).withUnsafeBytes { try? HeadParser.parse($0, into: &head) }
            try plain.withUnsafeBytes { try HeadParser.parse($0, into: &head) }
            #expect(head.fields.count == 1)
            #expect(head.method == .options)
            #expect(head.query == .empty)
            #expect(head.port == .empty)
            #expect(head.minorVersion == 1)
            #expect(head.framing == BodyFraming.none)
            #expect(head.declaredLength == nil)
            #expect(head.keepAlive == true)
            #expect(head.expectsContinue == false)
            #expect(head.hasFoldableNames == false)
            #expect(head.upgrade == .none)
            #expect(head.byteCount == plain.count)
        }
    }

    @Test("An answer's head that is filled again remembers nothing of what it held")
    func response() throws {
        let plain = wire("HTTP/1.1 200\nContent-Length: 0\n\n")
        for first in [
            "HTTP/1.1 101 X\nConnection: Upgrade\nUpgrade: websocket\n\n", "HTTP/1.0 200 OK\nServer: x\n\n",
            "HTTP/1.1 200 OK\nContent-Length: 5\nConnection: close\n\n", "HTTP/1.1 200 OK\nContent-Length: x\n\n",
        ] {
            var head = ResponseHead()
            wire(first).withUnsafeBytes {
                try? HeadParser.parse($0, into: &head, answering: .get, upgradeRequested: true)
            }
            try plain.withUnsafeBytes {
                try HeadParser.parse($0, into: &head, answering: .get, upgradeRequested: false)
            }
            #expect(head.status == 200)
            #expect(head.reason == .empty)
            #expect(head.minorVersion == 1)
            #expect(head.fields.count == 1)
            #expect(head.framing == BodyFraming.none)
            #expect(head.declaredLength == 0)
            #expect(head.keepAlive == true)
            #expect(head.upgrade == .none)
            #expect(head.byteCount == plain.count)
        }
    }
}
