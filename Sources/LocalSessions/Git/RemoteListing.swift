import Sessions

/// What a remote says about its branches.
struct RemoteListing: Hashable, Sendable {
    /// The address that answered: the one asked for, or where it redirects to.
    var url: RepositoryURL
    /// git's setting that pins the host's addresses, if there is something to pin.
    var pin: [String]
    /// Branch names found.
    var branches: Set<String>
    /// Whether there is no commit at all yet.
    var isEmpty: Bool
}

extension RemoteListing {
    /// Redirects that are followed, each judged like the first address.
    private static let longestChain = 5

    /// Asks the remote for its branches, following redirects itself.
    ///
    /// git follows none (`http.followRedirects=false`): it would take the judged, pinned addresses of one host for leave
    /// to go to any other. Where it was sent is read from curl's trace, put through the same rules, and asked in turn.
    static func ask(
        _ address: String, settings: LocalSessionSettings, git: GitProgram, folder: SessionFolder
    ) async throws(SessionFailure) -> RemoteListing {
        let trace = folder.path + "/init.trace"
        var address = address
        for _ in 0...longestChain {
            let url = try check(address, settings.repositories)
            let target = try await RemoteAddresses.judge(
                url, allowsPrivate: settings.allowsPrivateRepositoryAddresses, timeout: settings.remoteTimeout)
            SmallFile.remove(trace)
            defer { SmallFile.remove(trace) }
            let answer = try await git.run(
                ["ls-remote", "--heads", "--quiet", "--", url.text], settings: target.settings, in: folder.path,
                timeout: settings.remoteTimeout, tracing: trace)
            let exchange = CurlTrace(SmallFile.read(trace, limit: 4 << 20) ?? [])
            if !answer.isSuccess, let location = exchange.location {
                address = try redirect(from: url, to: location, cause: git.cause(of: answer))
                git.log?.append(line: "redirected to \(address)")
                continue
            }
            guard answer.isSuccess else { throw git.cause(of: answer) }
            // A web page is read by git as the listing of an old, "dumb" server without branches.
            if answer.output.isEmpty, url.scheme.hasPrefix("http"), !exchange.isFromGit {
                throw SessionFailure(
                    code: "repository_not_found", message: "\(url.text) answers, but not as a git repository.",
                    hint: "Use the address that \"git clone\" would take.")
            }
            return RemoteListing(
                url: url, pin: target.settings, branches: branches(in: answer.output),
                isEmpty: answer.output.isEmpty)
        }
        throw SessionFailure(
            code: "repository_moved", message: "\(address) redirects too many times.",
            hint: "Open it in a browser and use the address it ends at.")
    }

    /// Puts an address through the rules for repository addresses.
    static func check(_ address: String, _ policy: RepositoryURLPolicy) throws(SessionFailure) -> RepositoryURL {
        do throws(RepositoryURLProblem) {
            return try policy.check(address)
        } catch {
            let code =
                switch error {
                case .schemeNotAllowed: "repository_scheme_refused"
                case .hostNotAllowed: "repository_host_refused"
                default: "repository_url_invalid"
                }
            throw SessionFailure(code: code, message: error.message, hint: "Use another address for the repository.")
        }
    }

    /// Branch names in the answer of ls-remote: `<oid>\t<ref>` lines.
    static func branches(in output: String) -> Set<String> {
        let prefix = "refs/heads/"
        return Set(
            output.split(separator: "\n").compactMap { line in
                guard let tab = line.firstIndex(of: "\t") else { return nil }
                let ref = line[line.index(after: tab)...]
                return ref.hasPrefix(prefix) ? String(ref.dropFirst(prefix.count)) : nil
            })
    }

    /// The repository's address behind a redirect of its `info/refs`; `cause` is thrown if there is none.
    static func redirect(
        from url: RepositoryURL, to location: String, cause: SessionFailure
    ) throws(SessionFailure) -> String {
        let absolute: String
        if location.contains("://") {
            absolute = location
        } else if location.hasPrefix("//") {
            absolute = "\(url.scheme):\(location)"
        } else if location.hasPrefix("/") {
            absolute = "\(url.scheme)://\(url.host)\(url.port.map { ":\($0)" } ?? "")\(location)"
        } else {
            throw cause
        }
        let suffix = "/info/refs?service=git-upload-pack"
        // A redirect to a sign-in page or a start page says nothing about where the repository is.
        guard absolute.hasSuffix(suffix) else { throw cause }
        let base = String(absolute.dropLast(suffix.utf8.count))
        guard url.scheme != "https" || !base.lowercased().hasPrefix("http://") else {
            throw SessionFailure(
                code: "repository_moved", message: "\(url.text) redirects to an address without encryption.",
                hint: "Use an https address that does not redirect.")
        }
        return base
    }
}

/// What curl's trace tells about the answers of a server.
struct CurlTrace: Sendable {
    /// The last Location field.
    private(set) var location: String?
    /// Whether an answer had one of git's own content types.
    private(set) var isFromGit = false

    init(_ bytes: [UInt8]) {
        for line in bytes.split(separator: 0x0A) {
            let line = String(decoding: line, as: UTF8.self)
            guard let start = line.firstRange(of: "<= Recv header: ")?.upperBound else { continue }
            let field = line[start...]
            guard let colon = field.firstIndex(of: ":") else { continue }
            let value = field[field.index(after: colon)...].drop { $0 == " " }
            switch field[..<colon].lowercased() {
            case "location": location = String(value.prefix { !$0.isWhitespace })
            case "content-type": isFromGit = isFromGit || value.hasPrefix("application/x-git-")
            default: break
            }
        }
    }
}
