internal import Assets
internal import DataPlane
internal import Logging
internal import RouterAPI

/// Takes over, when SIGHUP asks for it, what can change while the router runs: secrets that files hold, and the picker's
/// files.
///
/// All of it or nothing: a value that is not valid keeps everything as it was. Other settings stand in the environment,
/// which does not change under a process.
struct Renewal {
    private var settings: Settings
    /// The main listener's, which stays what it is.
    private let port: UInt16
    private let reread: @Sendable () throws(InvalidSettings) -> Settings
    private let plane: Workers
    private let api: RouterAPI
    private let logger: Logger

    init(
        of settings: Settings, port: UInt16, reread: @escaping @Sendable () throws(InvalidSettings) -> Settings,
        plane: Workers, api: RouterAPI, logger: Logger
    ) {
        self.settings = settings
        self.port = port
        self.reread = reread
        self.plane = plane
        self.api = api
        self.logger = logger
    }

    /// Reads everything again, and says in the log what came of it.
    mutating func run() {
        let fresh: Settings
        let renewed: RenewedSettings
        do {
            fresh = try reread()
            renewed = RenewedSettings(
                identity: try Server.identityPolicy(fresh, logger), assets: try Server.catalogue(fresh.files),
                pages: try Server.pages(fresh, port: port))
        } catch let error as InvalidSettings {
            for problem in error.problems {
                logger.error("nothing was read anew: a setting is not valid", metadata: ["problem": "\(problem)"])
            }
            return
        } catch {
            let problem = (error as? StartFailure)?.sentence ?? "\(error)"
            logger.error("nothing was read anew", metadata: ["problem": "\(problem)"])
            return
        }
        var changed: [String] = []
        if fresh.identity.secrets != settings.identity.secrets { changed.append("AUTH_SECRET_FILE") }
        if fresh.identity.adminSecret != settings.identity.adminSecret { changed.append("ADMIN_SECRET_FILE") }
        plane.renew(renewed)
        api.adminKey.replace(with: fresh.identity.adminSecret)
        settings = fresh
        logger.notice(
            "secrets and the picker's files were read anew",
            metadata: [
                "changed": "\(changed.isEmpty ? "no secret" : changed.joined(separator: ", "))",
                "files": "\(renewed.assets.count)",
            ])
    }
}
