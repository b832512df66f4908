// What holds for every text that is read as YAML, whatever it is; tried by the fuzz target and, through a symbolic link, by
// unit tests.
#if canImport(KubernetesAPI)
    @testable import KubernetesAPI
#endif

/// A property of the YAML reader that an input broke.
struct YAMLViolation: Error, CustomStringConvertible {
    var description: String
}

/// Reading ends in nodes or in a problem with a reason; and nodes, written out plainly, are read as themselves.
func checkYAML(_ input: UnsafeRawBufferPointer) throws {
    let text = String(decoding: input, as: UTF8.self)
    let node: YAMLNode
    do throws(YAMLProblem) { node = try YAMLNode(parsing: text) } catch {
        guard error.line >= 0, !error.reason.isEmpty else { throw YAMLViolation(description: "no reason") }
        return
    }
    let written = plain(node)
    guard (try? YAMLNode(parsing: written)) == node else { throw YAMLViolation(description: "\(node) by \(written)") }
}

/// The node in flow style with everything quoted: what leaves the reader no choice.
private func plain(_ node: YAMLNode) -> String {
    switch node {
    case .scalar(let text): quoted(text)
    case .sequence(let elements): "[" + elements.map(plain).joined(separator: ", ") + "]"
    case .mapping(let members):
        "{" + members.map { "? \(quoted($0.key)) : \(plain($0.value))" }.joined(separator: ", ") + "}"
    }
}

private func quoted(_ text: String) -> String {
    "\""
        + text.unicodeScalars.map { scalar in
            (0x23...0x5b).contains(scalar.value) || (0x5d...0x7e).contains(scalar.value)
                ? String(scalar) : "\\U" + padded(String(scalar.value, radix: 16))
        }.joined() + "\""
}

private func padded(_ digits: String) -> String { String(repeating: "0", count: 8 - digits.count) + digits }
