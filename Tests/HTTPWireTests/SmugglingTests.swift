import HTTPWire
import Testing

/// Every spelling of a length beside every spelling of a coding, in both orders: the published ways to make two readers
/// see two lengths, and then some.
@Suite struct SmugglingTests {
    static let lengths = [
        "", "Content-Length: 5", "Content-Length : 5", "Content-Length: +5", "content-length:5", "Content-Length: 5, 5",
        "Content-Length:\u{B}5", "Content-Length: 05", "Content-Length: 5 ", "Content-Length:\t5", " Content-Length: 5",
        "Content_Length: 5", "Content-Length: 0x5", "Content-Length: 5␀", "X: y␍Content-Length: 5",
        "X: y␊Content-Length: 5", "Content-Length: 5;a", "Content-Length:", "Content-Length: 0",
        "Content-Length\u{B}: 5",
        "Content-Length: 5\nContent-Length: 5", "Content-Length: 5\nContent-Length: 6", "Content-Length: 5e0",
        "Content-Length: -0", "X: y\n Content-Length: 5", "\u{B}Content-Length: 5", "Content-Length: 5␍",
    ]
    static let codings = [
        "", "Transfer-Encoding: chunked", "Transfer-Encoding : chunked", "Transfer-Encoding:\u{B}chunked",
        "Transfer-Encoding: ␀chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked", "Transfer-Encoding:chunked", "Transfer-Encoding: Chunked",
        " Transfer-Encoding: chunked", "X: X␊Transfer-Encoding: chunked", "X: y\n Transfer-Encoding: chunked",
        "Transfer_Encoding: chunked", "Transfer-Encoding\t: chunked", "Transfer-Encoding: chunked\u{C}",
        "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: chunked;a=b",
        "Transfer-encoding: cow\nTransfer-Encoding: chunked", "Transfer-Encoding:\u{A0}chunked",
        "TransferEncoding: chunked", "Transfer-Encoding: chunked␍", "␀Transfer-Encoding: chunked",
        "Transfer-Encoding␀: chunked", "Transfer-Encoding:\n chunked", "Transfer-Encoding: chunked\n\tx",
        "Transfer\u{AD}-Encoding: chunked", "Transfer-Encoding: chunKed\u{212A}", "Transfer-Encoding:",
        "Transfer-Encoding: ,",
        "Connection: Transfer-Encoding\nTransfer-Encoding: chunked", "TE: chunked",
    ]

    /// Which of the spellings above say something, unmistakably.
    static let soundLengths: [String: UInt64] = [
        "Content-Length: 5": 5, "content-length:5": 5, "Content-Length: 05": 5, "Content-Length: 5 ": 5,
        "Content-Length:\t5": 5, "Content-Length: 0": 0,
    ]
    static let soundCodings = [
        "Transfer-Encoding: chunked", "Transfer-Encoding:chunked", "Transfer-Encoding: Chunked",
    ]
    /// And which say nothing about a length to anybody, because the gateway drops them or they mean something else.
    static let silent = [
        "", "Content_Length: 5", "Transfer_Encoding: chunked", "TransferEncoding: chunked", "TE: chunked",
    ]

    static func expected(_ length: String, _ coding: String) -> BodyFraming? {
        if let count = soundLengths[length], silent.contains(coding) {
            return count == 0 ? BodyFraming.none : .length(count)
        }
        if silent.contains(length), soundCodings.contains(coding) { return .chunked }
        return silent.contains(length) && silent.contains(coding) ? BodyFraming.none : nil
    }

    @Test("A request with two readings is refused, one with one reading is framed by it", arguments: lengths)
    func requests(length: String) throws {
        for coding in Self.codings {
            for fields in [[length, coding], [coding, length]] {
                let lines = fields.filter { !$0.isEmpty }.map { $0 + "\n" }.joined()
                let message = wire("POST /x HTTP/1.1\nHost: a\n\(lines)\n")
                let seen = try? parseRequest(bytes: message)
                #expect(seen?.framing == Self.expected(length, coding), "\(lines.debugDescription)")
                try onGuardPages(message) { try checkRequestHead($0) }
            }
        }
    }

    @Test("So is an answer", arguments: lengths)
    func answers(length: String) throws {
        for coding in Self.codings {
            for fields in [[length, coding], [coding, length]] {
                let lines = fields.filter { !$0.isEmpty }.map { $0 + "\n" }.joined()
                let seen = try? parseResponse("HTTP/1.1 200 OK\n\(lines)\n")
                let isSilent = Self.silent.contains(length) && Self.silent.contains(coding)
                let framing = isSilent ? .untilClose : Self.expected(length, coding)
                #expect(seen?.framing == framing, "\(lines.debugDescription)")
                try onGuardPages([0] + wire("HTTP/1.1 200 OK\n\(lines)\n")) { try checkResponseHead($0) }
            }
        }
    }
}
