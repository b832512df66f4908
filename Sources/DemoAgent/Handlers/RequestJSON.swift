internal import FoundationEssentials

/// The JSON bodies that the agent reads; every field may be missing, unknown ones are ignored.
enum RequestJSON {
    struct NewConversation: Decodable {
        var title: String?
        var parentID: String?
    }

    struct Prompt: Decodable {
        struct Part: Decodable {
            var type: String
            var text: String?
        }

        var parts: [Part]
        var noReply: Bool?

        /// What the person wrote: the text parts.
        var text: String {
            parts.filter { $0.type == "text" }.compactMap(\.text).joined(separator: "\n")
        }
    }

    struct TerminalFields: Decodable {
        struct Size: Decodable {
            var rows: UInt16
            var cols: UInt16
        }

        var title: String?
        var command: String?
        var args: [String]?
        var size: Size?
    }

    static let limit = 1 << 20

    /// Decodes a body; an empty one counts as `{}`, nil means that it is not what was expected.
    static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) -> Value? {
        try? JSONDecoder().decode(type, from: Data(bytes.isEmpty ? Array("{}".utf8) : bytes))
    }
}
