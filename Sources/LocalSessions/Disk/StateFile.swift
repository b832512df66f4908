import FoundationEssentials
import Glibc

/// Why local sessions cannot be had; it stops start-up, because going on would mean to lose or to share sessions.
package enum LocalSessionsError: Error, Hashable, Sendable {
    /// The state directory cannot be made, read or written.
    case disk(message: String)
    /// Another router uses this state directory.
    case inUse(directory: String, byProcess: String?)
    /// The state file is there but is not one of ours.
    case unreadable(path: String, reason: String)

    /// What happened, to what, and what to do next.
    package var message: String {
        switch self {
        case .disk(let message):
            "STATE_DIR is not usable: \(message). Choose a directory that this user may write, with room on its disk."
        case .inUse(let directory, let process):
            "STATE_DIR \(directory) is used by another opencode-router\(process.map { " (process \($0))" } ?? "")."
                + " Stop that one, or give this one a STATE_DIR of its own."
        case .unreadable(let path, let reason):
            "The record of the local sessions, \(path), cannot be read: \(reason)."
                + " Restore it from a backup, or move it away to start without sessions (their folders stay)."
        }
    }
}

/// What the state file holds.
struct LocalState: Codable, Hashable, Sendable {
    /// The form of the file; a router that finds a later one than it knows does not start.
    var version = 1
    /// Names this state directory in the environment of everything it starts; random.
    var instance: String
    var sessions: [SessionRecord]

    static let currentVersion = 1
}

/// `<STATE_DIR>/state.json`: all that is stored about local sessions.
struct StateFile: Sendable {
    let path: String

    /// The content; nil if there is no file yet.
    func load() throws(LocalSessionsError) -> LocalState? {
        let bytes: [UInt8]
        do throws(DiskError) {
            bytes = try SmallFile.contents(of: path, limit: 256 << 20)
        } catch {
            if error.code == ENOENT { return nil }
            throw .unreadable(path: path, reason: error.sentence)
        }
        struct Version: Codable { var version: Int }
        let data = Data(bytes)
        do {
            let version = try JSONDecoder().decode(Version.self, from: data).version
            guard version <= LocalState.currentVersion else {
                throw LocalSessionsError.unreadable(
                    path: path, reason: "it has version \(version), written by a later opencode-router")
            }
            return try JSONDecoder().decode(LocalState.self, from: data)
        } catch let error as LocalSessionsError {
            throw error
        } catch {
            throw .unreadable(path: path, reason: "it is not the JSON that was expected (\(Self.place(of: error)))")
        }
    }

    /// Replaces the content, durably.
    func save(_ state: LocalState) throws(DiskError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(state) else { preconditionFailure("plain values always encode") }
        try SmallFile.replace(path, with: Array(data) + [0x0A])
    }

    private static func place(of error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        switch error {
        case .dataCorrupted(let context): return context.debugDescription
        case .keyNotFound(let key, _): return "\"\(key.stringValue)\" is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return "\(context.codingPath.map(\.stringValue).joined(separator: ".")): \(context.debugDescription)"
        @unknown default: return "unknown reason"
        }
    }
}

/// The lock that keeps a second router out of a state directory; held until it is released or this process ends.
struct DirectoryLock: ~Copyable, Sendable {
    private let file: CInt

    init(_ directory: String) throws(LocalSessionsError) {
        let path = directory + "/lock"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw .disk(message: DiskError("open \(path)").sentence) }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            close(file)
            let holder = SmallFile.read(path).map { String(decoding: $0.filter { $0 > 0x20 }, as: UTF8.self) }
            throw .inUse(directory: directory, byProcess: holder.flatMap { $0.isEmpty ? nil : $0 })
        }
        // The number is for people only; the lock is the kernel's and ends with the process.
        ftruncate(file, 0)
        let text = "\(getpid())\n"
        _ = text.withCString { write(file, $0, strlen($0)) }
        self.file = file
    }

    deinit {
        // Closing is not enough: a child that is between fork and exec has the same open file for a moment.
        flock(file, LOCK_UN)
        close(file)
    }
}
