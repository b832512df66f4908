/// What the Content-Length and Transfer-Encoding fields of one message say about its body (RFC 9112 §6).
///
/// Fields in one by one, decision out; everything that two readers could understand differently is an error.
struct MessageFraming {
    private(set) var length: UInt64?
    private(set) var isChunked = false

    /// Takes in one Content-Length field line: digits only, once.
    mutating func addContentLength(_ bytes: RawSpan, _ value: ByteRange) throws(WireError) {
        guard !value.isEmpty else { throw .malformedLength }
        var number: UInt64 = 0
        for index in Int(value.start)..<Int(value.start) + Int(value.count) {
            let digit = bytes.byte(index) &- UInt8(ascii: "0")
            guard digit <= 9 else { throw .malformedLength }
            let (product, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { throw .malformedLength }
            number = sum
        }
        // Everything that counts bytes counts them in Int.
        guard number <= UInt64(Int.max) else { throw .malformedLength }
        if let length { throw length == number ? .duplicateLength : .conflictingLength }
        length = number
    }

    /// Takes in one Transfer-Encoding field line: `chunked`, once, alone.
    mutating func addTransferEncoding(_ bytes: RawSpan, _ value: ByteRange) throws(WireError) {
        guard !isChunked, bytes.equals("chunked", at: Int(value.start), count: Int(value.count)) else {
            throw isChunked ? .malformedTransferEncoding : Self.refusal(of: bytes, value)
        }
        isChunked = true
    }

    /// Codings that end in `chunked` delimit the body and could be undone by somebody; with anything else nobody knows
    /// where the body ends (RFC 9112 §6.1 and §6.3).
    private static func refusal(of bytes: RawSpan, _ value: ByteRange) -> WireError {
        var list = ListCursor(value)
        var isDelimited = false
        var codings = 0
        while let (start, end) = list.next(in: bytes) {
            guard !isDelimited, bytes.isAll(.token, start, end) else { return .malformedTransferEncoding }
            codings += 1
            isDelimited = bytes.equals("chunked", at: start, count: end - start)
        }
        return isDelimited && codings > 1 ? .unknownTransferEncoding : .malformedTransferEncoding
    }

    /// The framing of a message of this version, nil if the fields say nothing.
    func decision(minorVersion: UInt8) throws(WireError) -> BodyFraming? {
        if isChunked {
            guard length == nil else { throw .lengthWithTransferEncoding }
            guard minorVersion >= 1 else { throw .transferEncodingInHTTP10 }
            return .chunked
        }
        guard let length else { return nil }
        return length == 0 ? BodyFraming.none : .length(length)
    }
}
