import FoundationEssentials
import LinuxIO

@testable import DemoAgent

/// A real agent in this process, on a port of the kernel's choice, for a small repository.
struct RunningAgent {
    let port: UInt16
    let folder: Folder

    func client() throws -> RawClient { try RawClient(port: port) }

    /// Starts an agent, runs the body, and stops it again.
    static func run(
        _ change: (inout DemoAgent.Configuration) -> Void = { _ in }, _ body: (RunningAgent) async throws -> Void
    ) async throws {
        let folder = Folder()
        defer { folder.remove() }
        folder.write("README.md", "# Test\n")
        folder.write("src/main.c", "int main;\n")
        folder.write(".git/HEAD", "ref: refs/heads/main\n")
        var configuration = DemoAgent.Configuration(
            directory: folder.path,
            environment: ["PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "HOME": folder.path, "PS1": "$ "])
        configuration.port = 0
        configuration.announces = false
        configuration.followsProcess = false
        configuration.wordMilliseconds = 1
        change(&configuration)

        let (addresses, told) = AsyncStream<SocketAddress>.makeStream()
        let agent = DemoAgent(configuration) { told.yield($0) }
        let task = Task.detached {
            defer { told.finish() }
            try await agent.run()
        }
        var result = Result<Void, any Error>.success(())
        for await address in addresses {
            do { try await body(RunningAgent(port: address.port, folder: folder)) } catch { result = .failure(error) }
            break
        }
        task.cancel()
        try await task.value
        try result.get()
    }
}
