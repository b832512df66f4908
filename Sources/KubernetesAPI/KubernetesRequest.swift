package import HTTPClient

/// One request to an API server as a value: which verb, on what, with which document.
package struct KubernetesRequest: Hashable, Sendable {
    package var verb: Verb
    package var resource: Resource
    /// Nil for what has no namespace.
    package var namespace: String?
    package var name: String?
    package var subresource: String?
    package var query: [(name: String, value: String)] = []
    package var body: JSONValue?

    package init(
        _ verb: Verb, _ resource: Resource, namespace: String?, name: String? = nil, subresource: String? = nil,
        query: [(name: String, value: String)] = [], body: JSONValue? = nil
    ) {
        self.verb = verb
        self.resource = resource
        self.namespace = namespace
        self.name = name
        self.subresource = subresource
        self.query = query
        self.body = body
    }

    /// The method that carries the verb.
    package var method: ClientMethod {
        switch verb {
        case .get, .list, .watch: .get
        case .create: .post
        case .update: .put
        case .patch: .patch
        case .delete: .delete
        }
    }

    /// The media type of the body; patches are merge patches (RFC 7396).
    package var contentType: String { verb == .patch ? "application/merge-patch+json" : "application/json" }

    /// Who the server notes as the owner of the fields that we write.
    package static let fieldManager = "opencode-router"

    /// What every write says beside its document: who writes, and that a member which the server does not know is an
    /// error. Without that the server would drop it silently, and a pod could run with less protection than it asked for.
    private var writing: [(name: String, value: String)] {
        switch verb {
        case .create, .update, .patch:
            [(name: "fieldManager", value: Self.fieldManager), (name: "fieldValidation", value: "Strict")]
        case .get, .list, .watch, .delete: []
        }
    }

    /// Path and query below the server's own prefix.
    package var target: String {
        var path = resource.group.isEmpty ? "/api/\(resource.version)" : "/apis/\(resource.apiVersion)"
        if let namespace { path += "/namespaces/\(Self.escaped(namespace))" }
        path += "/\(resource.plural)"
        if let name { path += "/\(Self.escaped(name))" }
        if let subresource { path += "/\(subresource)" }
        let query = query + writing
        guard !query.isEmpty else { return path }
        return path + "?" + query.map { "\($0.name)=\(Self.escaped($0.value))" }.joined(separator: "&")
    }

    /// A page of all objects that the selector takes.
    package static func list(
        _ resource: Resource, namespace: String, selector: ObjectSelector, continuing token: String? = nil,
        pageSize: Int = 250
    ) -> KubernetesRequest {
        var query = selector.query + [(name: "limit", value: "\(pageSize)")]
        if let token { query.append((name: "continue", value: token)) }
        return KubernetesRequest(.list, resource, namespace: namespace, query: query)
    }

    /// Every change after a version, for so many seconds at most.
    package static func watch(
        _ resource: Resource, namespace: String, selector: ObjectSelector, from version: String, seconds: Int
    ) -> KubernetesRequest {
        KubernetesRequest(
            .watch, resource, namespace: namespace,
            query: selector.query + [
                (name: "watch", value: "true"), (name: "resourceVersion", value: version),
                (name: "allowWatchBookmarks", value: "true"), (name: "timeoutSeconds", value: "\(seconds)"),
            ])
    }

    /// Deletes exactly this object: one of the same name made since is left alone.
    package static func delete(
        _ resource: Resource, namespace: String, name: String, uid: String?, graceSeconds: Int? = nil
    ) -> KubernetesRequest {
        var options: JSONValue = ["kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"]
        if let uid { options["preconditions"] = ["uid": .string(uid)] }
        if let graceSeconds { options["gracePeriodSeconds"] = .number(graceSeconds) }
        return KubernetesRequest(.delete, resource, namespace: namespace, name: name, body: options)
    }

    /// Everything but unreserved characters as `%XX` (RFC 3986 §2.3).
    package static func escaped(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                escaped.unicodeScalars.append(UnicodeScalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                escaped += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return escaped
    }

    package static func == (one: Self, other: Self) -> Bool {
        one.verb == other.verb && one.resource == other.resource && one.target == other.target
            && one.body == other.body
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(verb)
        hasher.combine(target)
    }
}

/// Which objects of a kind are meant.
package struct ObjectSelector: Hashable, Sendable {
    package var labels: String?
    package var fields: String?

    package init(labels: String? = nil, fields: String? = nil) {
        self.labels = labels
        self.fields = fields
    }

    var query: [(name: String, value: String)] {
        var query: [(name: String, value: String)] = []
        if let labels { query.append((name: "labelSelector", value: labels)) }
        if let fields { query.append((name: "fieldSelector", value: fields)) }
        return query
    }
}
