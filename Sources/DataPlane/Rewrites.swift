internal import HTTPWire
internal import Identity
internal import Routing

/// What every request to a session, and every answer from one, is rewritten by; made once per worker.
struct Rewrites {
    private let agent: RequestRewrite
    private let devServer: RequestRewrite
    let answer: ResponseRewrite

    init(_ settings: DataPlaneSettings) {
        var rewrite = RequestRewrite()
        rewrite.authCookiePrefixes = settings.authCookiePrefixes.map { Array($0.utf8) }
        rewrite.secretFieldName = Array(settings.secretField.utf8)
        rewrite.identityFieldName = Array(settings.identity.emailHeader.utf8)
        rewrite.publicProto = Array(settings.publicScheme.utf8)
        agent = rewrite
        devServer = rewrite
        answer = .session(
            authCookiePrefixes: rewrite.authCookiePrefixes,
            frameAncestors: Array(settings.frameAncestors.utf8))
    }

    /// The rewrite for the agent, with the credentials that it wants to see.
    func request(to target: UpstreamTarget) -> RequestRewrite {
        var rewrite = agent
        rewrite.authorization = target.authorization
        return rewrite
    }

    /// The rewrite for another port: development servers check that they are asked as localhost.
    func request(toPort port: UInt16) -> RequestRewrite {
        var rewrite = devServer
        rewrite.hostOverride = Array("localhost:\(port)".utf8)
        return rewrite
    }
}
