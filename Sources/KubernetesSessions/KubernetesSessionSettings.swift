package import Sessions

/// What sessions as pods are made of.
package struct KubernetesSessionSettings: Sendable {
    /// Image of the init and agent containers.
    package var image: String
    /// Secret whose entries become the agent's environment; need not exist.
    package var apiKeySecret: String
    /// ConfigMap mounted as the agent's configuration; need not exist.
    package var configMap: String
    package var imagePullSecret: String?
    /// Nil is the cluster's default.
    package var storageClass: String?
    package var storageSize: String
    /// Nil leaves the browser out.
    package var chromiumImage: String?
    /// The editor of the session's files, beside the agent; nil leaves it out.
    package var editor: Editor?
    package var cpuRequest: String
    package var cpuLimit: String?
    package var memoryRequest: String
    package var memoryLimit: String?
    /// The router's listener for pods, as pods see it.
    package var routerURL: String?
    package var externalDomain: String?
    /// Where agents push what their models cost.
    package var metricsURL: String?
    /// Models by use (`CODING`), for users who have set none of their own.
    package var models: [String: String] = [:]
    /// Further variables of the agent; none takes the place of one that the pod itself needs.
    package var environment: [(name: String, value: String)] = []
    /// Protocols that git may use.
    package var gitProtocols: [String]
    /// The servers that the owners' tokens belong to.
    package var tokenHosts = TokenHosts.github
    /// The text of `git-credential.sh`, which git runs in a pod.
    package var credentialScript = ""
    /// The texts of `session-init.sh` and `session-agent.sh`.
    package var initScript: String
    package var agentScript: String

    package init(
        image: String, initScript: String, agentScript: String, apiKeySecret: String = "opencode-api-keys",
        configMap: String = "opencode-config-dir", imagePullSecret: String? = nil, storageClass: String? = nil,
        storageSize: String = "2Gi", chromiumImage: String? = nil, cpuRequest: String = "250m",
        cpuLimit: String? = nil, memoryRequest: String = "512Mi", memoryLimit: String? = "2Gi",
        routerURL: String? = nil, externalDomain: String? = nil, gitProtocols: [String] = ["https"]
    ) {
        self.image = image
        self.initScript = initScript
        self.agentScript = agentScript
        self.apiKeySecret = apiKeySecret
        self.configMap = configMap
        self.imagePullSecret = imagePullSecret
        self.storageClass = storageClass
        self.storageSize = storageSize
        self.chromiumImage = chromiumImage
        self.cpuRequest = cpuRequest
        self.cpuLimit = cpuLimit
        self.memoryRequest = memoryRequest
        self.memoryLimit = memoryLimit
        self.routerURL = routerURL
        self.externalDomain = externalDomain
        self.gitProtocols = gitProtocols
    }

    /// Where a session's disk and repository are in its pod.
    package static let home = "/home/opencode"
    package static let repositoryFolder = "/home/opencode/repo"
    package static let agentPort: UInt16 = 4096
    package static let usualEditorPort: UInt16 = 7681

    /// The image of the editor, and the port that it is told to listen on.
    package struct Editor: Sendable {
        package var image: String
        package var port: UInt16

        package init(image: String, port: UInt16) {
            self.image = image
            self.port = port
        }
    }
}
