/// Random digits that nobody can guess.
enum RandomHex {
    /// Twice as many lower-case hexadecimal digits as bytes, from the kernel's generator.
    static func make(bytes count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in
            let byte = UInt8.random(in: 0...255, using: &generator)
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}
