import COpenSSL

/// What a sign-in is remembered by: the SHA-256 of its cookies and of the address that they were sent with.
///
/// Neither can be read from it, and another address with the same cookies is another sign-in.
public struct SignInDigest: Hashable, Sendable {
    private let first: UInt64
    private let second: UInt64
    private let third: UInt64
    private let fourth: UInt64

    /// - Parameters:
    ///   - cookies: the sign-in cookies as `name=value; name=value`.
    ///   - email: the normalised address.
    public init(cookies: [UInt8], email: String) {
        var text = cookies
        // No cookie holds a NUL: the two parts cannot be cut elsewhere.
        text.append(0)
        text.append(contentsOf: email.utf8)
        var digest: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        text.withUnsafeBytes { bytes in
            withUnsafeMutableBytes(of: &digest) {
                copenssl_sha256(bytes.baseAddress, bytes.count, $0.baseAddress?.assumingMemoryBound(to: UInt8.self))
            }
        }
        (first, second, third, fourth) = digest
    }
}
