/// The rules for environment variables that users give their sessions.
package enum SecretName {
    /// The longest value, in bytes.
    package static let valueLimit = 32 << 10
    /// The most variables of one user.
    package static let countLimit = 100

    /// Why a name cannot be one, as the end of a sentence; nil if it can.
    package static func problem(with name: String) -> String? {
        guard let first = name.utf8.first else { return "must not be empty" }
        guard name.utf8.count <= 128 else { return "must not be longer than 128 bytes" }
        guard !first.isDigit, name.utf8.allSatisfy({ $0.isLetterOrDigit || $0 == UInt8(ascii: "_") }) else {
            return "must be letters, digits and \"_\", and not begin with a digit"
        }
        let upper = name.uppercased()
        let isGit = upper.hasPrefix("GIT_") && !identityPrefixes.contains(where: { upper.hasPrefix($0) })
        if isGit || reserved.contains(upper) || reservedPrefixes.contains(where: { upper.hasPrefix($0) }) {
            return "is reserved: it would change how the session itself runs"
        }
        return nil
    }

    private static let reserved: Set<String> = [
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "IFS", "ENV", "BASH_ENV", "PROMPT_COMMAND", "NODE_OPTIONS",
        "NODE_PATH", "BUN_OPTIONS", "PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME", "PERL5OPT", "RUBYOPT",
        "JAVA_TOOL_OPTIONS",
        "HOSTNAME", "SHELLOPTS", "BASHOPTS", "PS4", "SSH_ASKPASS",
        "OPENCODE_POD_SECRET", "OPENCODE_SESSION_HASH", "OPENCODE_ROUTER_URL", "OPENCODE_ROUTER_EXTERNAL_DOMAIN",
        "OPENCODE_SERVER_PASSWORD", "OPENCODE_SERVER_USERNAME", "OPENCODE_USER_EMAIL", "OPENCODE_GIT_TOKEN",
    ]
    private static let reservedPrefixes = ["LD_", "DYLD_", "KUBERNETES_"]
    /// Of git's variables those that only sign a commit; the others say where it reads and what it runs.
    private static let identityPrefixes = ["GIT_AUTHOR_", "GIT_COMMITTER_"]
}
