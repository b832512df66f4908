import GitRemote
import HTTPClient
import Testing

/// A head for a body of git's.
private func answer(_ kind: String, _ body: String, chunked: Bool = false) -> String {
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-\(kind)\r\n"
        + (chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: \(body.utf8.count)\r\n\r\n") + body
}

private func address(_ server: ScriptedServer) -> String { "http://127.0.0.1:\(server.port)/r.git" }

@Suite("A hostile remote")
struct HostileRemoteTests {
    @Test(
        "What is not git's answer is not a repository",
        arguments: [
            answer("result", "0000"), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n0000", answer("advertisement", ""),
            answer("advertisement", "zzzz"), answer("advertisement", "0003"), answer("advertisement", "ffff"),
            answer("advertisement", "0000x"), answer("advertisement", "00000000"),
            answer("advertisement", "000eversion 2\n"),
            answer("advertisement", "000eversion 2\n0000"), answer("advertisement", "000eversion 3\n0000"),
            answer("advertisement", "001e# service=git-upload-pack\n0000"),
        ])
    func notGit(answer: String) async throws {
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send(answer)
        }
        #expect(try await reason(address(server), remote()) == .notARepository)
    }

    @Test(
        "A broken answer to the second question is no list",
        arguments: [
            (answer("advertisement", "0000"), GitRemoteError.Reason.notARepository),
            (answer("result", "0001"), .notARepository),
            (answer("result", "zzzz"), .notARepository), (answer("result", ""), .notARepository),
            (answer("result", "0010ERR go away\n0000"), .remoteMessage("go away")),
            ("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", .unexpectedStatus(302)),
            ("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", .authenticationRequired),
        ])
    func second(answer second: String, expected: GitRemoteError.Reason) async throws {
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send(answer("advertisement", "000eversion 2\n000cls-refs\n0000"))
            _ = connection.readHead()
            connection.send(second)
        }
        #expect(try await reason(address(server), remote()) == expected)
    }

    @Test("Endless references are cut off by bytes, endless trickle by time")
    func endless() async throws {
        let line = "003f1111111111111111111111111111111111111111 refs/changes/0001\n"
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send(answer("advertisement", "", chunked: true))
            let chunk = String(repeating: line, count: 1000)
            for _ in 0..<1000 { connection.send("\(String(chunk.utf8.count, radix: 16))\r\n\(chunk)\r\n") }
        }
        var limits = GitRemote.Limits()
        limits.bytes = 1 << 20
        #expect(try await reason(address(server), remote(), nil, limits) == .tooLarge)

        let slow = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send(answer("advertisement", "", chunked: true))
            while !connection.isClosed {
                connection.send("\(String(line.utf8.count, radix: 16))\r\n\(line)\r\n")
                connection.pause(milliseconds: 20)
            }
        }
        limits = GitRemote.Limits()
        limits.time = .milliseconds(500)
        #expect(try await reason(address(slow), remote(), nil, limits) == .timedOut)
    }

    @Test("Pull requests behind the branches are not waited for")
    func enough() async throws {
        let oid = String(repeating: "1", count: 40)
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send(answer("advertisement", "", chunked: true))
            for line in ["\(oid) refs/heads/main\0x\n", "\(oid) refs/pull/1/head\n"] {
                let packet = String(decoding: PacketLines.line(line), as: UTF8.self)
                connection.send("\(String(packet.utf8.count, radix: 16))\r\n\(packet)\r\n")
            }
            _ = connection.endsSilently()
        }
        #expect(try await remote().branches(of: address(server)).names == ["main"])
    }
}

@Suite("Server-side request forgery")
struct RequestForgeryTests {
    private static let table: [String] = [
        // Addresses that are not public, spelt plainly.
        "https://127.0.0.1/x", "https://127.255.255.254/x", "https://0.0.0.0/x", "https://0.1.2.3/x",
        "https://10.0.0.1/x",
        "https://10.96.0.1/x", "https://172.16.0.1/x", "https://172.31.255.255/x", "https://192.168.1.1/x",
        "https://100.64.0.1/x", "https://100.100.100.200/latest/meta-data", "https://169.254.169.254/latest/meta-data",
        "https://169.254.170.2/v2/credentials", "https://168.63.129.16/metadata", "https://192.0.0.192/x",
        "https://198.18.0.1/x", "https://224.0.0.1/x", "https://239.255.255.250/x", "https://240.0.0.1/x",
        "https://255.255.255.255/x", "https://[::]/x", "https://[::1]/x", "https://[fe80::1]/x", "https://[fc00::1]/x",
        "https://[fd00:ec2::254]/x", "https://[fec0::1]/x", "https://[ff02::1]/x",
        // IPv6 that means IPv4.
        "https://[::ffff:127.0.0.1]/x", "https://[::ffff:7f00:1]/x", "https://[::ffff:169.254.169.254]/x",
        "https://[::ffff:10.0.0.1]/x", "https://[::127.0.0.1]/x", "https://[64:ff9b::127.0.0.1]/x",
        "https://[64:ff9b::a9fe:a9fe]/x", "https://[64:ff9b:1::1]/x", "https://[2002:7f00:1::]/x",
        "https://[2001:0:7f00:1::]/x",
        // Spellings that only some resolvers understand.
        "https://127.1/x", "https://2130706433/x", "https://0x7f000001/x", "https://0x7f.0.0.1/x",
        "https://0177.0.0.1/x",
        "https://017700000001/x", "https://127.0.0.1./x", "https://127.000.000.001/x", "https://%31%32%37.0.0.1/x",
        "https://①②⑦.⓪.⓪.①/x", "https://[::1%25lo]/x", "https://[::ffff:0x7f.0.0.1]/x",
        // Names that resolve to this machine.
        "https://localhost/x", "https://LOCALHOST/x", "https://localhost.localdomain/x", "https://ip6-localhost/x",
        // Other schemes and deceptions.
        "http://github.com/x", "file:///etc/passwd", "file://localhost/etc/passwd", "git://127.0.0.1/x",
        "ssh://127.0.0.1/x", "gopher://127.0.0.1:6379/_INFO", "ftp://127.0.0.1/x", "ext::sh -c id",
        "https:/127.0.0.1/x",
        "https://github.com@127.0.0.1/x", "https://github.com:443@127.0.0.1/x", "https://127.0.0.1\\@github.com/x",
        "https://github.com\\.127.0.0.1/x", "https://127.0.0.1#@github.com/x", "https://127.0.0.1?@github.com/x",
        "https://github.com%00.127.0.0.1/x", "https://github.com\r\nHost: 127.0.0.1/x", "//127.0.0.1/x", "127.0.0.1/x",
    ]

    @Test("No address leads inside", arguments: table)
    func refused(address: String) async throws {
        let remote = GitRemote(client: try await HTTPClient.standalone())
        switch await reason(address, remote) {
        case .invalidAddress, .schemeNotAllowed, .addressNotAllowed: break
        // Names that only some machines know, unknown on this one.
        case .unreachable(let cause) where cause.contains("cannot be found"): break
        case let other: Issue.record("\(address): \(String(describing: other))")
        }
    }

    @Test("No redirect leads inside either", arguments: table.filter { $0.hasPrefix("https://") && !$0.contains("\r") })
    func redirected(address: String) async throws {
        let server = ScriptedServer { connection in
            _ = connection.readHead()
            connection.send(
                "HTTP/1.1 302 Found\r\nLocation: \(address)/info/refs?service=git-upload-pack\r\nContent-Length: 0\r\n\r\n"
            )
        }
        var configuration = GitRemote.Configuration()
        configuration.schemes = [.http, .https]
        configuration.addresses = .publicAndPrivate
        // The first hop is on this machine and allowed; of the rest only what is allowed, too, may be dialled, and
        // nothing listens there.
        let remote = GitRemote(client: try await HTTPClient.standalone(), configuration: configuration)
        var limits = GitRemote.Limits()
        limits.time = .seconds(1)
        let reason = await reason("http://127.0.0.1:\(server.port)/r.git", remote, nil, limits)
        switch reason {
        case .addressNotAllowed, .refusedRedirect, .unreachable, .timedOut: break
        case let other: Issue.record("\(address): \(String(describing: other))")
        }
    }
}

@Suite("Sentences")
struct SentenceTests {
    @Test(
        "Every failure has a sentence, a code and a status",
        arguments: [
            (GitRemoteError.Reason.notFound, "repository_not_found", 404),
            (.authenticationRequired, "repository_authentication_required", 401),
            (.forbidden, "repository_forbidden", 403), (.timedOut, "repository_timeout", 504),
            (.tooLarge, "repository_too_large", 502),
            (.notARepository, "not_a_repository", 400), (.schemeNotAllowed("http"), "repository_not_allowed", 400),
            (.hostNotAllowed("x"), "repository_not_allowed", 400),
            (.addressNotAllowed(host: "x"), "repository_not_allowed", 400),
            (.rateLimited, "repository_rate_limited", 429), (.unreachable(cause: "x"), "repository_unreachable", 502),
            (.invalidAddress(.url(.userInformation)), "repository_address_invalid", 400),
            (.insecureRedirect, "repository_redirect_refused", 502), (.remoteMessage("x"), "repository_failed", 502),
        ])
    func told(reason: GitRemoteError.Reason, code: String, status: Int) {
        let error = GitRemoteError("https://example.com/r", reason)
        #expect(error.code == code && error.status == status)
        #expect(error.sentence.count > 20)
    }
}
