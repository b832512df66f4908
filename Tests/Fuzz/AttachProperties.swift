// What holds for the attach password in every request head that parses, whatever its bytes; tried by the fuzz target of
// identities and, through a symbolic link, by unit tests.
import HTTPWire

#if canImport(Identity)
    @testable import Identity
#endif

/// Looks for what the head may mean as a password, slowly and on whole arrays, and asks about each.
func checkAttachPassword(_ input: UnsafeRawBufferPointer) throws {
    var head = RequestHead()
    guard (try? HeadParser.parse(input, into: &head)) != nil else { return }
    var candidates: [[UInt8]] = []
    for field in head.fields {
        let value = Array(field.value.bytes(in: input))
        switch String(decoding: field.name.bytes(in: input), as: UTF8.self).lowercased() {
        case "x-attach-password": candidates.append(value)
        case "authorization": candidates += basicPassword(value).map { [$0] } ?? []
        default: break
        }
    }
    for pair in head.query.bytes(in: input).split(separator: UInt8(ascii: "&")) where pair.count <= 256 {
        if pair.count >= 9, pair.starts(with: "password=".utf8) { candidates.append(Array(pair.dropFirst(9))) }
    }
    let nobodys = AttachPassword.find(head, in: input, password: nil)
    guard nobodys == (candidates.isEmpty ? .missing : .wrong) else {
        throw IdentityViolation(description: "\(nobodys) for nobody's password among \(candidates)")
    }
    let other = Array("0123456789abcdef0123456789abcdef".utf8)
    for password in candidates + candidates.map({ $0 + [0] }) + candidates.map({ $0.dropLast() }) + [other]
    where !password.isEmpty {
        let found = AttachPassword.find(head, in: input, password: password)
        let expected: AttachPassword.Finding =
            candidates.isEmpty ? .missing : candidates.contains(password) ? .right : .wrong
        guard found == expected else {
            throw IdentityViolation(description: "\(found) for \(password) among \(candidates)")
        }
    }
}

/// The password of Basic credentials, empty if they cannot be read; nil if this is something else.
private func basicPassword(_ value: [UInt8]) -> [UInt8]? {
    guard (7...256).contains(value.count),
        String(decoding: value.prefix(6), as: UTF8.self).lowercased() == "basic "
    else { return nil }
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    let digits = value.dropFirst(6).prefix { $0 != UInt8(ascii: "=") }.map { alphabet.firstIndex(of: $0) }
    guard !digits.contains(nil) else { return [] }
    let bits = digits.compactMap(\.self).flatMap { digit in (0..<6).map { digit >> (5 - $0) & 1 } }
    let text = stride(from: 0, to: bits.count / 8 * 8, by: 8).map { start in
        bits[start..<start + 8].reduce(0) { $0 << 1 | UInt8($1) }
    }
    guard let colon = text.firstIndex(of: UInt8(ascii: ":")) else { return [] }
    return Array(text[(colon + 1)...])
}
