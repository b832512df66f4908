/// One reason why the router must not start, as the one line that is printed for it.
struct SettingProblem: Equatable, Sendable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// A value that does not have the shape its setting asks for.
    static func malformed(_ declaration: SettingDeclaration, value: String, expected: String? = nil) -> Self {
        let accepted = expected ?? declaration.kind.accepted
        return Self("\(declaration.name)=\(declaration.shown(value)): expected \(accepted)")
    }

    /// A value that is well formed and breaks a rule.
    static func refused(_ declaration: SettingDeclaration, value: String? = nil, because reason: String) -> Self {
        Self(declaration.name + (value.map { "=" + declaration.shown($0) } ?? "") + ": " + reason)
    }
}

/// Everything that is wrong with the settings, in the order of the table.
struct InvalidSettings: Error, Equatable, Sendable, CustomStringConvertible {
    let problems: [SettingProblem]

    /// One line per problem.
    var description: String { problems.map(\.description).joined(separator: "\n") }
}
