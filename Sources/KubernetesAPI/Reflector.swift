internal import FoundationEssentials
internal import HTTPClient

/// What a reflector tells of its kind, in order.
package enum ReflectorEvent<Object: KubernetesObject>: Sendable {
    /// All there is; first, and after every gap.
    case listed([Object])
    /// Made or changed.
    case changed(Object)
    case removed(Object)
    /// Attempts fail; what was told may be out of date.
    case lost(KubernetesError)
    /// The watch goes on where it stopped: nothing was missed.
    case resumed
}

/// How long a watch may last and how its silence is judged.
package struct WatchPatience: Hashable, Sendable {
    /// A watch is asked to last between so many seconds and half as many more.
    package var seconds: Int
    /// A server that has not ended its watch so long after that is dead.
    package var grace: Duration
    /// So long the server may take to accept a watch.
    package var answer: Duration

    package init(seconds: Int = 28, grace: Duration = .seconds(5), answer: Duration = .seconds(10)) {
        self.seconds = seconds
        self.grace = grace
        self.answer = answer
    }
}

/// Follows all objects of a kind: lists, watches, and begins again when the server says so.
///
/// A connection that is silent for longer than a watch may last is dead. With the usual patience a half-open one is
/// noticed and told of within a minute: 42 seconds, 5 of grace, 10 for the next attempt.
package struct Reflector<Object: KubernetesObject>: Sendable {
    private let client: KubernetesClient
    private let selector: ObjectSelector
    private let patience: WatchPatience
    private let random: @Sendable () -> Double

    package init(
        _ client: KubernetesClient, selector: ObjectSelector, patience: WatchPatience = WatchPatience(),
        random: @escaping @Sendable () -> Double = { Double.random(in: 0...1) }
    ) {
        self.client = client
        self.selector = selector
        self.patience = patience
        self.random = random
    }

    /// Follows until the task is cancelled.
    package func run(_ tell: @escaping @Sendable (ReflectorEvent<Object>) async -> Void) async {
        var state = WatchState()
        var page: [Object] = []
        var isLost = false
        while !Task.isCancelled {
            let pause = state.pause(jitter: random())
            if pause > .zero {
                do { try await Task.sleep(for: pause) } catch { return }
            }
            await client.doorstep.turn()
            do throws(KubernetesError) {
                switch state.action {
                case .list(let token):
                    if token == nil { page = [] }
                    let list = try await client.call(
                        .list(
                            Object.resource, namespace: client.namespace, selector: selector, continuing: token),
                        as: ObjectList<Object>.self)
                    page += list.items
                    state.listed(version: list.metadata.resourceVersion, continuing: list.metadata.continue)
                    if case .watch = state.action {
                        isLost = false
                        await tell(.listed(page))
                        page = []
                    }
                case .watch(let version):
                    try await watch(from: version, &state, &isLost, tell)
                }
            } catch {
                if case .cancelled = error.cause { return }
                state.failed(status: error.status, retryAfter: error.retryAfter)
                // One failure may be a restart; 410 is no failure of sight.
                if error.status != 410, state.failuresInARow >= 2 || !error.isPassing, !isLost {
                    isLost = true
                    await tell(.lost(error))
                }
            }
        }
    }

    private func watch(
        from version: String, _ state: inout WatchState, _ isLost: inout Bool,
        _ tell: @Sendable (ReflectorEvent<Object>) async -> Void
    ) async throws(KubernetesError) {
        let seconds = patience.seconds + Int(random() * Double(patience.seconds) / 2)
        let request = KubernetesRequest.watch(
            Object.resource, namespace: client.namespace, selector: selector, from: version, seconds: seconds)
        let body = try await client.stream(
            request, silence: .seconds(seconds) + patience.grace, answer: patience.answer)
        let begin = ContinuousClock.now
        state.opened()
        if isLost {
            isLost = false
            await tell(.resumed)
        }
        var splitter = LineSplitter()
        var end = WatchEnd.complete
        reading: while true {
            let piece: [UInt8]?
            // Whatever ends the connection, the version of the last line is where to go on.
            do throws(HTTPClientError) { piece = try await body.next() } catch {
                if case .cancelled = error.cause { throw KubernetesError(request, .cancelled) }
                if case .timedOut = error.cause { end = .silent } else { end = .broken }
                break
            }
            guard let piece else { break }
            guard let lines = splitter.lines(adding: piece) else {
                _ = state.received(.malformed)
                end = .malformed
                break
            }
            for line in lines {
                let (kind, event) = WatchLine<Object>.read(line)
                let goesOn = state.received(kind)
                if let event { await tell(event) }
                guard goesOn else {
                    if case .error = kind { end = .error } else { end = .malformed }
                    break reading
                }
            }
        }
        state.ended(after: begin.duration(to: .now), inSilence: end == .silent)
        client.observer.watchEnded(Object.resource, end)
    }
}

/// One line of a watch.
enum WatchLine<Object: KubernetesObject> {
    private struct Head: Decodable { var type: String }
    private struct Body<Content: Decodable>: Decodable { var object: Content }
    private struct Bare: Decodable { var metadata: ObjectMeta? }

    /// What the line means for the state, and what it tells.
    static func read(_ line: [UInt8]) -> (WatchState.Line, ReflectorEvent<Object>?) {
        let data = Data(line)
        let decoder = JSONDecoder()
        guard let head = try? decoder.decode(Head.self, from: data) else { return (.malformed, nil) }
        switch head.type {
        case "ADDED", "MODIFIED", "DELETED":
            guard let object = try? decoder.decode(Body<Object>.self, from: data).object else {
                return (.malformed, nil)
            }
            let isGone = head.type == "DELETED"
            return (
                .object(version: object.metadata.resourceVersion), isGone ? .removed(object) : .changed(object)
            )
        case "BOOKMARK":
            guard let bare = try? decoder.decode(Body<Bare>.self, from: data).object else { return (.malformed, nil) }
            return (.object(version: bare.metadata?.resourceVersion), nil)
        case "ERROR":
            let status = try? decoder.decode(Body<StatusDocument>.self, from: data).object
            return (.error(code: status?.code), nil)
        default: return (.unknown, nil)
        }
    }
}
