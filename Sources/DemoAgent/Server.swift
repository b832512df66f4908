internal import Glibc
internal import LinuxIO

/// The running agent: everything it knows, on one loop.
///
/// An actor whose executor is the loop, so that handlers read and change the state without locks and without leaving the
/// loop's thread. Each connection is one task.
actor Server {
    nonisolated let loop: Loop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.unownedExecutor }

    let configuration: DemoAgent.Configuration
    let access: Access
    let page: Page
    let repository: Repository
    let events = EventHub()
    var conversations: [String: Conversation] = [:]
    /// The answers being given, by conversation.
    var answers: [String: Answer] = [:]
    var terminals: [String: Terminal] = [:]
    /// Sessions of ended shells that left processes behind.
    var abandoned: Set<pid_t> = []
    private(set) var isStopping = false

    /// What the accepting task waits for.
    private struct Accepting {
        let listener: Listener
        let waiter: Waiter
        let signals: ProcessSignals?
    }

    private var accepting: Accepting?
    private var connections: [Int: Connection] = [:]
    private var tasks: [Int: Task<Void, Never>] = [:]
    private var nextTask = 0

    private static let connectionLimit = 1000

    init(_ configuration: DemoAgent.Configuration, on loop: Loop) throws {
        self.configuration = configuration
        self.loop = loop
        guard let root = realpath(configuration.directory, nil) else {
            throw DemoAgentError.noDirectory(configuration.directory)
        }
        defer { free(root) }
        repository = Repository(root: String(cString: root))
        access = Access(username: configuration.username, password: configuration.password)
        page = Page(folder: configuration.resources.map { $0 + "/demo-agent" })
    }

    nonisolated var executor: LoopExecutor { loop.executor }

    /// Listens and serves until something ends it; see `DemoAgent.run`.
    func run(onReady: @Sendable (SocketAddress) -> Void) async throws {
        guard let address = SocketAddress(numeric: configuration.hostname, port: configuration.port) else {
            throw DemoAgentError.notAnAddress(configuration.hostname)
        }
        let waiter = Waiter(on: executor)
        let listener = try Listener(address: address, sharesPort: false, on: executor)
        listener.waiter = waiter
        let signals = configuration.followsProcess ? try ProcessSignals(waking: waiter, on: executor) : nil
        announce(listener.localAddress)
        onReady(listener.localAddress)

        let waker = waiter.remote
        accepting = Accepting(listener: listener, waiter: waiter, signals: signals)
        await withTaskCancellationHandler {
            await accept()
        } onCancel: {
            waker.wake()
        }
        listener.close()
        accepting = nil
        await shutDown()
    }

    private func accept() async {
        guard let (listener, waiter, signals) = accepting.map({ ($0.listener, $0.waiter, $0.signals) }) else { return }
        let parent = getppid()
        while !Task.isCancelled {
            if let signals, signals.haveCome() { return }
            // Not PR_SET_PDEATHSIG: it follows the thread that started this process, which may end long before its
            // process does.
            if signals != nil && getppid() != parent { return }
            var wakeUp = executor.now.advanced(milliseconds: 500)
            accepting: while tasks.count < Self.connectionLimit {
                switch listener.accept() {
                case .accepted(let accepted): start(accepted.take())
                case .nobody: break accepting
                case .exhausted:
                    wakeUp = executor.now.advanced(milliseconds: 100)
                    break accepting
                }
            }
            let isFull = tasks.count >= Self.connectionLimit
            listener.setPaused(isFull)
            _ = await waiter.wait(until: isFull ? executor.now.advanced(milliseconds: 100) : wakeUp)
        }
    }

    private func start(_ descriptor: consuming Descriptor) {
        guard let connection = try? Connection(descriptor, on: executor) else { return }
        nextTask += 1
        let number = nextTask
        connections[number] = connection
        spawn(number) { await self.serve(number) }
    }

    private func serve(_ number: Int) async {
        guard let connection = connections[number] else { return }
        await serve(connection)
        connections[number] = nil
    }

    /// Starts a task on the loop that `shutDown` waits for.
    func spawn(_ body: @escaping @Sendable () async -> Void) {
        nextTask += 1
        spawn(nextTask, body)
    }

    private func spawn(_ number: Int, _ body: @escaping @Sendable () async -> Void) {
        tasks[number] = Task(executorPreference: executor) {
            await body()
            await self.ended(number)
        }
    }

    private func ended(_ number: Int) { tasks[number] = nil }

    // MARK: The end

    private func shutDown() async {
        isStopping = true
        for answer in answers.values { answer.stop() }
        await endAllTerminals()
        for task in tasks.values { task.cancel() }
        for connection in connections.values { connection.waiter.wake() }
        // Every task looks at `isStopping` or at its cancellation when it wakes up; none is waited for long.
        let waiter = Waiter(on: executor)
        let deadline = executor.now.advanced(seconds: 2)
        while !tasks.isEmpty && executor.now < deadline {
            _ = await waiter.wait(until: executor.now.advanced(milliseconds: 10))
        }
    }

    private func announce(_ address: SocketAddress) {
        guard configuration.announces else { return }
        let text = "demo agent (a stand-in for opencode) listening on http://\(address)\n"
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}

/// Why an agent does not start.
package enum DemoAgentError: Error, Equatable, CustomStringConvertible {
    case noDirectory(String)
    case notAnAddress(String)

    package var description: String {
        switch self {
        case .noDirectory(let path): "the folder \(path) does not exist"
        case .notAnAddress(let text): "\(text) is not a numeric address"
        }
    }
}
