// What holds for every text that may be a URL; tried by the fuzz target and, through a symbolic link, by unit tests.
#if canImport(HTTPClient)
    import HTTPClient
#endif

/// A property of URLs that an input broke.
struct URLViolation: Error, CustomStringConvertible {
    var description: String
}

/// A text that is accepted reads the same to somebody who splits it in the simplest way, cannot break a request line or
/// a Host field, and stays itself when written and read again. What it refers to keeps to the same rules.
func checkURL(_ input: UnsafeRawBufferPointer) throws {
    let text = String(decoding: input, as: UTF8.self)
    if let url = try? HTTPURL(text) {
        try check(url, text)
        let rest = text.utf8.drop { $0 != UInt8(ascii: "/") }.dropFirst(2)
        let authority = String(rest.prefix { !Array("/?#".utf8).contains($0) })!
        guard !authority.contains("@"),
            authority.lowercased().hasPrefix("\(url.origin.host)") || authority.hasPrefix("[")
        else { throw URLViolation(description: "\(text) leads to \(url.origin)") }
        let port = authority.hasSuffix("]") ? nil : authority.split(separator: ":").dropFirst().last
        guard port.map({ $0 == "\(url.origin.port)" }) ?? (url.origin.port == url.origin.scheme.defaultPort) else {
            throw URLViolation(description: "\(text) leads to port \(url.origin.port)")
        }
    }
    let base = try! HTTPURL("http://base.example/a/b?c")
    if let url = try? base.resolving(text) {
        try check(url, text)
        if !text.contains(":"), !text.hasPrefix("//"), url.origin != base.origin {
            throw URLViolation(description: "the relative \(text) leads to \(url.origin)")
        }
    }
}

private func check(_ url: HTTPURL, _ text: String) throws {
    let written = "\(url.origin)\(url.target)"
    guard (try? HTTPURL(written)) == url else { throw URLViolation(description: "\(text) became \(written)") }
    guard written.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }), url.target.hasPrefix("/"),
        !url.target.contains("#")
    else { throw URLViolation(description: "\(text) became \(written)") }
    if case .name(let name) = url.origin.host {
        // The system's resolver must have no reason to take it for a number.
        guard let last = name.split(separator: ".").last, !last.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            !last.hasPrefix("0x"), name.utf8.count <= 253
        else { throw URLViolation(description: "\(text) leads to the name \(name)") }
    }
}
