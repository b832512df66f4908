import Glibc
import Sessions
import Testing

@testable import LocalSessions

@Suite("The state directory", .timeLimit(.minutes(5)))
struct DiskTests {
    @Test("A second router cannot share a state directory, and is told who has it")
    func lock() async throws {
        let bench = try Bench()
        let runtime = try await bench.open(bench.settings())
        await #expect(throws: LocalSessionsError.inUse(directory: bench.stateDirectory, byProcess: "\(getpid())")) {
            try await bench.open(bench.settings())
        }
        await runtime.shutDown()
        await (try bench.open(bench.settings())).shutDown()
    }

    @Test(
        "A record that cannot be read stops the start and is not touched",
        arguments: ["", "{", "[]", "{\"version\":99}", "{\"version\":1}", "\u{0}\u{0}\u{0}"])
    func unreadable(content: String) async throws {
        let bench = try Bench()
        try Folder.make(bench.stateDirectory)
        let path = bench.stateDirectory + "/state.json"
        try SmallFile.replace(path, with: Array(content.utf8))
        let error = await #expect(throws: LocalSessionsError.self) { try await bench.open(bench.settings()) }
        guard case .unreadable = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(error?.message.contains(path) == true)
        #expect(SmallFile.read(path) == Array(content.utf8))
    }

    @Test("What is in the state directory is closed to other users; a directory that others made keeps its mode")
    func permissions() async throws {
        let bench = try Bench()
        mkdir(bench.stateDirectory, 0o755)
        mkdir(bench.stateDirectory + "/sessions", 0o777)
        let runtime = try await bench.open(bench.settings())
        func mode(_ name: String) -> mode_t {
            var status = stat()
            stat(bench.stateDirectory + name, &status)
            return status.st_mode & 0o777
        }
        #expect(mode("") == 0o755)
        #expect(mode("/sessions") == 0o700)
        #expect(mode("/trash") == 0o700)
        #expect(mode("/state.json") == 0o600)
        #expect(mode("/lock") == 0o600)
        await runtime.shutDown()
    }

    @Test("A deletion removes closed folders, very deep ones, names of any bytes, and links but not what they point to")
    func removal() async throws {
        let bench = try Bench()
        let tree = bench.path + "/tree"
        try Folder.make(bench.path + "/outside")
        try SmallFile.replace(bench.path + "/outside/kept", with: [1])
        try Folder.make(tree + "/closed/inner")
        try SmallFile.replace(tree + "/closed/inner/file", with: [1])
        chmod(tree + "/closed/inner", 0o000)
        chmod(tree + "/closed", 0o500)
        symlink(bench.path + "/outside", tree + "/link")
        symlink("/nowhere", tree + "/closed-link")
        // A name is bytes: Latin-1, and one that is no text at all.
        let folder = open(tree, O_RDONLY | O_DIRECTORY)
        for name: [UInt8] in [[0xFC, 0x62, 0x65, 0x72], [0xFF, 0xFE, 0x0A], [0x2D, 0x72, 0x66]] {
            let name = name.map { CChar(bitPattern: $0) } + [0]
            mkdirat(folder, name, 0o700)
            let inner = openat(folder, name, O_RDONLY | O_DIRECTORY)
            close(openat(inner, name, O_WRONLY | O_CREAT, 0o600))
            close(inner)
        }
        close(folder)
        var deep = open(tree, O_RDONLY | O_DIRECTORY)
        for _ in 0..<1000 {
            mkdirat(deep, "a-rather-long-name-for-a-folder", 0o700)
            let next = openat(deep, "a-rather-long-name-for-a-folder", O_RDONLY | O_DIRECTORY)
            close(deep)
            deep = next
        }
        close(deep)
        #expect(TreeRemoval.remove(tree) == TreeRemains())
        #expect(!Folder.exists(tree))
        #expect(SmallFile.read(bench.path + "/outside/kept") == [1])
        #expect(TreeRemoval.remove(tree) == TreeRemains())
    }

    @Test("A deletion that a killed router began is finished by the next one")
    func interruptedDeletion() async throws {
        let bench = try Bench()
        let specification = bench.specification(nil, branch: "main")
        var runtime = try await bench.open(bench.settings())
        do {
            var watcher = Watcher(runtime)
            try await runtime.create(specification)
            _ = try await watcher.endpoint()
            await runtime.shutDown()
        }
        let file = StateFile(path: bench.stateDirectory + "/state.json")
        var state = try #require(try file.load())
        state.sessions[0].isDeleted = true
        try file.save(state)
        try Folder.make(bench.stateDirectory + "/trash/0123456789ab-left/inner")
        runtime = try await bench.open(bench.settings())
        var watcher = Watcher(runtime)
        _ = await watcher.next()
        while !watcher.sessions.isEmpty, await watcher.next() != nil {}
        #expect(FolderListing.names(of: bench.stateDirectory + "/sessions").isEmpty)
        // Emptied beside everything else: nobody waits for it.
        while !FolderListing.names(of: bench.stateDirectory + "/trash").isEmpty {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(try file.load()?.sessions == [])
        await runtime.shutDown()
    }

    @Test("A disk that takes no more is a clear refusal, and what was stored before stays")
    func fullDisk() async throws {
        let bench = try Bench()
        let runtime = try await bench.open(bench.settings())
        let specification = bench.specification(nil, branch: "main")
        // A folder in the place of the temporary file: the write fails as it would on a full or read-only disk.
        let before = SmallFile.read(bench.stateDirectory + "/state.json")
        mkdir(bench.stateDirectory + "/state.json.new", 0o700)
        let error = await #expect(throws: SessionRuntimeError.self) { try await runtime.create(specification) }
        guard case .unavailable(let message) = error else { return #expect(Bool(false)) }
        #expect(message.contains("could not be stored"))
        #expect(SmallFile.read(bench.stateDirectory + "/state.json") == before)
        rmdir(bench.stateDirectory + "/state.json.new")
        var watcher = Watcher(runtime)
        try await runtime.create(specification)
        _ = try await watcher.endpoint()
        await runtime.shutDown()
    }

    @Test("A state directory behind a link, and one given relative to the working folder, are taken as what they are")
    func paths() async throws {
        let bench = try Bench()
        try Folder.make(bench.path + "/elsewhere")
        symlink(bench.path + "/elsewhere", bench.stateDirectory)
        let linked = try await bench.open(bench.settings())
        #expect(await linked.settings.stateDirectory == Folder.canonicalPath(bench.path + "/elsewhere"))
        await linked.shutDown()
        var settings = bench.settings()
        settings.stateDirectory = "../../../../../../../../../../" + bench.path.dropFirst() + "/relative"
        let relative = try await bench.open(settings)
        #expect(await relative.settings.stateDirectory == Folder.canonicalPath(bench.path)! + "/relative")
        await relative.shutDown()
        try SmallFile.replace(bench.path + "/file", with: [])
        settings.stateDirectory = bench.path + "/file"
        let error = await #expect(throws: LocalSessionsError.self) { try await bench.open(settings) }
        #expect(error?.message.contains("Not a directory") == true)
    }

    @Test("A user's variables reach that user's sessions from their next start on, and nobody else's")
    func secrets() async throws {
        let bench = try Bench()
        let runtime = try await bench.open(bench.settings())
        let secrets = await runtime.secrets
        try await secrets.replaceAll(of: "Anna@example.test ", with: ["API_KEY": "anna-value", "OTHER": "x"])
        try await secrets.put("new", as: "OTHER", of: "anna@example.test")
        try await secrets.put("y", as: "THIRD", of: "anna@example.test")
        try await secrets.remove("THIRD", of: "anna@example.test")
        try await secrets.put("bert-value", as: "API_KEY", of: "bert@example.test")
        #expect(try await secrets.names(of: "anna@example.test") == ["API_KEY", "OTHER"])
        #expect(try await secrets.names(of: "nobody@example.test") == [])
        await #expect(throws: LocalSecrets.Problem.self) {
            try await secrets.put("x", as: "LD_PRELOAD", of: "anna@example.test")
        }
        await #expect(throws: LocalSecrets.Problem.self) {
            try await secrets.put("a\0b", as: "FINE", of: "anna@example.test")
        }
        var watcher = Watcher(runtime)
        try await runtime.create(bench.specification(nil, branch: "main"))
        let body = try #require(
            await PlainHTTP.send("GET", "/environment", to: try await watcher.endpoint())
        ).body
        #expect(body.contains("\"API_KEY\": \"anna-value\""))
        #expect(body.contains("\"OTHER\": \"new\""))
        #expect(!body.contains("bert-value"))
        #expect(
            SmallFile.read(bench.stateDirectory + "/state.json").map { String(decoding: $0, as: UTF8.self) }?
                .contains("anna-value") == false)
        var status = stat()
        stat(bench.stateDirectory + "/secrets.json", &status)
        #expect(status.st_mode & 0o777 == 0o600)
        await runtime.shutDown()

        let again = try await bench.open(bench.settings())
        #expect(try await again.secrets.names(of: "bert@example.test") == ["API_KEY"])
        await again.shutDown()
    }
}
