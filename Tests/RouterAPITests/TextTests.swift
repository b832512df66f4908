import Foundation
import HTTPClient
import Sessions
import Testing

@testable import RouterAPI

@Suite("Texts that others read")
struct TextTests {
    @Test("Whatever a text holds, JSON brings it back, and HTML finds no markup in it")
    func json() throws {
        let pieces = [
            "\"", "\\", "\n", "\r", "\t", "\0", "\u{1}", "\u{7f}", "<", ">", "&", "/", "</script>", "é", "日本", "😀",
            "\u{2028}",
            "\u{202e}", "\u{fffd}", "a", " ", "{", "[", ":", ",", "\u{300}",
        ]
        for _ in 0..<500 {
            let text = (0..<Int.random(in: 0..<12)).map { _ in pieces.randomElement()! }.joined()
            let bytes = JSON.object([(text, .array([.string(text), .number(-5), .null, .bool(true)]))]).bytes
            let read = try #require(JSONSerialization.jsonObject(with: Data(bytes)) as? [String: [Any]])
            // As scalars: JSON keeps a text as it is, while Swift thinks some different ones equal.
            #expect(read.keys.first.map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
            #expect(
                (read.values.first?.first as? String).map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
            #expect(!bytes.contains(UInt8(ascii: "<")) && !bytes.contains { $0 < 0x20 })
        }
    }

    @Test("What the policy takes for the host is what the client connects to")
    func addresses() throws {
        let pieces = [
            "https", "://", ":", "/", "//", "@", "example.com", "EXAMPLE.com", "evil.test", "127.0.0.1", "[::1]",
            "[2001:db8::1]",
            ".", "..", "%2e", "%2f", "%40", "?", "#", "\\", "a", "-", "_", "0x7f.1", "1", "8080", "443", "65536", ";",
            "&", "$", "!",
            "~", "*", "(", "'", "%", "%zz", ",", "=", "+",
        ]
        let policy = RepositoryURLPolicy(schemes: ["https", "http"])
        var accepted = 0
        for round in 0..<60_000 {
            let start = round % 2 == 0 ? "https://" : "https://example.com"
            let text = start + (0..<Int.random(in: 0..<7)).map { _ in pieces.randomElement()! }.joined()
            guard let ours = try? policy.check(text) else { continue }
            // What the client refuses is refused later, with its own words; it must not read something else.
            guard let theirs = try? HTTPURL(text) else { continue }
            accepted += 1
            #expect(theirs.origin.port == ours.port ?? 443, "\(text)")
            #expect(theirs.target == ours.path, "\(text)")
            switch theirs.origin.host {
            case .name(let name): #expect(name == ours.host, "\(text)")
            case .address(let address):
                let bare = ours.host.hasPrefix("[") ? String(ours.host.dropFirst().dropLast()) : ours.host
                #expect(IPAddress(bare) == address, "\(text)")
            }
        }
        #expect(accepted > 100)
    }
}
