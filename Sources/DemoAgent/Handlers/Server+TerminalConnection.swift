internal import LinuxIO

extension Server {
    /// Carries a terminal's WebSocket, both directions in one task, until either side ends it.
    func connect(
        _ connection: Connection, to terminal: Terminal, from cursor: TerminalCursor
    ) async throws(ConnectionFailure) {
        let stream = connection.stream
        var client = TerminalClient(from: cursor, of: terminal.output)
        terminal.watch(connection.waiter)
        defer { terminal.unwatch(connection.waiter) }
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 16)
        defer { room.deallocate() }

        // Frames may have come right behind the handshake.
        terminal.type(connection.takeBuffered().withUnsafeBytes { client.receive($0) })
        while !client.isFinished {
            var hasMoved = false
            if isStopping { client.close(1001) }
            // Keys are read only as fast as the shell takes them.
            if client.isListening, terminal.takesInput || terminal.hasEnded {
                switch stream.receive(into: room) {
                case .moved(let count):
                    terminal.type(client.receive(UnsafeRawBufferPointer(rebasing: room[..<count])))
                    hasMoved = true
                case .wouldBlock: break
                case .endOfStream: throw .io(.endOfStream)
                case .failed(let errno): throw .io(.system(call: "recv", errno))
                }
            }
            client.prepare(from: terminal.output, hasEnded: terminal.hasEnded)
            if !client.output.isEmpty {
                switch client.output.withUnsafeBytes({ stream.send($0) }) {
                case .moved(let count):
                    client.sent(count)
                    hasMoved = true
                case .wouldBlock: break
                case .endOfStream: throw .io(.endOfStream)
                case .failed(let errno): throw .io(.system(call: "send", errno))
                }
            }
            if hasMoved {
                await Task.yield()
            } else if !client.isFinished {
                if stream.isBroken || Task.isCancelled { throw .io(.endOfStream) }
                stream.interest = .all
                _ = await connection.waiter.wait(until: .never)
            }
        }
    }
}
