/// Which of opencode's two HTTP APIs an agent speaks; the words of OPENCODE_API.
package enum AgentGeneration: String, Hashable, Sendable {
    /// `/session`, and pages by folder.
    case v1
    /// `/api/session`, and pages by server.
    case v2
}
