import Logging
package import Sessions

// Orders say what is wanted, store it, and wake the driver.
extension LocalSessions {
    package func create(_ specification: SessionSpecification) async throws(SessionRuntimeError) {
        try checkOpen()
        let id = specification.id
        if let driver = entries[id]?.driver, entries[id]?.wanted == .deleted {
            // The folder of the old one has to be gone before a new one can have its place.
            _ = await driver.value(ignoringCancellation: ())
            try checkOpen()
        }
        if entries[id] != nil { return try await resume(id, gitToken: specification.gitToken) }
        do throws(SessionFailure) {
            try check(specification)
        } catch {
            throw .failed(error)
        }
        entries[id] = Entry(
            record: SessionRecord(specification, at: .now), state: .creating(.initializing), wanted: .running,
            gitToken: specification.gitToken)
        do throws(DiskError) {
            try save()
        } catch {
            entries[id] = nil
            throw .unavailable(message: "The session could not be stored: \(error.sentence).")
        }
        publish(id)
        wake(id)
    }

    /// The rules that the API has already put the strings through, once more at the last door.
    private func check(_ specification: SessionSpecification) throws(SessionFailure) {
        guard let url = specification.key.repositoryURL else { return }
        _ = try RemoteListing.check(url, settings.repositories)
        _ = try Workspace.check(specification.key.branch, "branch")
        _ = try Workspace.check(specification.sourceBranch, "source branch")
    }

    package func resume(_ id: SessionID, gitToken: String?) async throws(SessionRuntimeError) {
        try checkOpen()
        guard let entry = entries[id], entry.wanted != .deleted else { throw .notFound(id) }
        if let gitToken { take(gitToken, of: id) }
        if entry.wanted == .running, entry.driver != nil { return }
        // Not `change`: on a full disk too a session has to start, be it for somebody to delete files in it.
        entries[id]?.record.activityAt = Timestamp.now.milliseconds
        entries[id]?.record.activitySource = Activity.Source.resumed.rawValue
        saveOrLog()
        entries[id]?.wanted = .running
        // A stop under way goes on to its end; the driver then finds that the session is wanted again.
        if entry.state != .stopping { setState(.creating(.initializing), of: id) }
        entry.stopRequest.fulfil(())
        wake(id)
    }

    package func stop(_ id: SessionID, reason: String) async throws(SessionRuntimeError) {
        guard let entry = entries[id], entry.wanted != .deleted else { throw .notFound(id) }
        guard entry.wanted == .running || entry.state != .stopped else { return }
        logger.info("session stops", metadata: ["session": "\(id)", "reason": "\(reason)"])
        entries[id]?.wanted = .stopped
        entries[id]?.gitToken = nil
        if entry.driver != nil {
            setState(.stopping, of: id)
            entry.stopRequest.fulfil(())
        } else {
            setState(.stopped, of: id)
        }
    }

    package func delete(_ id: SessionID) async throws(SessionRuntimeError) {
        guard let entry = entries[id] else { throw .notFound(id) }
        if entry.wanted != .deleted {
            // Stored first: a router that is killed in the midst of it finishes the deletion when it starts again. That
            // it cannot be stored is no reason to keep the session: a full disk is the best reason to delete one.
            entries[id]?.record.isDeleted = true
            saveOrLog()
            logger.info("session is deleted", metadata: ["session": "\(id)"])
            entries[id]?.wanted = .deleted
            entries[id]?.gitToken = nil
            setState(.stopping, of: id)
            entry.stopRequest.fulfil(())
        }
        wake(id)
        guard let end = await entries[id]?.driver?.value(ignoringCancellation: ()) else { return }
        if case .removed(let remains) = end, let first = remains.first {
            throw .failed(
                SessionFailure(
                    code: "folder_not_removed",
                    message: "The session is deleted, but \(remains.count) entries of its folder stay on the disk.",
                    hint: "The gateway tries again when it starts; the first reason was: \(first.sentence)."))
        }
    }

    package func log(
        _ id: SessionID, _ log: SessionLog, limit: Int
    ) async throws(SessionRuntimeError) -> String {
        guard entries[id] != nil else { throw .notFound(id) }
        return LogTail.read(folder(id).path(of: log), limit: limit)
    }

    package func record(_ activity: Activity, of id: SessionID) async throws(SessionRuntimeError) {
        guard let record = entries[id]?.record else { throw .notFound(id) }
        // Signs come from several places and a little out of order; but a moment far ahead is the mark of a clock that
        // was wrong, and would keep the session in use until then.
        let isPlausible = record.activityAt <= Timestamp.now.milliseconds + 300_000
        guard activity.at.milliseconds > record.activityAt || !isPlausible else { return }
        entries[id]?.record.activityAt = activity.at.milliseconds
        entries[id]?.record.activitySource = activity.source.rawValue
        publish(id)
        planSave()
    }

    package func annotate(
        _ id: SessionID, title: String?, attachPassword: String?, conversationID: String?
    ) async throws(SessionRuntimeError) {
        let before = entries[id]?.record
        try change(id) { record in
            record.title = title ?? record.title
            record.attachPassword = attachPassword ?? record.attachPassword
            record.conversationID = conversationID ?? record.conversationID
        }
        if entries[id]?.record != before { publish(id) }
    }

    package func setAgentGeneration(
        _ generation: AgentGeneration, of id: SessionID
    ) async throws(SessionRuntimeError) {
        let before = entries[id]?.record
        try change(id) { $0.agentGeneration = generation.rawValue }
        if entries[id]?.record != before { publish(id) }
    }

    package func setIdleTimeout(minutes: Int?, of id: SessionID) async throws(SessionRuntimeError) {
        let before = entries[id]?.record
        try change(id) { $0.idleTimeoutMinutes = minutes }
        if entries[id]?.record != before { publish(id) }
    }

    package func setDetectedPorts(_ ports: [UInt16], of id: SessionID) async throws(SessionRuntimeError) {
        guard let entry = entries[id] else { throw .notFound(id) }
        // A report that was on its way when the run ended is about nothing.
        guard entry.podSecret != nil, entry.detectedPorts != ports else { return }
        entries[id]?.detectedPorts = ports
        publish(id)
    }

    package func setGitToken(_ token: String, of id: SessionID) async throws(SessionRuntimeError) {
        guard let entry = entries[id], entry.wanted == .running else { return }
        take(token, of: id)
    }

    private func take(_ token: String, of id: SessionID) {
        entries[id]?.gitToken = token
        guard entries[id]?.record.ownerHasToken != true else { return }
        entries[id]?.record.ownerHasToken = true
        saveOrLog()
    }

    package func gitToken(of id: SessionID) async throws(SessionRuntimeError) -> String? { entries[id]?.gitToken }

    package func setPortRule(
        _ rule: PortRule?, for port: UInt16, of id: SessionID
    ) async throws(SessionRuntimeError) {
        let before = entries[id]?.record
        try change(id) { record in
            var rules = record.portRules ?? [:]
            rules["\(port)"] = rule.map { "\($0)" }
            record.portRules = rules.isEmpty ? nil : rules
        }
        if entries[id]?.record != before { publish(id) }
    }
}
