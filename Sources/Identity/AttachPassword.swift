import COpenSSL
public import HTTPWire

/// Whether a request head carries a session's attach password, compared in constant time and without allocating.
///
/// It may come as the password part of `Authorization: Basic`, as `X-Attach-Password`, or as the query's `password`: by
/// whatever a tool can send. Of several that differ one right one is enough.
public enum AttachPassword {
    /// What was found.
    public enum Finding: Equatable, Sendable {
        case right, wrong, missing
    }

    /// Longer credentials than this are wrong without being looked at.
    private static let limit = 256

    /// What is compared to where there is no password, so that it takes as long.
    private static let nobodys = [UInt8](repeating: 0, count: 32)

    /// Looks for `password`; for nil, an unknown session's, the same work ends in `wrong` or `missing`.
    public static func find(
        _ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer, password: [UInt8]?
    ) -> Finding {
        let isKnown = password?.isEmpty == false
        let known = isKnown ? password! : nobodys
        var finding = Finding.missing
        func compare(_ candidate: UnsafeRawBufferPointer) {
            // The length is no secret: all passwords have the same.
            let isEqual =
                candidate.count == known.count
                && known.withUnsafeBytes { CRYPTO_memcmp($0.baseAddress, candidate.baseAddress, known.count) == 0 }
            if isEqual && isKnown { finding = .right } else if finding == .missing { finding = .wrong }
        }
        for index in 0..<head.fields.count {
            let field = head.fields[index]
            switch field.known {
            case .xAttachPassword: compare(field.value.bytes(in: buffer))
            case .authorization: withBasicPassword(field.value.bytes(in: buffer), compare)
            default: break
            }
        }
        forEachQueryPassword(head.query.bytes(in: buffer), compare)
        return finding
    }

    /// The password part of Basic credentials (RFC 7617): what stands behind the first colon.
    private static func withBasicPassword(
        _ value: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        guard (7...limit).contains(value.count),
            Bytes.equal(UnsafeRawBufferPointer(rebasing: value[..<6]), "basic ")
        else { return }
        withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) { decoded in
            var count = 0
            var bits: UInt32 = 0
            var held = 0
            for byte in value[6...] {
                if byte == 0x3d { break }
                guard let digit = base64Value(byte) else { return body(nothing) }
                bits = bits << 6 | digit
                held += 6
                if held >= 8 {
                    held -= 8
                    decoded[count] = UInt8(truncatingIfNeeded: bits >> UInt32(held))
                    count += 1
                }
            }
            let text = UnsafeRawBufferPointer(rebasing: decoded[..<count])
            guard let colon = text.firstIndex(of: 0x3a) else { return body(nothing) }
            body(UnsafeRawBufferPointer(rebasing: text[(colon + 1)...]))
        }
    }

    /// What is compared in place of credentials that cannot be read.
    private static var nothing: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    private static func base64Value(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x41...0x5a: UInt32(byte - 0x41)
        case 0x61...0x7a: UInt32(byte - 0x61 + 26)
        case 0x30...0x39: UInt32(byte - 0x30 + 52)
        case 0x2b: 62
        case 0x2f: 63
        default: nil
        }
    }

    /// The values of the parameters that are called exactly `password`: those that `HeadWriter` cuts out.
    private static func forEachQueryPassword(
        _ query: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        var start = 0
        while start < query.count {
            var end = start
            while end < query.count, query[end] != 0x26 { end += 1 }
            let pair = UnsafeRawBufferPointer(rebasing: query[start..<end])
            if (9...limit).contains(pair.count), isNamedPassword(pair) {
                body(UnsafeRawBufferPointer(rebasing: pair[9...]))
            }
            start = end + 1
        }
    }

    /// Whether the parameter begins with `password=`, spelt exactly so.
    private static func isNamedPassword(_ pair: UnsafeRawBufferPointer) -> Bool {
        let name: StaticString = "password="
        for index in 0..<name.utf8CodeUnitCount where pair[index] != name.utf8Start[index] { return false }
        return true
    }
}
