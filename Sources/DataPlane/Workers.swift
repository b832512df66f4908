package import LinuxIO
package import Routing
package import Telemetry

/// The byte path: one worker per core, each with its own listeners on the same ports.
package final class Workers: Sendable {
    /// One listener's address and which hosts it serves.
    package struct Entry: Sendable {
        package var address: SocketAddress
        package var entrance: Entrance

        package init(address: SocketAddress, entrance: Entrance) {
            self.address = address
            self.entrance = entrance
        }
    }

    private let workers: [LoopBound<Worker>]
    private let loops: [Loop]
    /// The addresses in use, in the order of the entries; ports that the kernel chose are filled in.
    package let addresses: [SocketAddress]
    /// What each worker counts.
    package let telemetry: [WorkerTelemetry]

    /// Binds every entry and starts serving with `table`.
    package init(
        settings: DataPlaneSettings, entries: [Entry], table: RouteTable, control: any ControlPlane
    ) async throws(IOError) {
        var loops: [Loop] = []
        var workers: [LoopBound<Worker>] = []
        var addresses = entries.map(\.address)
        let telemetry = (0..<max(1, settings.workers)).map { _ in
            WorkerTelemetry(accessLog: settings.accessLog ? AccessRing() : nil)
        }
        let people = Accounts(requestsPerSecond: settings.requestsPerSecond, streams: settings.streamsPerIdentity)
        let strangers = Accounts(requestsPerSecond: settings.requestsPerSecond, streams: 0)
        for number in 0..<max(1, settings.workers) {
            let loop = try Loop(name: "worker-\(number)")
            let wanted = addresses
            let result: Result<(LoopBound<Worker>, [SocketAddress]), IOError> = await loop.perform { loop in
                do throws(IOError) {
                    let worker = Worker(
                        loop: loop, settings: settings, table: table, control: control, people: people,
                        strangers: strangers, telemetry: telemetry[number])
                    let box = LoopBound(worker)
                    var bound: [SocketAddress] = []
                    for (entry, address) in zip(entries, wanted) {
                        let listener = try Listener(
                            address: address, sharesPort: true, opensLater: settings.takesOver, on: loop.executor)
                        listener.prepareAccepted(deadPeerSeconds: 30)
                        bound.append(listener.localAddress)
                        let listenerBox = LoopBound(listener)
                        loop.spawn { _ in await box.value.accept(on: listenerBox.value, entrance: entry.entrance) }
                    }
                    return .success((box, bound))
                } catch {
                    return .failure(error)
                }
            }
            let (worker, bound) = try result.get()
            loops.append(loop)
            workers.append(worker)
            // The first worker's ports are everybody's.
            addresses = bound
        }
        self.telemetry = telemetry
        self.loops = loops
        self.workers = workers
        self.addresses = addresses
        for (loop, worker) in zip(loops, workers) {
            loop.spawn { loop in
                let waiter = Waiter(on: loop.executor)
                while !worker.value.isPastDrain {
                    _ = await waiter.wait(until: loop.now.advanced(seconds: 1))
                    worker.value.tick()
                }
            }
        }
    }

    /// Gives every worker what was read anew; each uses it from its next request on.
    package func renew(_ renewed: RenewedSettings) {
        for (loop, worker) in zip(loops, workers) {
            loop.executor.post { worker.value.renew(renewed) }
        }
    }

    /// Listens from now on, if the settings said to wait: the predecessor goes on until then.
    package func open() async throws(IOError) {
        for (loop, worker) in zip(loops, workers) {
            let result: Result<Void, IOError> = await loop.perform { _ in
                do throws(IOError) {
                    return .success(try worker.value.open())
                } catch {
                    return .failure(error)
                }
            }
            try result.get()
        }
    }

    /// Gives every worker a newer table; each uses it from its next request on.
    package func publish(_ table: RouteTable) {
        for (loop, worker) in zip(loops, workers) {
            loop.executor.post { worker.value.install(table) }
        }
    }

    /// Stops accepting, lets what runs finish for at most `limit`, then ends the rest.
    package func drain(within limit: Duration) async {
        for (loop, worker) in zip(loops, workers) {
            loop.executor.post { worker.value.beginDrain() }
        }
        let clock = ContinuousClock()
        let end = clock.now.advanced(by: limit)
        while await isBusy(), clock.now < end {
            try? await Task.sleep(for: .milliseconds(20))
        }
        for (loop, worker) in zip(loops, workers) {
            loop.executor.post { worker.value.endDrain() }
        }
        let grace = clock.now.advanced(by: .seconds(1))
        while await isBusy(), clock.now < grace {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private func isBusy() async -> Bool {
        for (loop, worker) in zip(loops, workers) {
            if await loop.perform({ _ in worker.value.isBusy }) { return true }
        }
        return false
    }
}
