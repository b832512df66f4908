import HTTPTypes
import Identity
import Logging
package import Sessions

extension RouterAPI {
    func listSessions(_ request: APIRequest, _ caller: APICaller) throws(APIError) -> APIResponse {
        conditional(presenter.list(of: caller.email, in: try loadedSnapshot()), request)
    }

    func getSession(
        _ id: SessionID, _ request: APIRequest, _ caller: APICaller
    ) throws(APIError) -> APIResponse {
        let (session, snapshot) = try find(id, request, caller, adminMay: true)
        return conditional(presenter.json(session, verdict: snapshot.verdicts[id]), request)
    }

    func stopSession(
        _ id: SessionID, _ request: APIRequest, _ caller: APICaller
    ) async throws(APIError) -> APIResponse {
        let (session, _) = try find(id, request, caller, adminMay: true)
        let byOwner = session.owner == caller.email
        if session.state != .stopped {
            let reason = byOwner ? "Stopped by its owner." : "Stopped by an administrator."
            try await order { () throws(SessionRuntimeError) in try await runtime.stop(id, reason: reason) }
            audit.record(.stopped, request, session: id, ["by": byOwner ? "owner" : "administrator"])
            await settle(id) { session in
                switch session?.state {
                case .stopping, .stopped, .failed, nil: true
                case .creating, .running: false
                }
            }
        }
        let state = directory.snapshot[id]?.state.name ?? "stopped"
        return .json(["hash": .string(id.description), "state": .string(state), "url": nil])
    }

    func resumeSession(
        _ id: SessionID, _ request: APIRequest, _ caller: APICaller
    ) async throws(APIError) -> APIResponse {
        let (session, _) = try find(id, request, caller)
        if case .running = session.state {
            return .json([
                "hash": .string(id.description), "state": "running", "url": JSON(presenter.url(of: session)),
            ])
        }
        let token = request.gitToken
        try await starts.run(id, owner: session.owner, limits: settings.limits, directory: directory) {
            () async throws(APIError) in
            try await order { () throws(SessionRuntimeError) in try await runtime.resume(id, gitToken: token) }
            renewal.begins(id, with: token)
            audit.record(.resumed, request, session: id)
            await settleStart(of: id, before: session)
        }
        return .json(["hash": .string(id.description), "state": "creating", "url": nil])
    }

    /// Starts a sleeping session because its owner opened its page, or the holder of its password attached; limits hold,
    /// and many visits are one start.
    ///
    /// - Parameters:
    ///   - email: the owner's normalised address.
    ///   - sign: what was done, for the audit line.
    package func wake(_ id: SessionID, for email: String, by sign: String = "visit", requestID: String) async {
        guard let session = directory.snapshot[id], session.owner == email else { return }
        switch session.state {
        case .stopped, .stopping: break
        case .creating, .running, .failed: return
        }
        do throws(APIError) {
            try await starts.run(id, owner: email, limits: settings.limits, directory: directory) {
                () async throws(APIError) in
                try await order { () throws(SessionRuntimeError) in try await runtime.resume(id, gitToken: nil) }
                renewal.begins(id, with: nil)
                audit.record(.resumed, email: email, requestID: requestID, session: id, ["by": sign])
                await settleStart(of: id, before: session)
            }
        } catch {
            logger.warning(
                "session not woken",
                metadata: ["session": "\(id)", "request": "\(requestID)", "code": "\(error.code)"])
        }
    }

    /// Waits until a session is on its way up, or was and ended.
    func settleStart(of id: SessionID, before: Session?) async {
        await settle(id) { session in
            switch session?.state {
            case .creating, .running: true
            // A failure that was there before the order is not its outcome.
            case .failed: session?.state != before?.state
            case .stopping, .stopped, nil: false
            }
        }
    }

    func deleteSession(
        _ id: SessionID, _ request: APIRequest, _ caller: APICaller
    ) async throws(APIError) -> APIResponse {
        _ = try find(id, request, caller)
        try await deletions.run(id, owner: caller.email) { () async throws(APIError) in
            // As it is now: an order before this one may have changed it.
            if let session = directory.snapshot[id] { try await keep(session) }
            try await order { () throws(SessionRuntimeError) in try await runtime.delete(id) }
            audit.record(.deleted, request, session: id)
            await settle(id) { $0 == nil }
        }
        return APIResponse(status: .noContent, headers: [.cacheControl: "no-store"])
    }

    func sessionLog(
        _ id: SessionID, _ request: APIRequest, _ caller: APICaller
    ) async throws(APIError) -> APIResponse {
        _ = try find(id, request, caller)
        let name = request.parameter("container") ?? SessionLog.agent.rawValue
        guard let log = SessionLog(rawValue: name) else {
            throw .badRequest("invalid_field", "\"container\" must be \"init\" or \"agent\".")
        }
        let limit = try integer("limit", in: request, range: 1...1_048_576) ?? 65_536
        let text = try await order { () throws(SessionRuntimeError) in
            try await runtime.log(id, log, limit: limit)
        }
        return .text(text)
    }

    func keepAlive(
        _ id: SessionID, _ request: APIRequest, _ caller: APICaller
    ) async throws(APIError) -> APIResponse {
        let (session, _) = try find(id, request, caller)
        guard case .running = session.state else {
            throw APIError(.conflict, "not_running", "The session does not run, so there is nothing to keep.")
        }
        let activity = Activity(at: now(), source: .keepAlive)
        try await order { () throws(SessionRuntimeError) in try await runtime.record(activity, of: id) }
        let timeout = settings.idle.timeout(of: session)
        return .json([
            "hash": .string(id.description), "lastActivity": .string(activity.at.description),
            "stopsAt": timeout > .zero ? .string(activity.at.advanced(by: timeout).description) : nil,
        ])
    }

    // Double, because the decoder does not say which field has a number that is no Int.
    private struct IdleTimeoutBody: Decodable {
        var minutes: Double?

        private enum CodingKeys: CodingKey { case minutes }

        /// Null has to be said: a misspelt member would take back what was set.
        init(from decoder: any Decoder) throws {
            minutes = try decoder.container(keyedBy: CodingKeys.self).decode(Double?.self, forKey: .minutes)
        }
    }

    func setIdleTimeout(
        _ id: SessionID, _ request: APIRequest, _ caller: APICaller
    ) async throws(APIError) -> APIResponse {
        _ = try find(id, request, caller)
        let wished = try request.decodeBody(as: IdleTimeoutBody.self).minutes
        let maximum = max(1, Int(settings.idle.maximumTimeout.components.seconds / 60))
        let minutes = wished.flatMap { Int(exactly: $0) }
        guard wished == nil || minutes.map((1...maximum).contains) == true else {
            throw .badRequest("invalid_field", "\"minutes\" must be a whole number from 1 to \(maximum), or null.")
        }
        try await order { () throws(SessionRuntimeError) in try await runtime.setIdleTimeout(minutes: minutes, of: id) }
        await settle(id) { $0?.idleTimeoutMinutes == minutes }
        return .json(["hash": .string(id.description), "idleTimeoutMinutes": minutes.map(JSON.number) ?? nil])
    }

    func attachInfo(
        _ id: SessionID, _ request: APIRequest, _ caller: APICaller
    ) async throws(APIError) -> APIResponse {
        let (session, _) = try find(id, request, caller)
        if let password = session.attachPassword {
            audit.record(.attachRead, request, session: id)
            return try attachAnswer(session, password: password)
        }
        return try await newAttachPassword(session, request)
    }

    func rotateAttachPassword(
        _ id: SessionID, _ request: APIRequest, _ caller: APICaller
    ) async throws(APIError) -> APIResponse {
        try await newAttachPassword(try find(id, request, caller).session, request)
    }

    private func newAttachPassword(_ session: Session, _ request: APIRequest) async throws(APIError) -> APIResponse {
        guard settings.attachDomain != nil else { throw .notSupported("attaching from a terminal") }
        let password = Random.hex(bytes: 16)
        let id = session.id
        try await order { () throws(SessionRuntimeError) in
            try await runtime.annotate(id, title: nil, attachPassword: password, conversationID: nil)
        }
        audit.record(.attachRotated, request, session: id)
        await settle(id) { $0?.attachPassword == password }
        // Two first questions at once: both get the one that was stored last.
        return try attachAnswer(session, password: directory.snapshot[id]?.attachPassword ?? password)
    }

    private func attachAnswer(_ session: Session, password: String) throws(APIError) -> APIResponse {
        guard let url = presenter.attachURL(of: session) else { throw .notSupported("attaching from a terminal") }
        return .json(
            [
                "hash": .string(session.id.description), "attachUrl": .string(url),
                "attachPassword": .string(password),
            ], compressible: false)
    }

    func suggestBranch(_ request: APIRequest, _ caller: APICaller) throws(APIError) -> APIResponse {
        guard let repository = request.parameter("repoUrl"), !repository.isEmpty else {
            throw .badRequest("missing_field", "\"repoUrl\" is required.")
        }
        let wanted = SessionKey(email: caller.email, repositoryURL: repository, branch: "").repositoryURL
        let taken = Set(
            try loadedSnapshot().sessions(of: caller.email).filter { $0.key.repositoryURL == wanted }.map(\.key.branch))
        let name = BranchSuggestion.name(random: { Int.random(in: 0..<$0) }, isTaken: taken.contains)
        return .json(["branch": .string(name)])
    }

    /// A whole number of the query.
    func integer(
        _ name: String, in request: APIRequest, range: ClosedRange<Int>
    ) throws(APIError) -> Int? {
        guard let text = request.parameter(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw .badRequest(
                "invalid_field",
                "\"\(name)\" must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }
}
