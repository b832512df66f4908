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
    let file: StateFile
    private var lock: DirectoryLock?
    private let feed: ChangeFeed
    private(set) var isClosed = false
    var lastSave: ContinuousClock.Instant?
    var saveIsPlanned = false

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
    func forget(_ id: SessionID) {
        entries[id] = nil
        saveOrLog()
        feed.yield(.removed(id))
    }

    func checkOpen() throws(SessionRuntimeError) {
        if isClosed { throw .unavailable(message: "The gateway is shutting down.") }
    }

    /// The folder that a session's agent works in: its clone.
    package nonisolated func repositoryFolder(of id: SessionID) -> String { folder(id).repository }

    nonisolated func folder(_ id: SessionID) -> SessionFolder {
        SessionFolder(stateDirectory: settings.stateDirectory, id: id)
    }
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

extension Timestamp {
    /// The machine's clock.
    static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
