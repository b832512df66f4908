import Foundation
import HTTPTypes
import Logging
import RouterAPI
import SessionDoubles
import Sessions
import Synchronization

/// The API with a scripted runtime, directory and remotes around it.
final class APIBench: Sendable {
    let runtime: ScriptedRuntime
    let directory: SessionDirectory
    let remotes: ScriptedRemotes
    let secrets = MemorySecrets()
    let log = LogRecorder()
    let api: RouterAPI
    private let run: Task<Void, Never>

    static let ann = APICaller(email: "ann@example.com")
    static let bob = APICaller(email: "bob@example.com")
    static let root = APICaller(email: "root@example.com", isAdmin: true)

    init(
        _ sessions: [Session] = [], remotes: ScriptedRemotes = ScriptedRemotes(), isLoaded: Bool = true,
        edit: (inout APISettings) -> Void = { _ in }
    ) async throws {
        runtime = ScriptedRuntime(sessions, tellsSnapshot: isLoaded)
        let directory = SessionDirectory(runtime: runtime)
        self.directory = directory
        self.remotes = remotes
        var settings = APISettings(
            version: "1.2.3", scheme: "https", domain: "example.com:8443", routeSuffix: "-oc",
            attachDomain: "example.com:4096")
        settings.pingInterval = .seconds(3600)
        edit(&settings)
        let log = log
        let logger = Logger(label: "audit") { _ in log }
        api = RouterAPI(
            settings: settings, directory: directory, runtime: runtime, branches: remotes, catalogue: remotes,
            secrets: secrets, messages: MessageBoard(store: MemoryMessages()), now: { .example }, logger: logger,
            audit: logger)
        run = Task { await directory.run() }
        if isLoaded { try await directory.until { $0.isLoaded } }
    }

    deinit { run.cancel() }

    func call(
        _ method: HTTPRequest.Method, _ target: String, as caller: APICaller? = APIBench.ann, body: String? = nil,
        headers: HTTPFields = [:], token: String? = nil
    ) async -> APIResponse {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var fields = headers
        if body != nil, fields[.contentType] == nil { fields[.contentType] = "application/json" }
        return await api.respond(
            to: APIRequest(
                method: method, path: parts[0], query: parts.count > 1 ? parts[1] : "", headers: fields,
                body: Array((body ?? "").utf8), caller: caller, peer: "192.0.2.1", requestID: "r-1", gitToken: token))
    }
}

extension APIResponse {
    var bytes: [UInt8] { if case .bytes(let bytes) = body { bytes } else { [] } }
    var text: String { String(decoding: bytes, as: UTF8.self) }
    var stream: AsyncStream<[UInt8]>? { if case .stream(let stream) = body { stream } else { nil } }

    /// The body as an object of loose values.
    var object: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]) ?? [:] }
    var array: [[String: Any]] { (try? JSONSerialization.jsonObject(with: Data(bytes)) as? [[String: Any]]) ?? [] }
    var code: String? { object["code"] as? String }
}

/// One event as a browser would read it.
struct ReadEvent: Equatable {
    var name: String
    var data: String

    static func all(in piece: [UInt8]) -> [ReadEvent] {
        String(decoding: piece, as: UTF8.self).components(separatedBy: "\n\n").filter { !$0.isEmpty }.map { block in
            let lines = block.split(separator: "\n")
            guard lines.count == 2, lines[0].hasPrefix("event: "), lines[1].hasPrefix("data: ") else {
                return ReadEvent(name: "comment", data: block)
            }
            return ReadEvent(name: String(lines[0].dropFirst(7)), data: String(lines[1].dropFirst(6)))
        }
    }
}

/// Remotes that answer as told.
final class ScriptedRemotes: BranchSource, RepositoryCatalogue {
    struct State {
        var result: Result<RemoteBranchList, RemoteFailure>
        var asked: [String] = []
        var tokens: [String?] = []
    }
    private let state: Mutex<State>

    init(_ names: [String] = ["main", "next"], default main: String? = "main") {
        state = Mutex(State(result: .success(RemoteBranchList(names: names, defaultBranch: main))))
    }

    init(failing failure: RemoteFailure) { state = Mutex(State(result: .failure(failure))) }

    var asked: [String] { state.withLock { $0.asked } }
    var tokens: [String?] { state.withLock { $0.tokens } }

    func branches(of url: String, token: String?) async throws(RemoteFailure) -> RemoteBranchList {
        let result = state.withLock { state in
            state.asked.append(url)
            state.tokens.append(token)
            return state.result
        }
        return try result.get()
    }

    func repositories(token: String) async throws(RemoteFailure) -> [CatalogueRepository] {
        _ = try state.withLock { $0.result }.get()
        return [
            CatalogueRepository(
                name: "app", fullName: "ann/app", url: "https://github.com/ann/app", isPrivate: true,
                defaultBranch: "main")
        ]
    }

    func branches(of repository: String, token: String) async throws(RemoteFailure) -> [String] {
        try state.withLock { $0.result }.get().names
    }
}

/// Users' variables in memory.
final class MemorySecrets: UserSecretStore {
    private let values = Mutex<[String: [String: String]]>([:])

    func value(_ name: String, of email: String) -> String? { values.withLock { $0[email]?[name] } }
    func names(of email: String) async throws -> [String] { values.withLock { $0[email]?.keys.sorted() ?? [] } }
    func replaceAll(of email: String, with secrets: [String: String]) async throws {
        values.withLock { $0[email] = secrets }
    }
    func put(_ value: String, as name: String, of email: String) async throws {
        values.withLock { $0[email, default: [:]][name] = value }
    }
    func remove(_ name: String, of email: String) async throws {
        values.withLock { _ = $0[email]?.removeValue(forKey: name) }
    }
}

/// Keeps log lines.
final class LogRecorder: LogHandler, Sendable {
    private let kept = Mutex<[String]>([])
    var lines: [String] { kept.withLock { $0 } }

    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        let facts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        kept.withLock { $0.append("\(event.message) \(facts.joined(separator: " "))") }
    }
}
