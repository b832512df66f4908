import HTTPClient
import TLS
import Testing

private let authority = TestAuthority.shared

@Suite("https")
struct HTTPSTests {
    private func client() async throws -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.tls.trust = .onlyFile(authority.files("authority.pem"))
        return try await HTTPClient.standalone(configuration: configuration)
    }

    /// A GET that a crowded machine may take its time to connect: no test here is about that.
    private func get(_ url: String) throws -> ClientRequest {
        var request = ClientRequest(.get, try HTTPURL(url))
        request.timeouts.connect = .seconds(20)
        return request
    }

    @Test("An https server is asked like any other")
    func plain() async throws {
        authority.files.write("answer", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        let (server, port) = authority.server("server", ["-HTTP"])
        let client = try await client()
        for host in ["localhost", "127.0.0.1"] {
            let answer = try await client.collect(get("https://\(host):\(port)/answer"))
            #expect(answer.text == "hello")
        }
        withExtendedLifetime(server) {}
    }

    @Test("A certificate that does not fit is told as such")
    func untrusted() async throws {
        let (server, port) = authority.server("other", ["-HTTP"])
        let client = try await client()
        let error = try await failure(of: get("https://localhost:\(port)/"), client)
        #expect(error?.cause == .tls(.untrusted(reason: "hostname mismatch")))
        #expect(
            error?.description
                == "GET https://localhost:\(port)/: the server's certificate is not trusted: hostname mismatch")
        withExtendedLifetime(server) {}
    }

    @Test("A request may bring its own trust, and connections of one trust do not serve another")
    func ownTrust() async throws {
        authority.files.write("answer", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        let (server, port) = authority.server("foreign", ["-HTTP"])
        let client = try await client()
        var request = try get("https://127.0.0.1:\(port)/answer")
        #expect(try await failure(of: request, client) != nil)
        request.tls = TLSConfiguration(trust: .only(pem: authority.files.read("stranger.pem")))
        #expect(try await client.collect(request).text == "hello")
        request.tls = nil
        #expect(try await failure(of: request, client) != nil)
        withExtendedLifetime(server) {}
    }

    @Test("The name that the certificate must have may be another than the URL's")
    func serverName() async throws {
        authority.files.write("named", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        let (server, port) = authority.server("other", ["-HTTP"])
        let client = try await client()
        var request = try get("https://127.0.0.1:\(port)/named")
        let trust = TLSConfiguration.Trust.onlyFile(authority.files("authority.pem"))
        request.tls = TLSConfiguration(trust: trust, serverName: "other.test")
        #expect(try await client.collect(request).text == "hello")
        // Another server, for this one serves one connection after the other.
        let (second, secondPort) = authority.server("other", ["-HTTP"])
        request = try get("https://127.0.0.1:\(secondPort)/named")
        request.tls = TLSConfiguration(trust: trust, serverName: "server.test")
        #expect(try await failure(of: request, client)?.cause == .tls(.untrusted(reason: "hostname mismatch")))
        withExtendedLifetime((server, second)) {}
    }

    @Test("A server that does not speak TLS is told as such")
    func notTLS() async throws {
        let server = ScriptedServer { connection in
            // Not TLS at all.
            connection.send("HTTP/1.1 400 Bad Request\r\n\r\n")
            _ = connection.endsSilently()
        }
        let error = try await failure(of: get("https://127.0.0.1:\(server.port)/"), client())
        #expect(error?.cause == .tls(.failed(reason: "wrong version number")))
    }
}
