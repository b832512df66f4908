import Glibc

/// The agent's program and arguments, as AGENT_COMMAND writes them in one line.
package enum AgentCommand {
    /// Why a line is no command.
    package enum Problem: Error, Hashable, Sendable {
        case empty
        case unclosedQuote

        /// What is wrong and what is accepted.
        package var message: String {
            switch self {
            case .empty:
                "it names no program; write the program and its arguments, such as: opencode serve --port {port}"
            case .unclosedQuote: "a quote is not closed"
            }
        }
    }

    /// Splits a line at white space; quotes of both kinds and the backslash keep characters together as in a shell,
    /// but nothing is ever expanded.
    package static func parse(_ line: String) throws(Problem) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in line {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if let open = quote {
                if character == open { quote = nil } else { word = (word ?? "") + String(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character.isWhitespace {
                if let done = word { words.append(done) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        guard quote == nil, !isEscaped else { throw .unclosedQuote }
        if let word { words.append(word) }
        guard !words.isEmpty else { throw .empty }
        return words
    }

    /// opencode if it is on this PATH, else the demonstration agent of this very program.
    package static func standard(searchPath: String, ownExecutable: String) -> [String] {
        guard find("opencode", in: searchPath) == nil else {
            // Two words, not `--port=…`: opencode takes that form for a default that its configuration may override.
            return ["opencode", "serve", "--hostname", "127.0.0.1", "--port", "{port}"]
        }
        return [ownExecutable, "demo-agent", "--hostname", "127.0.0.1", "--port", "{port}"]
    }

    /// The path of a program: of a name, the first executable file of that name on the search path.
    static func find(_ program: String, in searchPath: String) -> String? {
        let candidates =
            program.contains("/")
            ? [program] : searchPath.split(separator: ":").filter { $0.hasPrefix("/") }.map { "\($0)/\(program)" }
        return candidates.first { path in
            var status = stat()
            return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
        }
    }

    /// The template with its places filled in; what is filled in is never read again for places.
    static func fill(_ template: [String], port: UInt16, directory: String) -> [String] {
        template.map { word in
            var result = ""
            var rest = word[...]
            while let brace = rest.firstIndex(of: "{") {
                result += rest[..<brace]
                rest = rest[brace...]
                if rest.hasPrefix("{port}") {
                    result += "\(port)"
                    rest = rest.dropFirst(6)
                } else if rest.hasPrefix("{dir}") {
                    result += directory
                    rest = rest.dropFirst(5)
                } else {
                    result += "{"
                    rest = rest.dropFirst()
                }
            }
            return result + rest
        }
    }
}
