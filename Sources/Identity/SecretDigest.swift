import COpenSSL

/// The SHA-256 of a secret or of a candidate, kept without allocation, compared in constant time.
///
/// Comparing digests hides the secret's length, too.
struct SecretDigest: Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init(_ bytes: UnsafeRawBufferPointer) {
        withUnsafeMutableBytes(of: &words) { digest in
            copenssl_sha256(bytes.baseAddress, bytes.count, digest.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
    }

    /// Whether both are the digest of the same bytes; the time is always the same.
    func equals(_ other: SecretDigest) -> Bool {
        withUnsafeBytes(of: words) { one in
            withUnsafeBytes(of: other.words) { two in CRYPTO_memcmp(one.baseAddress, two.baseAddress, 32) == 0 }
        }
    }
}
