import Glibc
import Logging
import Sessions

/// One run of a session: from an empty folder, or one that is there, to an agent, to its end.
extension LocalSessions {
    /// Runs the session until its agent has ended, or until `request` ends it.
    ///
    /// - Returns: why it ended; nil if it was asked to.
    func run(_ id: SessionID, until request: OneShot<Void>) async -> SessionFailure? {
        guard let entry = entries[id] else { return nil }
        let run = RandomHex.make(bytes: 16)
        let family = ProcessFamily(mark: "\(ChildEnvironment.runName)=\(run)", leader: nil)
        setState(.creating(.initializing), of: id)
        guard await takeTurn(id, until: request) else { return nil }
        defer { giveTurnBack(id) }
        do throws(SessionFailure) {
            do throws(DiskError) {
                try Folder.make(folder(id).path)
            } catch {
                throw Workspace.failure(error)
            }
            setState(.creating(.configuring), of: id)
            let access = try repositoryAccess(entry)
            guard !request.isFulfilled else { return nil }
            setState(.creating(.preparing), of: id)
            guard try await prepare(id, entry.record, run: run, access: access, until: request) else {
                _ = await family.killAll()
                return nil
            }
            return try await runAgent(id, entry.record, run: run, until: request)
        } catch {
            // Nothing that was started for this run may outlive it.
            if await !family.killAll() {
                logger.error("processes of a session do not end", metadata: ["session": "\(id)"])
            }
            return error
        }
    }

    /// Waits until few enough sessions are starting; false if the request came first.
    private func takeTurn(_ id: SessionID, until request: OneShot<Void>) async -> Bool {
        if turns.count >= settings.startsAtOnce {
            let turn = OneShot<Void>()
            queue.append((id, turn))
            await race(request) { _ = await turn.wait() }
            queue.removeAll { $0.turn === turn }
            // Both may have come: then the turn is ours to give on.
            if request.isFulfilled, turn.isFulfilled { giveTurnBack(id) }
        } else {
            turns.insert(id)
        }
        return !request.isFulfilled
    }

    /// Lets the next session start; nothing happens if this one has no turn.
    private func giveTurnBack(_ id: SessionID) {
        guard turns.remove(id) != nil, !queue.isEmpty else { return }
        let next = queue.removeFirst()
        turns.insert(next.id)
        next.turn.fulfil(())
    }

    private func repositoryAccess(_ entry: Entry) throws(SessionFailure) -> GitAccess? {
        guard let address = entry.record.repositoryURL else { return nil }
        return GitAccess(
            token: entry.gitToken, to: try RemoteListing.check(address, settings.repositories),
            hosts: settings.tokenHosts)
    }

    /// Makes the session's folder; false if the session was stopped meanwhile.
    private func prepare(
        _ id: SessionID, _ record: SessionRecord, run: String, access: GitAccess?, until request: OneShot<Void>
    ) async throws(SessionFailure) -> Bool {
        let folder = folder(id)
        let log = BoundedLog(folder.initialisationLog, limit: settings.logLimit)
        guard let git = git(record, run: run, log: log, access: access) else {
            throw SessionFailure(
                code: "git_not_found", message: "The program git was not found on the gateway's machine.",
                hint: "Ask the operator to install git.")
        }
        let workspace = Workspace(folder: folder, session: record, settings: settings, git: git)
        let result = await race(request) { () async -> Result<Void, SessionFailure> in
            do throws(SessionFailure) {
                return .success(try await workspace.prepare())
            } catch {
                return .failure(error)
            }
        }
        guard let result, !request.isFulfilled else { return false }
        if case .failure(let failure) = result {
            log.append(line: "\(failure.code): \(failure.message)")
            throw failure
        }
        return true
    }

    /// git for this session; nil if there is none on this machine.
    private func git(_ record: SessionRecord, run: String, log: BoundedLog?, access: GitAccess?) -> GitProgram? {
        guard let id = SessionID(record.id) else { return nil }
        let variables = environment.git(
            run: run, home: folder(id).home, schemes: settings.repositories.schemes, access: access)
        let path = AgentCommand.find(settings.git, in: variables["PATH"] ?? "/usr/local/bin:/usr/bin:/bin")
        return path.map {
            GitProgram(path: $0, environment: variables, log: log, access: access, address: record.repositoryURL)
        }
    }

    /// Looks through the session's folder for work that is nowhere else, until that is known or the request comes.
    func inspect(_ id: SessionID, until request: OneShot<Void>? = nil) async {
        guard let record = entries[id]?.record, Folder.exists(folder(id).repository),
            let git = git(record, run: RandomHex.make(bytes: 16), log: nil, access: nil)
        else { return }
        let path = folder(id).repository
        let look: @Sendable () async -> UnsavedWork? = {
            await UnsavedWork.look(into: path, git: git, isBlank: record.repositoryURL == nil)
        }
        let work = if let request { await race(request, look) ?? nil } else { await look() }
        guard let work, let now = entries[id]?.record, !Task.isCancelled,
            now.isDirty != work.hasUncommittedChanges || now.unpushed != work.unpushedCommits
        else { return }
        entries[id]?.record.isDirty = work.hasUncommittedChanges
        entries[id]?.record.unpushed = work.unpushedCommits
        publish(id)
        planSave()
    }

    /// Looks through the folder of a session that runs, as often as it is used; ends when it is cancelled.
    private func keepInspecting(_ id: SessionID) async {
        var seen: Int64?
        while !Task.isCancelled {
            try? await Task.sleep(for: settings.inspectionInterval)
            guard let activity = entries[id]?.record.activityAt, !Task.isCancelled else { return }
            if activity != seen { await inspect(id) }
            seen = activity
        }
    }

    /// Runs `work`, cancelled when the request comes; waits for its end in any case.
    @discardableResult
    private nonisolated func race<Value: Sendable>(
        _ request: OneShot<Void>, _ work: @escaping @Sendable () async -> Value
    ) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask { await work() }
            group.addTask {
                _ = await request.wait()
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            let second = await group.next() ?? nil
            return first ?? second
        }
    }

    /// Starts the agent and watches it; returns why it ended, nil if it was asked to.
    private func runAgent(
        _ id: SessionID, _ record: SessionRecord, run: String, until request: OneShot<Void>
    ) async throws(SessionFailure) -> SessionFailure? {
        // Between our look for a free port and the agent's bind somebody else may take it; then another is tried.
        for attempt in 1... {
            entries[id]?.podSecret = RandomHex.make(bytes: 32)
            defer {
                entries[id]?.podSecret = nil
                entries[id]?.detectedPorts = []
            }
            setState(.creating(.starting), of: id)
            let port = try freePort()
            portsInUse.insert(port)
            defer { portsInUse.remove(port) }
            let endpoint = SessionEndpoint(
                incarnation: run, address: "127.0.0.1", port: port, password: RandomHex.make(bytes: 16))
            let process = try await startAgent(id, record, endpoint)
            let family = ProcessFamily(mark: "\(ChildEnvironment.runName)=\(run)", leader: process.identity)
            note(process.identity, of: id)
            let outcome = await watch(id, process, endpoint, until: request)
            if outcome == .stopped || outcome == .notReady {
                await end(process, family, endpoint)
            }
            // Whatever it started ends with it: shells, servers, and those that left its process group.
            if await !family.killAll() {
                logger.error("processes of a session do not end", metadata: ["session": "\(id)"])
            }
            let log = lastLines(of: id)
            switch outcome {
            case .stopped: return nil
            case .notReady:
                throw SessionFailure(
                    code: "not_ready",
                    message: "The agent did not become healthy within \(settings.readyTimeout.components.seconds) s.",
                    hint: "Its log tells how far it came.", log: log)
            case .exited(let end, wasReady: false) where attempt < 3 && !Port.isFree(port):
                logger.info("another process took the agent's port", metadata: ["session": "\(id)", "end": "\(end)"])
            case .exited(let end, let wasReady):
                throw Self.failure(end, wasReady: wasReady, log: log)
            }
        }
        return nil
    }

    /// The last lines that the agent wrote in this run.
    private func lastLines(of id: SessionID) -> String? {
        let text = LogTail.read(folder(id).agentLog, limit: 8192)
        let lines = text.split(separator: "\n")
        let start = lines.lastIndex { $0.hasPrefix(Self.runMark) }.map { $0 + 1 } ?? 0
        return LogTail.lines(20, of: lines[start...].joined(separator: "\n"))
    }

    /// Begins the line in the agent's log before each run.
    private static let runMark = "--- starting at "

    private static func failure(_ end: ProgramEnd, wasReady: Bool, log: String?) -> SessionFailure {
        let hint =
            switch end {
            case .signaled(9): "The system may have been out of memory; retry, or ask the operator to look."
            default: "Its last lines tell more; retry starts it again, the session's folder is unharmed."
            }
        return SessionFailure(
            code: "agent_exited",
            message: "The agent ended \(wasReady ? "while it ran" : "before it was ready"): \(end.words).",
            hint: hint, log: log)
    }

    private func startAgent(
        _ id: SessionID, _ record: SessionRecord, _ endpoint: SessionEndpoint
    ) async throws(SessionFailure) -> RunningProgram {
        let folder = folder(id)
        let variables = environment.agent(
            session: record, run: endpoint.incarnation, password: endpoint.password ?? "",
            podSecret: entries[id]?.podSecret ?? "", token: entries[id]?.gitToken,
            secrets: await secrets.values(of: record.email))
        let words = AgentCommand.fill(settings.agentCommand, port: endpoint.port, directory: folder.repository)
        guard let program = words.first,
            let path = AgentCommand.find(program, in: variables["PATH"] ?? "/usr/local/bin:/usr/bin:/bin")
        else {
            throw SessionFailure(
                code: "agent_not_found",
                message: "The agent's program \"\(words.first ?? "")\" was not found.",
                hint: "Ask the operator to install it or to set AGENT_COMMAND.")
        }
        let log = BoundedLog(folder.agentLog, limit: settings.logLimit)
        log.append(line: "\(Self.runMark)\(Timestamp.now): \(words.joined(separator: " "))")
        do throws(ProgramProblem) {
            return try await RunningProgram.start(
                Program(
                    path: path, arguments: Array(words.dropFirst()), environment: variables,
                    directory: folder.repository),
                output: { log.append($0) })
        } catch {
            throw SessionFailure(
                code: "agent_not_started", message: "The agent's program \(path) could not be started: \(error.words).",
                hint: "Ask the operator to look at AGENT_COMMAND and at the limits of the gateway's machine.")
        }
    }

    /// Stores which process runs, for a router that starts after this one was killed.
    private func note(_ identity: ProcessIdentity, of id: SessionID) {
        entries[id]?.record.leader = SessionRecord.Leader(
            pid: identity.pid, startTime: identity.startTime, bootID: ProcessTable.bootID())
        saveOrLog()
    }

    /// How watching an agent ended.
    private enum Outcome: Equatable, Sendable {
        case stopped, notReady
        case exited(ProgramEnd, wasReady: Bool)
    }

    /// Waits until the agent is healthy, then until it ends or is to be ended.
    private func watch(
        _ id: SessionID, _ process: RunningProgram, _ endpoint: SessionEndpoint, until request: OneShot<Void>
    ) async -> Outcome {
        setState(.creating(.readying), of: id)
        let ready = await becomesReady(process, endpoint, until: request)
        if request.isFulfilled { return .stopped }
        if let end = process.end.value { return .exited(end, wasReady: false) }
        guard ready else { return .notReady }
        portsInUse.remove(endpoint.port)
        giveTurnBack(id)
        setState(.running(endpoint), of: id)
        logger.info("session runs", metadata: ["session": "\(id)", "port": "\(endpoint.port)"])
        // Cancelled and waited for at the end of this function.
        async let _: Void = keepInspecting(id)
        let end = await race(request) { await process.end.wait() }
        guard !request.isFulfilled, let end, let end else { return .stopped }
        return .exited(end, wasReady: true)
    }

    /// Asks until the agent is healthy; false if it ended, was to be ended, or took too long.
    private func becomesReady(
        _ process: RunningProgram, _ endpoint: SessionEndpoint, until request: OneShot<Void>
    ) async -> Bool {
        let (agent, settings) = (agent, settings)
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    if await agent.isHealthy(endpoint) { return true }
                    try? await Task.sleep(for: settings.probeInterval)
                }
                return false
            }
            group.addTask {
                _ = await process.end.wait()
                return false
            }
            group.addTask {
                _ = await request.wait()
                return false
            }
            group.addTask {
                try? await Task.sleep(for: settings.readyTimeout)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
    }

    /// Ends the agent: it may finish in good order, is then told to exit, and is then killed.
    private func end(_ process: RunningProgram, _ family: ProcessFamily, _ endpoint: SessionEndpoint) async {
        let (agent, settings) = (agent, settings)
        // opencode has no handler for SIGTERM: without this its runs and shells would be cut in the middle.
        if process.end.value == nil {
            await within(settings.disposeTimeout) { await agent.dispose(endpoint) }
        }
        if process.end.value == nil { kill(-process.identity.pid, SIGTERM) }
        await within(settings.stopGrace) { _ = await process.end.wait() }
        family.signal(SIGKILL)
        _ = await process.end.value(ignoringCancellation: ())
    }

    /// Runs `work`, which stops waiting when it is cancelled, for at most this long.
    private nonisolated func within(_ limit: Duration, _ work: @escaping @Sendable () async -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await work() }
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }

    private func freePort() throws(SessionFailure) -> UInt16 {
        for _ in 0..<16 {
            guard let port = Port.free() else { break }
            if !portsInUse.contains(port) { return port }
        }
        throw SessionFailure(
            code: "no_port", message: "There is no free port for the agent on the gateway's machine.",
            hint: "Stop sessions that are not needed, and try again.")
    }
}
