import Glibc
import Sessions
import Testing

@testable import LocalSessions

@Suite("A session's life", .timeLimit(.minutes(5)))
struct LifeTests {
    @Test("A session passes its stages in order, runs, stops, resumes with its files, and is deleted with its folder")
    func wholeLife() async throws {
        let bench = try Bench()
        try await bench.repository("one", branches: ["main", "other"])
        let runtime = try await bench.open(bench.settings())
        var watcher = Watcher(runtime)
        // The snapshot: from here on nothing is missed.
        _ = await watcher.next()
        let specification = bench.specification(bench.file("one"))
        try await runtime.create(specification)
        let first = try await watcher.endpoint()
        #expect(
            watcher.history == [
                "creating/initializing", "creating/configuring", "creating/preparing", "creating/starting",
                "creating/readying", "running",
            ])
        #expect(bench.content("repo/README") == "one main\n")
        #expect(first.address == "127.0.0.1")
        #expect(await PlainHTTP.send("GET", "/global/health", to: first)?.status == 200)
        let process = try #require(await runtime.entries[specification.id]?.record.leader?.pid)
        var stranger = first
        stranger.password = "guess"
        #expect(await PlainHTTP.send("GET", "/global/health", to: stranger)?.status == 401)

        try SmallFile.replace(
            SessionFolder(stateDirectory: bench.stateDirectory, id: specification.id).repository + "/mine",
            with: Array("kept".utf8))
        try await runtime.stop(specification.id, reason: "a test")
        _ = try await watcher.wait(for: "stopped")
        #expect(bench.content("agent.events") == "disposed\nterminated\n")
        #expect(await PlainHTTP.send("GET", "/global/health", to: first) == nil)
        #expect(ProcessTable.entry(of: process) == nil, "not even a zombie")

        try await runtime.resume(specification.id, gitToken: nil)
        let second = try await watcher.endpoint()
        #expect(second.incarnation != first.incarnation)
        #expect(second.password != first.password)
        #expect(bench.content("repo/mine") == "kept")
        #expect(try await runtime.log(specification.id, .initialisation, limit: 100_000).contains("stays as it is"))
        #expect(try await runtime.log(specification.id, .agent, limit: 100_000).contains("scripted agent"))

        try await runtime.delete(specification.id)
        while await watcher.next() != nil, watcher.history.last != "removed" {}
        #expect(FolderListing.names(of: bench.stateDirectory + "/sessions").isEmpty)
        #expect(FolderListing.names(of: bench.stateDirectory + "/trash").isEmpty)
        await #expect(throws: SessionRuntimeError.self) { try await runtime.delete(specification.id) }
        await runtime.shutDown()
        #expect(await watcher.next() == nil)
    }

    @Test("Sessions survive a restart of the router as stopped ones, with everything that was noted about them")
    func restart() async throws {
        let bench = try Bench()
        let specification = bench.specification(nil, branch: "main")
        var runtime = try await bench.open(bench.settings())
        do {
            var watcher = Watcher(runtime)
            try await runtime.create(specification)
            _ = try await watcher.endpoint()
            try await runtime.annotate(
                specification.id, title: "A title", attachPassword: "pw", conversationID: "ses_1")
            try await runtime.setIdleTimeout(minutes: 7, of: specification.id)
            try await runtime.setAgentGeneration(.v2, of: specification.id)
            try await runtime.record(
                Activity(at: Timestamp(milliseconds: 9_000_000_000_000), source: .agent), of: specification.id)
            await runtime.shutDown()
        }
        runtime = try await bench.open(bench.settings())
        var watcher = Watcher(runtime)
        _ = await watcher.next()
        let session = try #require(watcher.sessions[specification.id])
        #expect(session.state == .stopped)
        #expect(session.title == "A title")
        #expect(session.attachPassword == "pw")
        #expect(session.conversationID == "ses_1")
        #expect(session.agentGeneration == .v2)
        #expect(session.initialMessage == "hello")
        #expect(session.idleTimeoutMinutes == 7)
        #expect(session.activity == Activity(at: Timestamp(milliseconds: 9_000_000_000_000), source: .agent))
        try await runtime.resume(specification.id, gitToken: nil)
        _ = try await watcher.endpoint()
        await runtime.shutDown()
    }

    @Test("Orders given twice, or all at once, make one agent")
    func idempotence() async throws {
        let bench = try Bench()
        try await bench.repository("one")
        let runtime = try await bench.open(bench.settings())
        var watcher = Watcher(runtime)
        _ = await watcher.next()
        let specification = bench.specification(bench.file("one"))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask { try? await runtime.create(specification) }
                group.addTask { try? await runtime.resume(specification.id, gitToken: nil) }
            }
        }
        _ = try await watcher.endpoint()
        #expect(watcher.history.count { $0 == "creating/starting" } == 1)
        #expect(try await runtime.log(specification.id, .agent, limit: 100_000).count { $0 == "-" } > 2)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { try? await runtime.stop(specification.id, reason: "twice") } }
        }
        _ = try await watcher.wait(for: "stopped")
        #expect(watcher.history.count { $0 == "stopping" } == 1)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<5 { group.addTask { try? await runtime.delete(specification.id) } }
        }
        while watcher.history.last != "removed", await watcher.next() != nil {}
        await runtime.shutDown()
        while await watcher.next() != nil {}
        #expect(watcher.history.count { $0 == "removed" } == 1)
    }

    @Test("A resume during a stop waits for its end, and the session then runs again")
    func resumeWhileStopping() async throws {
        let bench = try Bench()
        let runtime = try await bench.open(bench.settings("--ignore-term"))
        var watcher = Watcher(runtime)
        let specification = bench.specification(nil, branch: "main")
        try await runtime.create(specification)
        let first = try await watcher.endpoint()
        try await runtime.stop(specification.id, reason: "a test")
        _ = try await watcher.wait(for: "stopping")
        try await runtime.resume(specification.id, gitToken: nil)
        let second = try await watcher.endpoint()
        #expect(first.incarnation != second.incarnation)
        #expect(!watcher.history.contains("stopped"))
        await runtime.shutDown()
    }

    @Test("Create after delete makes a new session, even while the deletion is under way")
    func createWhileDeleting() async throws {
        let bench = try Bench()
        let runtime = try await bench.open(bench.settings("--ignore-term"))
        var watcher = Watcher(runtime)
        let specification = bench.specification(nil, branch: "main")
        try await runtime.create(specification)
        let first = try await watcher.endpoint()
        async let deletion: Void = runtime.delete(specification.id)
        _ = try await watcher.wait(for: "stopping")
        try await runtime.create(specification)
        try await deletion
        let second = try await watcher.endpoint()
        #expect(first.incarnation != second.incarnation)
        #expect(watcher.history.contains("removed"))
        await runtime.shutDown()
    }

    @Test("A stop during the clone ends git, and the next start clones anew", arguments: ["slow", "stall"])
    func stopDuringClone(how: String) async throws {
        let bench = try Bench()
        try await bench.repository("one")
        let server = try await GitServer(bench)
        let runtime = try await bench.open(bench.settings())
        var watcher = Watcher(runtime)
        let specification = bench.specification(server.url("\(how)/one.git"))
        try await runtime.create(specification)
        _ = try await watcher.wait(for: "creating/preparing")
        // The server has the request, so git is in the midst of it.
        while !server.requests.contains(how == "slow" ? "GET /slow" : "POST /stall") {
            try await Task.sleep(for: .milliseconds(10))
        }
        try await runtime.stop(specification.id, reason: "a test")
        _ = try await watcher.wait(for: "stopped")
        let mark = "\(ChildEnvironment.instanceName)=\(await runtime.instance)"
        #expect(ProcessFamily(mark: mark, leader: nil).members().isEmpty)
        #expect(bench.content("repo/README") == nil)
        try await runtime.delete(specification.id)
        try await runtime.create(bench.specification(server.url("one.git")))
        _ = try await watcher.endpoint()
        #expect(bench.content("repo/README") == "one main\n")
        await runtime.shutDown()
        await server.stop()
    }

    @Test(
        "A deletion during any stage removes the session", arguments: ["preparing", "starting", "readying", "running"])
    func deleteDuring(stage: String) async throws {
        let bench = try Bench()
        try await bench.repository("one")
        let runtime = try await bench.open(
            stage == "readying" ? bench.settings("--never-healthy") : bench.settings())
        var watcher = Watcher(runtime)
        let specification = bench.specification(bench.file("one"))
        try await runtime.create(specification)
        _ = try await watcher.wait(for: stage == "running" ? stage : "creating/\(stage)")
        try await runtime.delete(specification.id)
        while watcher.history.last != "removed", await watcher.next() != nil {}
        #expect(FolderListing.names(of: bench.stateDirectory + "/sessions").isEmpty)
        let mark = "\(ChildEnvironment.instanceName)=\(await runtime.instance)"
        #expect(ProcessFamily(mark: mark, leader: nil).members().isEmpty)
        await runtime.shutDown()
    }

    @Test("Work that is in the folder only is noticed, while the session runs and when it has stopped")
    func unsavedWork() async throws {
        let bench = try Bench()
        try await bench.repository("one")
        var settings = bench.settings()
        settings.inspectionInterval = .milliseconds(20)
        let runtime = try await bench.open(settings)
        var watcher = Watcher(runtime)
        let specification = bench.specification(bench.file("one"))
        let id = specification.id
        func wait(_ dirty: Bool, _ unpushed: Int) async throws {
            let wanted = UnsavedWork(hasUncommittedChanges: dirty, unpushedCommits: unpushed)
            while watcher.sessions[id]?.unsavedWork != wanted { try #require(await watcher.next() != nil) }
        }
        try await runtime.create(specification)
        _ = try await watcher.endpoint()
        try await wait(false, 0)
        let folder = runtime.repositoryFolder(of: id)
        try SmallFile.replace(folder + "/new", with: [1])
        try await runtime.record(Activity(at: Timestamp.now.advanced(by: .seconds(60)), source: .request), of: id)
        try await wait(true, 0)
        try await runtime.stop(id, reason: "a test")
        _ = try await watcher.wait(for: "stopped")
        try await Bench.shell("git", "add", "new", in: folder)
        try await Bench.shell("git", "commit", "--quiet", "-m", "new", in: folder)
        try await runtime.resume(id, gitToken: nil)
        _ = try await watcher.endpoint()
        try await runtime.stop(id, reason: "a test")
        try await wait(false, 1)
        await runtime.shutDown()

        let again = try await bench.open(settings)
        var second = Watcher(again)
        _ = await second.next()
        #expect(second.sessions[id]?.unsavedWork == UnsavedWork(hasUncommittedChanges: false, unpushedCommits: 1))
        try await again.create(bench.specification(nil, branch: "main", id: 2))
        while second.sessions[SessionID(rawValue: 2)]?.unsavedWork == nil { _ = await second.next() }
        #expect(
            second.sessions[SessionID(rawValue: 2)]?.unsavedWork
                == UnsavedWork(hasUncommittedChanges: false, unpushedCommits: 0))
        await again.shutDown()
    }

    @Test("Many sessions at once start a few at a time, in the order in which they came")
    func queue() async throws {
        let bench = try Bench()
        try await bench.repository("one")
        var settings = bench.settings()
        settings.startsAtOnce = 2
        let runtime = try await bench.open(settings)
        var watcher = Watcher(runtime)
        _ = await watcher.next()
        for id in 1...10 {
            try await runtime.create(
                bench.specification(id.isMultiple(of: 2) ? bench.file("one") : nil, id: UInt64(id)))
        }
        // One that gives up while it waits holds up nobody.
        try await runtime.stop(SessionID(rawValue: 9), reason: "a test")
        var order: [SessionID] = []
        while watcher.sessions.values.count(where: { $0.state.name == "running" }) < 9 {
            guard case .updated(let session) = try #require(await watcher.next()) else { continue }
            if case .creating(.configuring) = session.state { order.append(session.id) }
            let starting = watcher.sessions.values.count { session in
                if case .creating(let stage) = session.state { stage != .initializing } else { false }
            }
            #expect(starting <= 2)
        }
        #expect(order.map(\.rawValue) == [1, 2, 3, 4, 5, 6, 7, 8, 10])
        await runtime.shutDown()
    }

    @Test("Activity goes forward only, except back from a moment that a wrong clock put far ahead")
    func clock() async throws {
        let bench = try Bench()
        let runtime = try await bench.open(bench.settings("--never-healthy"))
        var watcher = Watcher(runtime)
        let specification = bench.specification(nil, branch: "main")
        try await runtime.create(specification)
        let id = specification.id
        func record(_ seconds: Double) async throws -> Timestamp? {
            let moment = Timestamp.now.advanced(by: .seconds(seconds))
            try await runtime.record(Activity(at: moment, source: .request), of: id)
            let stored = await runtime.session(id)?.activity.at
            return stored == moment ? moment : nil
        }
        #expect(try await record(1) != nil)
        #expect(try await record(-3600) == nil)
        #expect(try await record(10 * 365 * 86400) != nil)
        #expect(try await record(2) != nil)
        _ = try await watcher.wait(for: "creating/readying")
        await runtime.shutDown()
    }
}
