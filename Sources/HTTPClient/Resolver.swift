import Glibc
import LinuxIO

/// Host names to addresses by the system's resolver, on threads of its own, with a small memory.
///
/// getaddrinfo blocks for as long as it likes: each look-up has a thread, at most a few at once, and nobody waits longer
/// than it said it would.
actor Resolver {
    enum Failure: Error, Equatable {
        case timedOut
        case cancelled
        /// getaddrinfo's words.
        case unknownHost(String)
    }

    typealias Answer = Result<[IPAddress], Failure>

    private struct LookUp {
        var isRunning = false
        var waiters: [UInt64: CheckedContinuation<Answer, Never>] = [:]
    }

    /// How long an answer is used again; the resolver's own cache, if any, knows the record's time to live.
    private static let memory: UInt64 = 5_000
    private static let maximumThreads = 8
    private static let maximumRemembered = 256

    private var remembered: [String: (addresses: [IPAddress], until: Deadline)] = [:]
    private var lookUps: [String: LookUp] = [:]
    private var queue: [String] = []
    private var threads = 0
    private var lastWaiter: UInt64 = 0

    /// The addresses of a host in the system's order of preference, or why there are none.
    func addresses(of name: String, deadline: Deadline) async -> Answer {
        if let known = remembered[name], known.until > .current() { return .success(known.addresses) }
        lastWaiter += 1
        let waiter = lastWaiter
        let timer =
            deadline == .never
            ? nil
            : Task {
                let now = Deadline.current().milliseconds
                let rest = deadline.milliseconds > now ? deadline.milliseconds - now : 0
                try await Task.sleep(for: .milliseconds(Int64(clamping: rest)))
                self.answer(waiter, of: name, .failure(.timedOut))
            }
        defer { timer?.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                lookUps[name, default: LookUp()].waiters[waiter] = continuation
                if Task.isCancelled { answer(waiter, of: name, .failure(.cancelled)) }
                begin(name)
            }
        } onCancel: {
            Task { await self.answer(waiter, of: name, .failure(.cancelled)) }
        }
    }

    private func answer(_ waiter: UInt64, of name: String, _ answer: Answer) {
        lookUps[name]?.waiters.removeValue(forKey: waiter)?.resume(returning: answer)
    }

    /// Starts a thread for this name, unless one is at work on it or there are too many.
    private func begin(_ name: String) {
        guard lookUps[name]?.isRunning == false else { return }
        guard threads < Self.maximumThreads else {
            if !queue.contains(name) { queue.append(name) }
            return
        }
        lookUps[name]?.isRunning = true
        threads += 1
        let work = Work(name: name, resolver: self)
        if !work.startThread() { finish(name, .failure(.unknownHost("no thread is left"))) }
    }

    fileprivate func finish(_ name: String, _ answer: Answer) {
        threads -= 1
        if case .success(let addresses) = answer { remember(addresses, of: name) }
        for waiter in lookUps.removeValue(forKey: name)?.waiters.values ?? [:].values {
            waiter.resume(returning: answer)
        }
        while threads < Self.maximumThreads, !queue.isEmpty {
            let next = queue.removeFirst()
            // Whoever asked may have given up meanwhile.
            if lookUps[next]?.waiters.isEmpty == true {
                lookUps[next] = nil
            } else {
                begin(next)
            }
        }
    }

    private func remember(_ addresses: [IPAddress], of name: String) {
        let now = Deadline.current()
        if remembered.count >= Self.maximumRemembered { remembered = remembered.filter { $0.value.until > now } }
        if remembered.count >= Self.maximumRemembered { remembered.removeAll() }
        remembered[name] = (addresses, now.advanced(milliseconds: Self.memory))
    }
}

/// One look-up on a thread of its own.
private final class Work: Sendable {
    let name: String
    let resolver: Resolver

    init(name: String, resolver: Resolver) {
        self.name = name
        self.resolver = resolver
    }

    func startThread() -> Bool {
        let retained = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                let work = Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue()
                let answer = work.ask()
                Task { await work.resolver.finish(work.name, answer) }
                return nil
            }, retained.toOpaque())
        guard result == 0 else {
            retained.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    private func ask() -> Resolver.Answer {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name, nil, &hints, &list)
        guard code == 0 else { return .failure(.unknownHost(String(cString: gai_strerror(code)))) }
        defer { freeaddrinfo(list) }
        var addresses: [IPAddress] = []
        var next = list
        while let entry = next?.pointee {
            if let address = IPAddress(entry), !addresses.contains(address) { addresses.append(address) }
            next = entry.ai_next
        }
        return addresses.isEmpty ? .failure(.unknownHost("no address")) : .success(addresses)
    }
}

extension IPAddress {
    fileprivate init?(_ entry: addrinfo) {
        switch entry.ai_family {
        case AF_INET:
            let address = UnsafeRawPointer(entry.ai_addr).loadUnaligned(as: sockaddr_in.self).sin_addr
            self = .v4(UInt32(bigEndian: address.s_addr))
        case AF_INET6:
            let address = UnsafeRawPointer(entry.ai_addr).loadUnaligned(as: sockaddr_in6.self).sin6_addr
            let value = withUnsafeBytes(of: address) { IPAddress(networkOrder: $0) }
            guard let value else { return nil }
            self = value
        default: return nil
        }
    }

    /// The kernel's form, with a port.
    func socketAddress(port: UInt16) -> SocketAddress {
        switch self {
        case .v4(let number): SocketAddress(ipv4: number, port: port)
        case .v6(let high, let low): SocketAddress(high: high, low: low, port: port)
        }
    }
}
