/// The settings that one command takes.
struct SettingCatalogue: Sendable {
    /// The command's name, as it is typed.
    let command: String
    /// All settings with the file variants of secrets, in the order in which they are printed.
    let all: [SettingDeclaration]

    private let byName: [String: SettingDeclaration]
    private let byFlag: [String: SettingDeclaration]

    init(command: String, _ rows: [SettingDeclaration]) {
        self.command = command
        all = rows.flatMap { row in [row] + (row.fileVariant.map { [$0] } ?? []) }
        byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
        byFlag = Dictionary(
            uniqueKeysWithValues: all.flatMap { declaration in
                [declaration.flag, declaration.alias].compactMap { $0 }.map { ($0, declaration) }
            })
    }

    /// The declaration with this name; asking for one that does not exist is a mistake in this program.
    func declaration(_ name: String) -> SettingDeclaration {
        guard let found = byName[name] else { preconditionFailure("no setting is called \(name)") }
        return found
    }

    /// All long options, other spellings included.
    var flags: [String] { Array(byFlag.keys) }

    /// The declaration with this long option.
    func declaration(flag: String) -> SettingDeclaration? { byFlag[flag] }

    /// What `serve` takes.
    static let router = SettingCatalogue(command: "serve", SettingTable.rows)

    /// What `cloudflare-operator` takes.
    static let cloudflareOperator = SettingCatalogue(command: "cloudflare-operator", OperatorSettingTable.rows)
}
