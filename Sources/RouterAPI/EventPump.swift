import Sessions
import Synchronization

/// One event of an event stream (WHATWG HTML §9.2).
struct ServerSentEvent: Sendable {
    var name: String
    /// Written on one line: JSON of ours has no line breaks.
    var data: JSON

    /// A comment that keeps the connection and tells the reader that it lives.
    static let ping = Array(": ping\n\n".utf8)

    func write(to output: inout [UInt8]) {
        output.append(contentsOf: "event: \(name)\ndata: ".utf8)
        data.write(to: &output)
        output.append(contentsOf: "\n\n".utf8)
    }
}

/// Says what a reader has to be told, given what it was told before.
protocol EventSource: Sendable {
    /// What the events are about.
    associatedtype State: Sendable
    /// The events that bring the reader up to this state; none if it is.
    mutating func events(for state: State) -> [ServerSentEvent]
    /// Whether the last event has been told.
    var hasEnded: Bool { get }
    /// The least time between two pieces; what happens meanwhile is told as one state. None unless said otherwise.
    var pace: Duration { get }
}

extension EventSource {
    var pace: Duration { .zero }
}

/// Feeds one event stream: the reader pulls, and gets what changed since it last did.
///
/// Nothing queues up for a slow reader, and nothing is asked on a timer: updates wake the pump.
actor EventPump<Source: EventSource> {
    private let wakes: AsyncStream<Void>
    private let newest: Newest<Source.State>
    private let pingIsDue: PingFlag
    private let feeder: Task<Void, Never>
    private var source: Source
    private var toldAt: ContinuousClock.Instant?

    /// - Parameter updates: the present state at once, and then after each change; its end ends the stream.
    init(_ source: Source, _ updates: AsyncStream<Source.State>, pingInterval: Duration) {
        let (wakes, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let flag = PingFlag()
        let newest = Newest<Source.State>()
        self.source = source
        self.wakes = wakes
        self.newest = newest
        pingIsDue = flag
        feeder = Task {
            await withTaskGroup { group in
                group.addTask {
                    for await state in updates {
                        newest.put(state)
                        continuation.yield()
                    }
                    continuation.finish()
                }
                group.addTask {
                    while (try? await Task.sleep(for: pingInterval)) != nil {
                        flag.raise()
                        continuation.yield()
                    }
                }
                await group.next()
                group.cancelAll()
            }
        }
    }

    deinit { feeder.cancel() }

    /// The next piece; nil at the end.
    func next() async -> [UInt8]? {
        guard !source.hasEnded else { return nil }
        for await _ in wakes {
            if source.pace > .zero, let toldAt {
                try? await Task.sleep(until: toldAt.advanced(by: source.pace), clock: .continuous)
            }
            if let bytes = pending() { return bytes }
            if pingIsDue.take() { return ServerSentEvent.ping }
        }
        // The updates have ended, and a last state may not have been told.
        return Task.isCancelled ? nil : pending()
    }

    private func pending() -> [UInt8]? {
        guard !source.hasEnded, let state = newest.state else { return nil }
        let events = source.events(for: state)
        guard !events.isEmpty else { return nil }
        toldAt = .now
        var bytes: [UInt8] = []
        for event in events { event.write(to: &bytes) }
        return bytes
    }
}

/// The newest state that was told.
private final class Newest<State: Sendable>: Sendable {
    private let stored = Mutex<State?>(nil)
    var state: State? { stored.withLock { $0 } }
    func put(_ state: State) { stored.withLock { $0 = state } }
}

/// Whether the time for a ping has come; set by a timer, taken by the pump.
private final class PingFlag: Sendable {
    private let raised = Mutex(false)
    func raise() { raised.withLock { $0 = true } }
    func take() -> Bool {
        raised.withLock { raised in
            defer { raised = false }
            return raised
        }
    }
}
