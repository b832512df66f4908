internal import ArgumentParser
internal import DemoAgent
internal import FoundationEssentials

/// `opencode-router demo-agent`: the stand-in for `opencode serve`, for the repository in the working directory.
struct DemoAgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-agent",
        abstract: "A demo stand-in for `opencode serve`: real files and a real terminal, no model.",
        discussion: """
            Serves the repository in the working directory. OPENCODE_SERVER_PASSWORD asks for a password \
            (OPENCODE_SERVER_USERNAME, default opencode). It ends with the process that started it.
            """)

    @Option(help: "The numeric address to listen on.") var hostname = "127.0.0.1"
    @Option(help: "The port; 0 lets the system choose.") var port: UInt16 = 4096
    @Option(help: "The repository's folder.") var directory = "."

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        var configuration = DemoAgent.Configuration(directory: directory, environment: environment)
        configuration.hostname = hostname
        configuration.port = port
        configuration.resources = DemoAgent.Configuration.resources(named: environment["RESOURCES_DIR"])
        do {
            try await DemoAgent(configuration).run()
        } catch {
            StandardError.print("opencode-router demo-agent: \(error)")
            throw ExitCode.failure
        }
    }
}
