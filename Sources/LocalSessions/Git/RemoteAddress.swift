import Glibc
import HTTPClient
import Sessions

/// The addresses that a repository's host has and that may be asked; git is then pinned to exactly these.
///
/// Between our look and git's own the name may be made to answer differently (DNS rebinding), hence the pin. It binds
/// http and https only, and only where no proxy of the environment resolves names in our stead.
struct RemoteAddresses: Sendable {
    /// git's setting that keeps it from resolving the host again; nil where there is nothing to resolve.
    let pin: String?

    /// The pin as git's `-c` takes it.
    var settings: [String] { pin.map { ["http.curloptResolve=\($0)"] } ?? [] }

    /// Resolves the host and judges every address; one that is not permitted refuses the repository.
    static func judge(
        _ url: RepositoryURL, allowsPrivate: Bool, timeout: Duration
    ) async throws(SessionFailure) -> RemoteAddresses {
        guard url.scheme != "file" else { return RemoteAddresses(pin: nil) }
        let host = url.host.hasPrefix("[") ? String(url.host.dropFirst().dropLast()) : url.host
        let policy: AddressPolicy = allowsPrivate ? .publicAndPrivate : .publicOnly
        if let address = IPAddress(host) {
            guard policy.permits(address) else { throw refused(url, address) }
            return RemoteAddresses(pin: nil)
        }
        let addresses: [IPAddress]
        switch await answer(for: host, within: timeout) {
        case nil: throw GitProgram.cancelled
        case .success(let found): addresses = found
        case .failure(let problem):
            throw SessionFailure(
                code: "host_not_found",
                message: "The repository's host \(host) cannot be found: \(problem.reason).",
                hint: "Check the address for typing errors, and whether this machine can resolve names.")
        }
        // One forbidden address among good ones is enough: which one git would take is not ours to choose.
        for address in addresses where !policy.permits(address) { throw refused(url, address) }
        let port = url.port ?? (url.scheme == "https" ? 443 : 80)
        let list = addresses.map { address in
            if case .v6 = address { "[\(address)]" } else { "\(address)" }
        }
        return RemoteAddresses(pin: "\(host):\(port):\(list.joined(separator: ","))")
    }

    private static func refused(_ url: RepositoryURL, _ address: IPAddress) -> SessionFailure {
        SessionFailure(
            code: "repository_address_refused",
            message: "The repository's host \(url.host) is not a public one (\(address), \(address.scope.rawValue)).",
            hint: "Use a repository on a public host, or ask the operator to set ALLOW_PRIVATE_REPO_ADDRESSES.")
    }

    private struct ResolverProblem: Error { var reason: String }

    /// What the resolver says; nil if this task is cancelled before. The resolver itself cannot be hurried: a thread
    /// that nobody waits for any more ends when it does.
    private static func answer(
        for host: String, within limit: Duration
    ) async -> Result<[IPAddress], ResolverProblem>? {
        let answer = OneShot<Result<[IPAddress], ResolverProblem>>()
        Task.detached { answer.fulfil(await onOwnThread { resolve(host) }) }
        let timer = Task {
            try await Task.sleep(for: limit)
            answer.fulfil(.failure(ResolverProblem(reason: "the name server does not answer")))
        }
        defer { timer.cancel() }
        return await answer.wait()
    }

    private static func resolve(_ host: String) -> Result<[IPAddress], ResolverProblem> {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_family = AF_UNSPEC
        var list: UnsafeMutablePointer<addrinfo>?
        let error = getaddrinfo(host, nil, &hints, &list)
        guard error == 0 else { return .failure(ResolverProblem(reason: String(cString: gai_strerror(error)))) }
        defer { freeaddrinfo(list) }
        var addresses: [IPAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            let address: IPAddress? =
                switch entry.ai_family {
                case AF_INET:
                    entry.ai_addr.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { pointer in
                        withUnsafeBytes(of: pointer.pointee.sin_addr) { IPAddress(networkOrder: $0) }
                    }
                case AF_INET6:
                    entry.ai_addr.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { pointer in
                        withUnsafeBytes(of: pointer.pointee.sin6_addr) { IPAddress(networkOrder: $0) }
                    }
                default: nil
                }
            if let address, !addresses.contains(address) { addresses.append(address) }
        }
        return addresses.isEmpty ? .failure(ResolverProblem(reason: "it has no address")) : .success(addresses)
    }
}
