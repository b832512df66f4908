internal import Glibc
internal import HTTPWire
internal import Identity
internal import LinuxIO

internal import struct FoundationEssentials.Data

/// `/pty…`: real shells in the repository's folder.
extension Server {
    private static let terminalLimit = 32

    func createTerminal(_ connection: Connection) async throws(ConnectionFailure) -> Response {
        let bytes = try await connection.collectBody(limit: RequestJSON.limit)
        guard let wish = RequestJSON.decode(RequestJSON.TerminalFields.self, bytes) else {
            return .badRequest("The body is not a JSON object with title, command, args or size.")
        }
        guard terminals.count < Self.terminalLimit else {
            return .failure(409, "LimitError", "The demo agent runs \(Self.terminalLimit) terminals at most.")
        }
        let command = wish.command ?? shell
        let arguments = wish.command == nil ? ["-l"] : wish.args ?? []
        let device: PseudoTerminal
        do {
            device = try PseudoTerminal(
                path: command, arguments: [command] + arguments,
                environment: configuration.environment, directory: repository.root, rows: wish.size?.rows ?? 24,
                columns: wish.size?.cols ?? 80, on: executor)
        } catch {
            return .failure(500, "TerminalError", "No terminal could be made: \(error).")
        }
        let terminal = Terminal(
            id: Identifier.make(Identifier.terminal, now: wallClock()), title: wish.title ?? "Terminal",
            command: command, arguments: arguments, directory: repository.root,
            memory: configuration.terminalMemory, device: device, waiter: Waiter(on: executor))
        terminals[terminal.id] = terminal
        let id = terminal.id
        spawn { await self.run(id) }
        events.send(Event("pty.created", ["info": terminal.json]))
        return .json(terminal.json)
    }

    /// `$SHELL` if it can be run, else what there is.
    private var shell: String {
        let wanted = configuration.environment.first { $0.hasPrefix("SHELL=") }?.dropFirst("SHELL=".count)
        for path in [wanted.map(String.init), "/bin/bash", "/bin/sh"].compactMap(\.self)
        where path.hasPrefix("/") && Glibc.access(path, X_OK) == 0 {
            return path
        }
        return "/bin/sh"
    }

    func updateTerminal(_ id: String, _ connection: Connection) async throws(ConnectionFailure) -> Response {
        let bytes = try await connection.collectBody(limit: RequestJSON.limit)
        guard let wish = RequestJSON.decode(RequestJSON.TerminalFields.self, bytes) else {
            return .badRequest("The body is not a JSON object with title or size.")
        }
        guard let terminal = terminals[id] else { return .notFound("Terminal \(id)") }
        if let title = wish.title { terminal.title = title }
        if let size = wish.size {
            guard (1...1000).contains(size.rows), (1...1000).contains(size.cols) else {
                return .badRequest("Rows and cols must be between 1 and 1000.")
            }
            terminal.device.resize(rows: size.rows, columns: size.cols)
        }
        events.send(Event("pty.updated", ["info": terminal.json]))
        return .json(terminal.json)
    }

    func deleteTerminal(_ id: String) -> Response {
        guard let terminal = terminals[id] else { return .notFound("Terminal \(id)") }
        let session: Set = [terminal.device.process]
        ProcessTree.signal(SIGHUP, to: session)
        terminal.hangUp()
        spawn { await self.killLater(session) }
        events.send(Event("pty.deleted", ["id": .string(id)]))
        return .json(true)
    }

    // MARK: Processes

    private func run(_ id: String) async {
        guard let terminal = terminals[id] else { return }
        await terminal.run()
        terminals[id] = nil
        let status = await reap(terminal.device.process)
        if !ProcessTree.members(of: [terminal.device.process]).isEmpty { abandoned.insert(terminal.device.process) }
        events.send(Event("pty.exited", ["id": .string(id), "exitCode": .integer(Int(status))]))
    }

    /// Waits until the shell has ended; one that outlives its terminal for two seconds is killed.
    private func reap(_ process: pid_t) async -> CInt {
        let waiter = Waiter(on: executor)
        var deadline = executor.now.advanced(seconds: 2)
        while true {
            var status: CInt = 0
            let result = waitpid(process, &status, WNOHANG)
            if result == process { return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f) }
            if result < 0 { return -1 }
            if executor.now >= deadline || isStopping && executor.now.advanced(milliseconds: 1800) >= deadline {
                kill(process, SIGKILL)
                deadline = .never
            }
            _ = await waiter.wait(until: executor.now.advanced(milliseconds: 10))
        }
    }

    private func killLater(_ sessions: Set<pid_t>) async {
        let waiter = Waiter(on: executor)
        let deadline = executor.now.advanced(milliseconds: 200)
        while !ProcessTree.members(of: sessions).isEmpty, executor.now < deadline {
            _ = await waiter.wait(until: executor.now.advanced(milliseconds: 10))
        }
        ProcessTree.signal(SIGKILL, to: sessions)
    }

    /// Ends every shell and what it started; gone within a quarter of a second.
    func endAllTerminals() async {
        let sessions = abandoned.union(terminals.values.map(\.device.process))
        abandoned = []
        ProcessTree.signal(SIGHUP, to: sessions)
        for terminal in terminals.values { terminal.hangUp() }
        await killLater(sessions)
    }

    // MARK: The WebSocket

    /// Checks the handshake (RFC 6455 §4.2.1).
    func connectTerminal(_ id: String, _ request: Request) -> Response {
        guard request.upgrade == .webSocket else {
            var response = Response.failure(426, "UpgradeError", "This address speaks WebSocket only.")
            response.fields += [("Upgrade", "websocket")]
            return response
        }
        guard request.field("sec-websocket-version") == "13" else {
            var response = Response.badRequest("Only WebSocket version 13 is spoken here.")
            response.fields.append(("Sec-WebSocket-Version", "13"))
            return response
        }
        guard let key = request.field("sec-websocket-key"), Data(base64Encoded: key)?.count == 16 else {
            return .badRequest("The WebSocket key is missing or malformed.")
        }
        guard let terminal = terminals[id] else { return .notFound("Terminal \(id)") }
        return Response(
            status: 101,
            body: .terminal(terminal, accept: webSocketAccept(key), cursor: TerminalCursor(request.query["cursor"])))
    }
}

/// The answer to a WebSocket key (RFC 6455 §4.2.2).
func webSocketAccept(_ key: String) -> String {
    Data(Digest.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)).base64EncodedString()
}
