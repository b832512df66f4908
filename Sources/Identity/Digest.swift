import COpenSSL

/// Digests and keyed digests, by OpenSSL: the only place that computes them.
public enum Digest {
    /// SHA-256 (FIPS 180-4), 32 bytes.
    public static func sha256(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        let input = Array(bytes)
        return input.withUnsafeBytes { sha256($0) }
    }

    /// SHA-256 (FIPS 180-4), 32 bytes.
    public static func sha256(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { digest, count in
            copenssl_sha256(bytes.baseAddress, bytes.count, digest.baseAddress)
            count = 32
        }
    }

    /// SHA-1, 20 bytes; for `Sec-WebSocket-Accept` (RFC 6455 §4.2.2) and git object names, and for nothing that must resist
    /// an attacker.
    public static func sha1(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        let input = Array(bytes)
        return [UInt8](unsafeUninitializedCapacity: 20) { digest, count in
            SHA1(input, input.count, digest.baseAddress)
            count = 20
        }
    }

    /// HMAC-SHA-256 (RFC 2104), 32 bytes.
    public static func hmacSHA256(key: [UInt8], _ bytes: some Sequence<UInt8>) -> [UInt8] {
        let input = Array(bytes)
        return [UInt8](unsafeUninitializedCapacity: 32) { digest, count in
            var length: UInt32 = 0
            HMAC(EVP_sha256(), key, CInt(key.count), input, input.count, digest.baseAddress, &length)
            precondition(length == 32, "HMAC-SHA-256 has 32 bytes")
            count = 32
        }
    }

    /// The lower-case hexadecimal digits of the bytes.
    public static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Whether the two are equal; the time depends on the lengths only.
public func constantTimeEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    one.count == other.count && CRYPTO_memcmp(one, other, one.count) == 0
}
