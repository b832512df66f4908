import HTTPWire

@testable import Identity

/// A request head that went through the real parser, with the bytes it points into.
struct RequestSample: ~Copyable {
    let bytes: [UInt8]
    let head: RequestHead

    /// Fields are given as `Name: value`; a Host is added unless one is given.
    init(
        _ fields: [String], method: String = "GET", target: String = "/", host: String = "abc123def456-oc.example.com"
    ) throws {
        var lines = ["\(method) \(target) HTTP/1.1"]
        if !fields.contains(where: { $0.lowercased().hasPrefix("host:") }) { lines.append("Host: \(host)") }
        lines += fields
        bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        var head = RequestHead()
        try bytes.withUnsafeBytes { (buffer) throws in try HeadParser.parse(buffer, into: &head) }
        self.head = head
    }

    /// Lends head and bytes.
    func use<R>(_ body: (borrowing RequestHead, UnsafeRawBufferPointer) -> R) -> R {
        bytes.withUnsafeBytes { body(head, $0) }
    }
}

extension IdentityPolicy {
    /// The identification of a sample, and the address it stands for.
    func identify(
        _ sample: borrowing RequestSample, peer: PeerAddress = PeerAddress("10.0.0.1")!
    ) -> (who: Identification, email: String?) {
        sample.use { head, buffer in
            let who = identify(head, in: buffer, peer: peer)
            return (who, email(who, in: buffer))
        }
    }
}
