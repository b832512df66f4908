internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc

/// `opencode-router healthcheck`: asks the router of this container whether it is alive.
///
/// For Docker's HEALTHCHECK, where the image holds no other HTTP client.
struct HealthcheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "healthcheck", abstract: "Ask the running router's /healthz; exit code 0 if it is alive.",
        discussion: "Reads METRICS_PORT and BIND_ADDRESS as serve does.")

    @Option(help: "What to ask for: /healthz or /readyz.") var path = "/healthz"

    func run() throws {
        var reader = SettingReader(
            flags: CommandLineFlags(), environment: ProcessInfo.processInfo.environment)
        let port = reader.port("METRICS_PORT")
        let bound = reader.text("BIND_ADDRESS") ?? "0.0.0.0"
        // All interfaces include this one.
        let address = ["0.0.0.0", "::"].contains(bound) ? "127.0.0.1" : bound
        let status = Self.ask(address, port, path)
        guard status == 200 else {
            StandardError.print(
                "opencode-router: \(address):\(port)\(path) " + (status.map { "answered \($0)" } ?? "did not answer"))
            throw ExitCode.failure
        }
    }

    /// The status of one GET, waiting at most 3 seconds; nil if there was no answer.
    static func ask(_ address: String, _ port: UInt16, _ path: String) -> Int? {
        let isIPv6 = address.contains(":")
        let socket = socket(isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { return nil }
        defer { close(socket) }
        var limit = timeval(tv_sec: 3, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        guard connect(socket, address, port, isIPv6: isIPv6) else { return nil }

        let request = "GET \(path) HTTP/1.1\r\nHost: \(isIPv6 ? "[\(address)]" : address)\r\nConnection: close\r\n\r\n"
        guard
            request.utf8CString.withUnsafeBytes({
                send(socket, $0.baseAddress, $0.count - 1, Int32(MSG_NOSIGNAL))
            }) > 0
        else { return nil }
        // "HTTP/1.1 200" is all that is needed, and may come in pieces.
        var answer: [UInt8] = []
        while answer.count < 12 {
            var piece = [UInt8](repeating: 0, count: 64)
            let count = recv(socket, &piece, piece.count, 0)
            guard count > 0 else { return nil }
            answer += piece[..<count]
        }
        guard answer.starts(with: Array("HTTP/1.1 ".utf8)) else { return nil }
        return Int(String(decoding: answer[9..<12], as: UTF8.self))
    }

    private static func connect(_ socket: Int32, _ address: String, _ port: UInt16, isIPv6: Bool) -> Bool {
        if isIPv6 {
            var target = sockaddr_in6()
            target.sin6_family = sa_family_t(AF_INET6)
            target.sin6_port = port.bigEndian
            inet_pton(AF_INET6, address, &target.sin6_addr)
            return withUnsafeBytes(of: &target) { bytes in
                Glibc.connect(
                    socket, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count)) == 0
            }
        }
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port.bigEndian
        inet_pton(AF_INET, address, &target.sin_addr)
        return withUnsafeBytes(of: &target) { bytes in
            Glibc.connect(socket, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
                == 0
        }
    }
}
