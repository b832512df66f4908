import HTTPWire
import Testing

@Suite struct UpgradeTests {
    static let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    static let version = "Sec-WebSocket-Version: 13"
    static let upgrade = "Connection: Upgrade\nUpgrade: websocket"

    static func request(_ line: String, _ fields: String...) -> String {
        "\(line)\nHost: a\n\(fields.joined(separator: "\n"))\n\n"
    }

    @Test(
        "A whole WebSocket handshake is one",
        arguments: [
            request("GET /pty?x=1 HTTP/1.1", upgrade, key, version),
            request("GET / HTTP/1.1", "Connection: keep-alive, upgrade", "upgrade: WebSocket", version, key),
            request(
                "GET / HTTP/1.1", "Connection: keep-alive\nConnection: Upgrade", "Upgrade: websocket", version, key),
            request("GET / HTTP/1.1", upgrade, key, version, "Content-Length: 0"),
            request("GET / HTTP/1.1", upgrade, key, "Sec-WebSocket-Version: 8"),
        ])
    func handshake(text: String) throws {
        #expect(try parseRequest(text).upgrade == .webSocket)
    }

    @Test(
        "A request that says websocket but is no whole handshake is refused",
        arguments: [
            (request("POST / HTTP/1.1", upgrade, key, version), WireError.malformedUpgrade),
            (request("GET / HTTP/1.1", "Upgrade: websocket", key, version), .malformedUpgrade),
            (
                request("GET / HTTP/1.1", "Connection: Upgrade\nUpgrade: websocket, h2c", key, version),
                .malformedUpgrade
            ),
            (request("GET / HTTP/1.1", upgrade, "Upgrade: h2c", key, version), .malformedUpgrade),
            (request("GET / HTTP/1.1", upgrade, "Upgrade: websocket", key, version), .malformedUpgrade),
            (request("GET / HTTP/1.1", "Connection: Upgrade\nUpgrade: websocket/13", key, version), .malformedUpgrade),
            (request("GET / HTTP/1.1", upgrade, version), .malformedUpgrade),
            (request("GET / HTTP/1.1", upgrade, key), .malformedUpgrade),
            (request("GET / HTTP/1.1", upgrade, key, key, version), .malformedUpgrade),
            (request("GET / HTTP/1.1", upgrade, key, version, version), .malformedUpgrade),
            (request("GET / HTTP/1.1", upgrade, "Sec-WebSocket-Key: short", version), .malformedUpgrade),
            (
                request("GET / HTTP/1.1", upgrade, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=x", version),
                .malformedUpgrade
            ),
            (request("OPTIONS * HTTP/1.1", upgrade, key, version), .malformedUpgrade),
            (request("GET / HTTP/1.1", upgrade, key, version, "Content-Length: 1"), .upgradeWithBody),
            (request("GET / HTTP/1.1", upgrade, key, version, "Transfer-Encoding: chunked"), .upgradeWithBody),
        ])
    func refusal(text: String, expected: WireError) {
        #expect(error { try parseRequest(text) } == expected)
    }

    @Test("An upgrade to anything else, or in HTTP/1.0, is ignored")
    func others() throws {
        #expect(try parseRequest(Self.request("GET / HTTP/1.0", Self.upgrade, Self.key, Self.version)).upgrade == .none)
        let head = try parseRequest(
            Self.request(
                "GET / HTTP/1.1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"))
        #expect(head.upgrade == .none)
        #expect(head.keepAlive)
    }

    @Test("A switch happens only when this request asked for it")
    func switching() throws {
        let answer = "HTTP/1.1 101 Switching Protocols\n\(Self.upgrade)\nSec-WebSocket-Accept: x\n\n"
        let head = try parseResponse(answer, upgradeRequested: true)
        #expect(head.upgrade == .webSocket)
        #expect(head.framing == .none)
        #expect(!head.keepAlive)
        #expect(error { try parseResponse(answer) } == .switchedWithoutRequest)
        for fields in [
            "Connection: Upgrade", "Upgrade: websocket", "Connection: Upgrade\nUpgrade: h2c",
            "\(Self.upgrade), h2c", "\(Self.upgrade)\nContent-Length: 5", "\(Self.upgrade)\nTransfer-Encoding: chunked",
        ] {
            let found = error { try parseResponse("HTTP/1.1 101 X\n\(fields)\n\n", upgradeRequested: true) }
            #expect(found == .switchedWithoutRequest)
        }
        let old = "HTTP/1.0 101 X\n\(Self.upgrade)\n\n"
        #expect(error { try parseResponse(old, upgradeRequested: true) } == .switchedWithoutRequest)
    }

    @Test("A refused upgrade is an ordinary answer")
    func refused() throws {
        let head = try parseResponse(
            "HTTP/1.1 426 Upgrade Required\nUpgrade: h2c\nContent-Length: 3\n\n", upgradeRequested: true)
        #expect(head.upgrade == .none)
        #expect(head.framing == .length(3))
        #expect(head.keepAlive)
    }
}
