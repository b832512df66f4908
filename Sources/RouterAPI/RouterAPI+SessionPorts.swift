import HTTPTypes
import Sessions

extension RouterAPI {
    // Double, because the decoder would refuse the whole list for one number that is no Int.
    private struct PortReport: Decodable { var ports: [Double] }

    /// A pod tells what listens in it; what cannot be reached from outside is not kept.
    func reportPorts(of session: Session, _ request: APIRequest) async throws(APIError) -> APIResponse {
        let report = try request.decodeJSON(as: PortReport.self)
        let ports = settings.ports.keeps(report.ports.compactMap { Int(exactly: $0) })
        if ports != session.detectedPorts {
            let id = session.id
            try await order { () throws(SessionRuntimeError) in try await runtime.setDetectedPorts(ports, of: id) }
        }
        return .json(["ok": true])
    }

    /// The ports of a session: for its owner with all that is known, for whoever holds the admin secret the bare list.
    func sessionPorts(_ id: SessionID, _ request: APIRequest) throws(APIError) -> APIResponse {
        if let caller = request.caller, let session = try loadedSnapshot()[id], session.owner == caller.email {
            return .json(presenter.ports(of: session, now: now()))
        }
        if isAdmin(request) {
            guard let session = try loadedSnapshot()[id] else { throw .sessionNotFound }
            return .json(["ports": .array(session.detectedPorts.map { .number(Int($0)) })])
        }
        guard let caller = request.caller else { throw .adminOnly }
        _ = try find(id, request, caller)
        throw .sessionNotFound
    }

    private struct PortWish: Decodable {
        var visibility: String
        var expiresAt: String?
        var expiresInMinutes: Double?
    }

    /// The longest that `expiresInMinutes` may say: a year.
    private static var longestMinutes: Int { 366 * 24 * 60 }

    /// Lets others reach a port, or takes that back.
    func setPort(
        _ id: SessionID, _ text: String, _ request: APIRequest, _ caller: APICaller
    ) async throws(APIError) -> APIResponse {
        let (session, _) = try find(id, request, caller)
        let port = try port(text)
        let wish = try request.decodeBody(as: PortWish.self)
        guard let visibility = PortVisibility(rawValue: wish.visibility) else {
            let names = PortVisibility.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
            throw .badRequest("invalid_field", "\"visibility\" must be one of \(names).")
        }
        guard visibility != .owner else { return try await removePort(session, port, request) }
        let rule = PortRule(visibility, until: try expiry(wish))
        let inForce = session.portRules.filter { $0.value.isInForce(at: now()) }
        guard inForce[port] != nil || inForce.count < PortPolicy.limit else {
            throw .badRequest("too_many_ports", "At most \(PortPolicy.limit) ports of a session can be shared.")
        }
        try await order { () throws(SessionRuntimeError) in try await runtime.setPortRule(rule, for: port, of: id) }
        audit.record(
            .portShared, request, session: id,
            [
                "port": "\(port)", "visibility": visibility.rawValue,
                "until": rule.expiresAt?.description ?? "withdrawn",
            ])
        await settle(id) { $0?.portRules[port] == rule }
        return .json(presenter.port(port, of: changed(session, port, rule), now: now()))
    }

    /// Makes a port its owner's alone again.
    func resetPort(
        _ id: SessionID, _ text: String, _ request: APIRequest, _ caller: APICaller
    ) async throws(APIError) -> APIResponse {
        let (session, _) = try find(id, request, caller)
        return try await removePort(session, try port(text), request)
    }

    private func removePort(
        _ session: Session, _ port: UInt16, _ request: APIRequest
    ) async throws(APIError) -> APIResponse {
        let id = session.id
        if session.portRules[port] != nil {
            try await order { () throws(SessionRuntimeError) in try await runtime.setPortRule(nil, for: port, of: id) }
            audit.record(.portUnshared, request, session: id, ["port": "\(port)"])
            await settle(id) { $0?.portRules[port] == nil }
        }
        return .json(presenter.port(port, of: changed(session, port, nil), now: now()))
    }

    private func changed(_ session: Session, _ port: UInt16, _ rule: PortRule?) -> Session {
        var session = directory.snapshot[session.id] ?? session
        session.portRules[port] = rule
        return session
    }

    private func port(_ text: String) throws(APIError) -> UInt16 {
        // No other spelling of a number than the one that stands in the host.
        guard let number = Int(text), "\(number)" == text, let port = settings.ports.admits(number) else {
            let denied = settings.ports.denied.sorted().map { "\($0)" }.joined(separator: ", ")
            throw .badRequest(
                "invalid_port", "A port is a number from 1024 to 65535; these belong to the session itself: \(denied).")
        }
        return port
    }

    private func expiry(_ wish: PortWish) throws(APIError) -> Timestamp? {
        if let minutes = wish.expiresInMinutes {
            guard wish.expiresAt == nil, let minutes = Int(exactly: minutes),
                (1...Self.longestMinutes).contains(minutes)
            else {
                throw .badRequest(
                    "invalid_field",
                    "\"expiresInMinutes\" must be a whole number from 1 to \(Self.longestMinutes), without \"expiresAt\"."
                )
            }
            return now().advanced(by: .seconds(minutes * 60))
        }
        guard let text = wish.expiresAt else { return nil }
        guard let time = Timestamp(text), time > now() else {
            throw .badRequest(
                "invalid_field", "\"expiresAt\" must be a time to come, in UTC as 2026-01-31T09:05:07Z.")
        }
        return time
    }
}

extension SessionPresenter {
    /// Every port that was found, or that somebody was given, with who may reach it.
    func ports(of session: Session, now: Timestamp) -> JSON {
        let shared = session.portRules.filter { $0.value.isInForce(at: now) }.keys
        let all = Set(session.detectedPorts).union(shared).sorted()
        return [
            "ports": .array(session.detectedPorts.map { .number(Int($0)) }),
            "details": .array(all.map { port($0, of: session, now: now) }),
        ]
    }

    func port(_ port: UInt16, of session: Session, now: Timestamp) -> JSON {
        let rule = session.portRules[port].flatMap { $0.isInForce(at: now) ? $0 : nil }
        return [
            "port": .number(Int(port)), "url": .string(url(ofPort: port, of: session)),
            "detected": .bool(session.detectedPorts.contains(port)),
            "visibility": .string((rule?.visibility ?? .owner).rawValue),
            "expiresAt": JSON(rule?.expiresAt?.description),
        ]
    }

    private func url(ofPort port: UInt16, of session: Session) -> String {
        "\(settings.scheme)://\(port)-\(session.id)\(settings.routeSuffix).\(settings.domain)"
    }
}
