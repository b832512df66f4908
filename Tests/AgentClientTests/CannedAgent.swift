import Glibc
import Sessions
import Synchronization

/// An agent that answers each address with a fixed text; one blocking thread, one request per connection.
final class CannedAgent: Sendable {
    struct Request: Hashable {
        var line: String
        var authorization: String?
        var body: String
    }
    private let listener: CInt
    private let answers: Mutex<[String: (status: Int, body: String)]>
    private let seen = Mutex<[Request]>([])
    let endpoint: SessionEndpoint

    /// - Parameter answers: by `METHOD /target`; everything else gets the page of a single-page application.
    init(_ answers: [String: (status: Int, body: String)]) {
        self.answers = Mutex(answers)
        let socket = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                precondition(bind(socket, pointer, length) == 0 && listen(socket, 16) == 0)
                getsockname(socket, pointer, &length)
            }
            return UInt16(bigEndian: pointer.pointee.sin_port)
        }
        listener = socket
        endpoint = SessionEndpoint(incarnation: "run-1", address: "127.0.0.1", port: port, password: "secret")
        let body = Unmanaged.passRetained(self).toOpaque()
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { pointer in
                Unmanaged<CannedAgent>.fromOpaque(pointer!).takeRetainedValue().serve()
                return nil
            }, body)
        pthread_detach(thread)
    }

    var requests: [Request] { seen.withLock { $0 } }

    func stop() { shutdown(listener, CInt(SHUT_RDWR)) }

    private func serve() {
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { break }
            answer(connection)
            Glibc.close(connection)
        }
        Glibc.close(listener)
    }

    private func answer(_ connection: CInt) {
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let text = String(decoding: received, as: UTF8.self)
            if let head = text.firstRange(of: "\r\n\r\n") {
                let lines = text[..<head.lowerBound].split(separator: "\r\n")
                func field(_ name: String) -> String? {
                    lines.first { $0.lowercased().hasPrefix(name + ": ") }.map { String($0.dropFirst(name.count + 2)) }
                }
                let body = text[head.upperBound...]
                if body.utf8.count >= Int(field("content-length") ?? "0") ?? 0 {
                    return reply(to: connection, lines, field("authorization"), String(body))
                }
            }
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            received.append(contentsOf: buffer[..<count])
        }
    }

    private func reply(to connection: CInt, _ lines: [Substring], _ authorization: String?, _ body: String) {
        let line = lines[0].split(separator: " ").prefix(2).joined(separator: " ")
        seen.withLock { $0.append(Request(line: line, authorization: authorization, body: body)) }
        let answer = answers.withLock { $0[line] } ?? (status: 200, body: "<!doctype html><title>opencode</title>")
        let text =
            "HTTP/1.1 \(answer.status) X\r\nContent-Length: \(answer.body.utf8.count)\r\nConnection: close\r\n\r\n"
            + answer.body
        _ = send(connection, text, text.utf8.count, CInt(MSG_NOSIGNAL))
    }
}
