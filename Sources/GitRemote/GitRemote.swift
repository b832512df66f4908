package import HTTPClient

/// Asks git servers which branches a repository has, by smart HTTP.
///
/// Protocol version 2 first; servers that do not know it answer with version 0 at once. Redirects are followed for the
/// first question only, as git does. The user's token goes to the server it belongs to and is left out after any
/// redirect to another one. Every connection goes to an address that the policy permits.
package struct GitRemote: Sendable {
    /// Which repositories may be asked.
    package struct Configuration: Sendable {
        package var schemes: Set<HTTPScheme> = [.https]
        /// Whether a repository at this address may be asked; also put to every address that a redirect leads to.
        package var isAllowed: @Sendable (GitURL) -> Bool = { _ in true }
        package var addresses = AddressPolicy.publicOnly
        package var tokens = TokenPolicy.github

        package init() {}
    }

    /// The bounds of one question.
    package struct Limits: Sendable {
        /// Bytes of all answers together.
        package var bytes = 16 << 20
        package var branches = 20_000
        package var redirects = 5
        package var time = Duration.seconds(10)

        package init() {}
    }

    private let client: HTTPClient
    private let configuration: Configuration

    /// Some servers speak git only to what calls itself git (GitHub's gists, Bitbucket).
    static let userAgent = "git/2.43.0 (opencode-router)"

    package init(client: HTTPClient, configuration: Configuration = Configuration()) {
        self.client = client
        self.configuration = configuration
    }

    /// The branches and the default branch of the repository at this address.
    package func branches(
        of address: String, credentials: GitCredentials? = nil, limits: Limits = Limits()
    ) async throws(GitRemoteError) -> RemoteBranches {
        let repository: GitURL
        do { repository = try GitURL(address) } catch { throw GitRemoteError("", .invalidAddress(error)) }
        return try await branches(of: repository, credentials: credentials, limits: limits)
    }

    /// The branches and the default branch of this repository.
    package func branches(
        of repository: GitURL, credentials: GitCredentials? = nil, limits: Limits = Limits()
    ) async throws(GitRemoteError) -> RemoteBranches {
        var question = Question(
            client: client, configuration: configuration, limits: limits, credentials: credentials,
            repository: repository)
        do {
            return try await question.answer()
        } catch {
            throw GitRemoteError("\(repository)", error)
        }
    }
}

/// One question to one remote, with what is left of its limits.
private struct Question {
    let client: HTTPClient
    let configuration: GitRemote.Configuration
    let limits: GitRemote.Limits
    let credentials: GitCredentials?
    /// Where the repository is, as far as redirects have told.
    var repository: GitURL
    /// The server that was asked first; no other one gets the token.
    let firstOrigin: HTTPOrigin
    let started = ContinuousClock.now
    var bytesLeft: Int

    init(
        client: HTTPClient, configuration: GitRemote.Configuration, limits: GitRemote.Limits,
        credentials: GitCredentials?, repository: GitURL
    ) {
        self.client = client
        self.configuration = configuration
        self.limits = limits
        self.credentials = credentials
        self.repository = repository
        firstOrigin = repository.base.origin
        bytesLeft = limits.bytes
    }

    mutating func answer() async throws(GitRemoteError.Reason) -> RemoteBranches {
        let response = try await discover()
        guard response.head.hasType("application/x-git-upload-pack-advertisement") else { throw .notARepository }
        var advertisement = RefAdvertisement(maximumReferences: limits.branches)
        try await read(response.body) { packet throws(AdvertisementProblem) in
            try advertisement.consume(packet)
            // References come sorted (gitprotocol-pack), and pull requests behind them may be megabytes.
            return advertisement.isPastBranches ? .enough : advertisement.isComplete ? .complete : .more
        }
        guard let capabilities = advertisement.capabilities else { return advertisement.branches }
        guard capabilities.hasListReferences else { throw .notARepository }
        return try await list(capabilities)
    }

    /// Asks for the advertisement, wherever redirects move the repository.
    private mutating func discover() async throws(GitRemoteError.Reason) -> ClientResponse {
        var redirects = 0
        var triedSuffix = false
        while true {
            try checkRepository()
            let response = try await send(ClientRequest(.get, repository.discovery, fields: fields()))
            switch response.status {
            case 200:
                return response
            case 301, 302, 303, 307, 308:
                redirects += 1
                guard redirects <= limits.redirects else { throw .tooManyRedirects }
                guard let location = response.head["Location"],
                    let next = try? repository.discovery.resolving(location),
                    let moved = GitURL(discoveredAt: next)
                else { throw .refusedRedirect }
                if repository.base.origin.scheme == .https, moved.base.origin.scheme == .http {
                    throw .insecureRedirect
                }
                repository = moved
            case 404 where !triedSuffix:
                triedSuffix = true
                guard let suffixed = repository.withSuffix else { throw .notFound }
                repository = suffixed
            default:
                throw GitRemoteError.Reason(status: response.status)
            }
        }
    }

    /// Version 2: asks for HEAD and the branches.
    private mutating func list(_ capabilities: ServerCapabilities) async throws(GitRemoteError.Reason) -> RemoteBranches
    {
        let type = "application/x-git-upload-pack-"
        var request = ClientRequest(
            .post, repository.uploadPack,
            fields: fields(accept: "\(type)result") + [ClientField("Content-Type", "\(type)request")],
            body: ReferenceList.request(capabilities))
        // A question, whatever its method: the connection of the first one will do.
        request.isRepeatable = true
        let response = try await send(request)
        guard response.status == 200 else { throw GitRemoteError.Reason(status: response.status) }
        guard response.head.hasType("\(type)result") else { throw .notARepository }
        var list = ReferenceList(maximumReferences: limits.branches)
        try await read(response.body) { packet throws(AdvertisementProblem) in
            try list.consume(packet)
            return list.isComplete ? .complete : .more
        }
        return list.branches
    }

    private func checkRepository() throws(GitRemoteError.Reason) {
        let origin = repository.base.origin
        guard configuration.schemes.contains(origin.scheme) else { throw .schemeNotAllowed(origin.scheme.rawValue) }
        guard configuration.isAllowed(repository) else { throw .hostNotAllowed("\(origin.host)") }
    }

    private func fields(accept: String = "*/*") -> [ClientField] {
        var fields = [
            ClientField("User-Agent", GitRemote.userAgent), ClientField("Accept", accept),
            ClientField("Git-Protocol", "version=2"), ClientField("Pragma", "no-cache"),
        ]
        let origin = repository.base.origin
        if origin == firstOrigin, let field = configuration.tokens.authorization(credentials, for: origin) {
            fields.append(field)
        }
        return fields
    }

    private func send(_ request: ClientRequest) async throws(GitRemoteError.Reason) -> ClientResponse {
        var request = request
        let left = limits.time - started.duration(to: .now)
        guard left > .zero else { throw .timedOut }
        request.timeouts = ClientTimeouts(connect: min(left, .seconds(3)), head: left, idle: left, total: left)
        request.addresses = configuration.addresses
        do {
            return try await client.send(request)
        } catch {
            throw GitRemoteError.Reason(error, host: request.url.origin.host)
        }
    }

    private enum Progress { case more, complete, enough }

    /// Cuts a body into packets until `consume` has what it needs; nothing may follow a complete answer.
    private mutating func read(
        _ body: ClientBody, _ consume: (Packet) throws(AdvertisementProblem) -> Progress
    ) async throws(GitRemoteError.Reason) {
        var packets = PacketLines()
        var progress = Progress.more
        while true {
            let piece: [UInt8]?
            do { piece = try await body.next() } catch {
                throw GitRemoteError.Reason(error, host: repository.base.origin.host)
            }
            guard let piece else { break }
            bytesLeft -= piece.count
            guard bytesLeft >= 0 else { throw .tooLarge }
            packets.append(piece)
            do throws(AdvertisementProblem) {
                while let packet = try packets.nextPacket() {
                    progress = try consume(packet)
                    if progress == .enough { return }
                }
            } catch {
                throw GitRemoteError.Reason(error)
            }
        }
        guard progress == .complete, packets.isAtBoundary else { throw .notARepository }
    }
}

extension PacketLines {
    fileprivate mutating func nextPacket() throws(AdvertisementProblem) -> Packet? {
        do { return try next() } catch { throw .packet(error) }
    }
}

extension ClientResponseHead {
    /// Whether the body is said to be of this type, parameters aside.
    func hasType(_ type: String) -> Bool {
        guard let value = self["Content-Type"] else { return false }
        return value.prefix { $0 != ";" && $0 != " " }.lowercased() == type
    }
}
