@testable import DemoAgent

/// A client of one terminal of a running agent.
final class WebSocketClient {
    private let client: RawClient
    private var decoder = FrameDecoder(from: .server, maximumMessage: 1 << 20)
    private var messages: [WebSocketMessage] = []

    init(_ agent: RunningAgent, _ terminal: String) throws {
        client = try agent.client()
        try client.send(
            RawClient.head(
                "GET", "/pty/\(terminal)/connect?cursor=0",
                [
                    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                ]))
        let head = try client.head()
        guard head.status == 101, head["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" else {
            throw RawClient.Failure(what: "handshake: \(head)")
        }
    }

    func type(_ text: String) throws { try client.send(clientFrame(0x81, Array(text.utf8))) }

    private func next() throws -> WebSocketMessage {
        while messages.isEmpty {
            messages = try client.bytes(1).withUnsafeBytes { try decoder.receive($0) }
        }
        return messages.removeFirst()
    }

    /// Reads output until the text has appeared (after the other text, if one is given); returns all of it.
    @discardableResult
    func read(until text: String, after mark: String = "") throws -> String {
        var output = ""
        while true {
            let behind =
                mark.isEmpty ? output[...] : output.ranges(of: mark).last.map { output[$0.upperBound...] } ?? ""
            if behind.contains(text) { return output }
            if case .text(let bytes) = try next() { output += String(decoding: bytes, as: UTF8.self) }
        }
    }

    /// Reads until the server closes; the code it gives.
    func readClose() throws -> UInt16? {
        while true { if case .close(let code) = try next() { return code } }
    }
}
