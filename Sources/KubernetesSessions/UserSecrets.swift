internal import FoundationEssentials
package import KubernetesAPI

/// Users' own environment variables, one Secret each; values go in and never come out.
package struct UserSecrets: Sendable {
    private let client: KubernetesClient

    package init(_ client: KubernetesClient) { self.client = client }

    /// The names, sorted.
    package func names(of email: String) async throws(KubernetesError) -> [String] {
        try await client.find(Secret.self, ObjectNames.userSecret(email))?.data?.keys.sorted() ?? []
    }

    /// Puts these in place of all; none removes the Secret.
    package func replaceAll(of email: String, with secrets: [String: String]) async throws(KubernetesError) {
        let name = ObjectNames.userSecret(email)
        guard !secrets.isEmpty else {
            _ = try await client.remove(Secret.self, name)
            return
        }
        // A merge removes only what is named, so what is to go is named.
        let present = try await client.find(Secret.self, name)?.data ?? [:]
        var data: [String: JSONValue] = [:]
        for old in present.keys { data[old] = .null }
        for (name, value) in secrets { data[name] = .string(Base64.encode(value)) }
        try await write(data, to: name)
    }

    /// Adds or replaces one.
    package func put(_ value: String, as variable: String, of email: String) async throws(KubernetesError) {
        try await write([variable: .string(Base64.encode(value))], to: ObjectNames.userSecret(email))
    }

    /// Removes one; nothing happens if there is none.
    package func remove(_ variable: String, of email: String) async throws(KubernetesError) {
        do throws(KubernetesError) {
            _ = try await client.patch(
                Secret.self, ObjectNames.userSecret(email), ["data": .object([variable: .null])])
        } catch {
            guard error.status == 404 else { throw error }
        }
    }

    private func write(_ data: [String: JSONValue], to name: String) async throws(KubernetesError) {
        do throws(KubernetesError) {
            _ = try await client.patch(Secret.self, name, ["data": .object(data)])
        } catch {
            guard error.status == 404 else { throw error }
            let given = data.filter { $0.value != .null }
            _ = try await client.create(
                [
                    "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": ["name": .string(name)],
                    "data": .object(given),
                ], as: Secret.self)
        }
    }
}
