import HTTPWire

/// What a test wants to know about a parsed head, as text.
struct SeenRequest: Equatable {
    var method: Method
    var methodText: String
    var target: String
    var path: String
    var query: String
    var host: String
    var port: String
    var minorVersion: UInt8
    var fields: [String]
    var names: [FieldName]
    var framing: BodyFraming
    var declaredLength: UInt64?
    var keepAlive: Bool
    var expectsContinue: Bool
    var upgrade: Upgrade
    var hasFoldableNames: Bool
    var byteCount: Int
}

/// Parses a complete request head; LF in the text stands for CRLF, so that tables stay readable.
func parseRequest(_ text: String, limits: HeadLimits = .request) throws -> SeenRequest {
    try parseRequest(bytes: wire(text), limits: limits)
}

func parseRequest(bytes: [UInt8], limits: HeadLimits = .request) throws -> SeenRequest {
    try onGuardPages(bytes) { buffer in
        var head = RequestHead()
        try HeadParser.parse(buffer, into: &head, limits: limits)
        return SeenRequest(
            method: head.method, methodText: head.methodText.string(in: buffer),
            target: head.target.string(in: buffer), path: head.path.string(in: buffer),
            query: head.query.string(in: buffer), host: head.host.string(in: buffer),
            port: head.port.string(in: buffer), minorVersion: head.minorVersion,
            fields: head.fields.map { "\($0.name.string(in: buffer)): \($0.value.string(in: buffer))" },
            names: head.fields.map(\.known), framing: head.framing, declaredLength: head.declaredLength,
            keepAlive: head.keepAlive, expectsContinue: head.expectsContinue, upgrade: head.upgrade,
            hasFoldableNames: head.hasFoldableNames, byteCount: head.byteCount)
    }
}

struct SeenResponse: Equatable {
    var status: Int
    var reason: String
    var fields: [String]
    var names: [FieldName]
    var framing: BodyFraming
    var declaredLength: UInt64?
    var keepAlive: Bool
    var upgrade: Upgrade
    var byteCount: Int
}

func parseResponse(
    _ text: String, answering method: Method = .get, upgradeRequested: Bool = false,
    limits: HeadLimits = .response
) throws -> SeenResponse {
    try onGuardPages(wire(text)) { buffer in
        var head = ResponseHead()
        try HeadParser.parse(
            buffer, into: &head, answering: method, upgradeRequested: upgradeRequested, limits: limits)
        return SeenResponse(
            status: head.status, reason: head.reason.string(in: buffer),
            fields: head.fields.map { "\($0.name.string(in: buffer)): \($0.value.string(in: buffer))" },
            names: head.fields.map(\.known), framing: head.framing, declaredLength: head.declaredLength,
            keepAlive: head.keepAlive, upgrade: head.upgrade, byteCount: head.byteCount)
    }
}

/// The bytes of a text whose LF stand for CRLF. `␊` stands for a bare LF and `␍` for a bare CR, `␀` for NUL.
func wire(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\n": bytes += [13, 10]
        case "␊": bytes.append(10)
        case "␍": bytes.append(13)
        case "␀": bytes.append(0)
        default: bytes += Array(String(scalar).utf8)
        }
    }
    return bytes
}

/// The text of bytes, in the same spelling as `wire`.
func text(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: Array(bytes), as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
        .joined(separator: "\n")
}

/// The error a throwing call ends with, nil if it does not.
func error<R>(_ body: () throws -> R) -> WireError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error as? WireError
    }
}

/// A small generator with a seed, so that a failure can be run again.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        // SplitMix64
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
