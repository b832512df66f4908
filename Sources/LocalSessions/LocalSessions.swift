import Glibc
package import Logging
package import Sessions

/// Sessions as processes of this machine: git makes a folder, the agent runs in it, and both belong to this user.
///
/// Each session has at most one driver, a task that brings it where its owner wants it (running, stopped or gone) and
/// then ends. Orders only say what is wanted, store it, and wake the driver; so they are idempotent, may come in any
/// order, and two of them can never start two agents. What a session's state is follows from what its driver is doing;
/// only the record of it is stored, in one file.
package actor LocalSessions: SessionRuntime {
    /// Everything known about one session.
    struct Entry {
        var record: SessionRecord
        var state: SessionState
        var startedAt: Timestamp?
        var wanted: Wanted
        /// The owner's token, kept while the session is wanted to run; never stored.
        var gitToken: String?
        /// What the present run's processes prove themselves with; never stored, for no run outlives the router.
        var podSecret: String?
        /// What listens in the present run.
        var detectedPorts: [UInt16] = []
        /// Set while a driver is at work; fulfilled when it has ended.
        var driver: OneShot<DriverEnd>?
        /// Fulfilled to end the run that is under way.
        var stopRequest = OneShot<Void>()
    }

    /// Where a session's owner wants it.
    enum Wanted { case running, stopped, deleted }

    /// What a driver has to tell in the end.
    enum DriverEnd: Sendable {
        case settled
        /// The session is gone, except for these entries of its folder.
        case removed(TreeRemains)
    }

    let settings: LocalSessionSettings
    let agent: AgentControl
    let logger: Logger
    let environment: ChildEnvironment
    /// The users' own variables for their sessions' agents.
    package let secrets: LocalSecrets
    /// Names this state directory among others.
    let instance: String
    var entries: [SessionID: Entry] = [:]
    /// Ports given to agents that do not listen yet.
    var portsInUse: Set<UInt16> = []
    /// Sessions that are starting now, and those that wait for their turn, first come first.
    var turns: Set<SessionID> = []
    var queue: [(id: SessionID, turn: OneShot<Void>)] = []

    private let executor: ThreadExecutor
    private let file: StateFile
    private var lock: DirectoryLock?
    private let feed: ChangeFeed
    private var isClosed = false
    private var lastSave: ContinuousClock.Instant?
    private var saveIsPlanned = false

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Opens the state directory: takes its lock, reads the record, ends what a router that crashed left running.
    ///
    /// Every session is stopped then, whatever it was before.
    package static func open(
        _ settings: LocalSessionSettings, agent: AgentControl, logger: Logger
    ) async throws(LocalSessionsError) -> LocalSessions {
        let sessions = try LocalSessions(settings, agent: agent, logger: logger)
        await sessions.clearUp()
        return sessions
    }

    private init(
        _ settings: LocalSessionSettings, agent: AgentControl, logger: Logger
    ) throws(LocalSessionsError) {
        var settings = settings
        let directory: String
        do throws(DiskError) {
            try Folder.make(settings.stateDirectory)
            // Agents and git run in other folders, so what they are given must not depend on ours.
            guard let path = Folder.canonicalPath(settings.stateDirectory) else {
                throw DiskError("find \(settings.stateDirectory)")
            }
            directory = path
            settings.stateDirectory = path
            // The directory itself may have been made by somebody else, for others too; what is in these is not for them.
            for folder in [directory + "/sessions", directory + "/trash"] {
                try Folder.make(folder)
                guard chmod(folder, 0o700) == 0 else { throw DiskError("protect \(folder)") }
            }
        } catch {
            throw .disk(message: error.sentence)
        }
        lock = try DirectoryLock(directory)
        file = StateFile(path: directory + "/state.json")
        secrets = try LocalSecrets(directory + "/secrets.json")
        let state: LocalState
        if let stored = try file.load() {
            // Not written again: on a full disk too a router has to start, so that sessions can be deleted.
            state = stored
        } else {
            state = LocalState(instance: RandomHex.make(bytes: 16), sessions: [])
            do throws(DiskError) {
                try file.save(state)
            } catch {
                throw .disk(message: error.sentence)
            }
        }
        instance = state.instance
        for record in state.sessions {
            guard let session = record.session(state: .stopped, startedAt: nil) else {
                throw .unreadable(path: file.path, reason: "\"\(record.id)\" is not the id of a session")
            }
            let isDeleted = record.isDeleted == true
            entries[session.id] = Entry(
                record: record, state: isDeleted ? .stopping : .stopped, wanted: isDeleted ? .deleted : .stopped)
        }
        self.settings = settings
        self.agent = agent
        self.logger = logger
        environment = ChildEnvironment(settings, instance: state.instance)
        executor = ThreadExecutor()
        feed = ChangeFeed()
    }

    deinit { executor.stop() }

    /// Ends processes and deletions that an earlier router did not come to.
    private func clearUp() async {
        logger.warning(
            """
            local sessions are not isolated: every session runs as this user, on this machine, and can read the \
            files of all others; give access only to people who may have this account
            """,
            metadata: ["state_dir": "\(settings.stateDirectory)"])
        let bootID = ProcessTable.bootID()
        let leaders = entries.values.compactMap(\.record.leader).filter { $0.bootID == bootID }
            .map { ProcessIdentity(pid: $0.pid, startTime: $0.startTime) }
            .filter { ProcessTable.isAlive($0) }
        let mark = "\(ChildEnvironment.instanceName)=\(instance)"
        var families = leaders.map { ProcessFamily(mark: mark, leader: $0) }
        if families.isEmpty { families = [ProcessFamily(mark: mark, leader: nil)] }
        for family in families {
            let count = family.members().count
            guard count > 0 else { continue }
            logger.notice("processes of an earlier router are ended", metadata: ["count": "\(count)"])
            if await !family.killAll() { logger.error("processes of an earlier router do not end") }
        }
        let trash = FolderListing.names(of: settings.stateDirectory + "/trash")
        if !trash.isEmpty { Task { await self.empty(trash) } }
        for id in entries.keys {
            entries[id]?.record.leader = nil
            if entries[id]?.wanted == .deleted { wake(id) }
        }
        logger.info("local sessions are ready", metadata: ["sessions": "\(entries.count)"])
    }

    /// Removes folders of sessions whose deletion an earlier router did not come to the end of.
    private func empty(_ trash: [String]) async {
        for name in trash {
            let path = "\(settings.stateDirectory)/trash/\(name)"
            let remains = await onOwnThread { TreeRemoval.remove(path) }
            if let first = remains.first {
                logger.warning("a deleted session's folder stays", metadata: ["reason": "\(first.sentence)"])
            }
        }
    }

    /// Stops every session and ends `changes()`; nothing can be ordered any more.
    package func shutDown() async {
        guard !isClosed else { return }
        isClosed = true
        for (id, entry) in entries where entry.driver != nil {
            if entry.wanted == .running { entries[id]?.wanted = .stopped }
            entry.stopRequest.fulfil(())
            if case .deleted = entry.wanted { continue }
            setState(.stopping, of: id)
        }
        for driver in entries.values.compactMap(\.driver) { _ = await driver.value(ignoringCancellation: ()) }
        saveOrLog()
        feed.finish()
        lock = nil
    }

    // MARK: What is known

    package nonisolated func changes() -> AsyncStream<SessionChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: SessionChange.self)
        // The snapshot is taken on the actor, so nothing can come between it and the changes that follow it.
        Task { await self.begin(continuation) }
        return stream
    }

    private func begin(_ continuation: AsyncStream<SessionChange>.Continuation) {
        guard !isClosed else { return continuation.finish() }
        continuation.yield(.snapshot(entries.keys.sorted().compactMap { session($0) }))
        feed.replace(with: continuation)
    }

    /// The session as it is now; one whose deletion is under way is `stopping`.
    func session(_ id: SessionID) -> Session? {
        guard let entry = entries[id] else { return nil }
        var session = entry.record.session(state: entry.state, startedAt: entry.startedAt)
        session?.podSecret = entry.podSecret
        session?.detectedPorts = entry.detectedPorts
        return session
    }

    /// Makes a state known.
    func setState(_ state: SessionState, of id: SessionID) {
        guard let entry = entries[id], entry.state != state else { return }
        entries[id]?.state = state
        if case .running = state {
            entries[id]?.startedAt = .now
        } else {
            entries[id]?.startedAt = nil
        }
        publish(id)
    }

    func publish(_ id: SessionID) {
        if let session = session(id) { feed.yield(.updated(session)) }
    }

    /// Forgets a session whose folder is gone.
    private func forget(_ id: SessionID) {
        entries[id] = nil
        saveOrLog()
        feed.yield(.removed(id))
    }

    // MARK: Storing

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

    // MARK: Orders

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

    private func checkOpen() throws(SessionRuntimeError) {
        if isClosed { throw .unavailable(message: "The gateway is shutting down.") }
    }

    /// The folder that a session's agent works in: its clone.
    package nonisolated func repositoryFolder(of id: SessionID) -> String { folder(id).repository }

    nonisolated func folder(_ id: SessionID) -> SessionFolder {
        SessionFolder(stateDirectory: settings.stateDirectory, id: id)
    }

    // MARK: Driving

    /// Starts a driver if none is at work.
    private func wake(_ id: SessionID) {
        guard entries[id] != nil, entries[id]?.driver == nil else { return }
        let end = OneShot<DriverEnd>()
        entries[id]?.driver = end
        Task { end.fulfil(await self.drive(id)) }
    }

    /// Brings the session where it is wanted, however often that changes meanwhile.
    private func drive(_ id: SessionID) async -> DriverEnd {
        while let wanted = entries[id]?.wanted {
            switch wanted {
            case .running:
                // Made anew for each run, and before anything is awaited: a request made from here on is for this run.
                let request = OneShot<Void>()
                entries[id]?.stopRequest = request
                let failure = await run(id, until: request)
                guard entries[id]?.wanted == .running, !request.isFulfilled else { continue }
                entries[id]?.gitToken = nil
                // A run that nobody ended and that has ended is a failure; `run` says which.
                let cause = failure ?? GitProgram.cancelled
                logger.warning("session failed", metadata: ["session": "\(id)", "code": "\(cause.code)"])
                // A failed session waits for its owner, who has to ask for it again.
                entries[id]?.wanted = .stopped
                if await settle(id, .failed(cause)) { return .settled }
            case .stopped:
                if await settle(id, .stopped) { return .settled }
            case .deleted:
                let remains = await remove(id)
                forget(id)
                return .removed(remains)
            }
        }
        return .settled
    }

    /// Tells the state that nothing changes by itself any more, and looks through the folder that is at rest now.
    ///
    /// - Returns: whether the driver is done; false if something else was ordered meanwhile.
    private func settle(_ id: SessionID, _ state: SessionState) async -> Bool {
        let request = OneShot<Void>()
        entries[id]?.stopRequest = request
        setState(state, of: id)
        if !isClosed { await inspect(id, until: request) }
        guard entries[id]?.wanted == .stopped, !request.isFulfilled else { return false }
        entries[id]?.driver = nil
        return true
    }

    /// Removes the session's folder: out of the way first, at once and whole, then piece by piece.
    private func remove(_ id: SessionID) async -> TreeRemains {
        let path = folder(id).path
        let trash = "\(settings.stateDirectory)/trash/\(id)-\(RandomHex.make(bytes: 4))"
        guard Folder.exists(path) else { return TreeRemains() }
        let target = rename(path, trash) == 0 ? trash : path
        return await onOwnThread { TreeRemoval.remove(target) }
    }
}

extension OneShot {
    /// The value, waited for even by a cancelled task.
    func value(ignoringCancellation: Void) async -> Value {
        if let value { return value }
        return await Task.detached { await self.wait()! }.value
    }

    var isFulfilled: Bool { value != nil }
}

/// The one consumer of changes, if there is one.
private final class ChangeFeed {
    private var continuation: AsyncStream<SessionChange>.Continuation?

    func replace(with new: AsyncStream<SessionChange>.Continuation) {
        continuation?.finish()
        continuation = new
    }

    func yield(_ change: SessionChange) { continuation?.yield(change) }

    func finish() {
        continuation?.finish()
        continuation = nil
    }
}

/// Random digits that nobody can guess.
enum RandomHex {
    /// Twice as many lower-case hexadecimal digits as bytes, from the kernel's generator.
    static func make(bytes count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in
            let byte = UInt8.random(in: 0...255, using: &generator)
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}

extension Timestamp {
    /// The machine's clock.
    static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
