internal import HTTPClient
internal import Identity
package import KubernetesAPI
package import Logging
package import Sessions

/// Brings images to nodes before sessions need them: a pod runs the image's agent once, gets ready, and goes.
///
/// Whatever happens, the pod is removed: by who asked for it, else by the kubelet's deadline and `sweep()`.
package actor ImagePulls {
    private let client: KubernetesClient
    private let settings: KubernetesSessionSettings
    private let logger: Logger
    private let limit: Duration
    private let interval: Duration
    private var underWay = 0

    /// Each is a pod with a session's resources.
    private static let most = 4

    /// - Parameters:
    ///   - limit: so long an image may take to be there and its agent ready.
    ///   - interval: between two looks at the pod.
    package init(
        _ client: KubernetesClient, settings: KubernetesSessionSettings, logger: Logger,
        limit: Duration = .seconds(300), interval: Duration = .seconds(1)
    ) {
        self.client = client
        self.settings = settings
        self.logger = logger
        self.limit = limit
        self.interval = interval
    }

    /// Returns once an agent of that image was ready on some node, and its pod is being removed.
    package func pull(_ image: String) async throws(SessionFailure) {
        guard underWay < Self.most else {
            throw SessionFailure(
                code: "too_many_pulls", message: "\(Self.most) images are being pulled already.",
                hint: "Try again when one of them is there.")
        }
        underWay += 1
        defer { underWay -= 1 }
        let name = ObjectNames.pull(Random.hex(bytes: 6))
        let document = SessionDocuments.pull(
            name, image: image, password: Random.hex(bytes: 16), seconds: Int(limit.components.seconds) + 30, settings)
        // In tasks of their own, making and removing: who asked may have gone, and this one been cancelled.
        let pod: Pod
        switch await Task.detached(operation: { await self.make(document) }).value {
        case .success(let made): pod = made
        case .failure(let error): throw Self.failure(error)
        }
        logger.info("image is pulled", metadata: ["image": "\(image)", "pod": "\(name)"])
        let failure = await wait(for: pod, name, image)
        await Task.detached { await self.remove(name, uid: pod.metadata.uid) }.value
        if let failure { throw failure }
    }

    /// Nil once the agent is ready; else why it never will be.
    private func wait(for made: Pod, _ name: String, _ image: String) async -> SessionFailure? {
        let deadline = ContinuousClock.now + limit
        var stage = Stage.initializing
        while ContinuousClock.now < deadline {
            do { try await Task.sleep(for: interval) } catch {
                return SessionFailure(
                    code: "pull_cancelled", message: "Nobody waits for the image \(image) any more.", hint: "Ask again."
                )
            }
            do throws(KubernetesError) {
                guard let pod = try await client.find(Pod.self, name), pod.metadata.uid == made.metadata.uid,
                    pod.metadata.deletionTimestamp == nil
                else {
                    return SessionFailure(
                        code: "pull_interrupted", message: "The pod \(name) was deleted before the image was there.",
                        hint: "Ask again.")
                }
                if SessionDerivation.isReady(pod) { return nil }
                if let failure = SessionDerivation.failure(of: pod, claim: nil, warnings: []) { return failure }
                stage = SessionDerivation.stage(of: pod)
            } catch {
                // The next pause says so.
                if Task.isCancelled { continue }
                guard error.isPassing else { return Self.failure(error) }
            }
        }
        return SessionFailure(
            code: "pull_timeout",
            message: "The image \(image) was not ready after \(limit.components.seconds) seconds (stage: \(stage)).",
            hint: "Ask again: what was pulled so far is kept by the node. If it stays so, look at the pull's events.")
    }

    private func make(_ document: JSONValue) async -> Result<Pod, KubernetesError> {
        do throws(KubernetesError) { return .success(try await client.create(document, as: Pod.self)) } catch {
            return .failure(error)
        }
    }

    private func remove(_ name: String, uid: String?) async {
        do throws(KubernetesError) {
            _ = try await client.delete(.pods, name, uid: uid, graceSeconds: 0)
        } catch {
            logger.warning("the pod of an image pull stays", metadata: ["pod": "\(name)", "error": "\(error)"])
        }
    }

    /// Removes pods of routers that died while they waited, until the task is cancelled.
    ///
    /// No clock of another machine counts: a pod is nobody's once it has ended, or was here for longer than anybody waits.
    package func sweep() async {
        var seen: [String: ContinuousClock.Instant] = [:]
        while !Task.isCancelled {
            if let pods = try? await client.list(Pod.self, ObjectSelector(labels: ObjectNames.pulls)) {
                seen = seen.filter { known in pods.contains { $0.metadata.uid == known.key } }
                for pod in pods {
                    guard let name = pod.metadata.name, let uid = pod.metadata.uid else { continue }
                    let first = seen[uid] ?? .now
                    seen[uid] = first
                    let hasEnded = ["Failed", "Succeeded"].contains(pod.status?.phase)
                    if hasEnded || first.duration(to: .now) > limit + .seconds(30) { await remove(name, uid: uid) }
                }
            }
            do { try await Task.sleep(for: seen.isEmpty ? .seconds(3600) : .seconds(60)) } catch { return }
        }
    }

    private static func failure(_ error: KubernetesError) -> SessionFailure {
        StartFailure.refusal(error)
            ?? SessionFailure(
                code: "cluster_unavailable", message: "The cluster cannot do it now: \(error).",
                hint: "Try again in a moment.")
    }
}
