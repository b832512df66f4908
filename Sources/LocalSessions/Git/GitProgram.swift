import Sessions
import Synchronization

/// git as it is run for one session: its environment, its log, and what its answers mean.
struct GitProgram: Sendable {
    /// The absolute path of git.
    let path: String
    let environment: [String: String]
    /// Where everything that git tells goes, besides to the caller.
    let log: BoundedLog?
    let access: GitAccess?
    /// The repository's address for messages; nil for a blank project.
    let address: String?

    /// What a command wrote, and how it ended.
    struct Answer: Sendable {
        var end: ProgramEnd
        /// The first 16 MiB of standard output.
        var output: String
        /// The last 16 KiB of standard error.
        var errors: String

        var isSuccess: Bool { end == .exited(status: 0) }
    }

    /// Settings of every command: no hooks, no submodules, no protocol that runs a command, no redirect that we did
    /// not look at, no transfer that stands still.
    private static let always = [
        "core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.ext.allow=never", "http.followRedirects=false",
        "submodule.recurse=false", "fetch.recurseSubmodules=false", "http.lowSpeedLimit=1", "http.lowSpeedTime=120",
        "advice.detachedHead=false", "gc.auto=0", "maintenance.auto=false",
    ]

    /// Runs `git ARGUMENTS` in `directory`; throws when it cannot be started, takes too long or is cancelled.
    ///
    /// - Parameter tracing: a file for curl's account of the exchange, without its data.
    func run(
        _ arguments: [String], settings: [String] = [], in directory: String, timeout: Duration,
        tracing: String? = nil
    ) async throws(SessionFailure) -> Answer {
        var environment = environment
        if let tracing {
            environment["GIT_TRACE_CURL"] = tracing
            environment["GIT_TRACE_CURL_NO_DATA"] = "1"
            environment["GIT_TRACE_REDACT"] = "1"
        }
        let program = Program(
            path: path, arguments: (Self.always + settings).flatMap { ["-c", $0] } + arguments,
            environment: environment, directory: directory)
        let output = Collected(limit: 16 << 20, keeps: .first)
        let errors = Collected(limit: 16 << 10, keeps: .last)
        let log = log
        let end: ProgramEnd?
        do throws(ProgramProblem) {
            end = try await program.run(
                timeout: timeout, output: { output.append($0) },
                errors: { bytes in
                    log?.append(bytes)
                    errors.append(bytes)
                })
        } catch {
            throw SessionFailure(
                code: "git_not_found", message: "git could not be started: \(error.words).",
                hint: "Ask the operator to install git on the gateway's machine.")
        }
        guard let end else {
            if Task.isCancelled { throw Self.cancelled }
            throw SessionFailure(
                code: "clone_timed_out",
                message: "\(address ?? "git") took longer than \(timeout.components.seconds) seconds.",
                hint: "Try again; if the repository is very large, ask the operator for a longer limit.",
                log: LogTail.lines(20, of: redacted(errors.text)))
        }
        return Answer(end: end, output: output.text, errors: redacted(errors.text))
    }

    /// Runs a command that has to succeed.
    func require(
        _ arguments: [String], settings: [String] = [], in directory: String, timeout: Duration
    ) async throws(SessionFailure) {
        let answer = try await run(arguments, settings: settings, in: directory, timeout: timeout)
        guard answer.isSuccess else { throw cause(of: answer) }
    }

    /// Why this answer is a failure.
    func cause(of answer: Answer) -> SessionFailure {
        GitFailure.cause(
            of: answer.errors, ended: answer.end.words, address: address ?? "the project", hasToken: access != nil)
    }

    /// Thrown when the session was stopped in between; nobody is shown it.
    static let cancelled = SessionFailure(code: "cancelled", message: "The session was stopped.", hint: "")

    private func redacted(_ text: String) -> String {
        guard let token = access?.token else { return text }
        return text.replacing(token, with: "***")
    }
}

/// The first or the last bytes of what a program writes.
final class Collected: Sendable {
    enum Part: Sendable { case first, last }
    private let bytes = Mutex<[UInt8]>([])
    private let limit: Int
    private let part: Part

    init(limit: Int, keeps part: Part) {
        self.limit = limit
        self.part = part
    }

    func append(_ new: UnsafeRawBufferPointer) {
        bytes.withLock { bytes in
            switch part {
            case .first: bytes.append(contentsOf: new.prefix(max(0, limit - bytes.count)))
            case .last:
                bytes.append(contentsOf: new.suffix(limit))
                if bytes.count > 2 * limit { bytes.removeFirst(bytes.count - limit) }
            }
        }
    }

    var text: String {
        bytes.withLock { String(decoding: part == .last ? $0.suffix(limit) : $0[...], as: UTF8.self) }
    }
}
