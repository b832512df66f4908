import SessionDoubles
import Sessions
import Testing

@Suite("The session directory")
struct SessionDirectoryTests {
    @Test("Nothing is known before the runtime's first snapshot")
    func beforeTheFirst() {
        let directory = SessionDirectory(runtime: ScriptedRuntime())
        #expect(!directory.snapshot.isLoaded)
        #expect(!directory.snapshot.inSync)
    }

    @Test("Changes fold into one sorted snapshot")
    func folding() {
        var snapshot = DirectorySnapshot()
        let first = snapshot.apply(.snapshot([.example(3), .example(1)]))
        #expect(first.everyone && first.owners == ["ann@example.com"])
        _ = snapshot.apply(.updated(.example(2, owner: "bob@example.com")))
        #expect(snapshot.sessions.map(\.id.rawValue) == [1, 2, 3])
        #expect(snapshot[SessionID(rawValue: 2)]?.owner == "bob@example.com")
        #expect(snapshot[SessionID(rawValue: 4)] == nil)
        #expect(snapshot.sessions(of: "ann@example.com").map(\.id.rawValue) == [1, 3])
        #expect(snapshot.sessions(of: "eve@example.com").isEmpty)
        _ = snapshot.apply(.removed(SessionID(rawValue: 1)))
        #expect(snapshot.sessions.map(\.id.rawValue) == [2, 3])
    }

    @Test("A change that changes nothing wakes nobody")
    func noChange() {
        var snapshot = DirectorySnapshot()
        _ = snapshot.apply(.snapshot([.example(1)]))
        let revision = snapshot.revision
        #expect(snapshot.apply(.updated(.example(1))) == DirectoryTouch())
        #expect(snapshot.apply(.snapshot([.example(1)])) == DirectoryTouch())
        #expect(snapshot.apply(.removed(SessionID(rawValue: 9))) == DirectoryTouch())
        #expect(snapshot.revision == revision)
    }

    @Test("An owner's revision grows with the owner's changes only")
    func ownerRevisions() {
        var snapshot = DirectorySnapshot()
        _ = snapshot.apply(.snapshot([.example(1), .example(2, owner: "bob@example.com")]))
        let (ann, bob) = (snapshot.revision(of: "ann@example.com"), snapshot.revision(of: "bob@example.com"))
        _ = snapshot.apply(.updated(.example(1, state: .stopped)))
        #expect(snapshot.revision(of: "ann@example.com") > ann)
        #expect(snapshot.revision(of: "bob@example.com") == bob)
        _ = snapshot.apply(.removed(SessionID(rawValue: 2)))
        #expect(snapshot.revision(of: "bob@example.com") > bob)
    }

    @Test("A runtime that cannot see makes the snapshot stale, and its next snapshot mends it, deletions and all")
    func staleness() {
        var snapshot = DirectorySnapshot()
        _ = snapshot.apply(.snapshot([.example(1), .example(2)]))
        #expect(snapshot.apply(.stale(reason: "gone")).everyone)
        #expect(!snapshot.inSync && snapshot.isLoaded && snapshot.staleReason == "gone")
        #expect(snapshot.sessions.count == 2)
        #expect(snapshot.apply(.snapshot([.example(2)])).everyone)
        #expect(snapshot.inSync && snapshot.staleReason == nil)
        #expect(snapshot.sessions.map(\.id.rawValue) == [2])
    }

    @Test("Verdicts stand until the next sweep, or until the session moves on")
    func verdicts() {
        var snapshot = DirectorySnapshot()
        let id = SessionID(rawValue: 1)
        _ = snapshot.apply(.snapshot([.example(1)]))
        let verdict = IdleVerdict(reason: .agentBusy, stopsAt: nil)
        #expect(snapshot.apply([id: verdict, SessionID(rawValue: 7): verdict]).sessions == [id])
        #expect(snapshot.verdicts == [id: verdict])
        #expect(snapshot.apply([id: verdict]) == DirectoryTouch())
        _ = snapshot.apply(.updated(.example(1, state: .stopping)))
        #expect(snapshot.verdicts.isEmpty)
    }

    @Test("Readers get the present state, then what concerns them")
    func interests() async throws {
        let runtime = ScriptedRuntime([.example(1), .example(2, owner: "bob@example.com")])
        let directory = SessionDirectory(runtime: runtime)
        try await running(directory) {
            var ann = directory.updates(.owner("ann@example.com")).makeAsyncIterator()
            var second = directory.updates(.session(SessionID(rawValue: 2))).makeAsyncIterator()
            _ = await ann.next()
            _ = await second.next()
            runtime.move(SessionID(rawValue: 2), to: .stopped)
            #expect(await second.next()?[SessionID(rawValue: 2)]?.state == .stopped)
            runtime.move(SessionID(rawValue: 1), to: .stopping)
            let seen = try #require(await ann.next())
            #expect(seen[SessionID(rawValue: 1)]?.state == .stopping)
            runtime.tell(.stale(reason: "gone"))
            #expect(await ann.next()?.staleReason == "gone")
            #expect(await second.next()?.staleReason == "gone")
        }
    }

    @Test("A slow reader gets the newest state and no backlog")
    func conflation() async throws {
        let runtime = ScriptedRuntime([.example(1)])
        let directory = SessionDirectory(runtime: runtime)
        try await running(directory) {
            var slow = directory.updates().makeAsyncIterator()
            _ = await slow.next()
            for number in 2...1000 { runtime.tell(.updated(.example(UInt64(number)))) }
            try await directory.until { $0.sessions.count == 1000 }
            #expect(await slow.next()?.sessions.count == 1000)
            runtime.tell(.removed(SessionID(rawValue: 1)))
            #expect(await slow.next()?.sessions.count == 999)
        }
    }

    @Test("Streams that nobody reads any more are forgotten")
    func forgetting() async throws {
        let directory = SessionDirectory(runtime: ScriptedRuntime([]))
        do { _ = directory.updates() }
        while directory.readerCount > 0 { await Task.yield() }
        let reader = Task { for await _ in directory.updates() {} }
        while directory.readerCount == 0 { await Task.yield() }
        reader.cancel()
        await reader.value
        while directory.readerCount > 0 { await Task.yield() }
    }

    @Test("Readers that leave at the moment of news keep nobody waiting", .timeLimit(.minutes(5)))
    func leavingInTheMidst() async throws {
        let id = SessionID(rawValue: 1)
        let runtime = ScriptedRuntime([.example(1)])
        let directory = SessionDirectory(runtime: runtime)
        try await running(directory) {
            for round in 0..<1000 {
                let readers = (0..<8).map { _ in Task { for await _ in directory.updates() {} } }
                while directory.readerCount < readers.count { await Task.yield() }
                runtime.move(id, to: round.isMultiple(of: 2) ? .stopped : .stopping)
                for reader in readers { reader.cancel() }
                for reader in readers { await reader.value }
                while directory.readerCount > 0 { await Task.yield() }
            }
        }
    }

    @Test("When the runtime ends, the state is stale and every stream ends")
    func theEnd() async {
        let runtime = ScriptedRuntime([.example(1)])
        let directory = SessionDirectory(runtime: runtime)
        async let run: Void = directory.run()
        let stream = directory.updates()
        runtime.end()
        await run
        var last: DirectorySnapshot?
        for await snapshot in stream { last = snapshot }
        #expect(last?.inSync == false)
        for await snapshot in directory.updates() { last = snapshot }
        #expect(last?.sessions.count == 1)
    }

    @Test("A thousand sessions and two hundred readers keep up with every change")
    func scale() async throws {
        let runtime = ScriptedRuntime(
            (0..<1000).map { .example($0, owner: "user\($0 % 200)@example.com") })
        let directory = SessionDirectory(runtime: runtime)
        try await running(directory) {
            await withTaskGroup(of: Bool.self) { group in
                for user in 0..<200 {
                    group.addTask {
                        for await snapshot in directory.updates(.owner("user\(user)@example.com"))
                        where snapshot.sessions(of: "user\(user)@example.com").allSatisfy({ $0.state == .stopped }) {
                            return snapshot.sessions(of: "user\(user)@example.com").count == 5
                        }
                        return false
                    }
                }
                for number in 0..<1000 { runtime.move(SessionID(rawValue: UInt64(number)), to: .stopped) }
                for await isRight in group { #expect(isRight) }
            }
        }
    }

    private func running(_ directory: SessionDirectory, _ body: () async throws -> Void) async throws {
        let run = Task { await directory.run() }
        defer { run.cancel() }
        try await directory.until { $0.isLoaded }
        try await body()
    }
}
