package import KubernetesAPI

/// A Traefik route (traefik.io/v1alpha1), as far as it is compared.
package struct IngressRoute: KubernetesObject, Hashable {
    package static let resource = Resource(
        group: "traefik.io", version: "v1alpha1", plural: "ingressroutes", kind: "IngressRoute")

    package var metadata: ObjectMeta
    /// Nil if it is not there or has a shape that none of ours has.
    package var spec: JSONValue?

    private enum Names: CodingKey { case metadata, spec }

    package init(metadata: ObjectMeta, spec: JSONValue?) {
        self.metadata = metadata
        self.spec = spec
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Names.self)
        metadata = try container.decode(ObjectMeta.self, forKey: .metadata)
        spec = try? container.decodeIfPresent(JSONValue.self, forKey: .spec)
    }
}

/// How the routes of a session's hosts look.
package struct RouteTemplate: Hashable, Sendable {
    /// A service as a route names it.
    package struct Service: Hashable, Sendable {
        package var name: String
        package var namespace: String
        package var port: Int

        package init(name: String, namespace: String, port: Int) {
            self.name = name
            self.namespace = namespace
            self.port = port
        }

        var value: JSONValue {
            ["name": .string(name), "namespace": .string(namespace), "port": .number(port)]
        }
    }

    /// Where routes, and the chain, are.
    package var namespace: String
    /// The middleware that asks who somebody is.
    package var chain: String
    package var router: Service
    package var attach: Service
    /// Where `/oauth2/` of a session's host leads; nil: nowhere, for sign-in is on a host of its own.
    package var signIn: Service?

    package init(namespace: String, chain: String, router: Service, attach: Service, signIn: Service?) {
        self.namespace = namespace
        self.chain = chain
        self.router = router
        self.attach = attach
        self.signIn = signIn
    }

    static let label = "app.kubernetes.io/managed-by"
    static let manager = "opencode-cloudflare-operator"
    /// Selects the routes that an operator made.
    package static let selector = ObjectSelector(labels: "\(label)=\(manager)")
    private static let prefix = "opencode-session-"

    /// The specs of a host's routes by name.
    package func routes(of host: SessionHost, in hosts: SessionHosts) -> [String: JSONValue] {
        let label = hosts.label(of: host)
        let match = "Host(`\(hosts.name(of: host))`)"
        if host.kind == .attach {
            // No chain: `opencode attach` has a password, and no browser to sign in with.
            return ["\(Self.prefix)\(label)-attach": spec(match, attach)]
        }
        let signInPaths = "PathPrefix(`/oauth2/`)"
        var routes = [
            "\(Self.prefix)\(label)-app": spec(
                signIn == nil ? "\(match) && !\(signInPaths)" : match, router, chained: true, priority: 1)
        ]
        if let signIn {
            routes["\(Self.prefix)\(label)-signin"] = spec("\(match) && \(signInPaths)", signIn)
        }
        return routes
    }

    /// Whether a route is one that we would make or have made: our label, and a name of a session's host.
    package func owns(_ route: IngressRoute, in hosts: SessionHosts) -> Bool {
        guard route.metadata.labels?[Self.label] == Self.manager, let name = route.metadata.name,
            name.hasPrefix(Self.prefix)
        else { return false }
        return ["-app", "-signin", "-attach"].contains { ending in
            name.hasSuffix(ending)
                && hosts.host(labelled: String(name.dropFirst(Self.prefix.count).dropLast(ending.count))) != nil
        }
    }

    /// A route as it is sent.
    ///
    /// - Parameter version: of the one that it replaces.
    package func document(_ name: String, _ spec: JSONValue, version: String? = nil) -> JSONValue {
        var metadata: JSONValue = [
            "name": .string(name), "namespace": .string(namespace), "labels": [Self.label: .string(Self.manager)],
        ]
        if let version { metadata["resourceVersion"] = .string(version) }
        return [
            "apiVersion": .string(IngressRoute.resource.apiVersion), "kind": .string(IngressRoute.resource.kind),
            "metadata": metadata, "spec": spec,
        ]
    }

    private func spec(
        _ match: String, _ service: Service, chained: Bool = false, priority: Int? = nil
    ) -> JSONValue {
        var route: JSONValue = ["match": .string(match), "kind": "Rule", "services": [service.value]]
        if chained { route["middlewares"] = [["name": .string(chain), "namespace": .string(namespace)]] }
        if let priority { route["priority"] = .number(priority) }
        return ["entryPoints": ["web"], "routes": [route]]
    }
}
