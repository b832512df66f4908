import LinuxIO
import TLS
import Testing

/// Connects to a port of 127.0.0.1 and runs `body` with the connection on a loop.
private func connecting<R: Sendable>(
    to port: UInt16, as serverName: String = "server.test", _ configuration: TLSConfiguration,
    _ body: @Sendable (TLSStream, Deadline) async throws -> R
) async throws -> R {
    let loop = try Loop(name: "tls-test")
    defer { loop.stop() }
    let context = try TLSClientContext(configuration)
    return try await loop.perform { loop in
        let waiter = Waiter(on: loop.executor)
        let deadline = Deadline.current().advanced(seconds: 10)
        let stream = try await Stream.connect(
            to: .loopback(port: port), on: loop.executor, waiter: waiter, deadline: deadline)
        let tls = try await TLSStream.connect(
            over: stream, context: context, serverName: serverName, deadline: deadline)
        defer {
            tls.close()
            withExtendedLifetime(waiter) {}
        }
        return try await body(tls, deadline)
    }
}

private func write(_ bytes: [UInt8], to tls: TLSStream, _ deadline: Deadline) async throws {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
    defer { copy.deallocate() }
    copy.copyBytes(from: bytes)
    try await tls.writeAll(UnsafeRawBufferPointer(rebasing: copy[..<bytes.count]), deadline: deadline)
}

/// Reads until the end, or until `count` bytes are there.
private func read(from tls: TLSStream, upTo count: Int = .max, _ deadline: Deadline) async throws -> [UInt8] {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 8000, alignment: 1)
    defer { room.deallocate() }
    var bytes: [UInt8] = []
    while bytes.count < count {
        let got = try await tls.read(into: room, deadline: deadline)
        if got == 0 { break }
        bytes.append(contentsOf: room[..<got])
    }
    return bytes
}

private let authority = TestAuthority.shared
private var pinned: TLSConfiguration { TLSConfiguration(trust: .onlyFile(authority.files("authority.pem"))) }

@Suite("TLS")
struct TLSStreamTests {
    @Test(
        "A verified server's bytes come through, both ways", arguments: ["server.test", "localhost", "127.0.0.1"],
        [
            "-tls1_2", "-tls1_3",
        ])
    func echo(name: String, version: String) async throws {
        let (server, port) = authority.server("server", ["-rev", version])
        let answer = try await connecting(to: port, as: name, pinned) { tls, deadline in
            try await write(Array("hello\n".utf8), to: tls, deadline)
            return try await read(from: tls, upTo: 6, deadline)
        }
        #expect(String(decoding: answer, as: UTF8.self) == "olleh\n")
        withExtendedLifetime(server) {}
    }

    @Test("A file of several megabytes arrives whole, its end announced")
    func large() async throws {
        let body = String(repeating: "0123456789abcdef", count: 200_000)
        authority.files.write("large", body)
        let (server, port) = authority.server("server", ["-HTTP"])
        let answer = try await connecting(to: port, pinned) { tls, deadline in
            try await write(Array("GET /large HTTP/1.0\r\n\r\n".utf8), to: tls, deadline)
            return try await read(from: tls, deadline)
        }
        #expect(String(decoding: answer, as: UTF8.self) == body)
        withExtendedLifetime(server) {}
    }

    @Test(
        "A server that cannot be verified gets no byte from us",
        arguments: [
            ("other", "server.test", "authority.pem", "hostname mismatch"),
            ("server", "10.0.0.1", "authority.pem", "IP address mismatch"),
            ("expired", "server.test", "authority.pem", "certificate has expired"),
            ("foreign", "server.test", "authority.pem", "unable to get local issuer certificate"),
            ("stranger", "server.test", "authority.pem", "self-signed certificate"),
            ("server", "server.test", nil, "unable to get local issuer certificate"),
        ])
    func untrusted(certificate: String, name: String, trusted: String?, reason: String) async throws {
        let (server, port) = authority.server(certificate, ["-rev"])
        let configuration =
            trusted.map { TLSConfiguration(trust: .onlyFile(authority.files($0))) } ?? TLSConfiguration()
        let error = await #expect(throws: TLSError.self) {
            try await connecting(to: port, as: name, configuration) { _, _ in }
        }
        #expect(error == .untrusted(reason: reason))
        withExtendedLifetime(server) {}
    }

    @Test("Only what is pinned is trusted: PEM text, several certificates, or the server's own")
    func pinning() async throws {
        let (server, port) = authority.server("server", ["-rev"])
        let both = authority.files.read("stranger.pem") + "\n# a comment\n" + authority.files.read("authority.pem")
        try await connecting(to: port, TLSConfiguration(trust: .only(pem: both))) { _, _ in }
        let own = authority.files.read("server.pem")
        try await connecting(to: port, TLSConfiguration(trust: .only(pem: own))) { _, _ in }
        let foreign = authority.files.read("stranger.pem")
        await #expect(throws: TLSError.self) {
            try await connecting(to: port, TLSConfiguration(trust: .only(pem: foreign))) { _, _ in }
        }
        withExtendedLifetime(server) {}
    }

    @Test("A server that asks for a client certificate gets it, and refuses those without")
    func clientCertificate() async throws {
        let (server, port) = authority.server(
            "server", ["-rev", "-Verify", "2", "-verify_return_error", "-CAfile", authority.files("authority.pem")])
        var configuration = pinned
        configuration.identity = TLSConfiguration.ClientIdentity(
            certificates: authority.files.read("client.pem") + authority.files.read("authority.pem"),
            privateKey: authority.files.read("client.key"))
        let answer = try await connecting(to: port, configuration) { tls, deadline in
            try await write(Array("abc\n".utf8), to: tls, deadline)
            return try await read(from: tls, upTo: 4, deadline)
        }
        #expect(String(decoding: answer, as: UTF8.self) == "cba\n")
        await #expect(throws: TLSError.self) {
            // In TLS 1.3 the refusal comes after the client's side of the handshake is done.
            try await connecting(to: port, pinned) { tls, deadline in _ = try await read(from: tls, deadline) }
        }
        withExtendedLifetime(server) {}
    }

    @Test("Settings that cannot work are refused before any connection")
    func settings() throws {
        #expect(throws: TLSError.unreadableAuthorities) {
            try TLSClientContext(TLSConfiguration(trust: .only(pem: "nothing")))
        }
        #expect(throws: TLSError.unreadableAuthorities) {
            try TLSClientContext(TLSConfiguration(trust: .onlyFile("/no/such/file")))
        }
        let client = authority.files.read("client.pem")
        let key = authority.files.read("client.key")
        for (certificates, privateKey) in [(client, authority.files.read("server.key")), ("", key), (client, "")] {
            let identity = TLSConfiguration.ClientIdentity(certificates: certificates, privateKey: privateKey)
            #expect(throws: TLSError.unreadableIdentity) {
                try TLSClientContext(TLSConfiguration(identity: identity))
            }
        }
        let encrypted = ChildProcess.run([
            "openssl", "ec", "-in", authority.files("client.key"), "-aes128", "-passout", "pass:secret",
        ])
        #expect(throws: TLSError.unreadableIdentity) {
            try TLSClientContext(
                TLSConfiguration(identity: .init(certificates: client, privateKey: encrypted)))
        }
    }

    @Test("A connection that is cut is not mistaken for one that ended")
    func truncation() async throws {
        let (server, port) = authority.server("server", ["-rev"])
        let error = await #expect(throws: TLSError.self) {
            try await connecting(to: port, pinned) { tls, deadline in
                try await write(Array("hello\n".utf8), to: tls, deadline)
                _ = try await read(from: tls, upTo: 6, deadline)
                server.kill()
                _ = try await read(from: tls, deadline)
            }
        }
        #expect(error == .truncated || error == .connection(.system(call: "recv", .connectionReset)))
    }

    @Test("A server without TLS, and one that knows only TLS 1.1, are refused")
    func protocols() async throws {
        let (old, port) = authority.server("server", ["-rev", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
        await #expect(throws: TLSError.self) { try await connecting(to: port, pinned) { _, _ in } }
        withExtendedLifetime(old) {}
    }
}
