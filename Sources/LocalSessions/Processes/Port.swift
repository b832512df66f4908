import Glibc

/// TCP ports of the loopback interface.
enum Port {
    /// A port that nobody listens on now, chosen by the kernel.
    static func free() -> UInt16? { bind(0) }

    /// Whether nobody listens on this port now.
    static func isFree(_ port: UInt16) -> Bool { bind(port) != nil }

    /// Binds a socket to the port and closes it again; the port it had, nil if it could not be bound.
    private static func bind(_ port: UInt16) -> UInt16? {
        let socket = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return nil }
        defer { close(socket) }
        // As agents do: connections of a former listener that linger do not make a port taken.
        var yes: CInt = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                guard Glibc.bind(socket, generic, length) == 0, getsockname(socket, generic, &length) == 0 else {
                    return nil
                }
                return UInt16(
                    bigEndian: pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_port })
            }
        }
    }
}
