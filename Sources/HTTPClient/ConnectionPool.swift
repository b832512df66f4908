import LinuxIO

/// The idle connections of a client, newest first, each for a limited time.
final class ConnectionPool {
    private let configuration: HTTPClient.Configuration
    private let executor: LoopExecutor
    private var idle: [ConnectionKey: [ClientConnection]] = [:]
    private(set) var count = 0
    private var isClosed = false
    private var sweeper: Waiter?

    init(configuration: HTTPClient.Configuration, executor: LoopExecutor) {
        self.configuration = configuration
        self.executor = executor
    }

    /// Lends the connection used last that is still good.
    func checkOut(_ key: ConnectionKey) -> ClientConnection? {
        while let connection = idle[key]?.popLast() {
            count -= 1
            if idle[key]?.isEmpty == true { idle[key] = nil }
            if connection.idleUntil > .current(), connection.transport.isQuiet { return connection }
            connection.close()
        }
        return nil
    }

    /// Takes a connection back whose answer was exactly delimited and read to its end.
    func checkIn(_ connection: ClientConnection, on loop: isolated Loop) {
        let siblings = idle[connection.key]?.count ?? 0
        guard !isClosed, siblings < configuration.maximumIdlePerServer, count < configuration.maximumIdle,
            connection.transport.isQuiet
        else { return connection.close() }
        connection.wasUsed = true
        connection.idleUntil = .after(configuration.idleTimeout)
        idle[connection.key, default: []].append(connection)
        count += 1
        if sweeper == nil { startSweeper(on: loop) }
    }

    /// Closes everything, now and on every return.
    func close() {
        isClosed = true
        for connection in idle.values.joined() { connection.close() }
        idle.removeAll()
        count = 0
        sweeper?.wake()
    }

    /// Closes what has been idle too long or was ended by the server, for as long as there is anything idle.
    private func startSweeper(on loop: isolated Loop) {
        let waiter = Waiter(on: executor)
        sweeper = waiter
        let carried = Carried(pool: self)
        loop.spawn { _ in
            let pool = carried.pool
            while pool.count > 0 {
                guard let waiter = pool.sweeper else { break }
                _ = await waiter.wait(until: .after(.seconds(5)))
                pool.sweep()
            }
            pool.sweeper = nil
        }
    }

    private func sweep() {
        let now = Deadline.current()
        for (key, connections) in idle {
            let kept = connections.filter { connection in
                if connection.idleUntil > now, connection.transport.isQuiet { return true }
                connection.close()
                return false
            }
            count -= connections.count - kept.count
            idle[key] = kept.isEmpty ? nil : kept
        }
    }

    /// Unchecked: goes from the loop to a task on the same loop.
    private struct Carried: @unchecked Sendable {
        let pool: ConnectionPool
    }
}
