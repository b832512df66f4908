import Glibc
import HTTPClient
import Logging
import Sessions
import Synchronization
import Testing

@testable import LocalSessions

/// A temporary folder with repositories, a state directory and scripted agents in it; removed when it is let go.
final class Bench: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/local-sessions-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw DiskError("make a temporary folder") }
        path = String(cString: made)
    }

    deinit { _ = TreeRemoval.remove(path) }

    static let support = {
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(2)
        return parts.joined(separator: "/") + "/Support"
    }()

    static let searchPath = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    static let python = AgentCommand.find("python3", in: searchPath)!

    var stateDirectory: String { path + "/state" }

    /// Settings with short waits, repositories from anywhere, and a scripted agent with these switches.
    func settings(_ switches: String...) -> LocalSessionSettings {
        var settings = LocalSessionSettings(
            stateDirectory: stateDirectory,
            agentCommand: [Self.python, Self.support + "/scripted_agent.py", "--port", "{port}"] + switches,
            environment: [
                "PATH": Self.searchPath, "HOME": path, "LANG": "C.UTF-8", "AUTH_SECRET": "planted-secret-1",
                "ADMIN_SECRET": "planted-secret-2", "SOMETHING_ELSE": "planted-secret-3", "WANTED": "wanted-value",
            ])
        settings.repositories = RepositoryURLPolicy(schemes: ["https", "http", "file"])
        settings.allowsPrivateRepositoryAddresses = true
        settings.probeInterval = .milliseconds(10)
        settings.stopGrace = .milliseconds(500)
        settings.activityInterval = .milliseconds(1)
        return settings
    }

    func open(_ settings: LocalSessionSettings) async throws -> LocalSessions {
        try await LocalSessions.open(
            settings, agent: PlainHTTP.control, logger: Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Runs a command to its end and returns what it wrote; a failure is a test failure.
    @discardableResult
    static func shell(_ words: String..., in directory: String = "/") async throws -> String {
        let output = Collected(limit: 1 << 20, keeps: .first)
        let program = Program(
            path: try #require(AgentCommand.find(words[0], in: searchPath)), arguments: Array(words.dropFirst()),
            environment: [
                "PATH": searchPath, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.test", "GIT_COMMITTER_NAME": "A",
                "GIT_COMMITTER_EMAIL": "a@example.test",
            ], directory: directory)
        let end = try await program.run(
            timeout: .seconds(60), output: { output.append($0) }, errors: { output.append($0) })
        try #require(end == .exited(status: 0), "\(words): \(output.text)")
        return output.text
    }

    /// Makes a bare repository `repositories/NAME.git` with these branches, each with a file `README` that names it.
    func repository(_ name: String, branches: [String] = ["main"]) async throws {
        let bare = "\(path)/repositories/\(name).git"
        try Folder.make("\(path)/repositories")
        try await Self.shell("git", "init", "--quiet", "--bare", "--initial-branch=main", bare)
        guard !branches.isEmpty else { return }
        let tree = "\(path)/tree-\(name)"
        try await Self.shell("git", "init", "--quiet", "--initial-branch=start", tree)
        for branch in branches {
            try await Self.shell("git", "checkout", "--quiet", "--orphan", branch, in: tree)
            try SmallFile.replace(tree + "/README", with: Array("\(name) \(branch)\n".utf8))
            try await Self.shell("git", "add", "README", in: tree)
            try await Self.shell("git", "commit", "--quiet", "-m", "A commit on \(branch)", in: tree)
            try await Self.shell("git", "push", "--quiet", bare, "refs/heads/\(branch)", in: tree)
        }
    }

    func file(_ name: String) -> String { "file://\(path)/repositories/\(name).git" }

    /// A specification for a session of this repository.
    func specification(
        _ repository: String?, branch: String = "work", source: String = "main", id: UInt64 = 1, token: String? = nil
    ) -> SessionSpecification {
        SessionSpecification(
            id: SessionID(rawValue: id),
            key: SessionKey(email: "anna@example.test", repositoryURL: repository, branch: branch),
            sourceBranch: source, initialMessage: "hello", gitToken: token)
    }

    /// A file in a session's folder, as text.
    func content(_ name: String, id: UInt64 = 1) -> String? {
        let folder = SessionFolder(stateDirectory: stateDirectory, id: SessionID(rawValue: id))
        return SmallFile.read(folder.path + "/" + name, limit: 16 << 20).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// A git server over smart HTTP for the repositories of a bench.
struct GitServer {
    let port: UInt16
    let trace: String
    /// The setting that sends tokens here.
    var asTokenHost: TokenHosts {
        TokenHosts(entries: [TokenHosts.Entry(origin: "http://127.0.0.1:\(port)", user: "x-access-token")])
    }
    private let process: RunningProgram

    init(_ bench: Bench) async throws {
        trace = bench.path + "/requests-" + RandomHex.make(bytes: 4)
        let line = OneShot<String>()
        let output = Collected(limit: 4096, keeps: .first)
        process = try await RunningProgram.start(
            Program(
                path: Bench.python,
                arguments: [
                    Bench.support + "/git_http_server.py", "--root", bench.path + "/repositories", "--trace", trace,
                ], environment: ["PATH": Bench.searchPath], directory: "/"),
            output: { bytes in
                output.append(bytes)
                if output.text.contains("\n") { line.fulfil(output.text) }
            })
        port = try #require(await line.wait().flatMap { UInt16($0.prefix { $0.isNumber }) })
    }

    func url(_ path: String) -> String { "http://127.0.0.1:\(port)/\(path)" }

    var requests: String { SmallFile.read(trace, limit: 1 << 20).map { String(decoding: $0, as: UTF8.self) } ?? "" }

    func stop() async {
        kill(process.identity.pid, SIGKILL)
        _ = await process.end.wait()
    }
}

/// Reads the changes of a runtime as they come.
struct Watcher: ~Copyable {
    private var iterator: AsyncStream<SessionChange>.Iterator
    private(set) var sessions: [SessionID: Session] = [:]
    /// The names of all states seen, in order, stages as "creating/stage".
    private(set) var history: [String] = []

    init(_ runtime: LocalSessions) { iterator = runtime.changes().makeAsyncIterator() }

    /// The next change, folded in; nil when the stream has ended.
    mutating func next() async -> SessionChange? {
        guard let change = await iterator.next(isolation: #isolation) else { return nil }
        switch change {
        case .snapshot(let all): sessions = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })
        case .updated(let session):
            if sessions[session.id]?.state != session.state { history.append(session.state.text) }
            sessions[session.id] = session
        case .removed(let id):
            sessions[id] = nil
            history.append("removed")
        case .stale: break
        }
        return change
    }

    /// Waits until the session's state has this name.
    mutating func wait(for name: String, id: UInt64 = 1) async throws -> Session {
        while true {
            if let session = sessions[SessionID(rawValue: id)], session.state.text.hasPrefix(name) { return session }
            try #require(await next() != nil, "the changes ended, waiting for \(name) after \(history)")
        }
    }

    mutating func failure(id: UInt64 = 1) async throws -> SessionFailure {
        let session = try await wait(for: "failed", id: id)
        guard case .failed(let failure) = session.state else { throw DiskError("find the failure") }
        return failure
    }

    mutating func endpoint(id: UInt64 = 1) async throws -> SessionEndpoint {
        let session = try await wait(for: "running", id: id)
        guard case .running(let endpoint) = session.state else { throw DiskError("find the endpoint") }
        return endpoint
    }
}

extension SessionState {
    fileprivate var text: String {
        if case .creating(let stage) = self { "creating/\(stage.rawValue)" } else { name }
    }
}

/// One HTTP exchange over a blocking socket: enough for loopback and for tests.
enum PlainHTTP {
    static let control = AgentControl(
        isHealthy: { await send("GET", "/global/health", to: $0)?.status == 200 },
        dispose: { _ = await send("POST", "/global/dispose", to: $0) })

    struct Answer: Sendable {
        var status: Int
        var body: String
    }

    static func send(_ method: String, _ target: String, to endpoint: SessionEndpoint) async -> Answer? {
        await onOwnThread { exchange(method, target, endpoint) }
    }

    private static func exchange(_ method: String, _ target: String, _ endpoint: SessionEndpoint) -> Answer? {
        let socket = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        defer { close(socket) }
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = endpoint.port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { return nil }
        let credentials = base64("opencode:\(endpoint.password ?? "")")
        let request = """
            \(method) \(target) HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic \(credentials)\r\n\
            Content-Length: 0\r\nConnection: close\r\n\r\n
            """
        guard request.withCString({ write(socket, $0, strlen($0)) }) > 0 else { return nil }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(socket, &chunk, chunk.count)
            if count <= 0 { break }
            bytes += chunk[..<count]
        }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let space = text.firstIndex(of: " "), let status = Int(text[space...].dropFirst().prefix(3)),
            let body = text.firstRange(of: "\r\n\r\n")
        else { return nil }
        return Answer(status: status, body: String(text[body.upperBound...]))
    }

    private static func base64(_ text: String) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var result = ""
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var number = 0
            for index in 0..<3 { number = number << 8 | (index < group.count ? Int(group[start + index]) : 0) }
            for index in 0..<4 {
                result.append(index <= group.count ? alphabet[number >> (18 - 6 * index) & 63] : "=")
            }
        }
        return result
    }
}
