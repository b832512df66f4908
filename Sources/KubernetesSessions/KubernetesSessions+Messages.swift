internal import FoundationEssentials
internal import KubernetesAPI
package import Sessions

/// What was said in a session, in a Secret beside its claim: it is what people and agents wrote, not for everybody who
/// may read ConfigMaps.
///
/// The claim owns it, so that it goes with the session even where no router sees to that. It has a label of its own, and
/// the watch selects by it: other secrets never come here.
extension KubernetesSessions: MessageStore {
    private static var key: String { "messages.json" }

    package func messages(of id: SessionID) async throws(SessionRuntimeError) -> MessageLog {
        let secret = try await ask { () async throws(KubernetesError) in
            try await self.client.find(Secret.self, ObjectNames.messages(id))
        }
        return secret.flatMap(Self.log) ?? MessageLog()
    }

    package func add(
        _ events: [ProgressEvent], to id: SessionID
    ) async throws(SessionRuntimeError) -> MessageLog {
        for _ in 0..<8 {
            guard let claim = claims[id], claim.metadata.deletionTimestamp == nil, let owner = claim.metadata.uid else {
                throw .notFound(id)
            }
            let present = try await ask { () async throws(KubernetesError) in
                try await self.client.find(Secret.self, ObjectNames.messages(id))
            }
            var log = present.flatMap(Self.log) ?? MessageLog()
            for event in events { log.put(event) }
            guard let data = try? JSONEncoder().encode(log) else { return log }
            let content: JSONValue = .object([Self.key: .string(data.base64EncodedString())])
            do throws(KubernetesError) {
                if let version = present?.metadata.resourceVersion {
                    // With the version it was read at: what another replica added meanwhile is a conflict.
                    _ = try await client.patch(
                        Secret.self, ObjectNames.messages(id),
                        ["metadata": ["resourceVersion": .string(version)], "data": content])
                } else {
                    _ = try await client.create(Self.document(id, owner: owner, content), as: Secret.self)
                }
                return log
            } catch {
                guard error.status == 409 || error.status == 404 else { throw Self.translate(error) }
            }
        }
        throw .conflict(message: "Somebody else stores what is said in the session at the same time, again and again.")
    }

    package nonisolated func messageChanges() -> AsyncStream<(SessionID, MessageLog)> {
        let (stream, continuation) = AsyncStream.makeStream(of: (SessionID, MessageLog).self)
        let selector = ObjectSelector(
            labels: "\(ObjectNames.managerLabel)=\(ObjectNames.manager),\(ObjectNames.kindLabel)")
        let client = client
        let follower = Task {
            await Reflector<Secret>(client, selector: selector).run { event in
                switch event {
                case .changed(let secret): Self.tell(secret, continuation)
                case .listed(let all): for secret in all { Self.tell(secret, continuation) }
                // Without the watch this replica's readers see what this replica hears, and the rest when they look again.
                case .removed, .lost, .resumed: break
                }
            }
        }
        continuation.onTermination = { _ in follower.cancel() }
        return stream
    }

    private static func tell(
        _ secret: Secret, _ continuation: AsyncStream<(SessionID, MessageLog)>.Continuation
    ) {
        guard let id = secret.metadata.labels?[ObjectNames.hashLabel].flatMap({ SessionID($0) }), let log = log(secret)
        else { return }
        continuation.yield((id, log))
    }

    private static func log(_ secret: Secret) -> MessageLog? {
        guard let text = secret.data?[key], let data = Data(base64Encoded: text) else { return nil }
        return try? JSONDecoder().decode(MessageLog.self, from: data)
    }

    private static func document(_ id: SessionID, owner: String, _ content: JSONValue) -> JSONValue {
        [
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": [
                "name": .string(ObjectNames.messages(id)),
                "labels": .strings([
                    ObjectNames.hashLabel: id.description, ObjectNames.managerLabel: ObjectNames.manager,
                    ObjectNames.kindLabel: "messages",
                ]),
                "ownerReferences": SessionDocuments.owner(id, owner),
            ],
            "data": content,
        ]
    }
}
