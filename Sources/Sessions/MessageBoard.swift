/// What is being said in the sessions: takes it from them, stores it a little later, and shows it to whoever looks.
///
/// It remembers a session only while somebody looks or something waits to be stored; everything else is in the store.
package actor MessageBoard {
    private struct Thread {
        var log: MessageLog
        /// Not stored yet, one for each name.
        var waiting: [ProgressEvent] = []
        var readers: [UInt64: AsyncStream<MessageLog>.Continuation] = [:]
        var isFlushing = false
    }

    private let store: any MessageStore
    private let pause: Duration
    private let report: @Sendable (SessionID, SessionRuntimeError) -> Void
    private var threads: [SessionID: Thread] = [:]
    private var nextReader: UInt64 = 0

    /// So often storing is tried before what waits is given up.
    private static let attempts = 5

    /// - Parameters:
    ///   - pause: how long what was said waits for more before it is stored.
    ///   - report: is told when something said could not be stored.
    package init(
        store: any MessageStore, pause: Duration = .seconds(2),
        report: @escaping @Sendable (SessionID, SessionRuntimeError) -> Void = { _, _ in }
    ) {
        self.store = store
        self.pause = pause
        self.report = report
    }

    /// Follows what other routers store, until the task is cancelled.
    package func run() async {
        for await (id, log) in store.messageChanges() {
            guard threads[id] != nil else { continue }
            show(log, of: id)
        }
    }

    /// Takes what a session told.
    package func take(_ event: ProgressEvent, of id: SessionID) async throws(SessionRuntimeError) {
        if threads[id] == nil {
            let log = try await store.messages(of: id)
            if threads[id] == nil { threads[id] = Thread(log: log) }
        }
        // A text that grows is told many times; only its newest waits.
        threads[id]?.waiting.removeAll { $0.name == event.name }
        threads[id]?.waiting.append(event)
        if let log = threads[id]?.log { show(log, of: id) }
        guard threads[id]?.isFlushing == false else { return }
        threads[id]?.isFlushing = true
        Task { await self.flush(id) }
    }

    /// What was said so far, and then again after every change; a slow reader gets the newest.
    package func updates(of id: SessionID) async throws(SessionRuntimeError) -> AsyncStream<MessageLog> {
        if threads[id] == nil {
            let log = try await store.messages(of: id)
            if threads[id] == nil { threads[id] = Thread(log: log) }
        }
        let (stream, continuation) = AsyncStream.makeStream(of: MessageLog.self, bufferingPolicy: .bufferingNewest(1))
        nextReader += 1
        let number = nextReader
        threads[id]?.readers[number] = continuation
        continuation.yield(threads[id]?.log ?? MessageLog())
        continuation.onTermination = { _ in Task { await self.leave(id, number) } }
        return stream
    }

    /// Stores everything that waits; for the end.
    package func flushAll() async {
        for id in threads.keys { await storeWaiting(of: id) }
    }

    private func leave(_ id: SessionID, _ reader: UInt64) {
        threads[id]?.readers[reader] = nil
        forgetIfUnused(id)
    }

    private func forgetIfUnused(_ id: SessionID) {
        guard let thread = threads[id], thread.readers.isEmpty, thread.waiting.isEmpty, !thread.isFlushing else {
            return
        }
        threads[id] = nil
    }

    /// Makes what is stored, with what waits, the thread that readers see.
    private func show(_ stored: MessageLog, of id: SessionID) {
        guard let thread = threads[id] else { return }
        var log = stored
        for event in thread.waiting { log.put(event) }
        threads[id]?.log = log
        guard log != thread.log else { return }
        for reader in thread.readers.values { reader.yield(log) }
    }

    private func flush(_ id: SessionID) async {
        for attempt in 1...Self.attempts {
            try? await Task.sleep(for: pause * attempt)
            if await storeWaiting(of: id) { break }
            if attempt == Self.attempts { threads[id]?.waiting = [] }
        }
        threads[id]?.isFlushing = false
        // Something came while the last of it was being stored.
        if threads[id]?.waiting.isEmpty == false {
            threads[id]?.isFlushing = true
            Task { await self.flush(id) }
        }
        forgetIfUnused(id)
    }

    /// Whether nothing that was waiting has still to be stored.
    @discardableResult
    private func storeWaiting(of id: SessionID) async -> Bool {
        guard let events = threads[id]?.waiting, !events.isEmpty else { return true }
        do throws(SessionRuntimeError) {
            let log = try await store.add(events, to: id)
            threads[id]?.waiting.removeAll { events.contains($0) }
            show(log, of: id)
            return true
        } catch {
            if case .notFound = error {
                // Deleted meanwhile: there is no place for it, and nobody to look.
                threads[id]?.waiting = []
                return true
            }
            report(id, error)
            return false
        }
    }
}

extension ProgressEvent {
    /// What it takes the place of.
    fileprivate var name: String? {
        switch self {
        case .title: nil
        case .message(let message): message.partID
        }
    }
}
