internal import FoundationEssentials

/// Base64 of texts (RFC 4648 §4).
enum Base64 {
    /// Nil if it is none, or no text.
    static func decode(_ text: String) -> String? {
        Data(base64Encoded: text).flatMap { String(validating: $0, as: UTF8.self) }
    }

    static func encode(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
}
