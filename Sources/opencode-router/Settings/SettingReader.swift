internal import Configuration
internal import FoundationEssentials

/// Where a setting's value came from.
enum SettingOrigin: String, Sendable {
    case flag, environment, file, fallback = "default"
}

/// One setting as it is in force, for `check-config`.
struct EffectiveSetting: Equatable, Sendable {
    let declaration: SettingDeclaration
    /// The value in force, as written; nil if the setting is absent.
    var value: String?
    var origin: SettingOrigin

    static func == (one: Self, other: Self) -> Bool {
        one.declaration.name == other.declaration.name && one.value == other.value && one.origin == other.origin
    }
}

/// Reads settings by their declarations and collects everything that is wrong with them.
///
/// A flag wins over the environment, and an empty value counts as not set, as deployments write it.
struct SettingReader {
    /// What went wrong so far.
    private(set) var problems: [SettingProblem] = []
    /// What was read so far, by name.
    private(set) var effective: [String: EffectiveSetting] = [:]

    private let configuration: ConfigReader
    private let flags: CommandLineFlags
    private let catalogue: SettingCatalogue

    init(flags: CommandLineFlags, environment: [String: String], catalogue: SettingCatalogue = .router) {
        self.flags = flags
        self.catalogue = catalogue
        let flagValues = flags.values.map {
            (AbsoluteConfigKey(Self.key($0.key)), ConfigValue(.string($0.value), isSecret: false))
        }
        configuration = ConfigReader(providers: [
            InMemoryProvider(name: "flags", values: Dictionary(uniqueKeysWithValues: flagValues)),
            EnvironmentVariablesProvider(
                environmentVariables: environment,
                secretsSpecifier: .dynamic { name, _ in catalogue.all.contains { $0.name == name && $0.isSecret } }),
        ])
    }

    /// The value as text, checked against its kind; nil when nothing is set and there is no default.
    mutating func text(_ name: String) -> String? {
        let declaration = catalogue.declaration(name)
        guard let (value, origin) = written(declaration) else {
            show(name, declaration.fallback, .fallback)
            return declaration.fallback
        }
        show(name, value, origin)
        guard SettingSyntax.accepts(value, as: declaration.kind) else {
            problems.append(.malformed(declaration, value: value))
            return declaration.fallback
        }
        return value
    }

    mutating func boolean(_ name: String) -> Bool { CommandLineFlags.boolean(text(name)) ?? false }

    mutating func integer(_ name: String) -> Int { text(name).flatMap { Int($0) } ?? 0 }

    mutating func port(_ name: String) -> UInt16 { UInt16(truncatingIfNeeded: integer(name)) }

    /// A number of `unit`s as a duration.
    mutating func duration(_ name: String, unit: Duration) -> Duration {
        unit * (text(name).flatMap { Double($0) } ?? 0)
    }

    /// The items of a comma list; empty when nothing is set.
    mutating func items(_ name: String) -> [String] { text(name).map(SettingSyntax.items) ?? [] }

    /// Whether somebody set this, rather than its default applying.
    func isSet(_ name: String) -> Bool { written(catalogue.declaration(name)) != nil }

    /// A secret, from its own setting or from the file that `NAME_FILE` names.
    mutating func secret(_ name: String) -> String? {
        let file = catalogue.declaration(name + "_FILE")
        let path = text(file.name)
        let value = text(name)
        guard let path else { return value }
        guard value == nil else {
            problems.append(
                .refused(file, value: path, because: "\(name) is set, too; only one of the two may be"))
            return nil
        }
        guard let content = try? String(contentsOfFile: path, encoding: .utf8) else {
            problems.append(.malformed(file, value: path, expected: "a file that this user can read"))
            return nil
        }
        let trimmed = SettingSyntax.trimmed(content)
        guard !trimmed.isEmpty else {
            problems.append(.malformed(file, value: path, expected: "a file that is not empty"))
            return nil
        }
        show(name, trimmed, .file)
        return trimmed
    }

    /// Notes a value that breaks a rule between settings.
    mutating func refuse(_ name: String, value: String? = nil, because reason: String) {
        problems.append(.refused(catalogue.declaration(name), value: value, because: reason))
    }

    /// Notes a value that only its user can judge.
    mutating func malformed(_ name: String, value: String, expected: String) {
        problems.append(.malformed(catalogue.declaration(name), value: value, expected: expected))
    }

    /// Records the value that a computed default came to.
    mutating func show(_ name: String, _ value: String?, _ origin: SettingOrigin = .fallback) {
        effective[name] = EffectiveSetting(declaration: catalogue.declaration(name), value: value, origin: origin)
    }

    private func written(_ declaration: SettingDeclaration) -> (value: String, origin: SettingOrigin)? {
        let value = configuration.string(
            forKey: ConfigKey(Self.key(declaration.name)), isSecret: declaration.isSecret)
        guard let value, !value.isEmpty else { return nil }
        return (value, flags.values[declaration.name] == nil ? .environment : .flag)
    }

    /// `MAX_AGE_HOURS` as the key whose environment variable is spelt so again.
    private static func key(_ name: String) -> [String] {
        name.lowercased().split(separator: "_").map(String.init)
    }
}
