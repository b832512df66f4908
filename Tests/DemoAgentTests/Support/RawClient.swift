import Glibc

/// A blocking TCP client that sends bytes and reads answers as they are; ten seconds without a byte end the test.
final class RawClient {
    struct Answer {
        var status: Int
        var fields: [(name: String, value: String)]
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
        subscript(name: String) -> String? { fields.first { $0.name == name.lowercased() }?.value }
    }

    struct Failure: Error { let what: String }

    private let socket: CInt
    private var buffer: [UInt8] = []

    init(port: UInt16) throws {
        socket = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(what: "connect: \(errno)") }
    }

    deinit { close(socket) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress! + sent, $0.count - sent, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure(what: "send: \(errno)") }
            sent += count
        }
    }

    /// One request with what every request has.
    func request(_ method: String, _ target: String, _ fields: [String] = [], body: String? = nil) throws -> Answer {
        try send(Self.head(method, target, fields, body: body) + (body ?? ""))
        return try answer(toHead: method == "HEAD")
    }

    static func head(_ method: String, _ target: String, _ fields: [String] = [], body: String? = nil) -> String {
        let length = body.map { ["Content-Length: \($0.utf8.count)"] } ?? []
        return (["\(method) \(target) HTTP/1.1", "Host: demo.test"] + fields + length).joined(separator: "\r\n")
            + "\r\n\r\n"
    }

    /// Reads more; false at the end of the stream.
    private func fill() throws -> Bool {
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(socket, &piece, piece.count, 0)
        guard count >= 0 else { throw Failure(what: "recv: \(errno)") }
        buffer += piece[..<count]
        return count > 0
    }

    private func line() throws -> String {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                let line = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeFirst(end + 1)
                return line.hasSuffix("\r") ? String(line.dropLast()) : line
            }
            guard try fill() else { throw Failure(what: "the stream ended in a line") }
        }
    }

    func bytes(_ count: Int) throws -> [UInt8] {
        while buffer.count < count {
            guard try fill() else { throw Failure(what: "the stream ended after \(buffer.count) of \(count) bytes") }
        }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    /// Whether the server has closed and sent nothing more.
    func isAtEnd() throws -> Bool { try buffer.isEmpty && !fill() }

    func head() throws -> Answer {
        let parts = try line().split(separator: " ")
        guard parts.count >= 2, let status = Int(parts[1]) else { throw Failure(what: "status line") }
        var answer = Answer(status: status, fields: [], body: [])
        while true {
            let line = try line()
            if line.isEmpty { return answer }
            let pair = line.split(separator: ":", maxSplits: 1)
            answer.fields.append((pair[0].lowercased(), pair[1].drop { $0 == " " }.description))
        }
    }

    func answer(toHead: Bool = false) throws -> Answer {
        var answer = try head()
        if let length = answer["content-length"].flatMap({ Int($0) }), !toHead { answer.body = try bytes(length) }
        return answer
    }

    /// One chunk of a chunked body; empty for the last one.
    func chunk() throws -> String {
        guard let size = Int(try line(), radix: 16) else { throw Failure(what: "chunk size") }
        let bytes = try bytes(size)
        _ = try line()
        return String(decoding: bytes, as: UTF8.self)
    }
}
