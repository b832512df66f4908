package import Sessions
import Synchronization

/// What was said, in memory; another router's writing is scripted.
package final class MemoryMessages: MessageStore {
    private let logs = Mutex<[SessionID: MessageLog]>([:])
    private let stream: AsyncStream<(SessionID, MessageLog)>
    private let continuation: AsyncStream<(SessionID, MessageLog)>.Continuation

    package init() { (stream, continuation) = AsyncStream.makeStream(of: (SessionID, MessageLog).self) }

    package func messages(of id: SessionID) async throws(SessionRuntimeError) -> MessageLog {
        logs.withLock { $0[id] ?? MessageLog() }
    }

    package func add(
        _ events: [ProgressEvent], to id: SessionID
    ) async throws(SessionRuntimeError) -> MessageLog {
        logs.withLock { logs in
            for event in events { logs[id, default: MessageLog()].put(event) }
            return logs[id] ?? MessageLog()
        }
    }

    package func messageChanges() -> AsyncStream<(SessionID, MessageLog)> { stream }

    /// Another router stores something.
    package func addElsewhere(_ event: ProgressEvent, to id: SessionID) {
        let log = logs.withLock { logs in
            logs[id, default: MessageLog()].put(event)
            return logs[id]!
        }
        continuation.yield((id, log))
    }
}
