private import CYAML

/// A YAML document as plain nodes, read by libyaml; enough for a KUBECONFIG.
enum YAMLNode: Hashable, Sendable {
    case scalar(String)
    case sequence([YAMLNode])
    case mapping([String: YAMLNode])

    subscript(name: String) -> YAMLNode? { if case .mapping(let members) = self { members[name] } else { nil } }
    var text: String? { if case .scalar(let text) = self { text } else { nil } }
    var elements: [YAMLNode] { if case .sequence(let elements) = self { elements } else { [] } }

    /// Reads the first document of a text.
    init(parsing text: String) throws(YAMLProblem) {
        var parser = yaml_parser_t()
        guard yaml_parser_initialize(&parser) == 1 else { throw YAMLProblem(line: 0, reason: "no memory") }
        defer { yaml_parser_delete(&parser) }
        var bytes = Array(text.utf8)
        let result: Result<YAMLNode, YAMLProblem> = bytes.withUnsafeMutableBufferPointer { bytes in
            yaml_parser_set_input_string(&parser, bytes.baseAddress, bytes.count)
            do throws(YAMLProblem) { return .success(try Self.document(&parser)) } catch { return .failure(error) }
        }
        self = try result.get()
    }

    private enum Token { case scalar(String), sequence, mapping, end, other }

    private static let depthLimit = 32

    private static func document(_ parser: inout yaml_parser_t) throws(YAMLProblem) -> YAMLNode {
        while true {
            switch try next(&parser) {
            case .other: continue
            case .end: throw YAMLProblem(line: 0, reason: "the file is empty")
            case let token: return try node(token, &parser, depth: 0)
            }
        }
    }

    private static func node(
        _ token: Token, _ parser: inout yaml_parser_t, depth: Int
    ) throws(YAMLProblem) -> YAMLNode {
        guard depth < depthLimit else { throw YAMLProblem(line: 0, reason: "nested too deeply") }
        switch token {
        case .scalar(let text): return .scalar(text)
        case .sequence:
            var elements: [YAMLNode] = []
            while true {
                let token = try next(&parser)
                if case .end = token { return .sequence(elements) }
                elements.append(try node(token, &parser, depth: depth + 1))
            }
        case .mapping:
            var members: [String: YAMLNode] = [:]
            while true {
                let name = try next(&parser)
                if case .end = name { return .mapping(members) }
                guard case .scalar(let text) = name else {
                    throw YAMLProblem(line: 0, reason: "a name that is no text")
                }
                members[text] = try node(try next(&parser), &parser, depth: depth + 1)
            }
        case .end, .other: throw YAMLProblem(line: 0, reason: "not understood")
        }
    }

    private static func next(_ parser: inout yaml_parser_t) throws(YAMLProblem) -> Token {
        var event = yaml_event_t()
        guard yaml_parser_parse(&parser, &event) == 1 else {
            let reason = parser.problem.map { String(cString: $0) } ?? "not YAML"
            throw YAMLProblem(line: Int(parser.problem_mark.line) + 1, reason: reason)
        }
        defer { yaml_event_delete(&event) }
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return .scalar(String(decoding: bytes, as: UTF8.self))
        case YAML_SEQUENCE_START_EVENT: return .sequence
        case YAML_MAPPING_START_EVENT: return .mapping
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT, YAML_STREAM_END_EVENT, YAML_DOCUMENT_END_EVENT:
            return .end
        case YAML_ALIAS_EVENT:
            throw YAMLProblem(line: Int(event.start_mark.line) + 1, reason: "aliases are not read")
        default: return .other
        }
    }
}

/// Why a text is no YAML document that is read here.
struct YAMLProblem: Error, Hashable, Sendable {
    /// From 1; 0 if unknown.
    var line: Int
    var reason: String
}
