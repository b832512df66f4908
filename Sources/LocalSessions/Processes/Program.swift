import Subprocess

/// A program to be run: no shell, exactly this environment, in a session (and so a process group) of its own.
struct Program: Sendable {
    /// An absolute path.
    var path: String
    var arguments: [String]
    var environment: [String: String]
    var directory: String
}

/// How a program ended.
enum ProgramEnd: Hashable, Sendable {
    case exited(status: Int)
    case signaled(Int)

    /// "exit status 3", "signal 9 (killed)".
    var words: String {
        switch self {
        case .exited(let status): "exit status \(status)"
        case .signaled(let signal): "signal \(signal)\(Self.names[signal].map { " (\($0))" } ?? "")"
        }
    }

    private static let names = [
        1: "hung up", 2: "interrupted", 3: "quit", 4: "illegal instruction", 6: "aborted", 7: "bus error",
        8: "arithmetic error", 9: "killed", 11: "segmentation fault", 13: "broken pipe", 15: "terminated",
        24: "CPU time limit", 25: "file size limit",
    ]
}

/// Why a program could not be started.
enum ProgramProblem: Error, Hashable, Sendable {
    case notFound
    case notStarted(reason: String)

    /// As the end of a sentence.
    var words: String {
        switch self {
        case .notFound: "there is no such program"
        case .notStarted(let reason): reason
        }
    }
}

/// A program that was started; whoever holds this waits for its end and ends it, but does not own its life.
final class RunningProgram: Sendable {
    let identity: ProcessIdentity
    /// Becomes known when the process has ended and its output was read to the end.
    let end: OneShot<ProgramEnd>

    private init(identity: ProcessIdentity, end: OneShot<ProgramEnd>) {
        self.identity = identity
        self.end = end
    }

    /// Starts the program and hands what it writes (both streams) to `output`, in order.
    static func start(
        _ program: Program, output: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
    ) async throws(ProgramProblem) -> RunningProgram {
        let started = OneShot<Result<ProcessIdentity, ProgramProblem>>()
        let end = OneShot<ProgramEnd>()
        Task.detached {
            do {
                let result = try await run(
                    .path(literal(program.path)), arguments: Arguments(program.arguments),
                    environment: program.subprocessEnvironment, workingDirectory: literal(program.directory),
                    platformOptions: Program.ownSession, input: .none, output: .sequence, error: .combinedWithOutput
                ) { execution in
                    let pid = execution.processIdentifier.value
                    // It is not waited for yet, so even one that has already ended is still in the table.
                    let startTime = ProcessTable.entry(of: pid)?.identity.startTime ?? 0
                    started.fulfil(.success(ProcessIdentity(pid: pid, startTime: startTime)))
                    for try await chunk in execution.standardOutput { chunk.withUnsafeBytes(output) }
                }
                end.fulfil(ProgramEnd(result.terminationStatus))
            } catch {
                started.fulfil(.failure(ProgramProblem(error, path: program.path)))
                // Only reached with a process when its output could not be read; it was killed then.
                end.fulfil(.signaled(9))
            }
        }
        // Not waited for with `wait()`: a cancelled caller too must learn which process it has to end.
        let result = await Task.detached { await started.wait()! }.value
        return RunningProgram(identity: try result.get(), end: end)
    }
}

extension Program {
    /// Runs the program to its end; cancelling the task, or the end of `timeout`, ends its whole process group.
    ///
    /// - Returns: nil if it took too long or the task was cancelled.
    func run(
        timeout: Duration, output: @escaping @Sendable (UnsafeRawBufferPointer) -> Void,
        errors: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
    ) async throws(ProgramProblem) -> ProgramEnd? {
        let result = await withTaskGroup(of: Result<ProgramEnd, ProgramProblem>?.self) { group in
            group.addTask {
                do {
                    let result = try await Subprocess.run(
                        .path(literal(path)), arguments: Arguments(arguments), environment: subprocessEnvironment,
                        workingDirectory: literal(directory), platformOptions: Self.ownSession, input: .none,
                        output: .sequence, error: .sequence
                    ) { execution in
                        try await withThrowingTaskGroup(of: Void.self) { streams in
                            streams.addTask {
                                for try await chunk in execution.standardOutput { chunk.withUnsafeBytes(output) }
                            }
                            for try await chunk in execution.standardError { chunk.withUnsafeBytes(errors) }
                            try await streams.waitForAll()
                        }
                    }
                    return .success(ProgramEnd(result.terminationStatus))
                } catch {
                    return .failure(ProgramProblem(error, path: path))
                }
            }
            group.addTask {
                try? await Task.sleep(for: timeout)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            await group.waitForAll()
            return first
        }
        // A cancelled sleep and a torn-down program race each other; either way nobody wants the outcome.
        guard let result, !Task.isCancelled else { return nil }
        return try result.get()
    }

    fileprivate var subprocessEnvironment: Environment {
        // Subprocess takes these for C strings; its other form forbids names that a person may well have.
        .custom(environment.map { Array("\($0.key)=\($0.value)".utf8) + [0] })
    }

    fileprivate static var ownSession: PlatformOptions {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [
            .send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: .seconds(2))
        ]
        return options
    }
}

extension ProgramEnd {
    fileprivate init(_ status: TerminationStatus) {
        switch status {
        case .exited(let code): self = .exited(status: Int(code))
        case .signaled(let signal): self = .signaled(Int(signal))
        }
    }
}

extension ProgramProblem {
    fileprivate init(_ error: any Error, path: String) {
        guard let error = error as? SubprocessError else {
            self = .notStarted(reason: "\(error)")
            return
        }
        self = error.code == .executableNotFound ? .notFound : .notStarted(reason: error.description)
    }
}

/// A path in Subprocess's own type, which comes from a package (System) that is not ours to import: the literal's
/// protocol is the one way to make a value of a type without naming it.
private func literal<Path: ExpressibleByStringLiteral>(_ path: String) -> Path where Path.StringLiteralType == String {
    Path(stringLiteral: path)
}
