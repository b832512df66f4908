internal import Glibc
package import HTTPClient
internal import Identity
package import KubernetesAPI
package import Logging
package import Sessions

/// Sessions as one pod and one claim each: all truth is in those objects, what is here is a copy that watches fill.
///
/// Any number of replicas may do the same: names make creates idempotent, every delete carries the object's UID, and a
/// conflict is read and compared.
package actor KubernetesSessions: SessionRuntime {
    /// What is followed.
    enum Kind: Hashable { case pods, claims }

    let client: KubernetesClient
    let settings: KubernetesSessionSettings
    let http: HTTPClient
    let logger: Logger

    private(set) var claims: [SessionID: PersistentVolumeClaim] = [:]
    private(set) var pods: [SessionID: Pod] = [:]
    /// By the UID of what they are about, newest for each reason.
    private var warnings: [String: [String: ClusterWarning]] = [:]
    private var published: [SessionID: Session] = [:]
    private var listed: Set<Kind> = []
    private var lost: [Kind: String] = [:]
    private var isStale = false
    private var continuation: AsyncStream<SessionChange>.Continuation?
    private var follower: Task<Void, Never>?
    /// The newest order for each session; the next one waits for it.
    var turns: [SessionID: Task<Void, Never>] = [:]
    /// When an activity was last written, per session.
    var recorded: [SessionID: ContinuousClock.Instant] = [:]
    /// Things that must not be tidied twice.
    private var tidied: Set<String> = []

    package init(
        _ client: KubernetesClient, settings: KubernetesSessionSettings, http: HTTPClient, logger: Logger
    ) {
        self.client = client
        self.settings = settings
        self.http = http
        self.logger = logger
    }

    /// Every permission that this runtime and its lease use; the role in deployment/kubernetes grants exactly these.
    package static let permissions: [Permission] =
        [.get, .list, .watch, .create, .delete, .patch].map { Permission($0, .pods) }
        + [Permission(.get, .pods, subresource: "log")]
        + [.get, .list, .watch, .create, .delete, .patch].map { Permission($0, .claims) }
        + [.get, .list, .watch, .create, .delete, .patch].map { Permission($0, .secrets) }
        + [.list, .watch].map { Permission($0, .events) }
        + [.get, .create, .update].map { Permission($0, .leases) }

    // MARK: Following

    package nonisolated func changes() -> AsyncStream<SessionChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: SessionChange.self)
        Task { await self.follow(continuation) }
        return stream
    }

    private func follow(_ continuation: AsyncStream<SessionChange>.Continuation) {
        self.continuation?.finish()
        follower?.cancel()
        self.continuation = continuation
        listed = []
        lost = [:]
        let follower = Task {
            await withDiscardingTaskGroup { group in
                let selector = ObjectSelector(labels: ObjectNames.selector)
                let client = self.client
                group.addTask {
                    await Reflector<PersistentVolumeClaim>(client, selector: selector).run { await self.take($0) }
                }
                group.addTask { await Reflector<Pod>(client, selector: selector).run { await self.take($0) } }
                group.addTask {
                    await Reflector<ClusterEvent>(client, selector: ObjectSelector(fields: "type=Warning")).run {
                        await self.take($0)
                    }
                }
            }
        }
        self.follower = follower
        continuation.onTermination = { _ in follower.cancel() }
    }

    /// Ends `changes()`; pods go on.
    package func shutDown() {
        follower?.cancel()
        continuation?.finish()
        continuation = nil
    }

    private func take(_ event: ReflectorEvent<PersistentVolumeClaim>) {
        switch event {
        case .listed(let all):
            claims = [:]
            for claim in all {
                if let id = ObjectNames.session(ofClaim: claim.metadata) { claims[id] = claim }
            }
            sees(.claims)
        case .changed(let claim):
            guard let id = ObjectNames.session(ofClaim: claim.metadata) else { return }
            claims[id] = claim
            update(id)
        case .removed(let claim):
            guard let id = ObjectNames.session(ofClaim: claim.metadata) else { return }
            claims[id] = nil
            forgetWarnings(claim.metadata)
            update(id)
        case .lost(let error): loses(.claims, error)
        case .resumed: sees(.claims)
        }
    }

    private func take(_ event: ReflectorEvent<Pod>) {
        switch event {
        case .listed(let all):
            pods = [:]
            for pod in all {
                if let id = ObjectNames.session(ofPod: pod.metadata) { pods[id] = pod }
            }
            sees(.pods)
        case .changed(let pod):
            guard let id = ObjectNames.session(ofPod: pod.metadata) else { return }
            pods[id] = pod
            update(id)
        case .removed(let pod):
            guard let id = ObjectNames.session(ofPod: pod.metadata) else { return }
            // The next pod of this name may have been told already.
            if pods[id]?.metadata.uid == pod.metadata.uid { pods[id] = nil }
            forgetWarnings(pod.metadata)
            update(id)
        case .lost(let error): loses(.pods, error)
        case .resumed: sees(.pods)
        }
    }

    private func take(_ event: ReflectorEvent<ClusterEvent>) {
        switch event {
        case .listed(let all):
            warnings = [:]
            for event in all { note(event) }
            for id in claims.keys { update(id) }
        case .changed(let event):
            if let id = note(event) { update(id) }
        case .removed(let event):
            // Events end after an hour; what they said is old by then.
            if let uid = event.involvedObject.uid, let reason = event.reason { warnings[uid]?[reason] = nil }
        case .resumed: break
        case .lost(let error):
            // Without warnings some causes stay unknown; everything else works.
            logger.warning("cluster events cannot be read", metadata: ["error": "\(error)"])
        }
    }

    /// Keeps a warning about a pod or claim of a session; events outlive what they are about, so the UID counts.
    @discardableResult private func note(_ event: ClusterEvent) -> SessionID? {
        guard let name = event.involvedObject.name, let uid = event.involvedObject.uid, let reason = event.reason,
            let digits = name.split(separator: "-").last, let id = SessionID(digits),
            name == ObjectNames.pod(id) || name == ObjectNames.claim(id)
        else { return nil }
        warnings[uid, default: [:]][reason] = ClusterWarning(
            reason: reason, message: event.message ?? "", count: event.series?.count ?? event.count ?? 1)
        return id
    }

    private func forgetWarnings(_ metadata: ObjectMeta) {
        if let uid = metadata.uid { warnings[uid] = nil }
    }

    // MARK: Telling

    private var isListed: Bool { listed == [.pods, .claims] }

    private func sees(_ kind: Kind) {
        listed.insert(kind)
        lost[kind] = nil
        guard isListed, lost.isEmpty else { return }
        if isStale { logger.notice("the cluster is in sight again") }
        isStale = false
        published = [:]
        for id in claims.keys { published[id] = derive(id) }
        continuation?.yield(.snapshot(published.values.sorted { $0.id < $1.id }))
        for id in Set(claims.keys).union(pods.keys) { tidy(id) }
    }

    private func loses(_ kind: Kind, _ error: KubernetesError) {
        lost[kind] = error.description
        if !isStale { logger.warning("the cluster is out of sight", metadata: ["error": "\(error)"]) }
        isStale = true
        continuation?.yield(.stale(reason: "The cluster cannot be read: \(error)."))
    }

    /// Whether the copy here is as new as the watches make it.
    var isInSync: Bool { isListed && lost.isEmpty }

    private func derive(_ id: SessionID) -> Session? {
        guard let claim = claims[id] else { return nil }
        let pod = pods[id]
        let known = [pod?.metadata.uid, claim.metadata.uid].compactMap { $0 }.flatMap { uid in
            (warnings[uid] ?? [:]).values.sorted { $0.reason < $1.reason }
        }
        return SessionDerivation.session(id, claim: claim, pod: pod, warnings: known)
    }

    private func update(_ id: SessionID) {
        guard isListed else { return }
        let session = derive(id)
        let before = published[id]
        if let session {
            if session != before {
                published[id] = session
                continuation?.yield(.updated(session))
            }
        } else if before != nil {
            published[id] = nil
            recorded[id] = nil
            continuation?.yield(.removed(id))
        }
        tidy(id)
    }

    /// The session as the copy here has it.
    func session(_ id: SessionID) -> Session? { published[id] }

    /// Removes the pod of a claim that somebody deletes or has deleted by hand: it would hold the disk for ever.
    private func tidy(_ id: SessionID) {
        guard isInSync, let pod = pods[id], let uid = pod.metadata.uid, pod.metadata.deletionTimestamp == nil,
            claims[id]?.metadata.deletionTimestamp != nil || claims[id] == nil, tidied.insert(uid).inserted
        else { return }
        Task { await self.removePod(id, uid: uid) }
    }

    private func removePod(_ id: SessionID, uid: String) async {
        do throws(KubernetesError) {
            // A new session's pod may be told before its claim is: the server itself knows.
            let claim = try await client.find(PersistentVolumeClaim.self, ObjectNames.claim(id))
            if claim == nil || claim?.metadata.deletionTimestamp != nil {
                logger.notice("a pod without a disk is removed", metadata: ["session": "\(id)"])
                _ = try await client.delete(.pods, ObjectNames.pod(id), uid: uid)
                _ = try await client.remove(Secret.self, ObjectNames.gitSecret(id))
                _ = try await client.remove(Secret.self, ObjectNames.messages(id))
                return
            }
        } catch {
            logger.warning("a pod without a disk stays", metadata: ["session": "\(id)", "error": "\(error)"])
        }
        tidied.remove(uid)
    }
}

extension Timestamp {
    /// The machine's clock.
    static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
