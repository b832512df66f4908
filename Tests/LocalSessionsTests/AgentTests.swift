import Glibc
import HTTPClient
import Logging
import Sessions
import Testing

@testable import LocalSessions

@Suite("The agent's process", .timeLimit(.minutes(5)))
struct AgentTests {
    @Test("An agent that ends before it is ready is a failure with its status and its last lines")
    func exitEarly() async throws {
        let bench = try Bench()
        let runtime = try await bench.open(bench.settings("--exit", "3"))
        var watcher = Watcher(runtime)
        try await runtime.create(bench.specification(nil, branch: "main"))
        let failure = try await watcher.failure()
        #expect(failure.code == "agent_exited")
        #expect(failure.message.contains("exit status 3"))
        #expect(failure.log?.hasSuffix("the last line: cannot go on") == true)
        try await runtime.resume(SessionID(rawValue: 1), gitToken: nil)
        _ = try await watcher.wait(for: "creating")
        #expect(try await watcher.failure().log?.split(separator: "\n").count == 3, "of this run only")
        await runtime.shutDown()
    }

    @Test("A failed session starts again when it is asked to")
    func retry() async throws {
        let bench = try Bench()
        let runtime = try await bench.open(bench.settings("--exit", "3", "--once", bench.path + "/once"))
        var watcher = Watcher(runtime)
        let specification = bench.specification(nil, branch: "main")
        try await runtime.create(specification)
        _ = try await watcher.failure()
        try await runtime.resume(specification.id, gitToken: nil)
        _ = try await watcher.endpoint()
        await runtime.shutDown()
    }

    @Test(
        "An agent that ends while it runs turns the session failed at once, with the cause",
        arguments: [
            ("/exit?status=7", "exit status 7"), ("/signal?number=9", "signal 9 (killed)"),
            ("/signal?number=11", "signal 11 (segmentation fault)"), ("/exit?status=0", "exit status 0"),
        ])
    func crash(order: String, cause: String) async throws {
        let bench = try Bench()
        let runtime = try await bench.open(bench.settings())
        var watcher = Watcher(runtime)
        try await runtime.create(bench.specification(nil, branch: "main"))
        let endpoint = try await watcher.endpoint()
        _ = await PlainHTTP.send("POST", order, to: endpoint)
        let failure = try await watcher.failure()
        #expect(failure.code == "agent_exited")
        #expect(failure.message == "The agent ended while it ran: \(cause).")
        await runtime.shutDown()
    }

    @Test("An agent that never becomes healthy is ended, and the failure carries its log")
    func neverHealthy() async throws {
        let bench = try Bench()
        var settings = bench.settings("--never-healthy")
        settings.readyTimeout = .seconds(4)
        let runtime = try await bench.open(settings)
        var watcher = Watcher(runtime)
        try await runtime.create(bench.specification(nil, branch: "main"))
        let failure = try await watcher.failure()
        #expect(failure.code == "not_ready")
        #expect(failure.log?.contains("scripted agent") == true)
        // Behind a failure git looks through the folder. The shutdown ends that, and no agent that was left.
        await runtime.shutDown()
        let mark = "\(ChildEnvironment.instanceName)=\(await runtime.instance)"
        #expect(ProcessFamily(mark: mark, leader: nil).members().isEmpty)
    }

    @Test(
        "An agent that is not there, or not a program, is a failure that names it",
        arguments: [
            (["no-such-agent-anywhere"], "agent_not_found"), (["/etc/passwd"], "agent_not_found"),
            (["/tmp"], "agent_not_found"), ([], "agent_not_found"),
            (["JUNK"], "agent_not_started"),
        ])
    func noAgent(command: [String], code: String) async throws {
        let bench = try Bench()
        var settings = bench.settings()
        let junk = bench.path + "/junk"
        try SmallFile.replace(junk, with: [0, 1, 2, 3], mode: 0o700)
        settings.agentCommand = command.map { $0 == "JUNK" ? junk : $0 }
        let runtime = try await bench.open(settings)
        var watcher = Watcher(runtime)
        try await runtime.create(bench.specification(nil, branch: "main"))
        let failure = try await watcher.failure()
        #expect(failure.code == code, "\(failure)")
        await runtime.shutDown()
    }

    @Test("A stop ends every process of the session: the group, other sessions, orphans, those without environment")
    func wholeFamily() async throws {
        let bench = try Bench()
        let runtime = try await bench.open(bench.settings("--family", "--ignore-term"))
        var watcher = Watcher(runtime)
        let specification = bench.specification(nil, branch: "main")
        try await runtime.create(specification)
        let endpoint = try await watcher.endpoint()
        let answer = try #require(await PlainHTTP.send("GET", "/children", to: endpoint))
        let children = answer.body.split { !$0.isNumber }.compactMap { pid_t($0) }
        #expect(children.count == 4)
        for child in children { #expect(ProcessTable.entry(of: child)?.isZombie == false) }
        try await runtime.stop(specification.id, reason: "a test")
        _ = try await watcher.wait(for: "stopped")
        for child in children { #expect(ProcessTable.entry(of: child)?.isZombie != false) }
        await runtime.shutDown()
    }

    @Test("A crash of the agent ends what it started, except for what hid its descent and its environment")
    func familyAfterCrash() async throws {
        let bench = try Bench()
        let runtime = try await bench.open(bench.settings("--family"))
        var watcher = Watcher(runtime)
        try await runtime.create(bench.specification(nil, branch: "main"))
        let endpoint = try await watcher.endpoint()
        let answer = try #require(await PlainHTTP.send("GET", "/children", to: endpoint))
        let children = answer.body.split { !$0.isNumber }.compactMap { pid_t($0) }
        _ = await PlainHTTP.send("POST", "/exit?status=1", to: endpoint)
        _ = try await watcher.failure()
        for child in children.dropLast() { #expect(ProcessTable.entry(of: child)?.isZombie != false) }
        // It has no mark and no parent of ours any more; nothing tells it from anybody's process.
        if let last = children.last { kill(last, SIGKILL) }
        await runtime.shutDown()
    }

    @Test("The agent gets the names it needs and the ones that were listed, and no secret of the gateway")
    func environment() async throws {
        let bench = try Bench()
        try await bench.repository("one")
        var settings = bench.settings()
        settings.passedEnvironment = ["WANTED", "AUTH_SECRET"]
        settings.agentEnvironment = ["EXTRA": "extra-value"]
        let runtime = try await bench.open(settings)
        var watcher = Watcher(runtime)
        let specification = bench.specification(bench.file("one"))
        try await runtime.create(specification)
        let endpoint = try await watcher.endpoint()
        let body = try #require(await PlainHTTP.send("GET", "/environment", to: endpoint)).body
        #expect(!body.contains("planted-secret"))
        #expect(body.contains("\"WANTED\": \"wanted-value\""))
        #expect(body.contains("\"EXTRA\": \"extra-value\""))
        #expect(body.contains("\"OPENCODE_SESSION_HASH\": \"\(specification.id)\""))
        #expect(body.contains("\"HOME\": \"\(bench.path)\""))
        #expect(body.contains("\"folder\": \"\(bench.stateDirectory)/sessions/\(specification.id)/repo\""))
        await runtime.shutDown()
    }

    @Test("When somebody else takes the port in between, the agent is started again on another")
    func portTaken() async throws {
        let bench = try Bench()
        let runtime = try await bench.open(bench.settings("--take-port", bench.path + "/taken"))
        var watcher = Watcher(runtime)
        _ = await watcher.next()
        try await runtime.create(bench.specification(nil, branch: "main"))
        _ = try await watcher.endpoint()
        #expect(watcher.history.count { $0 == "creating/starting" } == 2)
        await runtime.shutDown()
    }

    @Test("An agent that talks without end keeps a log of bounded size, and its last lines")
    func boundedLog() async throws {
        let bench = try Bench()
        var settings = bench.settings("--chatter", "3000000")
        settings.logLimit = 100_000
        let runtime = try await bench.open(settings)
        var watcher = Watcher(runtime)
        let specification = bench.specification(nil, branch: "main")
        try await runtime.create(specification)
        _ = try await watcher.endpoint()
        let size = (bench.content("agent.log")?.utf8.count ?? 0) + (bench.content("agent.log.1")?.utf8.count ?? 0)
        #expect(size <= 200_000 + 65_536)
        #expect(try await runtime.log(specification.id, .agent, limit: 50_000).utf8.count > 40_000)
        await runtime.shutDown()
    }

    @Test("What a killed router left running is ended by the next one before it starts anything")
    func orphansOfAKilledRouter() async throws {
        let bench = try Bench()
        var settings = bench.settings()
        do {
            let runtime = try await bench.open(settings)
            await runtime.shutDown()
        }
        let state = try #require(try StateFile(path: bench.stateDirectory + "/state.json").load())
        // As a killed router leaves it: an agent with the directory's mark, and nobody who waits for it.
        let orphan = try await RunningProgram.start(
            Program(
                path: "/bin/sleep", arguments: ["600"],
                environment: [ChildEnvironment.instanceName: state.instance], directory: "/"),
            output: { _ in })
        settings.activityInterval = .seconds(1)
        let runtime = try await bench.open(settings)
        #expect(await orphan.end.wait() == .signaled(9))
        await runtime.shutDown()
    }

    @Test("A process that forgot the mark is found by the record of its number and its start, and only then")
    func recordedLeader() async throws {
        let bench = try Bench()
        let specification = bench.specification(nil, branch: "main")
        do {
            let runtime = try await bench.open(bench.settings())
            var watcher = Watcher(runtime)
            try await runtime.create(specification)
            _ = try await watcher.endpoint()
            await runtime.shutDown()
        }
        let file = StateFile(path: bench.stateDirectory + "/state.json")
        for isSame in [false, true] {
            let process = try await RunningProgram.start(
                Program(path: "/bin/sleep", arguments: ["600"], environment: [:], directory: "/"), output: { _ in })
            var state = try #require(try file.load())
            state.sessions[0].leader = SessionRecord.Leader(
                pid: process.identity.pid, startTime: process.identity.startTime - (isSame ? 0 : 1),
                bootID: ProcessTable.bootID())
            try file.save(state)
            let runtime = try await bench.open(bench.settings())
            #expect(ProcessTable.isAlive(process.identity) == !isSame)
            kill(process.identity.pid, SIGKILL)
            _ = await process.end.wait()
            await runtime.shutDown()
        }
    }

    @Test("Agents are asked for their health over HTTP with their own password, and told to dispose before they stop")
    func overHTTP() async throws {
        let bench = try Bench()
        let client = try await HTTPClient.standalone()
        let runtime = try await LocalSessions.open(
            bench.settings("--healthy-after", "3"), agent: .http(client),
            logger: Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() })
        var watcher = Watcher(runtime)
        let specification = bench.specification(nil, branch: "main")
        try await runtime.create(specification)
        let endpoint = try await watcher.endpoint()
        var stranger = endpoint
        stranger.password = "guess"
        #expect(await AgentControl.http(client).isHealthy(endpoint))
        #expect(await !AgentControl.http(client).isHealthy(stranger))
        try await runtime.stop(specification.id, reason: "a test")
        _ = try await watcher.wait(for: "stopped")
        #expect(bench.content("agent.events") == "disposed\nterminated\n")
        #expect(await !AgentControl.http(client).isHealthy(endpoint))
        await runtime.shutDown()
        await client.close()
    }
}
