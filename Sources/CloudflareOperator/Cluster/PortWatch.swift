internal import FoundationEssentials
internal import HTTPClient
internal import KubernetesAPI
internal import Logging
internal import Sessions
internal import Synchronization

/// Which ports the running sessions listen on, as the router tells.
final class PortWatch: Sendable {
    private struct Answer: Decodable { var ports: [Int] }

    private struct Known {
        /// The pod that the ports are of.
        var uid: String
        var ports: Set<Int>
    }

    private let source: OperatorSettings.PortSource
    private let http: HTTPClient
    private let logger: Logger
    private let known = Mutex<[SessionID: Known]>([:])
    private let failing = Mutex(false)

    private static let width = 8

    init(_ source: OperatorSettings.PortSource, _ http: HTTPClient, _ logger: Logger) {
        self.source = source
        self.http = http
        self.logger = logger
    }

    var ports: [SessionID: Set<Int>] { known.withLock { $0.mapValues(\.ports) } }

    /// Asks about all running sessions once; true if something changed.
    ///
    /// What cannot be asked keeps its ports: a router that restarts takes no host away.
    func ask(_ running: [SessionID: String]) async -> Bool {
        let before = ports
        known.withLock { known in known = known.filter { running[$0.key] == $0.value.uid } }
        let failures = await inParallel(Array(running), width: Self.width) { id, uid -> String? in
            switch await self.ask(id) {
            case .success(let ports):
                self.known.withLock { $0[id] = Known(uid: uid, ports: ports) }
                return nil
            case .failure(let problem): return problem.sentence
            }
        }.compactMap { $0 }
        let isFailing = !failures.isEmpty
        if isFailing
            != failing.withLock({ old in
                defer { old = isFailing }
                return old
            })
        {
            if let first = failures.first {
                logger.warning(
                    "the router does not tell ports", metadata: ["reason": "\(first)", "sessions": "\(failures.count)"])
            } else {
                logger.notice("the router tells ports again")
            }
        }
        return ports != before
    }

    private struct Problem: Error { var sentence: String }

    private func ask(_ id: SessionID) async -> Result<Set<Int>, Problem> {
        let path = source.router.path.hasSuffix("/") ? source.router.path.dropLast() : source.router.path
        guard let url = try? HTTPURL(origin: source.router.origin, target: "\(path)/api/sessions/\(id)/ports") else {
            return .failure(Problem(sentence: "ROUTER_ADMIN_URL is no URL that can be asked"))
        }
        do throws(HTTPClientError) {
            var request = ClientRequest(.get, url, fields: [ClientField("X-Admin-Secret", source.secret)])
            request.authority = source.host
            request.timeouts.total = .seconds(5)
            let answer = try await http.collect(request, limit: 64 << 10)
            guard answer.status == 200 else {
                return .failure(Problem(sentence: "\(url) as \(source.host): \(answer.status)"))
            }
            guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(answer.body)) else {
                return .failure(Problem(sentence: "\(url): the answer is no list of ports"))
            }
            return .success(source.allowed.intersection(answer.ports))
        } catch {
            return .failure(Problem(sentence: "\(error)"))
        }
    }
}

/// Runs `body` for every element, so many at a time; results come in any order.
func inParallel<Element: Sendable, Result: Sendable>(
    _ elements: [Element], width: Int, _ body: @escaping @Sendable (Element) async -> Result
) async -> [Result] {
    await withTaskGroup(of: Result.self) { group in
        var rest = elements[...]
        for _ in 0..<width {
            if let element = rest.popFirst() { group.addTask { await body(element) } }
        }
        var results: [Result] = []
        while let result = await group.next() {
            results.append(result)
            if let element = rest.popFirst() { group.addTask { await body(element) } }
        }
        return results
    }
}
