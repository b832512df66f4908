internal import LinuxIO

/// `/event` and `/global/event`.
extension Response {
    static func events(isGlobal: Bool) -> Response {
        Response(
            status: 200,
            fields: [
                ("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no"),
            ],
            body: .events(isGlobal: isGlobal))
    }
}

extension Server {
    /// Sends events as they happen and a heartbeat in between, one chunk each, until the client or the agent goes.
    ///
    /// `/event` also ends when the instance is disposed of; its clients connect again.
    func streamEvents(
        isGlobal: Bool, of response: Response, to request: Request, on connection: Connection
    ) async throws(ConnectionFailure) {
        let isChunked = !request.isHTTP10
        func write(_ event: Event) async throws(ConnectionFailure) {
            let json = isGlobal ? event.globalJSON(directory: repository.root) : event.json
            let bytes = serverSentEvent(json)
            let size = Array((String(bytes.count, radix: 16) + "\r\n").utf8)
            try await connection.write(isChunked ? size + bytes + Array("\r\n".utf8) : bytes)
        }

        let framing = isChunked ? (name: "Transfer-Encoding", value: "chunked") : nil
        try await connection.write(response.head(framing, keepAlive: false))
        let listener = events.listen(waking: connection.waiter)
        defer { events.remove(listener) }
        try await write(Event("server.connected"))
        var heartbeat = executor.now.advanced(milliseconds: configuration.heartbeatMilliseconds)
        streaming: while !isStopping, !listener.isDropped, !connection.stream.isHungUp {
            for event in listener.take() {
                try await write(event)
                if !isGlobal && event.type == "server.instance.disposed" { break streaming }
            }
            if executor.now >= heartbeat {
                try await write(Event("server.heartbeat"))
                heartbeat = executor.now.advanced(milliseconds: configuration.heartbeatMilliseconds)
            }
            connection.stream.interest = .hangUp
            _ = await connection.waiter.wait(until: heartbeat)
        }
        if isChunked && !connection.stream.isHungUp { try await connection.write(Array("0\r\n\r\n".utf8)) }
    }

    /// Stops answers and terminals and says so, as before a stop.
    func dispose() async -> Response {
        for answer in answers.values { answer.stop() }
        await endAllTerminals()
        events.send(Event("server.instance.disposed", ["directory": .string(repository.root)]))
        events.send(Event("global.disposed"))
        return .json(true)
    }
}
