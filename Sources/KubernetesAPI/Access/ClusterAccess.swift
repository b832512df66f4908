internal import FoundationEssentials
package import HTTPClient
internal import TLS

/// Where the API server is, whom to trust there, and who we are.
///
/// Files are read for every request: tokens and authorities rotate, and requests are few.
package struct ClusterAccess: Sendable {
    /// Text that stands in the configuration, or in a file that may change.
    package enum Text: Hashable, Sendable {
        case fixed(String)
        case file(String)

        func read() throws(AccessProblem) -> String {
            switch self {
            case .fixed(let text): return text
            case .file(let path):
                guard let data = FileManager.default.contents(atPath: path) else {
                    throw AccessProblem("\(path) cannot be read")
                }
                return String(decoding: data, as: UTF8.self)
            }
        }
    }

    package var server: HTTPOrigin
    /// In front of every path; empty or `/…` without a slash at its end.
    package var prefix: String
    /// Authorities of the server, PEM; nil are the machine's own.
    package var authorities: Text?
    /// Whom the server's certificate names; nil is the server's host.
    package var serverName: String?
    package var certificate: Text?
    package var key: Text?
    package var token: Text?
    /// The namespace that the configuration names.
    package var namespace: String?

    package init(
        server: HTTPOrigin, prefix: String = "", authorities: Text? = nil, serverName: String? = nil,
        certificate: Text? = nil, key: Text? = nil, token: Text? = nil, namespace: String? = nil
    ) {
        self.server = server
        self.prefix = prefix
        self.authorities = authorities
        self.serverName = serverName
        self.certificate = certificate
        self.key = key
        self.token = token
        self.namespace = namespace
    }

    /// The service account's folder in every pod.
    package static let serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// The access that a pod has by its service account; nil where there is no token.
    package static func inCluster(
        environment: [String: String], folder: String = serviceAccountFolder
    ) throws(AccessProblem) -> ClusterAccess? {
        guard FileManager.default.fileExists(atPath: folder + "/token") else { return nil }
        guard let host = environment["KUBERNETES_SERVICE_HOST"], let port = environment["KUBERNETES_SERVICE_PORT"]
        else {
            throw AccessProblem(
                "there is a service account token, but KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
        }
        let bracketed = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        let url: HTTPURL
        do { url = try HTTPURL("https://\(bracketed):\(port)") } catch {
            throw AccessProblem("KUBERNETES_SERVICE_HOST and _PORT are no address: \(host), \(port)")
        }
        let namespace = try? Text.file(folder + "/namespace").read()
        return ClusterAccess(
            server: url.origin, authorities: .file(folder + "/ca.crt"), token: .file(folder + "/token"),
            namespace: namespace.map { String($0.filter { !$0.isWhitespace }) })
    }

    /// The trust and identity for one request.
    func tls() throws(AccessProblem) -> TLSConfiguration? {
        guard server.scheme == .https else { return nil }
        var configuration = TLSConfiguration(serverName: serverName)
        if let authorities { configuration.trust = .only(pem: try authorities.read()) }
        if let certificate, let key {
            configuration.identity = .init(certificates: try certificate.read(), privateKey: try key.read())
        }
        return configuration
    }
}

/// Why a cluster cannot be reached with this configuration, as a sentence without its end.
package struct AccessProblem: Error, Hashable, Sendable {
    package var sentence: String

    package init(_ sentence: String) { self.sentence = sentence }
}
