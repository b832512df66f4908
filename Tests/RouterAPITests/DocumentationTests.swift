import FoundationEssentials
import HTTPTypes
import Sessions
import Testing

@testable import RouterAPI

@Suite("docs/api.md")
struct DocumentationTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
    private static let text = read("docs/api.md")

    private static func read(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: "\(root)/\(path)") ?? Data(), as: UTF8.self)
    }

    /// The documented routes: method and path with an example in place of each name.
    static let routes = routes(in: sections.first ?? "")

    /// Those of the pods' listener.
    static let podRoutes = routes(in: sections.first { $0.hasPrefix("What sessions ask") } ?? "")

    private static var sections: [String] { text.split(separator: "\n## ").map(String.init) }

    private static func routes(in text: String) -> [(HTTPRequest.Method, String)] {
        var routes: [(HTTPRequest.Method, String)] = []
        for line in text.split(separator: "\n") where line.hasPrefix("| `") {
            let words = line.dropFirst(3).prefix { $0 != "`" }.split(separator: " ")
            guard words.count == 2, let method = HTTPRequest.Method(String(words[0])) else { continue }
            let path = words[1].replacing("{hash}", with: "000000000001").replacing("{name}", with: "A")
                .replacing("{port}", with: "5173").replacing("{archive}", with: "000000000001-1")
            routes.append((method, String(path)))
        }
        return routes
    }

    @Test("Every documented route exists", arguments: routes)
    func exists(method: HTTPRequest.Method, path: String) throws {
        _ = try Operation.of(method, path: path)
    }

    @Test("What pods may ask is documented, and nothing else is")
    func pods() throws {
        let documented = Set(try Self.podRoutes.map { try PodOperation.of($0.0, path: $0.1) })
        let id = SessionID(rawValue: 1)
        func listed(_ operation: PodOperation) -> Bool {
            switch operation {
            case .reportPorts, .reportProgress, .gitCredential: documented.contains(operation)
            }
        }
        let all: [PodOperation] = [.reportPorts(id), .reportProgress(id), .gitCredential(id)]
        for operation in all { #expect(listed(operation), "\(operation)") }
        #expect(documented.count == all.count)
    }

    @Test("Every route is documented")
    func complete() throws {
        let documented = Set(try Self.routes.map { try Operation.of($0.0, path: $0.1) })
        let id = SessionID(rawValue: 1)
        // A new operation does not compile here before it is listed.
        func listed(_ operation: Operation) -> Bool {
            switch operation {
            case .listSessions, .createSession, .streamSessions, .suggestBranch, .getSession, .deleteSession,
                .sessionEvents, .sessionLog, .stopSession, .resumeSession, .keepAlive, .setIdleTimeout, .attachInfo,
                .rotateAttachPassword, .version, .me, .listSecrets, .replaceSecrets, .removeSecrets, .putSecret,
                .removeSecret, .userRepositories, .userBranches, .adminSessions, .sessionPorts, .setPort, .resetPort,
                .progressStream, .pullImage, .listArchives, .getArchive:
                documented.contains(operation)
            }
        }
        let all: [Operation] = [
            .listSessions, .createSession, .streamSessions, .suggestBranch, .getSession(id), .deleteSession(id),
            .sessionEvents(id), .sessionLog(id), .stopSession(id), .resumeSession(id), .keepAlive(id),
            .setIdleTimeout(id), .attachInfo(id), .rotateAttachPassword(id), .version, .me, .listSecrets,
            .replaceSecrets, .removeSecrets, .putSecret("A"), .removeSecret("A"), .userRepositories, .userBranches,
            .adminSessions, .progressStream(id), .sessionPorts(id), .setPort(id, "5173"), .resetPort(id, "5173"),
            .pullImage, .listArchives, .getArchive("000000000001-1"),
        ]
        for operation in all { #expect(listed(operation), "\(operation)") }
        #expect(documented.count == all.count)
    }

    @Test(
        "Every code that the document names is one that the API answers with",
        arguments: [
            "too_many_sessions", "too_many_running", "installation_full", "branch_not_found", "invalid_repository",
            "repository_not_allowed", "repository_unreachable", "token_required", "not_found",
            "agent_busy", "agent_retrying", "waiting_for_human", "agent_unknown", "no_timeout",
        ])
    func codes(code: String) {
        let sources = [
            "Sessions/SessionLimits", "Sessions/IdlePolicy", "RouterAPI/RouterAPI+Create", "RouterAPI/RouterAPI+User",
            "RouterAPI/APIError",
        ]
        #expect(sources.contains { Self.read("Sources/\($0).swift").contains("\"\(code)\"") })
        #expect(Self.text.contains("`\(code)`"))
    }
}
