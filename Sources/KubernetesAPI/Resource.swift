/// A kind of object as the API server's paths spell it, and whether it has a group.
package struct Resource: Hashable, Sendable {
    /// Empty for the core group.
    package var group: String
    package var version: String
    package var plural: String
    /// The kind, for people.
    package var kind: String

    package init(group: String = "", version: String = "v1", plural: String, kind: String) {
        self.group = group
        self.version = version
        self.plural = plural
        self.kind = kind
    }

    package static let pods = Resource(plural: "pods", kind: "Pod")
    package static let claims = Resource(plural: "persistentvolumeclaims", kind: "PersistentVolumeClaim")
    package static let secrets = Resource(plural: "secrets", kind: "Secret")
    package static let events = Resource(plural: "events", kind: "Event")
    package static let leases = Resource(group: "coordination.k8s.io", plural: "leases", kind: "Lease")
    package static let accessReviews = Resource(
        group: "authorization.k8s.io", plural: "selfsubjectaccessreviews", kind: "SelfSubjectAccessReview")

    /// `v1`, or `group/v1`.
    package var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }
}

/// What a request does, in the words of RBAC.
package enum Verb: String, Hashable, Sendable {
    case get, list, watch, create, update, patch, delete
}
