// What holds for every path, coding list, range and list of entity tags, whatever the bytes; tried by the fuzz target and,
// through a symbolic link, by unit tests.
#if canImport(Assets)
    @testable import Assets
#endif

/// A property of the site's answers that an input broke.
struct SiteViolation: Error, CustomStringConvertible {
    var description: String
}

/// The input is taken for a path, an Accept-Encoding, a Range and an If-None-Match in turn.
func checkSite(_ input: UnsafeRawBufferPointer) throws {
    try checkPath(input)
    try checkCodings(input)
    for size in [0, 1, 100, 1 << 26] { try checkRange(input, size) }
    try checkTags(input)
}

private func require(_ holds: Bool, _ claim: @autoclosure () -> String) throws {
    if !holds { throw SiteViolation(description: claim()) }
}

private func checkPath(_ input: UnsafeRawBufferPointer) throws {
    let decoded = withUnsafeTemporaryAllocation(byteCount: RequestPath.limit, alignment: 1) { room -> [UInt8]? in
        RequestPath.decode(input, into: room).map { Array(room[..<$0]) }
    }
    guard let decoded else { return }
    try require(decoded.first == 47 && decoded.count <= input.count, "\(decoded) is no path")
    try require(!decoded.contains { $0 < 32 || $0 == 127 || $0 == 92 }, "odd bytes in \(decoded)")
    // As many slashes, dots and percent signs as were sent plainly: none came out of an escape.
    for byte: UInt8 in [47, 46] {
        try require(decoded.count(where: { $0 == byte }) == input.count(where: { $0 == byte }), "an escape hid \(byte)")
    }
    try require(!decoded.contains(37), "decoded once, \(decoded) has escapes left")
    let again = decoded.withUnsafeBytes { decoded in
        withUnsafeTemporaryAllocation(byteCount: RequestPath.limit, alignment: 1) { room -> [UInt8]? in
            RequestPath.decode(decoded, into: room).map { Array(room[..<$0]) }
        }
    }
    try require(again == decoded, "\(decoded) decodes further")
}

private func checkCodings(_ input: UnsafeRawBufferPointer) throws {
    let accepted = AcceptEncoding(input)
    let text = String(decoding: input.map { (65...90).contains($0) ? $0 + 32 : $0 }, as: UTF8.self)
    for (gzip, brotli) in [(false, false), (true, false), (false, true), (true, true)] {
        switch accepted.choose(gzip: gzip, brotli: brotli) {
        case .gzip: try require(gzip && (text.contains("gzip") || text.contains("*")), "nobody asked for gzip")
        case .brotli: try require(brotli && (text.contains("br") || text.contains("*")), "nobody asked for brotli")
        case .identity: break
        case nil: try require(text.contains("0") && (text.contains("identity") || text.contains("*")), "refused")
        }
    }
}

private func checkRange(_ input: UnsafeRawBufferPointer, _ size: Int) throws {
    guard case .part(let part) = RangeRequest(input, size: size) else { return }
    try require(part.lowerBound >= 0 && part.upperBound <= size && !part.isEmpty, "\(part) of \(size)")
}

private func checkTags(_ input: UnsafeRawBufferPointer) throws {
    let tag = Array("\"abc\"".utf8)
    guard tag.withUnsafeBytes({ EntityTags.lists(input, $0) }) else { return }
    let text = String(decoding: input, as: UTF8.self)
    try require(text == "*" || text.contains("\"abc\""), "a tag was found where none is")
}
