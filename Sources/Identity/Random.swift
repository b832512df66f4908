import COpenSSL

/// Unpredictable bytes from OpenSSL's generator, for passwords, keys and names that must not be guessed.
public enum Random {
    /// That many random bytes; stops the process if the system has no randomness, as nothing safe can follow.
    public static func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            guard count > 0 else { return }
            let done = RAND_bytes(buffer.baseAddress, CInt(count))
            precondition(done == 1, "the system's random generator failed")
            initialized = count
        }
    }

    /// That many random bytes, as twice as many lower-case hexadecimal digits.
    public static func hex(bytes count: Int) -> String { Digest.hex(bytes(count)) }

    /// A random UUID (RFC 9562 version 4), lower-case.
    public static func uuid() -> String {
        var value = bytes(16)
        value[6] = value[6] & 0x0f | 0x40
        value[8] = value[8] & 0x3f | 0x80
        let groups = [value[0..<4], value[4..<6], value[6..<8], value[8..<10], value[10..<16]]
        return groups.map { Digest.hex($0) }.joined(separator: "-")
    }
}
