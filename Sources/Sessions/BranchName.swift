/// A branch name that `git check-ref-format --branch` accepts, and that cannot be read as an option.
///
/// The rules are those of git-check-ref-format(1), plus a length that leaves room for `.lock` in one file name.
/// What git would expand first (`@{-1}`, `@`) is refused: a session's branch is a name, not an expression.
package struct BranchName: Hashable, Sendable, CustomStringConvertible {
    /// The longest name accepted, in UTF-8 bytes.
    package static let limit = 244

    /// The name as it was given.
    package let text: String

    /// Takes a name that keeps every rule; it is not trimmed here.
    package init(_ text: String) throws(BranchNameProblem) {
        guard !text.isEmpty else { throw .empty }
        guard text.utf8.count <= Self.limit else { throw .tooLong }
        guard !text.utf8.starts(with: "-".utf8) else { throw .leadingDash }
        guard text != "HEAD", text != "@" else { throw .reserved }
        var previous: UInt8 = 0
        for byte in text.utf8 {
            if byte < 0x20 || byte == 0x7f || Self.forbidden.contains(byte) { throw .forbiddenCharacter(byte) }
            switch (previous, byte) {
            case (UInt8(ascii: "."), UInt8(ascii: ".")): throw .doubleDot
            case (UInt8(ascii: "@"), UInt8(ascii: "{")): throw .reflog
            default: previous = byte
            }
        }
        if previous == UInt8(ascii: ".") { throw .trailingDot }
        for component in text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            if component.isEmpty { throw .emptyComponent }
            if component.first == UInt8(ascii: ".") { throw .componentStartsWithDot }
            if component.suffix(5).elementsEqual(".lock".utf8) { throw .componentEndsWithLock }
        }
        self.text = text
    }

    package var description: String { text }

    private static let forbidden = Set(" ~^:?*[\\".utf8)
}

/// Why a text cannot be a branch name.
package enum BranchNameProblem: Error, Hashable, Sendable {
    case empty, tooLong, leadingDash, reserved, doubleDot, reflog, trailingDot
    case emptyComponent, componentStartsWithDot, componentEndsWithLock
    case forbiddenCharacter(UInt8)

    /// What is wrong, as the end of a sentence that begins with the field's name.
    package var message: String {
        switch self {
        case .empty: "must not be empty"
        case .tooLong: "must not be longer than \(BranchName.limit) bytes"
        case .leadingDash: "must not begin with \"-\""
        case .reserved: "must not be a name that git itself uses (\"HEAD\" or \"@\")"
        case .doubleDot: "must not contain \"..\""
        case .reflog: "must not contain \"@{\""
        case .trailingDot: "must not end with \".\""
        case .emptyComponent: "must not begin or end with \"/\", nor contain \"//\""
        case .componentStartsWithDot: "must not have a part that begins with \".\""
        case .componentEndsWithLock: "must not have a part that ends with \".lock\""
        case .forbiddenCharacter(let byte) where byte <= 0x20 || byte == 0x7f:
            "must not contain spaces or control characters"
        case .forbiddenCharacter(let byte): "must not contain \"\(Character(UnicodeScalar(byte)))\""
        }
    }
}
