internal import LinuxIO

/// What a handler answers; the connection carries it out.
struct Response {
    enum Body {
        case none
        case bytes([UInt8])
        /// A file from its start, sent by the kernel.
        case file(OpenFile)
        /// So many bytes of `Pattern`.
        case pattern(UInt64)
        /// The event stream until somebody ends it.
        case events(isGlobal: Bool)
        /// 101, then the terminal's WebSocket.
        case terminal(Terminal, accept: String, cursor: TerminalCursor)
    }

    var status: Int
    var fields: [(name: String, value: String)] = []
    var body: Body = .none

    static var noContent: Response { Response(status: 204) }

    static func json(_ value: JSON, status: Int = 200) -> Response {
        Response(
            status: status, fields: [("Content-Type", "application/json"), ("Cache-Control", "no-store")],
            body: .bytes(Array(value.text.utf8)))
    }

    /// A failure in opencode's form, with a sentence for people.
    static func failure(_ status: Int, _ name: String, _ message: String) -> Response {
        json(["name": .string(name), "data": ["message": .string(message)]], status: status)
    }

    static func notFound(_ what: String) -> Response { failure(404, "NotFoundError", "\(what) was not found.") }

    static func badRequest(_ message: String) -> Response { failure(400, "BadRequestError", message) }

    static func methodNotAllowed(_ methods: String) -> Response {
        var response = failure(405, "MethodNotAllowedError", "This address takes \(methods).")
        response.fields.append(("Allow", methods))
        return response
    }

    /// The length to announce; nil for answers that have none in advance.
    var length: UInt64? {
        switch body {
        case .none: status == 204 || status < 200 ? nil : 0
        case .bytes(let bytes): UInt64(bytes.count)
        case .file(let file): file.size
        case .pattern(let count): count
        case .events, .terminal: nil
        }
    }

    /// The head as it is sent.
    func head(_ framing: (name: String, value: String)?, keepAlive: Bool) -> [UInt8] {
        var text = "HTTP/1.1 \(status) \(Self.reasons[status] ?? "Unknown")\r\n"
        for field in fields { text += "\(field.name): \(field.value)\r\n" }
        if let framing { text += "\(framing.name): \(framing.value)\r\n" }
        // Everything comes from here or is data of the repository: never to be run as something else, never framed by
        // another site, never telling other sites where it is.
        text += "X-Content-Type-Options: nosniff\r\nReferrer-Policy: same-origin\r\n"
        if status != 101 { text += "Connection: \(keepAlive ? "keep-alive" : "close")\r\n" }
        return Array((text + "\r\n").utf8)
    }

    private static let reasons = [
        101: "Switching Protocols", 200: "OK", 201: "Created", 204: "No Content", 400: "Bad Request",
        401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
        413: "Content Too Large", 414: "URI Too Long", 426: "Upgrade Required", 431: "Request Header Fields Too Large",
        500: "Internal Server Error", 501: "Not Implemented", 507: "Insufficient Storage",
    ]
}

/// An open file with its size; shared because answers are values.
final class OpenFile {
    let descriptor: Descriptor
    let size: UInt64

    init(_ descriptor: consuming Descriptor, size: UInt64) {
        self.descriptor = descriptor
        self.size = size
    }
}
