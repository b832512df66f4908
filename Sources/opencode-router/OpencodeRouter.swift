internal import ArgumentParser

/// The command line of the one binary.
@main
struct OpencodeRouter: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "opencode-router")
}
