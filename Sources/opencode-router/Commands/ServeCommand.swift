internal import ArgumentParser
internal import FoundationEssentials

/// Settings as a command takes them: any option, checked against the table of settings.
struct SettingArguments: ParsableArguments {
    @Argument(parsing: .allUnrecognized, help: ArgumentHelp("Settings as --name value.", visibility: .hidden))
    var arguments: [String] = []

    /// All settings in force; throws every problem at once.
    func settings() throws(InvalidSettings) -> Settings {
        try Settings(
            flags: CommandLineFlags(arguments), environment: ProcessInfo.processInfo.environment)
    }
}

/// `opencode-router serve`: the router itself.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the picker, the API and the sessions.",
        usage: "opencode-router serve [--setting value ...]", discussion: SettingReference.help())

    @OptionGroup var given: SettingArguments

    func run() async throws {
        let settings: Settings
        do {
            settings = try given.settings()
        } catch {
            throw startRefused(error)
        }
        do {
            let arguments = given.arguments
            try await Server.run(settings) { () throws(InvalidSettings) in
                try Settings(flags: CommandLineFlags(arguments), environment: ProcessInfo.processInfo.environment)
            }
        } catch is StartFailure {
            // The server has said why, in its own words.
            throw ExitCode.failure
        }
    }
}

/// How a command ends on settings that stop the start: one line per problem on standard error, and exit code 78
/// (EX_CONFIG of sysexits.h).
func startRefused(_ error: InvalidSettings) -> ExitCode {
    for problem in error.problems {
        StandardError.print("opencode-router: \(problem)")
    }
    return ExitCode(78)
}
