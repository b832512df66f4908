import FoundationEssentials
import Sessions

/// Each user's environment variables for their sessions on this machine: `<STATE_DIR>/secrets.json`, mode 0600.
///
/// Values go in, and come out into agents' environments only. A session has them from its next start on.
package actor LocalSecrets {
    /// Why a change was not made; no case carries a value.
    package enum Problem: Error, Hashable, Sendable {
        case name(String, problem: String)
        case value(String, problem: String)
        case tooMany
        /// The file could not be read or written.
        case disk(message: String)

        /// A sentence for a person.
        package var message: String {
            switch self {
            case .name(let name, let problem): "The name \(name.prefix(128)) \(problem)."
            case .value(let name, let problem): "The value of \(name.prefix(128)) \(problem)."
            case .tooMany: "There can be at most \(SecretName.countLimit) variables."
            case .disk(let message): "The variables could not be stored: \(message)."
            }
        }
    }

    private struct Content: Codable {
        var version = 1
        /// By address, in the form in which sessions are keyed.
        var users: [String: [String: String]] = [:]
    }

    private let path: String
    private var content: Content

    /// Reads the file; one that is there but is not ours stops start-up, like every record that would be lost.
    init(_ path: String) throws(LocalSessionsError) {
        self.path = path
        do throws(DiskError) {
            let bytes = try SmallFile.contents(of: path, limit: 256 << 20)
            guard let content = try? JSONDecoder().decode(Content.self, from: Data(bytes)), content.version == 1 else {
                throw DiskError("read \(path)", 0)
            }
            self.content = content
        } catch {
            guard error.code == 2 else {
                throw .unreadable(
                    path: path, reason: error.code == 0 ? "it is not the JSON that was expected" : error.sentence)
            }
            content = Content()
        }
    }

    /// The names of a user's variables, sorted.
    package func names(of email: String) async throws -> [String] {
        content.users[Self.key(email), default: [:]].keys.sorted()
    }

    /// Puts these in place of all.
    package func replaceAll(of email: String, with secrets: [String: String]) async throws {
        try change(email) { $0 = secrets }
    }

    /// Adds or replaces one.
    package func put(_ value: String, as name: String, of email: String) async throws {
        try change(email) { $0[name] = value }
    }

    /// Removes one; nothing happens if there is none.
    package func remove(_ name: String, of email: String) async throws {
        try change(email) { $0[name] = nil }
    }

    /// What an agent of this user gets.
    func values(of email: String) -> [String: String] { content.users[Self.key(email), default: [:]] }

    private func change(_ email: String, _ body: (inout [String: String]) -> Void) throws(Problem) {
        let key = Self.key(email)
        let before = content
        var secrets = content.users[key, default: [:]]
        body(&secrets)
        guard secrets.count <= SecretName.countLimit else { throw .tooMany }
        for (name, value) in secrets {
            if let problem = SecretName.problem(with: name) { throw .name(name, problem: problem) }
            guard value.utf8.count <= SecretName.valueLimit else {
                throw .value(name, problem: "is longer than \(SecretName.valueLimit) bytes")
            }
            guard !value.utf8.contains(0) else { throw .value(name, problem: "contains a zero byte") }
        }
        content.users[key] = secrets.isEmpty ? nil : secrets
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        guard let data = try? encoder.encode(content) else { preconditionFailure("plain values always encode") }
        do throws(DiskError) {
            try SmallFile.replace(path, with: Array(data) + [0x0A])
        } catch {
            content = before
            throw .disk(message: error.sentence)
        }
    }

    /// The address as `SessionKey` has it, so that a session finds what its owner stored.
    private static func key(_ email: String) -> String {
        SessionKey(email: email, repositoryURL: nil, branch: "").email
    }
}
