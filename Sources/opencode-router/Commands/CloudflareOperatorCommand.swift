internal import ArgumentParser
internal import FoundationEssentials

/// `opencode-router cloudflare-operator`: makes sessions' hosts reachable through a Cloudflare tunnel.
struct CloudflareOperatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cloudflare-operator",
        abstract: "Keep DNS, tunnel rules and Traefik routes of the sessions' hosts.",
        usage: "opencode-router cloudflare-operator [--dry-run | --once] [--setting value ...]",
        discussion: SettingReference.help(.cloudflareOperator))

    @Flag(help: "Print what would be changed and change nothing. Exit code 0: nothing, 2: something, 1: unknown.")
    var dryRun = false
    @Flag(help: "Make one pass and exit. Exit code 0: everything is as it should be, 1: something failed.")
    var once = false
    @Argument(parsing: .allUnrecognized, help: ArgumentHelp("Settings as --name value.", visibility: .hidden))
    var arguments: [String] = []

    func validate() throws {
        if dryRun, once { throw ValidationError("--dry-run and --once exclude each other.") }
    }

    func run() async throws {
        let configuration: OperatorConfiguration
        do {
            configuration = try OperatorConfiguration(
                flags: CommandLineFlags(arguments, catalogue: .cloudflareOperator),
                environment: ProcessInfo.processInfo.environment, identity: Server.replicaName)
        } catch {
            throw startRefused(error)
        }
        do {
            let code = try await OperatorServer.run(configuration, mode: dryRun ? .dryRun : once ? .once : .continuous)
            if code != 0 { throw ExitCode(code) }
        } catch let error as StartFailure {
            StandardError.print("opencode-router: \(error.sentence)")
            throw ExitCode.failure
        }
    }
}
