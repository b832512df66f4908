internal import FoundationEssentials

/// Base64 of texts (RFC 4648 §4).
enum Base64 {
    static func encode(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
}
