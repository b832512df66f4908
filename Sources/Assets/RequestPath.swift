/// The path of a request, decoded once and strictly.
enum RequestPath {
    /// Longer paths name no file.
    static let limit = 512

    /// Writes the decoded path into `output`, which has room for `limit` bytes; nil for a path that no file of a site has.
    ///
    /// Refused are bad escapes, escapes of what needs none to be understood differently (slash, backslash, percent, dot,
    /// NUL and other controls) and raw bytes that belong in no path. Lookup is exact, so nothing is resolved or cleaned.
    static func decode(_ path: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
        guard let first = path.first, first == 0x2f, path.count <= limit else { return nil }
        var count = 0
        var cursor = 0
        while cursor < path.count {
            var byte = path[cursor]
            cursor += 1
            if byte == 0x25 {
                guard cursor + 1 < path.count, let high = Bytes.hexValue(path[cursor]),
                    let low = Bytes.hexValue(path[cursor + 1])
                else { return nil }
                byte = high << 4 | low
                cursor += 2
                guard byte != 0x2f, byte != 0x2e, byte != 0x25 else { return nil }
            }
            guard byte >= 0x20, byte != 0x7f, byte != 0x5c else { return nil }
            output[count] = byte
            count += 1
        }
        return count
    }

    /// Whether the path is one of the picker's own routes, which all show `index.html`: `/`, `/settings`, `/admin` and
    /// `/session/<hash>`.
    static func isClientRoute(_ path: UnsafeRawBufferPointer) -> Bool {
        if Bytes.same(path, "/") || Bytes.same(path, "/settings") || Bytes.same(path, "/admin") { return true }
        guard path.count == 21, Bytes.same(UnsafeRawBufferPointer(rebasing: path[..<9]), "/session/") else {
            return false
        }
        for index in 9..<21 {
            switch path[index] {
            case 0x30...0x39, 0x61...0x66: continue
            default: return false
            }
        }
        return true
    }
}
