/// Settings given as flags: `--name value`, `--name=value`, or `--name` alone for a boolean.
///
/// swift-configuration's own command-line provider splits values at commas and passes over names that nobody reads;
/// a misspelt flag has to stop the start, so flags are read here and handed to it as values.
struct CommandLineFlags: Equatable, Sendable {
    /// Values by the name of their environment variable.
    private(set) var values: [String: String] = [:]

    /// Reads all arguments after the command's name; throws one problem per argument that nothing accepts.
    init(_ arguments: [String], catalogue: SettingCatalogue = .router) throws(InvalidSettings) {
        var problems: [SettingProblem] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--"), argument.utf8.count > 2 else {
                problems.append(
                    SettingProblem("unexpected argument \"\(argument)\"; settings are given as --name value"))
                continue
            }
            let flag = String(argument.prefix { $0 != "=" })
            guard let declaration = catalogue.declaration(flag: flag) else {
                problems.append(SettingProblem("unknown option \(flag)" + Self.suggestion(for: flag, catalogue)))
                // Its value, if it has one, is not a second mistake.
                if !argument.contains("="), rest.first?.hasPrefix("--") == false { rest.removeFirst() }
                continue
            }
            if flag != argument {
                values[declaration.name] = String(argument.dropFirst(flag.count + 1))
            } else if declaration.kind == .boolean, Self.boolean(rest.first) == nil {
                values[declaration.name] = "true"
            } else if let value = rest.popFirst() {
                values[declaration.name] = value
            } else {
                problems.append(SettingProblem("\(flag) needs a value: \(declaration.kind.accepted)"))
            }
        }
        if !problems.isEmpty { throw InvalidSettings(problems: problems) }
    }

    /// No flags.
    init() {}

    /// The truth value that a text spells, as the original and swift-configuration read it.
    static func boolean(_ text: String?) -> Bool? {
        switch text?.lowercased() {
        case "true", "yes", "on", "1": true
        case "false", "no", "off", "0": false
        default: nil
        }
    }

    private static func suggestion(for flag: String, _ catalogue: SettingCatalogue) -> String {
        let nearest = catalogue.flags.map { (flag: $0, distance: editDistance(flag, $0)) }
            .min { ($0.distance, $0.flag) < ($1.distance, $1.flag) }
        guard let nearest, nearest.distance <= max(2, flag.count / 4) else {
            return "; `opencode-router \(catalogue.command) --help` lists all options"
        }
        return "; did you mean \(nearest.flag)?"
    }

    /// Levenshtein's distance: how many letters must be put in, taken out or changed.
    static func editDistance(_ one: String, _ other: String) -> Int {
        let other = Array(other.utf8)
        var row = Array(0...other.count)
        for (line, letter) in one.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = line + 1
            for (column, candidate) in other.enumerated() {
                let replaced = diagonal + (letter == candidate ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
            }
        }
        return row[other.count]
    }
}
