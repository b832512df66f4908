internal import Glibc
internal import HTTPWire

/// The id that one request has in logs, towards the session and in the answer.
struct RequestID {
    private static let capacity = 64
    private var storage = InlineArray<64, UInt8>(repeating: 0)
    private(set) var count = 0

    /// Takes over the client's id if it is a plain token of at most 64 letters, digits, `-`, `_` or `.`.
    mutating func adopt(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard (1...Self.capacity).contains(bytes.count) else { return false }
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: break
            default: return false
            }
        }
        for index in 0..<bytes.count { storage[index] = bytes[index] }
        count = bytes.count
        return true
    }

    /// Makes a new id of 32 hexadecimal digits.
    mutating func generate(_ source: inout RequestIDSource) {
        put(source.next(), at: 0)
        put(source.next(), at: 16)
        count = 32
    }

    private mutating func put(_ value: UInt64, at offset: Int) {
        for index in 0..<16 {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - index * 4)) & 15
            storage[offset + index] = digit < 10 ? 0x30 + digit : 0x57 + digit
        }
    }

    func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        var copy = storage
        let count = count
        return withUnsafeBytes(of: &copy) { body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }

    var text: String { withBytes { String(decoding: $0, as: UTF8.self) } }
}

/// Numbers for request ids of one worker: unique, and not guessable enough to matter; they are names, not secrets.
struct RequestIDSource {
    private var state: UInt64

    init() {
        var seed: UInt64 = 0
        withUnsafeMutableBytes(of: &seed) { _ = getentropy($0.baseAddress!, $0.count) }
        state = seed
    }

    /// The next number of the SplitMix64 sequence (Steele, Lea, Flood 2014).
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
