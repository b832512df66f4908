internal import FoundationEssentials

/// Runs something on one replica at a time, by a Lease (coordination.k8s.io).
///
/// Whoever cannot renew for `deadline` stops the work before the lease ends and anybody else may begin.
package struct Leadership: Sendable {
    private let client: KubernetesClient
    private let name: String
    private let identity: String
    private let report: @Sendable (Report) -> Void

    /// What happens, for the log.
    package enum Report: Sendable {
        case gained
        case lost(reason: String)
        case failed(KubernetesError)
    }

    private static let duration = 15
    private static let interval = Duration.seconds(4)
    private static let deadline = Duration.seconds(10)

    /// - Parameter identity: unlike that of every other process, now and later.
    package init(
        _ client: KubernetesClient, name: String, identity: String, report: @escaping @Sendable (Report) -> Void
    ) {
        self.client = client
        self.name = name
        self.identity = identity
        self.report = report
    }

    /// Competes until the task is cancelled; `work` runs while the lease is ours, and is cancelled before it is not.
    package func run(_ work: @escaping @Sendable () async -> Void) async {
        var election = LeaseElection(identity: identity)
        let begin = ContinuousClock.now
        var lastReport: String?
        while !Task.isCancelled {
            await client.doorstep.turn()
            do throws(KubernetesError) {
                let lease = try await client.find(Lease.self, name)
                switch election.decide(lease, now: begin.duration(to: .now)) {
                case .take, .renew:
                    let asked = ContinuousClock.now
                    let own = try await write(over: lease)
                    lastReport = nil
                    report(.gained)
                    await lead(own, since: asked, work)
                case .wait: break
                }
            } catch {
                // Another replica was faster; that is what conflicts are for.
                if error.status != 409, lastReport != error.description, !Task.isCancelled {
                    lastReport = error.description
                    report(.failed(error))
                }
            }
            let pause = Self.interval + .milliseconds(Int.random(in: 0...1000))
            do { try await Task.sleep(for: pause) } catch { return }
        }
    }

    private func lead(
        _ lease: Lease, since asked: ContinuousClock.Instant, _ work: @escaping @Sendable () async -> Void
    ) async {
        let reason = await withTaskGroup(of: String?.self) { group in
            group.addTask {
                await work()
                return nil
            }
            group.addTask { await renew(lease, since: asked) }
            let first = await group.next() ?? nil
            group.cancelAll()
            // The work has ended for good before anybody else may begin.
            await group.waitForAll()
            return first
        }
        report(.lost(reason: reason ?? "the work has ended"))
        guard Task.isCancelled else { return }
        // Given back at once, so that the next one need not wait; in a task of its own, for this one is cancelled.
        await Task.detached { await giveBack() }.value
    }

    /// Renews until that fails for too long, or somebody else has it; says why it ended.
    private func renew(_ lease: Lease, since asked: ContinuousClock.Instant) async -> String {
        var lease = lease
        var renewed = asked
        var pause = Self.interval
        while true {
            do { try await Task.sleep(for: pause) } catch { return "stopped" }
            pause = Self.interval
            let now = ContinuousClock.now
            // The attempt itself must not outlast the deadline.
            let outcome: Result<Lease, KubernetesError>? = await withTaskGroup(
                of: Result<Lease, KubernetesError>?.self
            ) { [lease, renewed] group in
                group.addTask {
                    await client.doorstep.turn()
                    do throws(KubernetesError) { return .success(try await write(over: lease)) } catch {
                        return .failure(error)
                    }
                }
                group.addTask {
                    try? await Task.sleep(until: renewed + Self.deadline)
                    return nil
                }
                let first = await group.next() ?? nil
                group.cancelAll()
                return first
            }
            switch outcome {
            case .success(let new):
                lease = new
                renewed = now
            case .failure(let error) where error.status == 409 || error.status == 404:
                guard let current = try? await client.find(Lease.self, name) ?? lease,
                    current.spec?.holderIdentity == identity
                else { return "somebody else holds the lease" }
                lease = current
            case .failure(let error):
                if renewed.duration(to: .now) >= Self.deadline { return error.description }
                // An answer such as 503 comes at once, and passes: the deadline leaves room for several attempts.
                pause = .seconds(1)
            case nil: return "the lease could not be renewed in time"
            }
            if Task.isCancelled { return "stopped" }
        }
    }

    /// Writes ourselves as the holder; a version that is not the newest is a conflict.
    private func write(over lease: Lease?) async throws(KubernetesError) -> Lease {
        let now = Self.microtime()
        let isOurs = lease?.spec?.holderIdentity == identity
        let spec: JSONValue = [
            "holderIdentity": .string(identity), "leaseDurationSeconds": .number(Self.duration),
            "acquireTime": .string(isOurs ? lease?.spec?.acquireTime ?? now : now), "renewTime": .string(now),
            "leaseTransitions": .number((lease?.spec?.leaseTransitions ?? 0) + (isOurs || lease == nil ? 0 : 1)),
        ]
        var document: JSONValue = [
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": ["name": .string(name), "labels": ["app.kubernetes.io/managed-by": "opencode-router"]],
            "spec": spec,
        ]
        guard let lease else { return try await client.create(document, as: Lease.self) }
        var metadata = document["metadata"] ?? [:]
        if let version = lease.metadata.resourceVersion { metadata["resourceVersion"] = .string(version) }
        document["metadata"] = metadata
        return try await client.call(
            KubernetesRequest(.update, .leases, namespace: client.namespace, name: name, body: document),
            as: Lease.self)
    }

    private func giveBack() async {
        guard let lease = try? await client.find(Lease.self, name), lease.spec?.holderIdentity == identity,
            let version = lease.metadata.resourceVersion
        else { return }
        try? await client.perform(
            KubernetesRequest(
                .update, .leases, namespace: client.namespace, name: name,
                body: [
                    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": [
                        "name": .string(name), "resourceVersion": .string(version),
                        "labels": ["app.kubernetes.io/managed-by": "opencode-router"],
                    ],
                    // No holder at all: an empty name is not valid everywhere.
                    "spec": [
                        "leaseDurationSeconds": 1,
                        "leaseTransitions": .number(lease.spec?.leaseTransitions ?? 0),
                    ],
                ]))
    }

    /// The time of day as MicroTime: RFC 3339 with six digits.
    static func microtime(_ date: Date = Date()) -> String {
        let text = Date.ISO8601FormatStyle(includingFractionalSeconds: true).format(date)
        return text.hasSuffix("Z") ? String(text.dropLast()) + "000Z" : text
    }
}
