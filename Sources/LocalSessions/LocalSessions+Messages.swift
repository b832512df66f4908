internal import FoundationEssentials
internal import Glibc
package import Sessions

/// What was said in a session, in a file of its folder: gone with the folder.
extension LocalSessions: MessageStore {
    package func messages(of id: SessionID) async throws(SessionRuntimeError) -> MessageLog {
        guard entries[id] != nil else { throw .notFound(id) }
        do throws(DiskError) {
            let bytes = try SmallFile.contents(of: folder(id).messages, limit: 2 << 20)
            // A file that is none: whatever wrote it, what is said from now on is worth more than an error for ever.
            return (try? JSONDecoder().decode(MessageLog.self, from: Data(bytes))) ?? MessageLog()
        } catch {
            guard error.code == ENOENT else { throw .unavailable(message: error.sentence) }
            return MessageLog()
        }
    }

    package func add(
        _ events: [ProgressEvent], to id: SessionID
    ) async throws(SessionRuntimeError) -> MessageLog {
        guard let entry = entries[id], entry.wanted != .deleted else { throw .notFound(id) }
        var log = try await messages(of: id)
        for event in events { log.put(event) }
        guard let data = try? JSONEncoder().encode(log) else { return log }
        do throws(DiskError) {
            try SmallFile.replace(folder(id).messages, with: Array(data))
        } catch {
            throw .unavailable(message: "What was said could not be stored: \(error.sentence).")
        }
        return log
    }

    /// Nobody else writes here.
    package nonisolated func messageChanges() -> AsyncStream<(SessionID, MessageLog)> { AsyncStream { $0.finish() } }
}
