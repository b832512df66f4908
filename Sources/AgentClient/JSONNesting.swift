/// Whether bytes that come in pieces are one JSON array or object, as far as brackets and strings tell.
///
/// That is as much as is needed to put an agent's answer into a document of ours: it cannot end what stands around it, and
/// one that was cut short is noticed. What stands between the brackets is the agent's own affair.
struct JSONNesting {
    enum Problem: Error { case malformed, tooDeep }

    private static let limit = 256

    /// The closing brackets that are still to come.
    private var open: [UInt8] = []
    private var isInString = false
    private var isEscaped = false
    private var isOver = false

    mutating func read(_ bytes: [UInt8]) throws(Problem) {
        for byte in bytes {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                } else if byte < 0x20 {
                    throw .malformed
                }
                continue
            }
            switch byte {
            case 0x20, 0x09, 0x0a, 0x0d: continue
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                guard !isOver else { throw .malformed }
                guard open.count < Self.limit else { throw .tooDeep }
                // In ASCII both closing brackets stand two after the opening ones.
                open.append(byte + 2)
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                guard open.popLast() == byte else { throw .malformed }
                isOver = open.isEmpty
            default:
                guard !open.isEmpty else { throw .malformed }
                isInString = byte == UInt8(ascii: "\"")
            }
        }
    }

    /// Call after the last piece.
    func finish() throws(Problem) {
        guard isOver else { throw .malformed }
    }
}
