import Glibc
import Synchronization

/// A program that a test talks to: started at once, killed when nobody holds it any more.
final class ChildProcess: Sendable {
    let pid: pid_t
    private let output: CInt
    /// Whether the process is gone for good, and its number perhaps somebody else's.
    private let isReaped = Atomic(false)

    /// Starts a program from PATH; its output and errors can be read with `readLine`.
    init(_ arguments: [String], directory: String? = nil, environment: [String: String] = [:]) {
        // Closed on exec from the start: a child that another test starts right now would keep the writing end, and
        // nobody would ever read the end of this one's output.
        var pipe: [CInt] = [0, 0]
        let kind = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &pipe) == 0 else { fatalError("no pipe") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, pipe[1], 1)
        posix_spawn_file_actions_adddup2(&actions, pipe[1], 2)
        // env -C changes the directory without a call that older C libraries lack.
        var words = ["env"]
        if let directory { words += ["-C", directory] }
        words += environment.map { "\($0.key)=\($0.value)" } + arguments
        var argv = words.map { strdup($0) } + [nil]
        defer { argv.forEach { free($0) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, "env", &actions, nil, &argv, environ)
        close(pipe[1])
        guard result == 0 else { fatalError("cannot start \(arguments[0])") }
        self.pid = pid
        output = pipe[0]
    }

    /// The next line of output without its end; nil once the program has closed it.
    func readLine() -> String? {
        var line: [UInt8] = []
        while true {
            var byte: UInt8 = 0
            guard read(output, &byte, 1) == 1 else { return line.isEmpty ? nil : String(decoding: line, as: UTF8.self) }
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
    }

    /// Reads lines up to the first one that starts with `prefix`, and returns what follows it there.
    func wait(for prefix: String) -> String? {
        var seen: [String] = []
        while let line = readLine() {
            if line.hasPrefix(prefix) { return String(line.dropFirst(prefix.count)) }
            seen.append(line)
        }
        print("the program ended, saying:", seen.joined(separator: "\n"))
        return nil
    }

    /// Ends the program without giving it a chance to say goodbye.
    func kill() {
        if !isReaped.load(ordering: .relaxed) { _ = Glibc.kill(pid, SIGKILL) }
    }

    /// Waits for the program's end; its wait status.
    private func reap() -> CInt {
        var status: CInt = 0
        waitpid(pid, &status, 0)
        isReaped.store(true, ordering: .relaxed)
        return status
    }

    deinit {
        kill()
        close(output)
        if !isReaped.load(ordering: .relaxed) { _ = reap() }
    }

    /// Runs a program to its end; returns its output, or stops the test run if it fails.
    @discardableResult
    static func run(_ arguments: [String], directory: String? = nil, environment: [String: String] = [:]) -> String {
        let child = ChildProcess(arguments + [], directory: directory, environment: environment)
        var lines: [String] = []
        while let line = child.readLine() { lines.append(line) }
        guard child.reap() == 0 else {
            fatalError("\(arguments.joined(separator: " ")) failed:\n\(lines.joined(separator: "\n"))")
        }
        return lines.joined(separator: "\n")
    }
}

/// A directory that is removed when nobody holds it any more, or when the tests end.
final class TemporaryDirectory: Sendable {
    let path: String

    /// What statics hold is never released.
    private static let remaining: Mutex<Set<String>> = {
        atexit {
            for path in TemporaryDirectory.remaining.withLock({ $0 }) { ChildProcess.run(["rm", "-rf", path]) }
        }
        return Mutex([])
    }()

    init() {
        var template = Array("/tmp/opencode-router-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("no temporary directory") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        Self.remaining.withLock { _ = $0.insert(path) }
    }

    deinit {
        ChildProcess.run(["rm", "-rf", path])
        Self.remaining.withLock { _ = $0.remove(path) }
    }

    /// The path of something in it.
    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a small file.
    func write(_ name: String, _ text: String) {
        guard let file = fopen(self(name), "w") else { fatalError("cannot write \(name)") }
        fputs(text, file)
        fclose(file)
    }

    /// Reads a text file; empty if there is none.
    func read(_ name: String) -> String {
        guard let file = fopen(self(name), "r") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = fgetc(file), byte != EOF { bytes.append(UInt8(byte)) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
