internal import HTTPClient
internal import Identity
internal import KubernetesAPI
internal import Logging
package import Sessions

extension KubernetesSessions {
    /// How long an order waits for objects to go: what a pod is given to end, and as long again for its node. Whoever asks
    /// is to hear of one that stays before a proxy in between gives up, as many do after half a minute.
    static var patience: Duration { .seconds(25) }
    /// Activity is written so often at most.
    static var recordInterval: Duration { .seconds(60) }

    package func create(_ specification: SessionSpecification) async throws(SessionRuntimeError) {
        let id = specification.id
        try await inTurn(id) { () async throws(SessionRuntimeError) in
            let claim = try await self.makeClaim(specification)
            try await self.start(id, claim, gitToken: specification.gitToken)
        }
    }

    package func resume(_ id: SessionID, gitToken: String?) async throws(SessionRuntimeError) {
        try await inTurn(id) { () async throws(SessionRuntimeError) in
            guard
                let claim = try await self.ask({ () async throws(KubernetesError) in
                    try await self.client.find(PersistentVolumeClaim.self, ObjectNames.claim(id))
                }), claim.metadata.deletionTimestamp == nil
            else { throw .notFound(id) }
            try await self.start(id, claim, gitToken: gitToken)
        }
    }

    package func stop(_ id: SessionID, reason: String) async throws(SessionRuntimeError) {
        try await inTurn(id) { () async throws(SessionRuntimeError) in
            guard
                let pod = try await self.ask({ () async throws(KubernetesError) in
                    try await self.client.find(Pod.self, ObjectNames.pod(id))
                })
            else {
                // A refused start has no pod, only its cause; who stops it has seen that.
                if case .failed = await self.session(id)?.state {
                    try await self.annotateClaim(id, [Annotation.startFailure: .null])
                }
                if await self.session(id) == nil { throw .notFound(id) }
                return
            }
            guard pod.metadata.deletionTimestamp == nil else { return }
            self.logger.info("session stops", metadata: ["session": "\(id)", "reason": "\(reason)"])
            await self.dispose(pod)
            if let session = await self.session(id) {
                // The pod takes its annotations with it.
                try? await self.annotateClaim(
                    id,
                    [
                        Annotation.lastActivity: .string(session.activity.at.description),
                        Annotation.activitySource: .string(session.activity.source.rawValue),
                    ])
            }
            try await self.removePod(pod, of: id)
        }
    }

    package func delete(_ id: SessionID) async throws(SessionRuntimeError) {
        try await inTurn(id) { () async throws(SessionRuntimeError) in
            let pod = try await self.ask { () async throws(KubernetesError) in
                try await self.client.find(Pod.self, ObjectNames.pod(id))
            }
            let claim = try await self.ask { () async throws(KubernetesError) in
                try await self.client.find(PersistentVolumeClaim.self, ObjectNames.claim(id))
            }
            guard pod != nil || claim != nil else { throw .notFound(id) }
            self.logger.info("session is deleted", metadata: ["session": "\(id)"])
            if let claim {
                _ = try await self.ask { () async throws(KubernetesError) in
                    try await self.client.delete(.claims, ObjectNames.claim(id), uid: claim.metadata.uid)
                }
            }
            if let pod, pod.metadata.deletionTimestamp == nil { try await self.removePod(pod, of: id) }
            // A pod of the original's that reads the disk would keep it for an hour.
            _ = try await self.ask { () async throws(KubernetesError) in
                try await self.client.remove(Pod.self, ObjectNames.exportPod(id))
            }
            _ = try await self.ask { () async throws(KubernetesError) in
                try await self.client.remove(Secret.self, ObjectNames.gitSecret(id))
            }
            _ = try await self.ask { () async throws(KubernetesError) in
                try await self.client.remove(Secret.self, ObjectNames.messages(id))
            }
            let hasEnded = await self.wait(Self.patience) { () async -> Bool in
                await self.isGone(id, pod: pod?.metadata.uid, claim: nil)
            }
            guard hasEnded else {
                throw .failed(
                    SessionFailure(
                        code: "deletion_incomplete",
                        message: "The session is deleted, but the cluster still holds pod \(ObjectNames.pod(id)).",
                        hint: "The cluster goes on by itself; if it stays so, ask the operator to look for finalizers.")
                )
            }
            // Nothing brings the claim back; how long its storage takes to let go is not for a person to wait for.
            _ = await self.wait(.seconds(5)) { () async -> Bool in
                await self.isGone(id, pod: nil, claim: claim?.metadata.uid)
            }
        }
    }

    package func log(
        _ id: SessionID, _ log: SessionLog, limit: Int
    ) async throws(SessionRuntimeError) -> String {
        guard claims[id] != nil || pods[id] != nil else { throw .notFound(id) }
        guard let pod = pods[id] else { return "" }
        let container = log == .initialisation ? ContainerName.initialisation : ContainerName.agent
        let status = log == .initialisation ? SessionDerivation.initStatus(pod) : SessionDerivation.agentStatus(pod)
        // In a crash loop the last words are those of the run before.
        let previous = status?.state?.waiting != nil && status?.lastState?.terminated != nil
        do throws(KubernetesError) {
            let text = try await client.log(
                pod: ObjectNames.pod(id), container: container, lines: 2000, previous: previous)
            return String(decoding: text.utf8.suffix(limit), as: UTF8.self)
        } catch {
            // 400: the container has not begun; 404: the pod has just gone.
            if error.status == 400 || error.status == 404 { return "" }
            throw Self.translate(error)
        }
    }

    package func record(_ activity: Activity, of id: SessionID) async throws(SessionRuntimeError) {
        guard let session = session(id) else { throw .notFound(id) }
        guard activity.at > session.activity.at, pods[id] != nil else { return }
        let explicit = activity.source == .keepAlive
        if !explicit, let last = recorded[id], last.duration(to: .now) < Self.recordInterval { return }
        recorded[id] = .now
        do throws(KubernetesError) {
            _ = try await client.patch(
                Pod.self, ObjectNames.pod(id),
                annotations([
                    Annotation.lastActivity: .string(activity.at.description),
                    Annotation.activitySource: .string(activity.source.rawValue),
                ]))
        } catch {
            recorded[id] = nil
            if error.status == 404 { return }
            throw Self.translate(error)
        }
    }

    package func annotate(
        _ id: SessionID, title: String?, attachPassword: String?, conversationID: String?
    ) async throws(SessionRuntimeError) {
        var changes: [String: JSONValue] = [:]
        changes[Annotation.title] = title.map(JSONValue.string)
        changes[Annotation.attachPassword] = attachPassword.map(JSONValue.string)
        changes[Annotation.conversation] = conversationID.map(JSONValue.string)
        guard !changes.isEmpty else { return }
        try await annotateClaim(id, changes)
    }

    package func setAgentGeneration(
        _ generation: AgentGeneration, of id: SessionID
    ) async throws(SessionRuntimeError) {
        try await annotateClaim(id, [Annotation.agentGeneration: .string(generation.rawValue)])
    }

    package func setIdleTimeout(minutes: Int?, of id: SessionID) async throws(SessionRuntimeError) {
        try await annotateClaim(id, [Annotation.idleTimeout: minutes.map { .string("\($0)") } ?? .null])
    }

    package func setDetectedPorts(_ ports: [UInt16], of id: SessionID) async throws(SessionRuntimeError) {
        let text = ports.map { "\($0)" }.joined(separator: ",")
        do throws(KubernetesError) {
            _ = try await client.patch(
                Pod.self, ObjectNames.pod(id), annotations([Annotation.ports: .string(text)]))
        } catch {
            if error.status == 404 { throw .notFound(id) }
            throw Self.translate(error)
        }
    }

    package func setGitToken(_ token: String, of id: SessionID) async throws(SessionRuntimeError) {
        // In turn: a session that is being deleted must not leave its owner's token behind.
        try await inTurn(id) { () async throws(SessionRuntimeError) in
            guard let claim = await self.claims[id], claim.metadata.deletionTimestamp == nil,
                await self.pods[id] != nil
            else { return }
            try await self.storeToken(token, of: id, claim)
        }
    }

    package func gitToken(of id: SessionID) async throws(SessionRuntimeError) -> String? {
        let secret = try await ask { () async throws(KubernetesError) in
            try await self.client.find(Secret.self, ObjectNames.gitSecret(id))
        }
        return secret?.data?[SessionDocuments.tokenKey].flatMap(Base64.decode)
    }

    package func setPortRule(
        _ rule: PortRule?, for port: UInt16, of id: SessionID
    ) async throws(SessionRuntimeError) {
        try await annotateClaim(id, [Annotation.portRule(port): rule.map { .string("\($0)") } ?? .null])
    }

    // MARK: Parts of orders

    /// The claim of a new session, or the one that is there, if it is this session's.
    private func makeClaim(
        _ specification: SessionSpecification
    ) async throws(SessionRuntimeError) -> PersistentVolumeClaim {
        let id = specification.id
        let name = ObjectNames.claim(id)
        let deadline = ContinuousClock.now + Self.patience
        while true {
            do throws(KubernetesError) {
                return try await client.create(
                    SessionDocuments.claim(
                        specification, attachPassword: Random.hex(bytes: 16), now: .now, settings),
                    as: PersistentVolumeClaim.self)
            } catch {
                if StartFailure.refusal(error) != nil { noteRefusal(of: id, error) }
                guard error.status == 409 else { throw Self.translate(error) }
            }
            guard
                let claim = try await ask({ () async throws(KubernetesError) in
                    try await self.client.find(PersistentVolumeClaim.self, name)
                })
            else {
                // Gone again, or a quota's own conflict: once more, but not at once.
                try await self.pause(until: deadline)
                continue
            }
            if claim.metadata.deletionTimestamp != nil {
                guard ContinuousClock.now < deadline else {
                    throw .conflict(message: "The session of before is still being deleted. Try again in a moment.")
                }
                let uid = claim.metadata.uid
                _ = await wait(.seconds(5)) { await self.isGone(id, pod: nil, claim: uid) }
                continue
            }
            guard let present = SessionDerivation.session(id, claim: claim, pod: nil),
                present.owner == specification.key.email,
                present.key.repositoryURL == specification.key.repositoryURL
            else {
                throw .conflict(message: "A volume claim named \(name) exists and belongs to something else.")
            }
            // A start that failed for want of a branch is begun anew from another one.
            if present.sourceBranch != specification.sourceBranch {
                return try await ask { () async throws(KubernetesError) in
                    try await self.client.patch(
                        PersistentVolumeClaim.self, name,
                        self.annotations([Annotation.sourceBranch: .string(specification.sourceBranch)]))
                }
            }
            return claim
        }
    }

    /// Makes the pod, once everything that is in its way has gone.
    private func start(
        _ id: SessionID, _ claim: PersistentVolumeClaim, gitToken: String?
    ) async throws(SessionRuntimeError) {
        guard let session = SessionDerivation.session(id, claim: claim, pod: nil) else { throw .notFound(id) }
        if let gitToken { try await storeToken(gitToken, of: id, claim) }
        let deadline = ContinuousClock.now + Self.patience
        while true {
            let secrets = SessionDocuments.PodSecrets(
                callback: Random.hex(bytes: 32), agent: Random.hex(bytes: 16))
            switch await make(SessionDocuments.pod(id, session, secrets: secrets, now: .now, settings)) {
            case .success:
                logger.info("session starts", metadata: ["session": "\(id)"])
                if claim.metadata.annotations?[Annotation.startFailure] != nil {
                    try await annotateClaim(id, [Annotation.startFailure: .null])
                }
                return
            case .failure(let error):
                if let failure = StartFailure.refusal(error) {
                    noteRefusal(of: id, error)
                    // Stored, so that every replica tells it, and the session's page does.
                    return try await annotateClaim(
                        id, [Annotation.startFailure: .string(StartFailure.annotation(failure))])
                }
                guard error.status == 409 else { throw Self.translate(error) }
            }
            guard
                let pod = try await ask({ () async throws(KubernetesError) in
                    try await self.client.find(Pod.self, ObjectNames.pod(id))
                })
            else {
                // Gone again, or a quota's own conflict: once more, but not at once.
                try await self.pause(until: deadline)
                continue
            }
            let isEnding = pod.metadata.deletionTimestamp != nil
            if !isEnding {
                guard SessionDerivation.endpoint(of: pod) == nil,
                    case .failed = await current(id, pod)
                else { return }
                // What is hopeless is begun anew.
                try await removePod(pod, of: id)
            }
            let uid = pod.metadata.uid
            let hasEnded = await wait(.seconds(5)) { await self.isGone(id, pod: uid, claim: nil) }
            if !hasEnded, ContinuousClock.now >= deadline {
                throw .conflict(message: "The session is still stopping. Try again in a moment.")
            }
        }
    }

    private func noteRefusal(of id: SessionID, _ error: KubernetesError) {
        logger.warning("session refused", metadata: ["session": "\(id)", "error": "\(error)"])
    }

    private func make(_ pod: JSONValue) async -> Result<Pod, KubernetesError> {
        do throws(KubernetesError) { return .success(try await client.create(pod, as: Pod.self)) } catch {
            return .failure(error)
        }
    }

    /// The state with this pod, by the newest warnings known here.
    private func current(_ id: SessionID, _ pod: Pod) async -> SessionState? {
        if pods[id]?.metadata.uid == pod.metadata.uid { return session(id)?.state }
        return claims[id].map { SessionDerivation.state(claim: $0, pod: pod, warnings: []) }
    }

    private func storeToken(
        _ token: String, of id: SessionID, _ claim: PersistentVolumeClaim
    ) async throws(SessionRuntimeError) {
        let uid = claim.metadata.uid ?? ""
        do throws(KubernetesError) {
            _ = try await client.create(SessionDocuments.gitSecret(id, token: token, claim: uid), as: Secret.self)
        } catch {
            guard error.status == 409 else {
                if let failure = StartFailure.refusal(error) { throw .failed(failure) }
                throw Self.translate(error)
            }
            _ = try await ask { () async throws(KubernetesError) in
                try await self.client.patch(
                    Secret.self, ObjectNames.gitSecret(id),
                    [
                        "metadata": ["ownerReferences": SessionDocuments.owner(id, uid)],
                        "stringData": [SessionDocuments.tokenKey: .string(token)],
                    ])
            }
        }
    }

    /// Lets the agent end its work in good order: `opencode serve` cares for no signal.
    private func dispose(_ pod: Pod) async {
        guard let endpoint = SessionDerivation.endpoint(of: pod), let address = IPAddress(endpoint.address),
            let url = try? HTTPURL(
                origin: HTTPOrigin(scheme: .http, host: .address(address), port: endpoint.port),
                target: "/global/dispose")
        else { return }
        var request = ClientRequest(.post, url)
        if let password = endpoint.password {
            request.fields.append(ClientField("Authorization", "Basic \(Base64.encode("opencode:\(password)"))"))
        }
        request.timeouts.total = .seconds(3)
        do {
            _ = try await http.collect(request)
        } catch {
            logger.debug("the agent was not told to end", metadata: ["error": "\(error)"])
        }
    }

    private func removePod(_ pod: Pod, of id: SessionID) async throws(SessionRuntimeError) {
        do throws(KubernetesError) {
            // Those of the original's would take half a minute, for nothing.
            _ = try await client.delete(
                .pods, ObjectNames.pod(id), uid: pod.metadata.uid, graceSeconds: SessionDocuments.grace)
        } catch {
            // Another pod of that name stands there by now: this one is gone.
            if error.status == 409 { return }
            throw Self.translate(error)
        }
    }

    private func annotateClaim(
        _ id: SessionID, _ changes: [String: JSONValue]
    ) async throws(SessionRuntimeError) {
        do throws(KubernetesError) {
            _ = try await client.patch(
                PersistentVolumeClaim.self, ObjectNames.claim(id), annotations(changes))
        } catch {
            if error.status == 404 { throw .notFound(id) }
            throw Self.translate(error)
        }
    }

    private nonisolated func annotations(_ changes: [String: JSONValue]) -> JSONValue {
        ["metadata": ["annotations": .object(changes)]]
    }

    // MARK: Waiting

    /// Whether the objects with these UIDs are gone, by our copy while it is good, else by asking.
    private func isGone(_ id: SessionID, pod: String?, claim: String?) async -> Bool {
        if isInSync {
            return (pod == nil || pods[id]?.metadata.uid != pod) && (claim == nil || claims[id]?.metadata.uid != claim)
        }
        do throws(KubernetesError) {
            if let pod, try await client.find(Pod.self, ObjectNames.pod(id))?.metadata.uid == pod { return false }
            if let claim,
                try await client.find(PersistentVolumeClaim.self, ObjectNames.claim(id))?.metadata.uid == claim
            {
                return false
            }
            return true
        } catch {
            return false
        }
    }

    /// Looks again and again, without a request while the watches are good.
    private func wait(_ limit: Duration, _ isDone: () async -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while true {
            if await isDone() { return true }
            guard ContinuousClock.now < deadline else { return false }
            do { try await Task.sleep(for: isInSync ? .milliseconds(50) : .seconds(1)) } catch { return false }
        }
    }

    /// Carries out one order for a session after the other.
    func inTurn(
        _ id: SessionID, _ body: @escaping @Sendable () async throws(SessionRuntimeError) -> Void
    ) async throws(SessionRuntimeError) {
        let before = turns[id]
        let work = Task { () -> Result<Void, SessionRuntimeError> in
            await before?.value
            do throws(SessionRuntimeError) {
                try await body()
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        let turn = Task { _ = await work.value }
        turns[id] = turn
        let result = await work.value
        if turns[id] == turn { turns[id] = nil }
        try result.get()
    }

    /// Waits a moment; an order that goes on for too long ends as a conflict.
    func pause(until deadline: ContinuousClock.Instant) async throws(SessionRuntimeError) {
        guard ContinuousClock.now < deadline else {
            throw .conflict(message: "The cluster does not come to an end with the session. Try again in a moment.")
        }
        try? await Task.sleep(for: .milliseconds(200))
    }

    // MARK: Words

    func ask<R: Sendable>(
        _ body: @Sendable () async throws(KubernetesError) -> R
    ) async throws(SessionRuntimeError) -> R {
        do throws(KubernetesError) { return try await body() } catch { throw Self.translate(error) }
    }

    static func translate(_ error: KubernetesError) -> SessionRuntimeError {
        if let failure = StartFailure.refusal(error) { return .failed(failure) }
        if error.status == 409 {
            return .conflict(message: "Somebody else changed the session at the same time. Try again. (\(error))")
        }
        return .unavailable(message: "The cluster cannot do it now: \(error). Try again in a moment.")
    }
}
