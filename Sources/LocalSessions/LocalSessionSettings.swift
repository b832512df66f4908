package import Sessions

/// What decides how local sessions run; read from the environment by the executable (contract: STATE_DIR and so on).
package struct LocalSessionSettings: Sendable {
    /// Where sessions, their folders and the record of them are kept; absolute.
    package var stateDirectory: String
    /// The agent's program and arguments; `{port}` and `{dir}` in them are filled in. No shell reads it.
    package var agentCommand: [String]
    /// The program git, a name to be found on PATH or a path.
    package var git = "git"
    /// Which repository addresses are taken (ALLOWED_REPO_SCHEMES, ALLOWED_REPO_HOSTS).
    package var repositories = RepositoryURLPolicy()
    /// Whether a repository's host may have a private, loopback or link-local address.
    package var allowsPrivateRepositoryAddresses = false
    /// The servers that the owners' tokens belong to (GIT_TOKEN_HOSTS).
    package var tokenHosts = TokenHosts.github
    /// The script that an agent's git asks for the owner's token; nil where there is none.
    package var credentialHelper: String?
    /// This process's environment, from which what the agent and git may see is chosen.
    package var environment: [String: String]
    /// Names of further variables that the agent may see, besides those it always may.
    package var passedEnvironment: [String] = []
    /// Variables set for the agent, whatever this process's environment says.
    package var agentEnvironment: [String: String] = [:]

    /// How long asking a remote for its branches may take.
    package var remoteTimeout: Duration = .seconds(60)
    /// How long a clone may take.
    package var cloneTimeout: Duration = .seconds(1800)
    /// How long an agent may take until it is healthy.
    package var readyTimeout: Duration = .seconds(60)
    /// How long an agent gets to end what it does before it is asked to exit.
    package var disposeTimeout: Duration = .seconds(2)
    /// How long an agent that was asked to exit may take until it is killed.
    package var stopGrace: Duration = .seconds(5)
    /// Between two questions whether a starting agent is healthy.
    package var probeInterval: Duration = .milliseconds(100)
    /// How many sessions are cloned and started at the same time; more wait for their turn.
    package var startsAtOnce = 8
    /// How often a session that is in use is looked through for work that is in its folder only.
    package var inspectionInterval: Duration = .seconds(60)
    /// At most this often is a session's activity alone written to the disk.
    package var activityInterval: Duration = .seconds(10)
    /// The size at which a log file is put aside; the one before is kept, older ones are not.
    package var logLimit = 4 << 20

    package init(stateDirectory: String, agentCommand: [String], environment: [String: String]) {
        self.stateDirectory = stateDirectory
        self.agentCommand = agentCommand
        self.environment = environment
    }
}

/// How the runtime talks to an agent that it started; both calls end by themselves within a few seconds.
package struct AgentControl: Sendable {
    /// Whether `GET /global/health` answers that the agent is healthy.
    package var isHealthy: @Sendable (SessionEndpoint) async -> Bool
    /// `POST /global/dispose`: the agent ends its runs and shells in good order.
    package var dispose: @Sendable (SessionEndpoint) async -> Void

    package init(
        isHealthy: @escaping @Sendable (SessionEndpoint) async -> Bool,
        dispose: @escaping @Sendable (SessionEndpoint) async -> Void
    ) {
        self.isHealthy = isHealthy
        self.dispose = dispose
    }
}
