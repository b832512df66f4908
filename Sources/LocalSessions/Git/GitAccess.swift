import Sessions

/// The owner's token for the server of one repository, in the form that git takes without it ever being an argument, a
/// URL or a file; for the clone, while which no agent runs yet.
///
/// A credential helper in the environment's configuration answers for this origin only, so a redirect or a submodule
/// elsewhere is never given the token; git asks it after the server's 401.
struct GitAccess: Sendable {
    /// What git is to find in its environment.
    let environment: [String: String]
    /// The token itself, to be taken out of everything that is logged.
    let token: String

    /// Access to this repository's host; nil if the token does not belong there, or is none.
    init?(token: String?, to url: RepositoryURL?, hosts: TokenHosts) {
        guard let token, TokenHosts.isToken(token), let url else { return nil }
        let host = "\(url.host)\(url.port.map { ":\($0)" } ?? "")"
        guard let user = hosts.user(scheme: url.scheme, host: host) else { return nil }
        environment = [
            "OPENCODE_GIT_TOKEN": token,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "credential.\(url.scheme)://\(host).helper",
            "GIT_CONFIG_VALUE_0":
                "!f() { test \"$1\" = get && echo username=\(user) && echo \"password=$OPENCODE_GIT_TOKEN\"; }; f",
        ]
        self.token = token
    }
}
