internal import Glibc
package import LinuxIO

/// A small, honest stand-in for `opencode serve`: no model, but real files and a real terminal.
///
/// It speaks the part of opencode's HTTP contract that a router and its tests need, shows a page of its own, and names
/// itself a demo everywhere. It is also the smallest complete server on this project's own floors.
package struct DemoAgent: Sendable {
    /// What one agent serves, and where.
    package struct Configuration: Sendable {
        /// The numeric address to listen on.
        package var hostname = "127.0.0.1"
        /// The port; 0 lets the kernel choose.
        package var port: UInt16 = 4096
        /// The repository's folder.
        package var directory: String
        /// The folder with the page's files (`demo-agent/index.html` and others); without them a plain page is shown.
        package var resources: String?
        /// The password every request must show by HTTP Basic; nil asks for none.
        package var password: String?
        /// The user's name that belongs to it.
        package var username = "opencode"
        /// Where uploads are kept; nil is `.git/demo-agent` in the repository, which git does not see.
        package var scratch: String?
        /// The environment of the shells, as `NAME=value`.
        package var environment: [String] = []
        /// Whether SIGTERM and SIGINT, and the end of the parent process, end the agent.
        package var followsProcess = true
        /// Whether to say on standard output where the agent listens.
        package var announces = true
        /// Bytes of a terminal's output kept for pages that connect later.
        package var terminalMemory = 2 << 20
        /// Milliseconds between two heartbeats of an event stream.
        package var heartbeatMilliseconds: UInt64 = 10_000
        /// Milliseconds between two words of an answer.
        package var wordMilliseconds: UInt64 = 25

        package init(directory: String) { self.directory = directory }
    }

    private let configuration: Configuration
    private let onReady: @Sendable (SocketAddress) -> Void

    /// Makes an agent; `onReady` is told the address in use once connections are accepted.
    package init(_ configuration: Configuration, onReady: @escaping @Sendable (SocketAddress) -> Void = { _ in }) {
        self.configuration = configuration
        self.onReady = onReady
    }

    /// Serves until the task is cancelled or, with `followsProcess`, until a signal or the parent's end.
    ///
    /// All shells have been killed when it returns. Throws what kept it from listening.
    package func run() async throws {
        let loop = try Loop(name: "demo-agent")
        defer { loop.stop() }
        let server = try Server(configuration, on: loop)
        try await withTaskExecutorPreference(loop.executor) {
            try await server.run(onReady: onReady)
        }
    }
}

extension DemoAgent.Configuration {
    /// The settings that opencode itself takes from the environment, and the environment the shells get.
    ///
    /// - Parameter environment: all variables of the process, in any order.
    package init(directory: String, environment: [String: String]) {
        self.init(directory: directory)
        if let password = environment["OPENCODE_SERVER_PASSWORD"], !password.isEmpty { self.password = password }
        if let name = environment["OPENCODE_SERVER_USERNAME"], !name.isEmpty { username = name }
        // As in opencode, a shell sees all of it, the password included: the shell can do what the password allows.
        var variables = environment
        variables["TERM"] = "xterm-256color"
        variables["COLORTERM"] = "truecolor"
        variables["OPENCODE_TERMINAL"] = "1"
        variables["OPENCODE_DEMO"] = "1"
        self.environment = variables.map { "\($0.key)=\($0.value)" }.sorted()
    }
}
