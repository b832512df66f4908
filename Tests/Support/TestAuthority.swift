import Glibc

/// A certificate authority made by `openssl` for one test run, and servers with its certificates.
final class TestAuthority: Sendable {
    let files = TemporaryDirectory()

    /// One authority for all tests of a process; making keys takes time.
    static let shared: TestAuthority = {
        atexit { ChildProcess.run(["rm", "-rf", TestAuthority.shared.files.path]) }
        return TestAuthority()
    }()

    private static let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    init() {
        for name in ["authority", "stranger"] {
            ChildProcess.run(
                ["openssl", "req", "-x509"] + Self.key
                    + [
                        "-keyout", files("\(name).key"), "-out", files("\(name).pem"), "-subj", "/CN=\(name)", "-days",
                        "2",
                    ])
        }
        issue("server", names: "DNS:server.test,DNS:localhost,IP:127.0.0.1")
        issue("other", names: "DNS:other.test")
        issue("expired", names: "DNS:server.test,IP:127.0.0.1", days: -1)
        issue("foreign", names: "DNS:server.test,IP:127.0.0.1", by: "stranger")
        issue("client", names: "DNS:client.test")
    }

    /// Makes `name.pem` and `name.key`.
    private func issue(_ name: String, names: String, days: Int = 2, by authority: String = "authority") {
        ChildProcess.run(
            ["openssl", "req", "-new"] + Self.key
                + [
                    "-keyout", files("\(name).key"), "-out", files("\(name).csr"), "-subj", "/CN=\(name)", "-addext",
                    "subjectAltName=\(names)",
                ])
        ChildProcess.run([
            "openssl", "x509", "-req", "-in", files("\(name).csr"), "-CA", files("\(authority).pem"), "-CAkey",
            files("\(authority).key"), "-CAcreateserial", "-copy_extensions", "copy", "-days", "\(days)", "-out",
            files("\(name).pem"),
        ])
    }

    /// Starts `openssl s_server` with one of the certificates on a free port of 127.0.0.1.
    func server(_ certificate: String, _ arguments: [String]) -> (process: ChildProcess, port: UInt16) {
        let process = ChildProcess(
            [
                "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", files("\(certificate).pem"), "-key",
                files("\(certificate).key"),
            ] + arguments, directory: files.path)
        guard let address = process.wait(for: "ACCEPT "), let port = UInt16(address.split(separator: ":").last ?? "")
        else { fatalError("openssl s_server did not start") }
        return (process, port)
    }
}
