import COpenSSL

/// A shared key, compared in a time that depends on the candidate's length only.
///
/// The key lies in a block as long as the longest key, so that comparing reads as many bytes of it as the candidate has,
/// whatever the key's own length is. Digests would hide the length, too, but hashing each candidate cost a tenth of
/// all the instructions that a proxied request takes.
struct Secret: Sendable {
    /// The longest key.
    static let limit = 1024

    private let block: [UInt8]
    private let count: Int

    /// A key of at most `limit` bytes.
    init(_ key: [UInt8]) {
        precondition(key.count <= Self.limit, "settings bound the key")
        count = key.count
        block = key + Array(repeating: 0, count: Self.limit - key.count)
    }

    /// Whether the candidate is the key.
    func equals(_ candidate: UnsafeRawBufferPointer) -> Bool {
        guard candidate.count <= Self.limit else { return false }
        // Both are always computed: no `&&`.
        let sameBytes = CRYPTO_memcmp(block, candidate.baseAddress, candidate.count)
        return (sameBytes | CInt(truncatingIfNeeded: candidate.count ^ count)) == 0
    }
}
