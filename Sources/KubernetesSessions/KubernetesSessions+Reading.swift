internal import Identity
internal import KubernetesAPI
internal import Logging
package import Sessions

/// An agent beside a session that sleeps, for what its disk holds: a pod of its own that serves nothing else.
extension KubernetesSessions {
    /// No archive is made for longer; then the pod ends, whatever has become of the router.
    private static var readingSeconds: Int { 3600 }

    package func read(
        _ id: SessionID, within limit: Duration, _ body: @escaping @Sendable (SessionEndpoint) async -> Void
    ) async throws(SessionRuntimeError) {
        // In turn: the disk can be on one node only, and an order to start the session waits until it is free again.
        try await inTurn(id) { () async throws(SessionRuntimeError) in
            let deadline = ContinuousClock.now + limit
            do throws(SessionRuntimeError) {
                await body(
                    try await self.startReader(
                        id, until: deadline, seconds: Int(limit.components.seconds) + Self.readingSeconds))
            } catch {
                await self.endReader(id)
                throw error
            }
            await self.endReader(id)
        }
    }

    private func startReader(
        _ id: SessionID, until deadline: ContinuousClock.Instant, seconds: Int
    ) async throws(SessionRuntimeError) -> SessionEndpoint {
        let claim = try await ask { () async throws(KubernetesError) in
            try await self.client.find(PersistentVolumeClaim.self, ObjectNames.claim(id))
        }
        guard claim != nil, claim?.metadata.deletionTimestamp == nil else { throw .notFound(id) }
        while let pod = try await ask({ () async throws(KubernetesError) in
            try await self.client.find(Pod.self, ObjectNames.pod(id))
        }) {
            guard pod.metadata.deletionTimestamp != nil else {
                throw .conflict(message: "The session has a pod that does not run. Stop it first, then delete it.")
            }
            try await pause(until: deadline)
        }
        let password = Random.hex(bytes: 16)
        while true {
            do throws(KubernetesError) {
                _ = try await client.create(
                    SessionDocuments.reader(id, password: password, seconds: seconds, settings), as: Pod.self)
                break
            } catch {
                guard error.status == 409 else { throw Self.translate(error) }
                // What a router that was killed has left.
                await endReader(id)
                try await pause(until: deadline)
            }
        }
        while true {
            guard
                let pod = try await ask({ () async throws(KubernetesError) in
                    try await self.client.find(Pod.self, ObjectNames.exportPod(id))
                }), pod.status?.phase != "Failed", pod.status?.phase != "Succeeded"
            else {
                throw .unavailable(message: "The pod that reads the session's disk ended before it could be asked.")
            }
            if let endpoint = SessionDerivation.endpoint(of: pod) { return endpoint }
            guard ContinuousClock.now < deadline else {
                throw .unavailable(message: "The pod that reads the session's disk did not start in time.")
            }
            try? await Task.sleep(for: .milliseconds(300))
        }
    }

    private func endReader(_ id: SessionID) async {
        do throws(KubernetesError) {
            _ = try await client.remove(Pod.self, ObjectNames.exportPod(id))
        } catch {
            logger.warning("a pod that read a disk stays", metadata: ["session": "\(id)", "error": "\(error)"])
        }
    }
}
