internal import Identity

/// Identifiers in opencode's form: a prefix that names the kind, `_`, and 26 letters and digits nobody can guess.
enum Identifier {
    static let session = "ses"
    static let message = "msg"
    static let part = "prt"
    static let terminal = "pty"

    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// A new identifier; later ones sort behind earlier ones, by the first ten characters (milliseconds).
    static func make(_ prefix: String, now: Int) -> String {
        var time = now
        var digits: [UInt8] = []
        for _ in 0..<10 {
            digits.append(alphabet[time % 62])
            time /= 62
        }
        // 248 is the largest multiple of 62 in a byte; larger bytes would favour some characters.
        var random: [UInt8] = []
        while random.count < 16 {
            random += Random.bytes(24).filter { $0 < 248 }.map { alphabet[Int($0) % 62] }
        }
        return prefix + "_" + String(decoding: digits.reversed() + random.prefix(16), as: UTF8.self)
    }
}
