internal import KubernetesAPI
internal import Sessions

/// A warning that the cluster gave about a pod or a claim.
struct ClusterWarning: Hashable, Sendable {
    var reason: String
    var message: String
    var count: Int
}

/// What a session is, by its claim, its pod and the cluster's warnings about them: facts in, session out.
enum SessionDerivation {
    /// The session of a claim; nil if its annotations do not say whose it is, or if only the cluster's own clearing up is
    /// left of it: nothing brings back a claim that is being deleted, however long its finalizers keep its name.
    static func session(
        _ id: SessionID, claim: PersistentVolumeClaim, pod: Pod?, warnings: [ClusterWarning] = []
    ) -> Session? {
        let notes = claim.metadata.annotations ?? [:]
        guard let email = notes[Annotation.email], !email.isEmpty else { return nil }
        if claim.metadata.deletionTimestamp != nil, pod == nil { return nil }
        let repository = notes[Annotation.repository].flatMap { $0.isEmpty ? nil : $0 }
        let key = SessionKey(email: email, repositoryURL: repository, branch: notes[Annotation.branch] ?? "")
        let created =
            time(notes[Annotation.createdAt]) ?? time(claim.metadata.creationTimestamp) ?? Timestamp(milliseconds: 0)
        let state = state(claim: claim, pod: pod, warnings: warnings)
        var session = Session(
            id: id, key: key, sourceBranch: notes[Annotation.sourceBranch] ?? key.branch, createdAt: created,
            activity: activity(notes, pod?.metadata.annotations ?? [:], created: created), state: state)
        session.initialMessage = notes[Annotation.initialMessage].flatMap { $0.isEmpty ? nil : $0 }
        session.title = notes[Annotation.title]
        session.attachPassword = notes[Annotation.attachPassword]
        session.conversationID = notes[Annotation.conversation]
        session.agentGeneration = notes[Annotation.agentGeneration].flatMap(AgentGeneration.init(rawValue:))
        session.podSecret = podSecret(of: pod)
        session.detectedPorts = (pod?.metadata.annotations?[Annotation.ports] ?? "").split(separator: ",")
            .compactMap { UInt16($0) }
        for (name, text) in notes where name.hasPrefix(Annotation.portRules) {
            guard let port = UInt16(name.dropFirst(Annotation.portRules.count)), let rule = PortRule(text) else {
                continue
            }
            session.portRules[port] = rule
        }
        session.idleTimeoutMinutes = notes[Annotation.idleTimeout].flatMap(Int.init)
        if case .running = state {
            session.startedAt = time(pod?.status?.startTime) ?? time(pod?.metadata.creationTimestamp)
        }
        return session
    }

    /// The later of what claim and pod say; the pod's is newer while it runs, the claim's survives it.
    private static func activity(_ claim: [String: String], _ pod: [String: String], created: Timestamp) -> Activity {
        func read(_ notes: [String: String]) -> Activity? {
            guard let at = time(notes[Annotation.lastActivity]) else { return nil }
            let source = notes[Annotation.activitySource].flatMap(Activity.Source.init(rawValue:))
            return Activity(at: at, source: source ?? .request)
        }
        let known = [read(claim), read(pod)].compactMap { $0 }
        return known.max { $0.at < $1.at } ?? Activity(at: created, source: .created)
    }

    private static func time(_ text: String?) -> Timestamp? { text.flatMap { Timestamp($0) } }

    // MARK: State

    static func state(claim: PersistentVolumeClaim, pod: Pod?, warnings: [ClusterWarning]) -> SessionState {
        if claim.metadata.deletionTimestamp != nil { return .stopping }
        guard let pod else {
            if claim.status?.phase == "Lost" { return .failed(StartFailure.volumeLost) }
            return StartFailure.stored(claim).map(SessionState.failed) ?? .stopped
        }
        if pod.metadata.deletionTimestamp != nil { return .stopping }
        if let endpoint = endpoint(of: pod) { return .running(endpoint) }
        if let failure = failure(of: pod, claim: claim, warnings: warnings) { return .failed(failure) }
        return .creating(stage(of: pod))
    }

    /// Where the agent listens, if it is ready.
    static func endpoint(of pod: Pod) -> SessionEndpoint? {
        guard let address = pod.status?.podIP, !address.isEmpty, let uid = pod.metadata.uid, isReady(pod) else {
            return nil
        }
        let agent = pod.spec?.containers?.first { $0.name == ContainerName.agent }
        let password = agent?.env?.first { $0.name == "OPENCODE_SERVER_PASSWORD" }?.value
        return SessionEndpoint(
            incarnation: uid, address: address, port: KubernetesSessionSettings.agentPort,
            password: password.flatMap { $0.isEmpty ? nil : $0 }, editorPort: editorPort(of: pod))
    }

    /// Where the editor listens, if this pod was made with one and it runs.
    static func editorPort(of pod: Pod) -> UInt16? {
        guard let editor = pod.spec?.containers?.first(where: { $0.name == ContainerName.editor }),
            pod.status?.containerStatuses?.first(where: { $0.name == ContainerName.editor })?.ready == true
        else { return nil }
        // Pods of the original need not declare the port.
        let told =
            editor.ports?.first?.containerPort
            ?? editor.env?.first { $0.name == "EDITOR_PORT" }?.value.flatMap(Int.init)
        return told.map { UInt16(exactly: $0) } ?? KubernetesSessionSettings.usualEditorPort
    }

    /// Whether the agent takes requests.
    ///
    /// A kubelet says it of the container and of the pod; of what says only one of the two, that one counts.
    static func isReady(_ pod: Pod) -> Bool {
        if let phase = pod.status?.phase, phase == "Failed" || phase == "Succeeded" { return false }
        let ready = condition("Ready", pod)
        guard let agent = agentStatus(pod) else { return ready?.status == "True" }
        // A sidecar in trouble does not take the session away; a lost node does.
        return agent.ready == true && (ready.map { $0.status == "True" || $0.reason == "ContainersNotReady" } ?? true)
    }

    /// What the pod proves itself with: every replica, and every next router, reads it where the pod itself does.
    ///
    /// Pods of the original have it in an annotation, too; ours only where their agent reads it.
    static func podSecret(of pod: Pod?) -> String? {
        let agent = pod?.spec?.containers?.first { $0.name == ContainerName.agent }
        let told = agent?.env?.first { $0.name == "OPENCODE_POD_SECRET" }?.value
        guard let secret = told ?? pod?.metadata.annotations?[Annotation.podSecret], secret.utf8.count >= 32 else {
            return nil
        }
        return secret
    }

    /// How far a start has come, by what the containers say.
    ///
    /// A kubelet tells of all of them; of a status that tells of some only, those count.
    static func stage(of pod: Pod) -> Stage {
        let initial = initStatus(pod)?.state
        let agent = agentStatus(pod)?.state
        if agent?.running != nil { return .readying }
        if initial?.terminated?.exitCode == 0 { return .starting }
        if initial?.running != nil { return .preparing }
        if initial == nil, condition("Initialized", pod)?.status == "True" { return .starting }
        return condition("PodScheduled", pod)?.status == "True" ? .configuring : .initializing
    }

    static func condition(_ type: String, _ pod: Pod) -> Pod.Condition? {
        pod.status?.conditions?.first { $0.type == type }
    }
    static func initStatus(_ pod: Pod) -> Pod.ContainerStatus? {
        pod.status?.initContainerStatuses?.first { $0.name == ContainerName.initialisation }
    }
    static func agentStatus(_ pod: Pod) -> Pod.ContainerStatus? {
        pod.status?.containerStatuses?.first { $0.name == ContainerName.agent }
    }

    // MARK: Causes

    /// Why this start is hopeless unless somebody does something; nil while there is hope.
    static func failure(
        of pod: Pod, claim: PersistentVolumeClaim?, warnings: [ClusterWarning]
    ) -> SessionFailure? {
        if let ended = endedPod(pod) { return ended }
        if claim?.status?.phase == "Lost" { return StartFailure.volumeLost }
        if let scheduled = condition("PodScheduled", pod), scheduled.status == "False",
            scheduled.reason == "Unschedulable"
        {
            let message = scheduled.message ?? ""
            // The volume is only being made; if it cannot be, the claim's own warnings say so.
            guard message.contains("unbound immediate PersistentVolumeClaims") else {
                return StartFailure.unschedulable(message)
            }
            return warnings.first { $0.reason == "ProvisioningFailed" }.map(StartFailure.volumeStuck)
        }
        for status in (pod.status?.initContainerStatuses ?? []) + (pod.status?.containerStatuses ?? []) {
            if let waiting = status.state?.waiting, let failure = waitingFailure(status, waiting, in: pod) {
                return failure
            }
        }
        if let initial = initStatus(pod), let failure = initFailure(initial, repository(pod)) { return failure }
        if let agent = agentStatus(pod), let failure = agentFailure(agent) { return failure }
        // Attaching and mounting are tried again and again; the first refusals are often only haste.
        let isWaiting = agentStatus(pod)?.state?.running == nil && initStatus(pod)?.state?.running == nil
        let stuck = warnings.first {
            ["FailedAttachVolume", "FailedMount", "FailedMapVolume"].contains($0.reason) && $0.count >= 3
        }
        return isWaiting ? stuck.map(StartFailure.volumeStuck) : nil
    }

    private static func repository(_ pod: Pod) -> String {
        pod.metadata.annotations?[Annotation.repository] ?? "the project"
    }

    private static func endedPod(_ pod: Pod) -> SessionFailure? {
        guard let phase = pod.status?.phase, phase == "Failed" || phase == "Succeeded" else { return nil }
        let reason = pod.status?.reason ?? ""
        let message = pod.status?.message ?? ""
        if reason == "Evicted" {
            if message.contains("ephemeral-storage") { return StartFailure.diskFull("the node's disk", message) }
            return StartFailure.evicted(message)
        }
        return StartFailure.podEnded(reason: reason, message: message)
    }

    private static func waitingFailure(
        _ status: Pod.ContainerStatus, _ waiting: Pod.ContainerStatus.State.Waiting, in pod: Pod
    ) -> SessionFailure? {
        let message = waiting.message ?? ""
        // A status need not say it; what prepares a session runs the agent's image.
        let told = [status.name, ContainerName.agent].lazy.compactMap { name in
            pod.spec?.containers?.first { $0.name == name }?.image
        }
        let image = status.image.flatMap { $0.isEmpty ? nil : $0 } ?? told.first ?? status.name
        switch waiting.reason {
        case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable",
            "SignatureValidationFailed", "ImageInspectError":
            return StartFailure.imagePull(image, message)
        case "InvalidImageName": return StartFailure.invalidImage(image, message)
        case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError",
            "PostStartHookError":
            return StartFailure.containerConfiguration(status.name, message)
        default: return nil
        }
    }

    /// Whether the kubelet has given up starting it at once; how it ended it may not know any more.
    private static func isLooping(_ status: Pod.ContainerStatus) -> Bool {
        status.state?.waiting?.reason == "CrashLoopBackOff"
    }

    /// A failed preparation stays failed while it is tried again, so that nobody sees it flap.
    private static func initFailure(_ status: Pod.ContainerStatus, _ repository: String) -> SessionFailure? {
        guard status.state?.terminated?.exitCode != 0 else { return nil }
        guard let ended = status.state?.terminated ?? status.lastState?.terminated else {
            return isLooping(status) ? InitFailure.cause(exitCode: nil, log: "", repository: repository) : nil
        }
        guard ended.exitCode != 0 else { return nil }
        if ended.reason == "OOMKilled" { return StartFailure.outOfMemory(during: "while the repository was prepared") }
        return InitFailure.cause(exitCode: ended.exitCode, log: ended.message ?? "", repository: repository)
    }

    private static func agentFailure(_ status: Pod.ContainerStatus) -> SessionFailure? {
        let isLooping = isLooping(status)
        guard let ended = status.lastState?.terminated ?? status.state?.terminated else {
            return isLooping ? StartFailure.crashLoop(exitCode: nil, log: "") : nil
        }
        // Between two crashes it runs for a moment; after the third nobody is told that it is starting.
        guard isLooping || ((status.restartCount ?? 0) >= 3 && status.ready != true) else { return nil }
        if ended.reason == "OOMKilled" { return StartFailure.outOfMemory(during: "while the agent ran") }
        let log = ended.message ?? ""
        if log.lowercased().contains("no space left on device") {
            return StartFailure.diskFull("the session's disk", log)
        }
        return StartFailure.crashLoop(exitCode: ended.exitCode, log: log)
    }
}
