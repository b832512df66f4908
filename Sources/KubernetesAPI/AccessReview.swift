internal import FoundationEssentials

/// A permission that we need: one verb on one kind.
package struct Permission: Hashable, Sendable, CustomStringConvertible {
    package var verb: Verb
    package var resource: Resource
    package var subresource: String?

    package init(_ verb: Verb, _ resource: Resource, subresource: String? = nil) {
        self.verb = verb
        self.resource = resource
        self.subresource = subresource
    }

    /// As a role would name it: `create pods`, `get pods/log`, `update leases.coordination.k8s.io`.
    package var description: String {
        let plural = resource.plural + (subresource.map { "/\($0)" } ?? "")
        return "\(verb.rawValue) \(plural)\(resource.group.isEmpty ? "" : ".\(resource.group)")"
    }
}

extension KubernetesClient {
    private struct Review: Decodable {
        struct Status: Decodable { var allowed: Bool? }
        var status: Status?
    }

    /// Those of the permissions that the server says we do not have (SelfSubjectAccessReview).
    package func missing(of permissions: [Permission]) async throws(KubernetesError) -> [Permission] {
        var missing: [Permission] = []
        for permission in permissions {
            var attributes: JSONValue = [
                "namespace": .string(namespace), "verb": .string(permission.verb.rawValue),
                "group": .string(permission.resource.group), "resource": .string(permission.resource.plural),
            ]
            if let subresource = permission.subresource { attributes["subresource"] = .string(subresource) }
            let review = try await call(
                KubernetesRequest(
                    .create, .accessReviews, namespace: nil,
                    body: [
                        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                        "spec": ["resourceAttributes": attributes],
                    ]), as: Review.self)
            if review.status?.allowed != true { missing.append(permission) }
        }
        return missing
    }
}
