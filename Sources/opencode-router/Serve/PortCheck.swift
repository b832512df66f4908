internal import LinuxIO

/// Finds out before anything starts which of the listeners' ports is taken, and names its setting.
///
/// Workers share ports among themselves (SO_REUSEPORT), and the kernel would let a second router of the same user join in:
/// each would get half of the connections. Binding once without sharing finds that out, too; with TAKE_OVER it is wanted.
enum PortCheck {
    /// Throws a sentence for the first port that cannot be bound.
    static func run(_ listeners: Settings.Listeners) async throws {
        let loop = try Loop(name: "port check")
        defer { loop.stop() }
        var ports = [
            ("PORT", listeners.port), ("POD_PORT", listeners.podPort), ("METRICS_PORT", listeners.metricsPort),
        ]
        if let port = listeners.attachPort { ports.insert(("ATTACH_PORT", port), at: 1) }
        for (name, port) in ports where port != 0 && (!listeners.takesOver || name == "METRICS_PORT") {
            guard let address = SocketAddress(numeric: listeners.address, port: port) else { continue }
            let problem: IOError? = await loop.perform { loop in
                do throws(IOError) {
                    try Listener(address: address, sharesPort: false, on: loop.executor).close()
                    return nil
                } catch {
                    return error
                }
            }
            if let problem {
                throw StartFailure("\(name)=\(port): cannot listen on \(address): \(problem)")
            }
        }
    }
}
