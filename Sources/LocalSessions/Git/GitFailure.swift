import Sessions

/// What git's own words mean for the person who wanted the repository.
enum GitFailure {
    /// Turns what a git command wrote (in the C locale) and how it ended into a cause with a stable code.
    static func cause(of text: String, ended: String, address: String, hasToken: Bool) -> SessionFailure {
        let lower = text.lowercased()
        let log = LogTail.lines(20, of: text)
        guard let rule = rules.first(where: { rule in rule.signs.contains { lower.contains($0) } }) else {
            return SessionFailure(
                code: "clone_failed", message: "Cloning \(address) failed (\(ended)).",
                hint: "git's own last lines tell more.", log: log)
        }
        let hint = hasToken ? rule.hintWithToken ?? rule.hint : rule.hint
        return SessionFailure(
            code: rule.code, message: rule.message.replacing("ADDRESS", with: address), hint: hint, log: log)
    }

    private struct Rule {
        var code: String
        var message: String
        var hint: String
        var hintWithToken: String?
        /// Lower-case parts of git's, curl's and the kernel's messages.
        var signs: [String]
    }

    /// In order: what is more certain about the cause stands first.
    private static let rules = [
        Rule(
            code: "disk_full", message: "There is no room on the disk for ADDRESS.",
            hint: "Delete sessions that are no longer needed, or ask the operator for more room.",
            signs: ["no space left on device", "disk quota exceeded"]),
        Rule(
            code: "disk_read_only", message: "The disk for sessions cannot be written.",
            hint: "Ask the operator to look at STATE_DIR.", signs: ["read-only file system"]),
        Rule(
            code: "repository_scheme_refused", message: "git may not use the protocol of ADDRESS here.",
            hint: "Use an https address.", signs: ["' not allowed", "protocol not allowed"]),
        Rule(
            code: "authentication_required", message: "ADDRESS asks for a sign-in.",
            hint:
                "If the repository is private, sign in with an account that may read it; otherwise check the address.",
            hintWithToken: "The account you signed in with may not read this repository, or it does not exist.",
            signs: [
                "could not read username", "could not read password", "authentication failed", "returned error: 401",
                "returned error: 403", "terminal prompts disabled", "permission denied (publickey", "access denied",
            ]),
        Rule(
            code: "host_not_found", message: "The host of ADDRESS cannot be found.",
            hint: "Check the address for typing errors.", signs: ["could not resolve host"]),
        Rule(
            code: "certificate_refused", message: "The host of ADDRESS could not prove who it is.",
            hint: "Its TLS certificate is not trusted here; ask the operator.",
            signs: ["ssl certificate problem", "certificate verification failed", "ssl: no alternative certificate"]),
        Rule(
            code: "repository_not_found", message: "There is no repository at ADDRESS.",
            hint: "Check the address; a private repository may also hide behind this answer.",
            signs: [
                "' not found", "repository not found", "returned error: 404", "returned error: 410",
                "does not appear to be a git repository", "not a git repository", "' does not exist",
            ]),
        Rule(
            code: "repository_moved", message: "ADDRESS redirects somewhere else.",
            hint: "Open it in a browser and use the address it ends at.",
            signs: [
                "returned error: 301", "returned error: 302", "returned error: 303", "returned error: 307",
                "returned error: 308", "unable to update url base from redirection",
            ]),
        Rule(
            code: "repository_unreachable", message: "The host of ADDRESS does not answer as it should.",
            hint: "Try again; if it stays so, the host or the way to it is down.",
            signs: [
                "failed to connect", "connection refused", "connection timed out", "operation too slow",
                "connection reset", "early eof", "the remote end hung up", "returned error: 5", "returned error: 429",
                "empty reply from server", "network is unreachable", "gnutls_handshake", "unexpected disconnect",
            ]),
    ]
}
