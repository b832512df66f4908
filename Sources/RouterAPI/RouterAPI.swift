import FoundationEssentials
import HTTPTypes
import Identity
package import Logging
package import Sessions

/// The API of the picker: a request value in, a response value out.
///
/// Reading is answered from the directory's snapshot; orders go to the runtime. A session of somebody else is answered
/// exactly as one that does not exist.
package struct RouterAPI: Sendable {
    let settings: APISettings
    let directory: SessionDirectory
    let runtime: any SessionRuntime
    let branches: (any BranchSource)?
    let catalogue: (any RepositoryCatalogue)?
    let secrets: (any UserSecretStore)?
    let messages: MessageBoard?
    let images: (any ImagePuller)?
    let archive: (any SessionArchive)?
    let now: @Sendable () -> Timestamp
    let logger: Logger
    let audit: AuditLog
    let presenter: SessionPresenter
    let starts = Orders()
    /// Deletions under way, which may take minutes where what was said is kept.
    let deletions = Orders()
    let renewal = TokenRenewal()
    /// Opens the admin endpoints.
    package let adminKey: AdminKey
    /// What one session's pod may ask per second, and how often one peer may be told that its secret is wrong.
    let podRequests = RateLimiter(rate: 64)
    let podFailures = RateLimiter(rate: 8)
    /// How often one session's git may be told a token: each time may be a question to the cluster.
    let credentialRequests = RateLimiter(rate: 16)
    /// How often one peer may come without an identity, for an administrator's key.
    private let strangers = RateLimiter(rate: 32)
    private let started = ContinuousClock.now

    /// - Parameters:
    ///   - branches: asks remotes for their branches; nil leaves that to the clone.
    ///   - catalogue: lists the caller's repositories; nil: not offered.
    ///   - messages: what is said in sessions; nil: not offered.
    ///   - secrets: keeps users' environment variables; nil: not offered.
    ///   - images: pulls images ahead; nil: not offered.
    ///   - archive: keeps what was said in sessions that are deleted; nil: not offered.
    ///   - now: the time of day.
    ///   - logger: for failures of our own.
    ///   - audit: for the audit lines.
    package init(
        settings: APISettings, directory: SessionDirectory, runtime: any SessionRuntime,
        branches: (any BranchSource)? = nil, catalogue: (any RepositoryCatalogue)? = nil,
        secrets: (any UserSecretStore)? = nil, messages: MessageBoard? = nil,
        images: (any ImagePuller)? = nil, archive: (any SessionArchive)? = nil,
        now: @escaping @Sendable () -> Timestamp = { .now() },
        logger: Logger = Logger(label: "api"), audit: Logger = Logger(label: "audit")
    ) {
        self.settings = settings
        self.directory = directory
        self.runtime = runtime
        self.branches = branches
        self.catalogue = catalogue
        self.secrets = secrets
        self.messages = messages
        self.images = images
        self.archive = archive
        self.now = now
        self.logger = logger
        self.audit = AuditLog(logger: audit)
        presenter = SessionPresenter(settings: settings)
        adminKey = AdminKey(settings.adminSecret)
    }

    /// Answers one request; every failure is an answer, too.
    package func respond(to request: APIRequest) async -> APIResponse {
        await answer(request) { () async throws(APIError) in
            try await perform(try Operation.of(request.method, path: request.path), request)
        }
    }

    /// Turns what `body` throws into an answer, and logs what is our own fault.
    func answer(
        _ request: APIRequest, _ body: () async throws(APIError) -> APIResponse
    ) async -> APIResponse {
        var response: APIResponse
        do throws(APIError) {
            response = try await body()
        } catch {
            if error.status.kind == .serverError {
                logger.error(
                    "API request failed",
                    metadata: [
                        "request": "\(request.requestID)", "code": "\(error.code)", "reason": "\(error.message)",
                    ])
            }
            response = error.response
        }
        response.headers[.xContentTypeOptions] = "nosniff"
        return response
    }

    private func perform(_ operation: Operation, _ request: APIRequest) async throws(APIError) -> APIResponse {
        if request.caller == nil, !strangers.admits(request.peer, at: uptime) { throw .tooManyRequests }
        // Our entity tags are weak, and If-Match compares strongly (RFC 9110 §13.1.1): no other value can be met.
        if let wanted = request.headers[.ifMatch], wanted != "*", request.caller != nil || isAdmin(request) {
            throw .preconditionFailed
        }
        switch operation {
        case .adminSessions where isAdmin(request): return try listEverything(request)
        case .pullImage where isAdmin(request): return try await pullImage(request)
        case .sessionPorts(let id) where request.caller == nil: return try sessionPorts(id, request)
        default: break
        }
        guard let caller = request.caller else { throw .signInRequired }
        renew(request.gitToken, of: caller.email, requestID: request.requestID)
        switch operation {
        case .version: return .json(["name": "opencode-router", "version": .string(settings.version)])
        case .me: return me(caller)
        case .listSessions: return try listSessions(request, caller)
        case .createSession: return try await createSession(request, caller)
        case .streamSessions: return try streamSessions(request, caller)
        case .suggestBranch: return try suggestBranch(request, caller)
        case .getSession(let id): return try getSession(id, request, caller)
        case .deleteSession(let id): return try await deleteSession(id, request, caller)
        case .sessionEvents(let id): return try sessionEvents(id, request, caller)
        case .sessionLog(let id): return try await sessionLog(id, request, caller)
        case .stopSession(let id): return try await stopSession(id, request, caller)
        case .resumeSession(let id): return try await resumeSession(id, request, caller)
        case .keepAlive(let id): return try await keepAlive(id, request, caller)
        case .setIdleTimeout(let id): return try await setIdleTimeout(id, request, caller)
        case .attachInfo(let id): return try await attachInfo(id, request, caller)
        case .rotateAttachPassword(let id): return try await rotateAttachPassword(id, request, caller)
        case .progressStream(let id): return try await streamProgress(id, request, caller)
        case .sessionPorts(let id): return try sessionPorts(id, request)
        case .setPort(let id, let port): return try await setPort(id, port, request, caller)
        case .resetPort(let id, let port): return try await resetPort(id, port, request, caller)
        case .listSecrets: return try await listSecrets(caller)
        case .replaceSecrets: return try await replaceSecrets(request, caller)
        case .removeSecrets: return try await removeSecrets(request, caller)
        case .putSecret(let name): return try await putSecret(name, request, caller)
        case .removeSecret(let name): return try await removeSecret(name, request, caller)
        case .userRepositories: return try await userRepositories(request)
        case .userBranches: return try await userBranches(request)
        case .listArchives: return try await listArchives(caller)
        case .getArchive(let id): return try await getArchive(id, caller)
        case .adminSessions, .pullImage:
            audit.record(.denied, request, ["why": "not an administrator"])
            throw operation == .pullImage && adminKey.value == nil ? .noAdminKey : .adminOnly
        }
    }

    /// The monotonic clock of limits.
    var uptime: Duration { started.duration(to: .now) }

    private func me(_ caller: APICaller) -> APIResponse {
        func bound(_ number: Int) -> JSON { number > 0 ? .number(number) : .null }
        func minutes(_ duration: Duration) -> JSON { bound(Int(duration.components.seconds / 60)) }
        return .json([
            "email": .string(caller.email), "admin": .bool(caller.isAdmin),
            "limits": [
                "sessions": bound(settings.limits.perUser), "running": bound(settings.limits.runningPerUser),
                "runningTotal": bound(settings.limits.runningTotal),
                "idleTimeoutMinutes": minutes(settings.idle.timeout),
                "maximumIdleTimeoutMinutes": minutes(settings.idle.maximumTimeout),
            ],
        ])
    }

    /// The directory's state, once there is one.
    func loadedSnapshot() throws(APIError) -> DirectorySnapshot {
        let snapshot = directory.snapshot
        guard snapshot.isLoaded else { throw .notReady }
        return snapshot
    }

    /// The session, if the caller owns it (or is an administrator where that counts); else as if there were none.
    func find(
        _ id: SessionID, _ request: APIRequest, _ caller: APICaller, adminMay: Bool = false
    ) throws(APIError) -> (session: Session, snapshot: DirectorySnapshot) {
        let snapshot = try loadedSnapshot()
        guard let session = snapshot[id] else { throw .sessionNotFound }
        guard session.owner == caller.email || (adminMay && caller.isAdmin) else {
            audit.record(.denied, request, session: id, ["why": "not the owner"])
            throw .sessionNotFound
        }
        return (session, snapshot)
    }

    /// Gives the runtime an order; its refusals become answers.
    func order<Result>(
        _ body: () async throws(SessionRuntimeError) -> Result
    ) async throws(APIError) -> Result {
        do throws(SessionRuntimeError) { return try await body() } catch { throw APIError(error) }
    }

    /// Waits until the directory shows what an order did, for a short time: who asks next should see it.
    func settle(_ id: SessionID, until isDone: @escaping @Sendable (Session?) -> Bool) async {
        let updates = directory.updates(.session(id))
        await withTaskGroup { group in
            group.addTask {
                for await snapshot in updates where isDone(snapshot[id]) { return }
            }
            group.addTask { [settings] in try? await Task.sleep(for: settings.settleTime) }
            await group.next()
            group.cancelAll()
        }
    }

    /// A JSON answer that a client may keep and ask about again.
    func conditional(_ json: JSON, _ request: APIRequest) -> APIResponse {
        let bytes = json.bytes
        // Weak: the connection may compress what we send.
        let tag = "W/\"\(Digest.hex(Digest.sha256(bytes).prefix(16)))\""
        var headers: HTTPFields = [.eTag: tag, .cacheControl: "private, no-cache"]
        if let known = request.headers[.ifNoneMatch], EntityTags.list(known, matches: tag) {
            return APIResponse(status: .notModified, headers: headers, compressible: true)
        }
        headers[.contentType] = "application/json; charset=utf-8"
        return APIResponse(status: .ok, headers: headers, body: .bytes(bytes), compressible: true)
    }
}

/// `If-None-Match` (RFC 9110 §13.1.2), compared weakly.
enum EntityTags {
    static func list(_ field: String, matches tag: String) -> Bool {
        field.split(separator: ",").contains { candidate in
            let candidate = candidate.trimmingSpaces
            return candidate == "*" || opaque(candidate) == opaque(tag[...])
        }
    }

    private static func opaque(_ tag: Substring) -> Substring { tag.hasPrefix("W/") ? tag.dropFirst(2) : tag }
}

extension Timestamp {
    /// The time of day.
    package static func now() -> Timestamp {
        Timestamp(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
    }
}
