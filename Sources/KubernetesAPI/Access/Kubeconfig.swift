internal import FoundationEssentials
internal import HTTPClient

extension ClusterAccess {
    /// The access of the current context of a kubeconfig file.
    package static func kubeconfig(path: String) throws(AccessProblem) -> ClusterAccess {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw AccessProblem("KUBECONFIG: \(path) cannot be read")
        }
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        do throws(AccessProblem) {
            return try kubeconfig(text: String(decoding: data, as: UTF8.self), folder: folder)
        } catch {
            throw AccessProblem("KUBECONFIG: \(path): \(error.sentence)")
        }
    }

    /// The access of the current context; relative paths are below `folder`.
    static func kubeconfig(text: String, folder: String) throws(AccessProblem) -> ClusterAccess {
        let document: YAMLNode
        do throws(YAMLProblem) { document = try YAMLNode(parsing: text) } catch {
            throw AccessProblem(error.line > 0 ? "line \(error.line): \(error.reason)" : error.reason)
        }
        func named(_ list: String, _ name: String, _ member: String) throws(AccessProblem) -> YAMLNode {
            let entry = document[list]?.elements.first { $0["name"]?.text == name }
            guard let entry = entry?[member] else { throw AccessProblem("\(list) has no entry \"\(name)\"") }
            return entry
        }
        guard let current = document["current-context"]?.text, !current.isEmpty else {
            throw AccessProblem("current-context is not set")
        }
        let context = try named("contexts", current, "context")
        guard let clusterName = context["cluster"]?.text else {
            throw AccessProblem("the context \"\(current)\" names no cluster")
        }
        let cluster = try named("clusters", clusterName, "cluster")
        let user = try context["user"]?.text.map { name throws(AccessProblem) in try named("users", name, "user") }

        if cluster["insecure-skip-tls-verify"]?.text?.lowercased() == "true" {
            throw AccessProblem(
                "insecure-skip-tls-verify is not accepted: without verification anybody on the way gets the token;"
                    + " put the server's authority into certificate-authority-data")
        }
        // Without "as" we would be somebody who may do more than was meant.
        for name in ["exec", "auth-provider", "username", "as", "as-uid", "as-groups"] where user?[name] != nil {
            throw AccessProblem(
                "the user of the context \"\(current)\" signs in by \(name), which is not supported;"
                    + " use a token, a tokenFile or a client certificate")
        }
        if cluster["proxy-url"] != nil { throw AccessProblem("proxy-url is not supported") }
        guard let serverText = cluster["server"]?.text, let url = try? HTTPURL(serverText), url.query == nil else {
            throw AccessProblem("the cluster \"\(clusterName)\" has no server with an http or https URL")
        }
        func file(_ path: String) -> String { path.hasPrefix("/") ? path : "\(folder)/\(path)" }
        func pem(_ node: YAMLNode?, _ name: String) throws(AccessProblem) -> Text? {
            if let encoded = node?[name + "-data"]?.text, !encoded.isEmpty {
                guard let data = Data(base64Encoded: encoded, options: .ignoreUnknownCharacters) else {
                    throw AccessProblem("\(name)-data is not base64")
                }
                return .fixed(String(decoding: data, as: UTF8.self))
            }
            return (node?[name]?.text).flatMap { $0.isEmpty ? nil : .file(file($0)) }
        }
        var prefix = String(url.path)
        while prefix.hasSuffix("/") { prefix.removeLast() }
        var access = ClusterAccess(
            server: url.origin, prefix: prefix, authorities: try pem(cluster, "certificate-authority"),
            serverName: (cluster["tls-server-name"]?.text).flatMap { $0.isEmpty ? nil : $0 },
            certificate: try pem(user, "client-certificate"), key: try pem(user, "client-key"),
            namespace: context["namespace"]?.text)
        if (access.certificate == nil) != (access.key == nil) {
            throw AccessProblem("client-certificate and client-key belong together, and one is missing")
        }
        // As kubectl has it: the file counts where both are given.
        if let path = user?["tokenFile"]?.text, !path.isEmpty {
            access.token = .file(file(path))
        } else if let token = user?["token"]?.text, !token.isEmpty {
            access.token = .fixed(token)
        }
        return access
    }
}
