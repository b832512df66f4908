internal import HTTPWire
internal import Identity

/// What every request to a session, and every answer from one, is rewritten by; made once per worker.
struct Rewrites: ~Copyable {
    /// Towards the agent.
    let agent: RequestRewrite
    /// Towards the agent, when it is asked by the holder of the session's password, which stays here.
    let attach: RequestRewrite
    let answer: ResponseRewrite
    private let settings: DataPlaneSettings

    init(_ settings: DataPlaneSettings) {
        self.settings = settings
        agent = Self.request(settings)
        var rewrite = Self.request(settings)
        rewrite.dropsQueryPassword = true
        rewrite.dropsAllCookies = true
        attach = rewrite
        answer = .session(
            authCookiePrefixes: agent.authCookiePrefixes, frameAncestors: Array(settings.frameAncestors.utf8))
    }

    /// The rewrite for another port: development servers check that they are asked as localhost.
    func request(toPort port: UInt16) -> RequestRewrite {
        var rewrite = Self.request(settings)
        rewrite.hostOverride = Array("localhost:\(port)".utf8)
        return rewrite
    }

    private static func request(_ settings: DataPlaneSettings) -> RequestRewrite {
        var rewrite = RequestRewrite()
        rewrite.authCookiePrefixes = settings.authCookiePrefixes.map { Array($0.utf8) }
        rewrite.secretFieldName = Array(settings.secretField.utf8)
        rewrite.identityFieldName = Array(settings.identity.emailHeader.utf8)
        rewrite.publicProto = Array(settings.publicScheme.utf8)
        return rewrite
    }
}
