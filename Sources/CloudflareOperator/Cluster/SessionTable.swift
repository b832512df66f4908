package import KubernetesAPI
package import Sessions

/// Which sessions there are, folded from what is told of pods and claims.
package struct SessionTable: Sendable {
    private static let hashLabel = "opencode.ai/session-hash"
    /// On pods that only export a session's history.
    private static let exportLabel = "opencode.ai/export-pod"

    private var pods: [SessionID: Pod] = [:]
    private var claims: [SessionID: PersistentVolumeClaim] = [:]
    private var hasPods = false
    private var hasClaims = false
    /// Why what is known may be out of date, by kind.
    private var lost: [String: String] = [:]

    package init() {}

    /// Why no conclusion may be drawn from this table; nil if it is whole and current.
    package var problem: String? {
        if let reason = lost.values.sorted().first { return reason }
        return hasPods && hasClaims ? nil : "pods and claims are not listed yet"
    }

    /// Running pods by session, told apart by their UIDs.
    package var running: [SessionID: String] {
        pods.compactMapValues { pod in pod.metadata.deletionTimestamp == nil ? pod.metadata.uid ?? "" : nil }
    }

    /// Every session, with ports as somebody else knows them.
    package func sessions(ports: [SessionID: Set<Int>]) -> [SessionID: SessionFacts] {
        let running = running
        var found: [SessionID: SessionFacts] = [:]
        for id in Set(running.keys).union(claims.keys) {
            let isRunning = running[id] != nil
            found[id] = SessionFacts(
                hasClaim: claims[id] != nil, isRunning: isRunning, ports: isRunning ? ports[id] ?? [] : [])
        }
        return found
    }

    /// Takes what happened to pods; false if nothing changed that matters here.
    package mutating func take(pods event: ReflectorEvent<Pod>) -> Bool {
        let before = running
        switch event {
        case .listed(let all):
            let isFirst = !hasPods || lost.removeValue(forKey: "pods") != nil
            hasPods = true
            pods = Self.byID(all) { $0.metadata.labels?[Self.exportLabel] == nil }
            return isFirst || running != before
        case .changed(let pod):
            guard pod.metadata.labels?[Self.exportLabel] == nil, let id = Self.id(pod.metadata) else { return false }
            pods[id] = pod
        case .removed(let pod):
            guard let id = Self.id(pod.metadata), pods[id]?.metadata.uid == pod.metadata.uid else { return false }
            pods[id] = nil
        case .lost(let error):
            return lost.updateValue(error.description, forKey: "pods") == nil
        case .resumed:
            return lost.removeValue(forKey: "pods") != nil
        }
        return running != before
    }

    /// Takes what happened to claims; false if nothing changed that matters here.
    package mutating func take(claims event: ReflectorEvent<PersistentVolumeClaim>) -> Bool {
        let before = Set(claims.keys)
        switch event {
        case .listed(let all):
            let isFirst = !hasClaims || lost.removeValue(forKey: "claims") != nil
            hasClaims = true
            claims = Self.byID(all) { _ in true }
            return isFirst || Set(claims.keys) != before
        case .changed(let claim):
            guard let id = Self.id(claim.metadata) else { return false }
            claims[id] = claim
        case .removed(let claim):
            guard let id = Self.id(claim.metadata) else { return false }
            claims[id] = nil
        case .lost(let error):
            return lost.updateValue(error.description, forKey: "claims") == nil
        case .resumed:
            return lost.removeValue(forKey: "claims") != nil
        }
        return Set(claims.keys) != before
    }

    private static func byID<Object: KubernetesObject>(
        _ objects: [Object], where isMeant: (Object) -> Bool
    ) -> [SessionID: Object] {
        Dictionary(
            objects.filter(isMeant).compactMap { object in id(object.metadata).map { ($0, object) } },
            uniquingKeysWith: { $1 })
    }

    /// A label that is no well-formed hash names no session: nothing of it may end up in a host or a rule.
    private static func id(_ metadata: ObjectMeta) -> SessionID? {
        metadata.labels?[hashLabel].flatMap { SessionID($0) }
    }
}
