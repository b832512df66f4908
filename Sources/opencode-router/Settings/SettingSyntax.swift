internal import FoundationEssentials
internal import Glibc

/// The shapes that `SettingKind` names, as questions about a text.
enum SettingSyntax {
    /// Whether `text` may be the value of a setting of this kind.
    static func accepts(_ text: String, as kind: SettingKind) -> Bool {
        switch kind {
        case .text, .path, .json: !text.utf8.contains(0)
        case .boolean: CommandLineFlags.boolean(text) != nil
        case .integer(let range): Int(text).map(range.contains) ?? false
        case .number(let range): Double(text).map { $0.isFinite && range.contains($0) } ?? false
        case .choice(let words): words.contains(text)
        case .list: !items(text).isEmpty
        case .email: isEmail(text)
        case .emails: items(text).allSatisfy(isEmail)
        case .domain: isDomain(text)
        case .domains: items(text).allSatisfy { isDomain($0.hasPrefix("*.") ? String($0.dropFirst(2)) : $0) }
        case .labelPart:
            text.utf8.count <= 30 && text.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
        case .fieldName: isFieldName(text)
        case .address: isAddress(text)
        case .addressRanges: items(text).allSatisfy(isAddressRange)
        case .url: isURL(text)
        case .quantity: isQuantity(text)
        case .lines:
            text.split(separator: "\n").allSatisfy { line in
                line.contains("=") && isVariableName(line.prefix { $0 != "=" })
            }
        }
    }

    /// The items of a comma list, trimmed; empty ones do not count.
    static func items(_ text: String) -> [String] {
        text.split(separator: ",").map(trimmed).filter { !$0.isEmpty }
    }

    /// Without white space at both ends.
    static func trimmed(_ text: some StringProtocol) -> String {
        guard let first = text.firstIndex(where: { !$0.isWhitespace }),
            let last = text.lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(text[first...last])
    }

    static func isEmail(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
            && !text.contains(",")
    }

    /// A DNS name of letters, digits and hyphens, with an optional port.
    static func isDomain(_ text: String) -> Bool {
        let halves = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        if halves.count == 2, UInt16(halves[1]) == nil { return false }
        let labels = halves[0].split(separator: ".", omittingEmptySubsequences: false)
        return halves[0].utf8.count <= 253
            && labels.allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.utf8.first != UInt8(ascii: "-")
                    && label.utf8.last != UInt8(ascii: "-")
                    && label.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
            }
    }

    /// A token (RFC 9110 §5.6.2) without the characters that other readers fold into hyphens.
    /// The name of an environment variable (POSIX.1 §8.1).
    static func isVariableName(_ text: some StringProtocol) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy { isLetterOrDigit($0) || $0 == 0x5f }
    }

    static func isFieldName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
    }

    static func isAddress(_ text: String) -> Bool {
        var storage = in6_addr()
        return inet_pton(AF_INET, text, &storage) == 1 || inet_pton(AF_INET6, text, &storage) == 1
    }

    static func isAddressRange(_ text: String) -> Bool {
        let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let address = halves.first, isAddress(address) else { return false }
        guard halves.count == 2 else { return true }
        guard let bits = UInt8(halves[1]) else { return false }
        return bits <= (address.contains(":") ? 128 : 32)
    }

    static func isLoopback(_ address: String) -> Bool { address == "::1" || address.hasPrefix("127.") }

    /// An absolute http or https URL: scheme, host, and no user information.
    static func isURL(_ text: String) -> Bool {
        guard text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }), let url = URL(string: text),
            url.scheme == "http" || url.scheme == "https", let host = url.host(), !host.isEmpty
        else { return false }
        return url.user() == nil && (1...65535).contains(url.port ?? 80)
    }

    static func isQuantity(_ text: String) -> Bool { amount(text) != nil }

    /// A Kubernetes quantity as a number; nil if it is none.
    static func amount(_ text: String) -> Double? {
        let digits = text.prefix { $0.isNumber || $0 == "." }
        guard let number = Double(digits) else { return nil }
        let factor: Double? =
            switch text.dropFirst(digits.count) {
            case "": 1
            case "m": 1e-3
            case "k": 1e3
            case "M": 1e6
            case "G": 1e9
            case "T": 1e12
            case "P": 1e15
            case "E": 1e18
            case "Ki": 0x1p10
            case "Mi": 0x1p20
            case "Gi": 0x1p30
            case "Ti": 0x1p40
            case "Pi": 0x1p50
            case "Ei": 0x1p60
            default: nil
            }
        return factor.map { number * $0 }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
