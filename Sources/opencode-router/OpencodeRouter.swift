internal import ArgumentParser

/// The command line of the one binary.
@main
struct OpencodeRouter: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "opencode-router",
        abstract: "Coding sessions in the browser: a picker, an API, and a host for every session.",
        version: "opencode-router \(Version.current)",
        subcommands: [
            ServeCommand.self, CheckConfigCommand.self, HealthcheckCommand.self, VersionCommand.self,
            CompletionsCommand.self, ReferenceCommand.self, DemoAgentCommand.self, CloudflareOperatorCommand.self,
        ],
        defaultSubcommand: ServeCommand.self)
}
