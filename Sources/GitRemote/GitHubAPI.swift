import FoundationEssentials
package import HTTPClient

/// A repository that a user may choose from, in the shape our own API gives it out.
package struct RemoteRepository: Codable, Equatable, Sendable {
    package var name: String
    package var fullName: String
    /// Its page, which is also the address to clone from.
    package var url: String
    package var isPrivate: Bool
    package var defaultBranch: String?

    package init(name: String, fullName: String, url: String, isPrivate: Bool, defaultBranch: String?) {
        self.name = name
        self.fullName = fullName
        self.url = url
        self.isPrivate = isPrivate
        self.defaultBranch = defaultBranch
    }
}

/// A branch in the shape our own API gives it out.
package struct RemoteBranch: Codable, Equatable, Sendable {
    package var name: String

    package init(name: String) { self.name = name }
}

/// The few questions we put to GitHub's REST API, all pages of their answers.
package struct GitHubAPI: Sendable {
    private let client: HTTPClient
    private let base: HTTPURL

    /// Pages of a hundred entries that are read at most.
    private static let maximumPages = 51
    private static let pageBytes = 8 << 20
    private static let time = Duration.seconds(30)

    /// `base` is where the API lives, `https://api.github.com` or `https://HOST/api/v3`; the operator chooses it, so its
    /// address may be any.
    package init(client: HTTPClient, base: HTTPURL = try! HTTPURL("https://api.github.com")) {
        self.client = client
        self.base = base
    }

    /// The repositories that this token may read, the ones changed last first.
    package func repositories(token: String) async throws(GitRemoteError) -> [RemoteRepository] {
        struct Entry: Decodable {
            var name: String
            var full_name: String
            var html_url: String
            var `private`: Bool
            var default_branch: String?
        }
        let entries: [Entry] = try await pages("/user/repos?per_page=100&sort=updated", token: token)
        return entries.map {
            RemoteRepository(
                name: $0.name, fullName: $0.full_name, url: $0.html_url, isPrivate: $0.private,
                defaultBranch: $0.default_branch)
        }
    }

    /// The branches of `owner/name`.
    package func branches(of repository: String, token: String) async throws(GitRemoteError) -> [RemoteBranch] {
        guard Self.isRepositoryName(repository) else {
            throw GitRemoteError("", .invalidAddress(.deceptivePath))
        }
        return try await pages("/repos/\(repository)/branches?per_page=100", token: token)
    }

    /// Two parts of letters, digits, `-`, `_` and `.`, none of which climbs.
    static func isRepositoryName(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2
            && parts.allSatisfy { part in
                part != "." && part != ".." && (1...100).contains(part.utf8.count)
                    && part.utf8.allSatisfy {
                        ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A)
                            || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
                    }
            }
    }

    /// All entries of a list, page after page as the Link fields say.
    private func pages<Entry: Decodable>(_ target: String, token: String) async throws(GitRemoteError) -> [Entry] {
        var path = base.path
        while path.last == "/" { path.removeLast() }
        do throws(GitRemoteError.Reason) {
            let first: HTTPURL
            do { first = try HTTPURL(origin: base.origin, target: path + target) } catch {
                throw .invalidAddress(.url(error))
            }
            var next: HTTPURL? = first
            var entries: [Entry] = []
            let started = ContinuousClock.now
            for _ in 0..<Self.maximumPages {
                guard let url = next else { break }
                let left = Self.time - started.duration(to: .now)
                guard left > .zero else { throw .timedOut }
                let page = try await page(url, token: token, time: left)
                guard let decoded = try? JSONDecoder().decode([Entry].self, from: Data(page.body)) else {
                    throw .unexpectedStatus(page.status)
                }
                entries += decoded
                next = page.head["Link"].flatMap { LinkField.next(in: $0, at: url) }
            }
            return entries
        } catch {
            throw GitRemoteError("\(base.origin)", error)
        }
    }

    private func page(_ url: HTTPURL, token: String, time: Duration) async throws(GitRemoteError.Reason)
        -> CollectedResponse
    {
        var request = ClientRequest(
            .get, url,
            fields: [
                ClientField("Authorization", "Bearer \(token)"), ClientField("Accept", "application/vnd.github+json"),
                ClientField("X-GitHub-Api-Version", "2022-11-28"),
            ])
        request.timeouts = ClientTimeouts(total: time)
        // A renamed repository answers with its permanent address on the same server.
        request.redirects = .sameOrigin(maximum: 3)
        let response: CollectedResponse
        do { response = try await client.collect(request, limit: Self.pageBytes) } catch {
            // What cannot stand in a field is no token.
            if case .invalidField = error.cause { throw .authenticationRequired }
            throw GitRemoteError.Reason(error, host: url.origin.host)
        }
        guard response.status == 200 else {
            // GitHub says 403 for both; only one of them passes by itself.
            let isLimited = response.head["X-RateLimit-Remaining"] == "0" || response.head["Retry-After"] != nil
            if response.status == 403, isLimited { throw .rateLimited }
            throw GitRemoteError.Reason(status: response.status)
        }
        return response
    }
}

/// The Link field (RFC 8288), as far as pagination needs it.
enum LinkField {
    /// The target with `rel="next"`; nil if there is none or it leads to another server, which must not get the token.
    static func next(in value: String, at url: HTTPURL) -> HTTPURL? {
        for link in value.split(separator: ",") {
            let parts = link.split(separator: ";").map { $0.trimmingPrefix { $0 == " " } }
            guard let target = parts.first, target.hasPrefix("<"), target.hasSuffix(">"),
                parts.dropFirst().contains(where: { $0 == "rel=\"next\"" || $0 == "rel=next" }),
                let next = try? url.resolving(String(target.dropFirst().dropLast())), next.origin == url.origin
            else { continue }
            return next
        }
        return nil
    }
}
