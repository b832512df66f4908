internal import HTTPWire
internal import LinuxIO

/// Requests in, answers out: the life of one connection.
extension Server {
    func serve(_ connection: Connection) async {
        connection.stream.detectDeadPeer(withinSeconds: 60)
        do throws(ConnectionFailure) {
            while !isStopping, let request = try await connection.nextRequest() {
                let response: Response
                do throws(ConnectionFailure) {
                    response = try await respond(to: request, on: connection)
                } catch .bodyTooLarge {
                    response = .failure(413, "TooLargeError", "The request's body is too large.")
                }
                guard try await send(response, to: request, on: connection) else { break }
            }
        } catch .wire(let error) {
            let response = Self.refusal(of: error)
            let head = response.head(("Content-Length", String(response.length ?? 0)), keepAlive: false)
            if case .bytes(let bytes) = response.body { try? await connection.write(head + bytes) }
        } catch {
            // The connection is gone, or too slow: there is nobody to tell.
            connection.stream.close()
        }
        if connection.stream.isOpen && !isStopping { await connection.closeGently() }
    }

    private static func refusal(of error: WireError) -> Response {
        switch error {
        case .lineTooLong: .failure(414, "BadRequestError", "The request line is too long.")
        case .headTooLarge, .tooManyFields: .failure(431, "BadRequestError", "The request head is too large.")
        default: .badRequest("This is not a well-formed HTTP/1.1 request (\(error)).")
        }
    }

    /// Carries an answer out; false when the connection ends with it.
    private func send(
        _ response: Response, to request: Request, on connection: Connection
    ) async throws(ConnectionFailure) -> Bool {
        switch response.body {
        case .events(let isGlobal) where request.method != .head:
            try await streamEvents(isGlobal: isGlobal, of: response, to: request, on: connection)
            return false
        case .terminal(let terminal, let accept, let cursor):
            var response = response
            response.fields = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]
            try await connection.write(response.head(nil, keepAlive: true))
            try await connect(connection, to: terminal, from: cursor)
            return false
        default: break
        }

        let keepAlive = request.keepAlive && connection.canSkipBody && !isStopping
        let framing = response.length.map { (name: "Content-Length", value: String($0)) }
        let head = response.head(framing, keepAlive: keepAlive)
        switch response.body {
        case _ where request.method == .head: try await connection.write(head)
        case .bytes(let bytes): try await connection.write(head + bytes)
        case .file(let file):
            try await connection.write(head)
            try await connection.write(file)
        case .pattern(let count):
            try await connection.write(head)
            try await writePattern(count, on: connection)
        case .none, .events, .terminal: try await connection.write(head)
        }
        guard keepAlive else { return false }
        try await connection.skipBody()
        return true
    }

    private func writePattern(_ count: UInt64, on connection: Connection) async throws(ConnectionFailure) {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { block.deallocate() }
        var position: UInt64 = 0
        while position < count {
            Pattern.fill(block, from: position)
            let part = Int(min(count - position, UInt64(block.count)))
            try await connection.write(UnsafeRawBufferPointer(rebasing: block[..<part]))
            position += UInt64(part)
            await Task.yield()
        }
    }

    /// What a request means and who may ask it.
    private func respond(
        to request: Request, on connection: Connection
    ) async throws(ConnectionFailure) -> Response {
        if let refusal = access.refusal(of: request) { return refusal }
        guard let route = Route(request.segments) else { return .notFound(request.target) }
        let method = request.method == .head ? "GET" : request.methodText
        if request.method == .options {
            return Response(
                status: 204, fields: [("Allow", (["OPTIONS", "HEAD"] + route.methods).joined(separator: ", "))])
        }
        guard route.methods.contains(method) else {
            return .methodNotAllowed(route.methods.joined(separator: ", "))
        }
        return switch route {
        case .page: pageResponse(page.index, isDocument: true)
        case .resource(let name): page.file(name).map { pageResponse($0, isDocument: false) } ?? .notFound(name)
        case .health: .json(["healthy": true, "version": .string(DemoAgent.version)])
        case .events: .events(isGlobal: false)
        case .globalEvents: .events(isGlobal: true)
        case .dispose: await dispose()
        case .path: pathResponse
        case .versionControl:
            // The name is not in opencode's answer; the page shows it.
            .json(["branch": repository.branch.map { .string($0) } ?? .null, "name": .string(repository.name)])
        case .files: listFiles(request)
        case .fileContent: fileContent(request)
        case .pending: .json([])
        case .sessions where method == "POST": try await createConversation(connection)
        case .sessions: listConversations(request)
        case .sessionStatus: conversationStatus
        case .session(let id) where method == "DELETE": deleteConversation(id)
        case .session(let id): conversations[id].map { .json($0.json) } ?? .notFound("Session \(id)")
        case .messages(let id) where method == "POST": try await promptAndWait(id, connection)
        case .messages(let id): conversations[id].map { .json($0.messagesJSON) } ?? .notFound("Session \(id)")
        case .promptAsync(let id): try await prompt(id, connection)
        case .abort(let id): abort(id)
        case .terminals where method == "POST": try await createTerminal(connection)
        case .terminals: .json(.array(terminals.values.sorted { $0.id < $1.id }.map(\.json)))
        case .terminal(let id) where method == "PUT": try await updateTerminal(id, connection)
        case .terminal(let id) where method == "DELETE": deleteTerminal(id)
        case .terminal(let id): terminals[id].map { .json($0.json) } ?? .notFound("Terminal \(id)")
        case .terminalConnection(let id): connectTerminal(id, request)
        case .upload(let name) where method == "GET": download(name)
        case .upload(let name) where method == "DELETE": deleteUpload(name)
        case .upload(let name): try await upload(name, connection)
        case .bytes: pattern(request)
        case .request: describe(request)
        }
    }

    private func pageResponse(_ file: Page.File, isDocument: Bool) -> Response {
        var fields = [(name: "Content-Type", value: file.type), (name: "Cache-Control", value: "no-cache")]
        if isDocument { fields.append(("Content-Security-Policy", Page.contentSecurityPolicy)) }
        return Response(status: 200, fields: fields, body: .bytes(file.bytes))
    }

    private var pathResponse: Response {
        .json(["directory": .string(repository.root), "worktree": .string(repository.root)])
    }
}
