// What holds for every input, whatever its bytes. The fuzz targets in this folder try these on inputs that libFuzzer
// finds, and the unit tests (through a symbolic link) on generated messages and on the corpus.
import Glibc

#if canImport(HTTPWire)
    import HTTPWire
#endif

/// A property that an input broke.
struct Violation: Error, CustomStringConvertible {
    var description: String
}

private func require(_ holds: Bool, _ claim: @autoclosure () -> String) throws {
    if !holds { throw Violation(description: claim()) }
}

private func ascii(_ text: String) -> [UInt8] { Array(text.utf8) }

private func lowercase(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    bytes.map { (65...90).contains($0) ? $0 + 32 : $0 }
}

private func trim(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var bytes = bytes
    while let first = bytes.first, first == 32 || first == 9 { bytes.removeFirst() }
    while let last = bytes.last, last == 32 || last == 9 { bytes.removeLast() }
    return bytes
}

/// The outcome of a call that may throw, comparable.
private func outcome<R>(_ body: () throws(WireError) -> R) -> Result<R, WireError> {
    do throws(WireError) { return .success(try body()) } catch { return .failure(error) }
}

private func isSuccess<R>(_ result: Result<R, WireError>) -> Bool {
    if case .success = result { true } else { false }
}

/// A head cut into lines by somebody who knows nothing but CRLF and the first colon.
private func naiveFields(_ head: ArraySlice<UInt8>) -> [(name: [UInt8], value: [UInt8])] {
    var lines: [ArraySlice<UInt8>] = []
    var start = head.startIndex
    var index = start
    while index + 1 < head.endIndex {
        if head[index] == 13, head[index + 1] == 10 {
            lines.append(head[start..<index])
            start = index + 2
            index += 2
        } else {
            index += 1
        }
    }
    while lines.first?.isEmpty == true { lines.removeFirst() }
    return lines.dropFirst().filter { !$0.isEmpty }.map { line in
        let colon = line.firstIndex(of: 58) ?? line.endIndex
        return (lowercase(line[..<colon]), Array(trim(line[min(colon + 1, line.endIndex)...])))
    }
}

/// Scanning at once and scanning in two parts agree.
private func checkScanner(_ input: UnsafeRawBufferPointer, _ limits: HeadLimits) throws -> Int? {
    let whole = outcome { () throws(WireError) in
        var scanner = HeadScanner(limits: limits)
        return try scanner.scan(input)
    }
    let cut = input.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF } % (input.count + 1)
    let parts = outcome { () throws(WireError) in
        var scanner = HeadScanner(limits: limits)
        let part = UnsafeRawBufferPointer(rebasing: input[..<cut])
        if let early = try scanner.scan(part) { return Optional(early) }
        return try scanner.scan(input)
    }
    switch (whole, parts) {
    case (.success(let one), .success(let two)): try require(one == two, "scanned \(one as Any) and \(two as Any)")
    case (.failure, .failure): break
    default: throw Violation(description: "cut at \(cut): \(whole) and \(parts)")
    }
    return (try? whole.get()) ?? nil
}

private let wide = HeadLimits(line: 1 << 20, head: 1 << 22, fields: 1000)
private let testRewrite: RequestRewrite = {
    var rewrite = RequestRewrite()
    rewrite.authCookiePrefixes = [ascii("_oauth2")]
    rewrite.secretFieldName = ascii("X-Gateway-Key")
    rewrite.identityFieldName = ascii("Remote-User")
    rewrite.via = nil
    return rewrite
}()

private func emit(_ head: borrowing RequestHead, _ buffer: UnsafeRawBufferPointer) throws -> [UInt8] {
    let address = ascii("192.0.2.1")
    let requestID = ascii("id")
    return try address.withUnsafeBytes { address in
        try requestID.withUnsafeBytes { requestID in
            let facts = ForwardedFacts(
                clientAddress: address, requestID: requestID, authorization: ascii("Basic own"))
            let bound = testRewrite.byteCountBound(of: head, facts: facts)
            var overflowed = false
            let bytes = [UInt8](unsafeUninitializedCapacity: bound) { memory, count in
                var writer = ByteWriter(UnsafeMutableRawBufferPointer(memory))
                HeadWriter.write(request: head, from: buffer, rewrite: testRewrite, facts: facts, into: &writer)
                count = writer.count
                overflowed = writer.overflowed
            }
            try require(!overflowed, "the bound \(bound) is none for a head of \(head.byteCount)")
            return bytes
        }
    }
}

/// Parses bytes that came from the writer; they must be a head.
private func parseOwn(_ bytes: [UInt8], _ head: inout RequestHead) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    let input = UnsafeRawBufferPointer(buffer)
    let size = try checkScanner(input, wide)
    try require(size == bytes.count, "written head scans to \(size as Any) of \(bytes.count)")
    do throws(WireError) {
        try HeadParser.parse(input, into: &head, limits: wide)
    } catch {
        throw Violation(description: "written head is refused: \(error)\n\(String(decoding: bytes, as: UTF8.self))")
    }
}

private func text(_ range: ByteRange, _ bytes: UnsafeRawBufferPointer) -> [UInt8] { Array(range.bytes(in: bytes)) }
private func text(_ range: ByteRange, _ bytes: [UInt8]) -> [UInt8] {
    Array(bytes[Int(range.start)..<Int(range.start) + Int(range.count)])
}

/// Everything we promise about request heads.
func checkRequestHead(_ input: UnsafeRawBufferPointer) throws {
    let size = try checkScanner(input, .request)
    var head = RequestHead()
    let direct = outcome { () throws(WireError) in try HeadParser.parse(input, into: &head) }
    // With more behind it, a head is read as it is alone.
    if isSuccess(direct) { try require(size == head.byteCount, "parsed \(head.byteCount), scanned \(size as Any)") }
    guard let size else { return }
    let buffer = UnsafeRawBufferPointer(rebasing: input[..<size])
    let parsed = outcome { () throws(WireError) in try HeadParser.parse(buffer, into: &head) }
    try require(isSuccess(direct) == isSuccess(parsed), "\(direct) with what follows, \(parsed) without")
    guard isSuccess(parsed) else { return }

    // What a naive reader sees is what we saw.
    let naive = naiveFields(ArraySlice(buffer))
    try require(naive.count == head.fields.count, "\(naive.count) lines, \(head.fields.count) fields")
    for (field, line) in zip(head.fields, naive) {
        try require(lowercase(text(field.name, buffer)) == line.name, "name")
        try require(text(field.value, buffer) == line.value, "value")
    }
    let lengths = naive.filter { $0.name == ascii("content-length") }
    let codings = naive.filter { $0.name == ascii("transfer-encoding") }
    try require(naive.filter { $0.name == ascii("host") }.count == 1, "one Host")
    try require(lengths.count + codings.count <= 1, "one statement on length")
    if let coding = codings.first {
        try require(head.framing == .chunked && lowercase(coding.value) == ascii("chunked"), "coding")
    } else if let length = lengths.first {
        let number = UInt64(String(decoding: length.value, as: UTF8.self))
        try require(length.value.allSatisfy { (48...57).contains($0) } && number == head.declaredLength, "length")
        try require(head.framing == (number! == 0 ? BodyFraming.none : .length(number!)), "length framing")
    } else {
        try require(head.framing == BodyFraming.none, "no statement, no body")
    }
    let target = text(head.target, buffer)
    try require(target.first == 47 || target == [42], "target starts at its path")
    try require(!target.contains { $0 <= 32 || $0 >= 127 || $0 == 35 }, "target is clean")

    // What we write is a head that says the same, and writing it again changes nothing.
    let written = try emit(head, buffer)
    var second = RequestHead()
    try parseOwn(written, &second)
    try require(second.methodText.count == head.methodText.count && second.method == head.method, "method")
    try require(text(second.target, written) == target, "target")
    try require(text(second.host, written) == text(head.host, buffer), "host")
    try require(text(second.port, written) == text(head.port, buffer), "port")
    try require(second.framing == head.framing && second.declaredLength == head.declaredLength, "framing")
    try require(second.upgrade == head.upgrade, "upgrade")
    try require(second.minorVersion == 1 && second.keepAlive, "version")
    let again = try written.withUnsafeBytes { bytes in try emit(second, bytes) }
    try require(again == written, "a second writing differs")

    // Nothing passes that must not.
    let fields = naiveFields(ArraySlice(written))
    for (name, value) in fields {
        let spelt = String(decoding: name, as: UTF8.self)
        switch spelt {
        case "authorization": try require(value == ascii("Basic own"), "authorization")
        case "x-forwarded-for": try require(value == ascii("192.0.2.1"), "address")
        case "x-forwarded-proto": try require(value == ascii("https"), "proto")
        case "x-request-id": try require(value == ascii("id"), "request ID")
        case "x-forwarded-host": break
        case "connection": try require(head.upgrade == .webSocket && value == ascii("Upgrade"), "connection")
        case "upgrade": try require(head.upgrade == .webSocket && value == ascii("websocket"), "upgrade")
        case "transfer-encoding": try require(value == ascii("chunked"), "coding")
        case "keep-alive", "te", "trailer", "expect", "http2-settings", "remote-user", "x-gateway-key", "forwarded",
            "x-real-ip", "set-cookie", "x-attach-password":
            throw Violation(description: "\(spelt) passed")
        case "cookie":
            for pair in value.split(separator: 59) {
                let pair = trim(pair)
                try require(!lowercase(pair.prefix(7)).elementsEqual(ascii("_oauth2")), "auth cookie passed")
            }
        default:
            for prefix in ["proxy-", "x-forwarded-", "x-auth-request-", "gap-", "x-admin-", "x-pod-"] {
                try require(!spelt.hasPrefix(prefix), "\(spelt) passed")
            }
            try require(!name.contains(95), "\(spelt) passed")
        }
    }
    for name in ["host", "authorization", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id"] {
        try require(fields.filter { $0.name == ascii(name) }.count == 1, "one \(name)")
    }
    let wasNamed = naive.filter { $0.name == ascii("connection") }
        .flatMap { $0.value.split(separator: 44).map { lowercase(trim($0)) } }
    for name in wasNamed where name != ascii("upgrade") {
        try require(!fields.contains { $0.name == name }, "a field that Connection names passed")
    }
}

private func emit(
    _ head: borrowing ResponseHead, _ buffer: UnsafeRawBufferPointer, _ rewrite: borrowing ResponseRewrite,
    _ delivery: ResponseDelivery
) throws -> [UInt8] {
    let bound = rewrite.byteCountBound(of: head, requestIDCount: 2)
    var overflowed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: bound) { memory, count in
        var writer = ByteWriter(UnsafeMutableRawBufferPointer(memory))
        ascii("id").withUnsafeBytes { requestID in
            HeadWriter.write(
                response: head, from: buffer, rewrite: rewrite, delivery: delivery, requestID: requestID, into: &writer)
        }
        count = writer.count
        overflowed = writer.overflowed
    }
    try require(!overflowed, "the bound \(bound) is none for a head of \(head.byteCount)")
    return bytes
}

private let guardedRewrite = ResponseRewrite.session(
    authCookiePrefixes: [ascii("_oauth2")], ownCookieNames: [ascii("__Host-gw")])

/// Everything we promise about answers' heads. The first byte of the input chooses the request that is answered.
func checkResponseHead(_ input: UnsafeRawBufferPointer) throws {
    guard let choice = input.first else { return }
    let method = choice & 1 == 0 ? Method.get : .head
    let upgradeRequested = choice & 2 != 0 && method == .get
    var request = RequestHead()
    request.minorVersion = choice & 4 == 0 ? 1 : 0
    request.keepAlive = choice & 8 == 0
    let input = UnsafeRawBufferPointer(rebasing: input[1...])
    let size = try checkScanner(input, .response)
    var head = ResponseHead()
    let direct = outcome { () throws(WireError) in
        try HeadParser.parse(input, into: &head, answering: method, upgradeRequested: upgradeRequested)
    }
    // With more behind it, a head is read as it is alone.
    if isSuccess(direct) { try require(size == head.byteCount, "parsed \(head.byteCount), scanned \(size as Any)") }
    guard let size else { return }
    let buffer = UnsafeRawBufferPointer(rebasing: input[..<size])
    let parsed = outcome { () throws(WireError) in
        try HeadParser.parse(buffer, into: &head, answering: method, upgradeRequested: upgradeRequested)
    }
    try require(isSuccess(direct) == isSuccess(parsed), "\(direct) with what follows, \(parsed) without")
    guard isSuccess(parsed) else { return }

    let naive = naiveFields(ArraySlice(buffer))
    try require(naive.count == head.fields.count, "\(naive.count) lines, \(head.fields.count) fields")
    let statements = naive.filter { $0.name == ascii("content-length") || $0.name == ascii("transfer-encoding") }
    try require(statements.count <= 1, "one statement on length")
    try require(head.upgrade == (head.status == 101 ? .webSocket : .none), "switch")
    let isBodiless = method == .head || head.status < 200 || head.status == 204 || head.status == 304
    if isBodiless {
        try require(head.framing == BodyFraming.none, "no body here")
    } else if statements.isEmpty {
        try require(head.framing == .untilClose && !head.keepAlive, "until close")
    }

    let delivery = ResponseDelivery(of: head, to: request)
    let written = try emit(head, buffer, guardedRewrite, delivery)
    for (name, value) in naiveFields(ArraySlice(written)) {
        let spelt = String(decoding: name, as: UTF8.self)
        switch spelt {
        case "keep-alive", "te", "trailer", "http2-settings", "clear-site-data", "alt-svc", "nel", "report-to",
            "strict-transport-security", "service-worker-allowed", "public-key-pins",
            "access-control-allow-credentials":
            throw Violation(description: "\(spelt) passed")
        case "set-cookie":
            let parts = value.split(separator: 59, omittingEmptySubsequences: false)
            var first = trim(parts[0])
            while let byte = first.first, byte == 61 || byte == 32 || byte == 9 { first.removeFirst() }
            try require(!lowercase(first.prefix(7)).elementsEqual(ascii("_oauth2")), "auth cookie passed")
            let name = trim(first.prefix { $0 != 61 })
            try require(lowercase(name) != ascii("__host-gw"), "own cookie passed")
            for part in parts.dropFirst() {
                let attribute = trim(trim(part).prefix { $0 != 61 })
                try require(lowercase(attribute) != ascii("domain"), "Domain passed")
            }
        case "upgrade": try require(head.status == 101, "upgrade passed")
        default:
            for prefix in ["proxy-", "x-auth-request-", "gap-"] {
                try require(!spelt.hasPrefix(prefix), "\(spelt) passed")
            }
        }
    }

    // Without fields of ours that change places, writing again changes nothing.
    let first = try emit(head, buffer, ResponseRewrite(), delivery)
    var second = ResponseHead()
    let again = try first.withUnsafeBytes { (bytes) throws -> [UInt8] in
        let size = try checkScanner(bytes, wide)
        try require(size == bytes.count, "written head scans to \(size as Any) of \(bytes.count)")
        let reparsed = outcome { () throws(WireError) in
            try HeadParser.parse(
                bytes, into: &second, answering: method, upgradeRequested: upgradeRequested, limits: wide)
        }
        try require(isSuccess(reparsed), "written head is refused: \(reparsed)")
        return try emit(second, bytes, ResponseRewrite(), delivery)
    }
    try require(again == first, "a second writing differs")
    try require(second.status == head.status, "status")
    if !isBodiless { try require(second.framing == delivery.framing, "framing \(second.framing) \(delivery.framing)") }
}

/// The payload and the trailers that one reading of a chunked stream gives, and how much of the stream it was.
private struct ChunkReading: Equatable {
    var payload: [UInt8] = []
    var consumed = 0
    var isComplete = false
}

private func readChunks(_ input: UnsafeRawBufferPointer, cut: Int) throws(WireError) -> ChunkReading {
    var reader = ChunkReader()
    var reading = ChunkReading()
    for end in [cut, input.count] {
        while !reader.isComplete {
            let unread = UnsafeRawBufferPointer(rebasing: input[reading.consumed..<end])
            let step = try reader.next(unread)
            if case .chunk(let consumed, let length) = step {
                reading.consumed += consumed
                let count = Int(min(length, UInt64(end - reading.consumed)))
                guard count > 0 else { break }
                reading.payload += input[reading.consumed..<reading.consumed + count]
                reading.consumed += count
                reader.payloadMoved(UInt64(count))
            } else if case .needMore(let consumed) = step {
                reading.consumed += consumed
                break
            } else if case .end(let consumed) = step {
                reading.consumed += consumed
            }
        }
    }
    reading.isComplete = reader.isComplete
    return reading
}

/// Reads a chunked stream in the plainest way; nil where it is malformed or cut off.
private func naiveChunks(_ input: [UInt8]) -> ChunkReading? {
    var reading = ChunkReading()
    func line() -> ArraySlice<UInt8>? {
        let rest = input[reading.consumed...]
        guard let end = rest.indices.first(where: { $0 + 1 < input.count && input[$0] == 13 && input[$0 + 1] == 10 })
        else { return nil }
        reading.consumed = end + 2
        return rest[..<end]
    }
    while true {
        guard let line = line() else { return nil }
        let digits = line.prefix { $0 != 59 }
        guard (1...15).contains(digits.count), digits.allSatisfy({ isxdigit(Int32($0)) != 0 }),
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
        else { return nil }
        if size == 0 { break }
        guard input.count - reading.consumed >= size + 2 else { return nil }
        reading.payload += input[reading.consumed..<reading.consumed + size]
        reading.consumed += size
        guard input[reading.consumed] == 13, input[reading.consumed + 1] == 10 else { return nil }
        reading.consumed += 2
    }
    while true {
        guard let line = line() else { return nil }
        if line.isEmpty { break }
    }
    reading.isComplete = true
    return reading
}

/// Everything we promise about chunked bodies.
func checkChunks(_ input: UnsafeRawBufferPointer) throws {
    let whole = outcome { () throws(WireError) in try readChunks(input, cut: input.count) }
    let cut = input.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF } % (input.count + 1)
    let parts = outcome { () throws(WireError) in try readChunks(input, cut: cut) }
    switch (whole, parts) {
    case (.success(let one), .success(let two)): try require(one == two, "\(one) and \(two)")
    case (.failure, .failure): break
    default: throw Violation(description: "cut at \(cut): \(whole) and \(parts)")
    }
    if case .success(let reading) = whole, reading.isComplete {
        try require(naiveChunks(Array(input)) == reading, "a plain reader sees something else")
    }
}

/// Everything we promise about cookies, for any value that a field may have.
func checkCookies(_ input: UnsafeRawBufferPointer) throws {
    let value = input.filter { $0 == 9 || $0 >= 32 && $0 != 127 }
    let request = ascii("GET / HTTP/1.1\r\nHost: a\r\nCookie: ") + value + ascii("\r\n\r\n")
    try request.withUnsafeBytes { bytes in try checkRequestHead(bytes) }
    let response = [0] + ascii("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nSet-Cookie: ") + value + ascii("\r\n\r\n")
    try response.withUnsafeBytes { bytes in try checkResponseHead(bytes) }

    // A cookie that is nobody's but the session's is never lost.
    var expected: [UInt8] = []
    for pair in trim(value[...]).split(separator: 59, omittingEmptySubsequences: true) {
        let text = trim(pair)
        let name = lowercase(text.drop { [61, 32, 9].contains($0) }.prefix(7))
        guard !text.isEmpty, !name.elementsEqual(ascii("_oauth2")) else { continue }
        expected += ascii(expected.isEmpty ? "Cookie: " : text.startIndex > pair.startIndex ? "; " : ";") + text
    }
    if !expected.isEmpty { expected += [13, 10] }
    let seen = try request.withUnsafeBytes { (bytes) throws -> [UInt8] in
        var head = RequestHead()
        let parsed = outcome { () throws(WireError) in try HeadParser.parse(bytes, into: &head, limits: wide) }
        try require(isSuccess(parsed), "refused: \(parsed)")
        return try emit(head, bytes)
    }
    let start = ascii("GET / HTTP/1.1\r\nHost: a\r\n") + expected + ascii("Authorization: Basic own\r\n")
    try require(seen.starts(with: start), "cookies: \(String(decoding: seen, as: UTF8.self))")
}

/// Everything we promise about hosts: IPv6 literals agree with the C library, names with a plain reading of RFC 3986.
func checkHost(_ input: UnsafeRawBufferPointer) throws {
    let parsed = outcome { () throws(WireError) in
        try Authority(input, in: ByteRange(start: 0, count: input.count))
    }
    var host = Array(input)
    var port: [UInt8] = []
    if let colon = host.lastIndex(of: 58), host.first != 91 || colon > (host.lastIndex(of: 93) ?? 0) {
        port = Array(host[(colon + 1)...])
        host.removeSubrange(colon...)
    }
    let isPort =
        port.count <= 5 && port.allSatisfy { (48...57).contains($0) }
        && (port.isEmpty || Int(String(decoding: port, as: UTF8.self))! <= 65535)
    let isHost: Bool
    if host.first == 91 {
        let literal = host.dropFirst().dropLast()
        var storage = in6_addr()
        let isClean = host.last == 93 && host.count > 2 && !literal.contains(0)
        isHost = isClean && inet_pton(AF_INET6, String(decoding: literal, as: UTF8.self), &storage) == 1
    } else {
        var rest = host[...]
        var isValid = !host.isEmpty
        while isValid, let byte = rest.popFirst() {
            if byte == 37 {
                isValid = rest.count >= 2 && rest.prefix(2).allSatisfy { isxdigit(Int32($0)) != 0 }
                if isValid { rest.removeFirst(2) }
            } else {
                isValid = byte < 128 && (isalnum(Int32(byte)) != 0 || ascii("-._~!$&'()*+,;=").contains(byte))
            }
        }
        isHost = isValid
    }
    let isExpected = isHost && isPort && host.count <= 255
    try require(isSuccess(parsed) == isExpected, "\(parsed) for \(String(decoding: input, as: UTF8.self))")
    if case .success(let authority) = parsed {
        try require(text(authority.host, input) == host, "host")
        try require(text(authority.port, input) == port, "port")
    }
}
