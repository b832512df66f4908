internal import ArgumentParser
internal import FoundationEssentials

/// `opencode-router check-config`: the settings in force, and everything that is wrong with them.
struct CheckConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config", abstract: "Print the settings in force and every problem with them.",
        usage: "opencode-router check-config [--setting value ...]",
        discussion: "Takes the environment and the same options as serve. Secrets are redacted. Exit code 78: refused.")

    @OptionGroup var given: SettingArguments

    func run() throws {
        let settings: Settings
        do {
            settings = try given.settings()
        } catch {
            throw startRefused(error)
        }
        for setting in settings.effective {
            print(Self.line(setting))
        }
        for sentence in settings.advice { StandardError.print("opencode-router: \(sentence)") }
    }

    /// `NAME=value  # origin`, or `# NAME is not set`.
    static func line(_ setting: EffectiveSetting) -> String {
        guard let value = setting.value else { return "# \(setting.declaration.name) is not set" }
        return "\(setting.declaration.name)=\(setting.declaration.shown(value))  # \(setting.origin.rawValue)"
    }
}
