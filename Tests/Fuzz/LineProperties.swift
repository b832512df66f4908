// What holds for every stream of watch lines, whatever its bytes; tried by the fuzz target and, through a symbolic link,
// by unit tests.
#if canImport(KubernetesAPI)
    @testable import KubernetesAPI
#endif

/// A property of the line splitter that an input broke.
struct LineViolation: Error, CustomStringConvertible {
    var description: String
}

/// The lines of a stream cut into pieces of `size` bytes, and whether one was left open; nil once a line was too long.
private func lines(_ input: [UInt8], pieces size: Int, limit: Int) -> ([[UInt8]], isOpen: Bool)? {
    var splitter = LineSplitter(limit: limit)
    var found: [[UInt8]] = []
    var rest = input[...]
    while !rest.isEmpty {
        guard let more = splitter.lines(adding: Array(rest.prefix(size))) else { return nil }
        found += more
        rest = rest.dropFirst(size)
    }
    return (found, splitter.isMidLine)
}

/// The lines are those of the stream, however it is cut, and a line beyond the limit is noticed by every cut that sees it
/// grow.
func checkLines(_ input: UnsafeRawBufferPointer) throws {
    let bytes = Array(input)
    let expected = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let complete = expected.dropLast().map { $0.last == UInt8(ascii: "\r") ? Array($0.dropLast()) : Array($0) }
        .filter { !$0.isEmpty }
    for size in [max(1, bytes.count), 1, 3, 7] {
        guard let (found, isOpen) = lines(bytes, pieces: size, limit: .max), found == complete,
            isOpen == !(expected.last ?? []).isEmpty
        else { throw LineViolation(description: "\(bytes) cut by \(size)") }
    }
    let longest = expected.map(\.count).max() ?? 0
    if longest > 0, lines(bytes, pieces: 1, limit: longest - 1) != nil {
        throw LineViolation(description: "a line of \(longest) bytes passed a limit of one less")
    }
}
