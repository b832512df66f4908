import Logging
import Sessions

// One file holds the records of all sessions.
extension LocalSessions {
    /// Writes the record of all sessions, durably.
    func save() throws(DiskError) {
        try file.save(
            LocalState(instance: instance, sessions: entries.keys.sorted().compactMap { entries[$0]?.record }))
        lastSave = .now
    }

    /// Changes a record and stores it; what could not be stored is taken back.
    func change(
        _ id: SessionID, _ body: (inout SessionRecord) -> Void
    ) throws(SessionRuntimeError) {
        guard let before = entries[id]?.record else { throw .notFound(id) }
        var record = before
        body(&record)
        guard record != before else { return }
        entries[id]?.record = record
        do throws(DiskError) {
            try save()
        } catch {
            entries[id]?.record = before
            throw .unavailable(message: "The session could not be stored: \(error.sentence).")
        }
    }

    /// Stores soon what need not be stored at once.
    func planSave() {
        guard !saveIsPlanned else { return }
        let wait = lastSave.map { max(.zero, settings.activityInterval - $0.duration(to: .now)) } ?? .zero
        saveIsPlanned = true
        Task { [weak self] in
            try? await Task.sleep(for: wait)
            await self?.savePlanned()
        }
    }

    private func savePlanned() {
        saveIsPlanned = false
        if !isClosed { saveOrLog() }
    }

    /// Writes the record of all sessions where going on without it is better than not going on.
    func saveOrLog() {
        do throws(DiskError) {
            try save()
        } catch {
            logger.error("the local sessions could not be stored", metadata: ["reason": "\(error.sentence)"])
        }
    }
}
