import Glibc
import HTTPClient
import KubernetesAPI
import Logging
import Sessions
import Synchronization
import Testing

@testable import KubernetesSessions

@Suite("Pulling an image ahead", .timeLimit(.minutes(5)))
struct ImagePullTests {
    /// An API server whose one pod has a status by script; the lines of what it was asked.
    private final class Pods: Sendable {
        private let seen: Lines
        /// While it is true, a pod that was asked for is not answered yet.
        private let making: Flag
        let server: ScriptedServer

        private final class Lines: Sendable {
            let all = Mutex<[String]>([])
        }

        private final class Flag: Sendable {
            let isSet: Mutex<Bool>
            init(_ isSet: Bool) { self.isSet = Mutex(isSet) }
        }

        init(status: String, phase: Int = 200, isSlow: Bool = false) {
            let seen = Lines()
            self.seen = seen
            let making = Flag(isSlow)
            self.making = making
            server = ScriptedServer { connection in
                while let head = connection.readHead() {
                    let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
                    let body = connection.read(Int(length?.dropFirst(16) ?? "") ?? 0) ?? []
                    let line = head.split(separator: "\r\n")[0]
                    let verb = line.prefix { $0 != " " }
                    seen.all.withLock { $0.append("\(verb) \(String(decoding: body, as: UTF8.self))") }
                    while line.hasPrefix("POST"), making.isSet.withLock({ $0 }) { usleep(1000) }
                    let pod = #"{"metadata":{"name":"p","uid":"u1"},"status":\#(status)}"#
                    let code = line.hasPrefix("GET") ? phase : 200
                    connection.send("HTTP/1.1 \(code) X\r\nContent-Length: \(pod.utf8.count)\r\n\r\n\(pod)")
                }
            }
        }

        func finishMaking() { making.isSet.withLock { $0 = false } }

        var requests: [String] { seen.all.withLock { $0 } }

        func pulls(limit: Duration) async throws -> ImagePulls {
            let access = ClusterAccess(server: try HTTPURL("http://127.0.0.1:\(server.port)").origin)
            return ImagePulls(
                KubernetesClient(try await .standalone(), access: access, namespace: "n"),
                settings: KubernetesSessionSettings(image: "i", initScript: "", agentScript: ""),
                logger: Logger(label: "test"), limit: limit, interval: .milliseconds(20))
        }

        /// Whether the last request removed exactly the pod that was made.
        var isTidy: Bool {
            requests.last?.hasPrefix("DELETE ") == true && requests.last?.contains(#""uid":"u1""#) == true
        }
    }

    private static func code(_ pulls: ImagePulls) async -> String {
        do throws(SessionFailure) {
            try await pulls.pull("registry.test/a:1")
            return "ready"
        } catch {
            return error.code
        }
    }

    @Test(
        "It ends as its pod does, and the pod is removed",
        arguments: [
            (#"{"conditions":[{"type":"Ready","status":"True"}]}"#, 200, "ready"),
            (#"{"phase":"Pending"}"#, 200, "pull_timeout"),
            (
                #"{"containerStatuses":[{"name":"opencode","state":{"waiting":{"reason":"ImagePullBackOff"}}}]}"#, 200,
                "image_pull_failed"
            ),
            (#"{"phase":"Failed","reason":"DeadlineExceeded"}"#, 200, "pod_ended"),
            // A server in trouble may still know of the pod when it is well again.
            ("{}", 503, "pull_timeout"), ("{}", 404, "pull_interrupted"), ("{}", 403, "admission_denied"),
        ])
    func ends(status: String, code: Int, expected: String) async throws {
        let pods = Pods(status: status, phase: code)
        defer { pods.server.stop() }
        #expect(await Self.code(try await pods.pulls(limit: .milliseconds(300))) == expected)
        #expect(pods.isTidy, "\(pods.requests)")
    }

    @Test("Somebody who goes away leaves no pod behind")
    func cancellation() async throws {
        let pods = Pods(status: #"{"phase":"Pending"}"#)
        defer { pods.server.stop() }
        let pulls = try await pods.pulls(limit: .seconds(200))
        let asking = Task { await Self.code(pulls) }
        while pods.requests.count < 3 { try await Task.sleep(for: .milliseconds(5)) }
        asking.cancel()
        #expect(await asking.value == "pull_cancelled")
        #expect(pods.isTidy, "\(pods.requests)")
    }

    @Test("Somebody who goes away while the pod is being made leaves none behind, either")
    func earlyCancellation() async throws {
        let pods = Pods(status: #"{"phase":"Pending"}"#, isSlow: true)
        defer { pods.server.stop() }
        let pulls = try await pods.pulls(limit: .seconds(200))
        let asking = Task { await Self.code(pulls) }
        while pods.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        asking.cancel()
        pods.finishMaking()
        #expect(await asking.value == "pull_cancelled")
        #expect(pods.isTidy, "\(pods.requests)")
    }

    @Test("Only a few are pulled at a time")
    func bound() async throws {
        let pods = Pods(status: #"{"phase":"Pending"}"#)
        defer { pods.server.stop() }
        let pulls = try await pods.pulls(limit: .seconds(200))
        let asking = (0..<4).map { _ in Task { await Self.code(pulls) } }
        while pods.requests.count(where: { $0.hasPrefix("POST") }) < 4 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(await Self.code(pulls) == "too_many_pulls")
        for task in asking { task.cancel() }
        // In the middle of whichever request that was.
        for task in asking { #expect(await task.value != "ready") }
    }
}
