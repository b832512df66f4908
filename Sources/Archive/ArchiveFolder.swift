import FoundationEssentials
import Glibc
import Identity
import LinuxIO
import Sessions

/// The folder of kept sessions: one JSON file each, below a folder for each owner that a digest of the address names.
///
/// Nothing in it is believed to be ours but by its name, and only the folder of whoever asks is looked into.
actor ArchiveFolder {
    private let path: String
    private let loop: Loop

    /// A list tells no more than these, the newest.
    private static let listLimit = 500
    /// The first line of a file tells of the session.
    private static let headLimit = 64 << 10
    /// So much of a file is in memory at a time.
    private static let block = 64 << 10

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.unownedExecutor }

    init(_ path: String) throws(ArchiveFailure) {
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        do throws(IOError) {
            loop = try Loop(name: "archive")
        } catch {
            throw .disk("no thread for the archive: \(error)")
        }
    }

    /// Makes the folder, if it is not there, and finds out whether files can be made in it.
    func check() throws(ArchiveFailure) {
        try make(path)
        guard access(path, R_OK | W_OK | X_OK) == 0 else { throw .failed("write into \(path)") }
    }

    /// Begins the file of a session that is kept now; its first line is written.
    func draft(of session: Session, at time: Timestamp) async throws(ArchiveFailure) -> ArchiveDraft {
        let folder = folder(of: session.owner)
        try make(path)
        try make(folder)
        let draft = try await ArchiveDraft("\(folder)/\(session.id)-\(time.milliseconds).json", on: loop)
        let head = ArchiveHead(session, at: time)
        try await draft.append(head.line)
        return draft
    }

    func list(of owner: String) throws(ArchiveFailure) -> [ArchivedSession] {
        let folder = folder(of: owner)
        guard let listing = opendir(folder) else {
            if errno == ENOENT { return [] }
            throw .failed("read \(folder)")
        }
        defer { closedir(listing) }
        var names: [(name: String, id: SessionID, time: Timestamp)] = []
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasSuffix(".json"), let (id, time) = Self.parts(name.dropLast(5)) else { continue }
            names.append((String(name.dropLast(5)), id, time))
        }
        names.sort { ($0.time, $0.name) > ($1.time, $1.name) }
        return names.prefix(Self.listLimit).compactMap { name, id, time in
            guard let file = try? FileReader.open("\(folder)/\(name).json") else { return nil }
            let head = file.read(upTo: Self.headLimit).flatMap(ArchiveHead.init(document:))
            return ArchivedSession(
                id: name, session: id, archivedAt: time, bytes: file.size, repositoryURL: head?.session.repoUrl,
                branch: head?.session.branch, title: head?.session.title)
        }
    }

    func open(_ id: String, of owner: String) throws(ArchiveFailure) -> AsyncStream<[UInt8]>? {
        guard Self.parts(id[...]) != nil else { return nil }
        guard let file = try FileReader.open("\(folder(of: owner))/\(id).json") else { return nil }
        return AsyncStream(unfolding: { await self.next(of: file) })
    }

    private func next(of file: FileReader) -> [UInt8]? { file.read(upTo: Self.block) }

    /// Makes a name in a folder durable.
    static func flush(_ folder: String) throws(ArchiveFailure) {
        let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .failed("open \(folder)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw .failed("flush \(folder)") }
    }

    private func folder(of owner: String) -> String { "\(path)/\(Digest.hex(Digest.sha256(owner.utf8).prefix(16)))" }

    /// A folder for this user alone; one that is there is taken as it is.
    private func make(_ path: String) throws(ArchiveFailure) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw .failed("create \(path)")
        }
        try make(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .failed("create \(path)") }
    }

    /// Hash and time of `<hash>-<milliseconds>`; nil for any other name.
    private static func parts(_ id: Substring) -> (SessionID, Timestamp)? {
        let halves = id.split(separator: "-", omittingEmptySubsequences: false)
        guard halves.count == 2, let session = SessionID(halves[0]), (1...15).contains(halves[1].utf8.count),
            halves[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let time = Int64(halves[1])
        else { return nil }
        return (session, Timestamp(milliseconds: time))
    }
}

/// A file that is read from start to end; never through a link. Used on the archive's thread.
private final class FileReader: Sendable {
    private let file: CInt
    let size: Int

    private init(adopting file: CInt, size: Int) {
        self.file = file
        self.size = size
    }

    deinit { close(file) }

    /// The file, if it is one.
    static func open(_ path: String) throws(ArchiveFailure) -> FileReader? {
        let file = Glibc.open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT || errno == ELOOP { return nil }
            throw .failed("open \(path)")
        }
        var facts = stat()
        guard fstat(file, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
            close(file)
            return nil
        }
        return FileReader(adopting: file, size: Int(facts.st_size))
    }

    /// The next bytes; nil at the end.
    func read(upTo count: Int) -> [UInt8]? {
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = max(0, Glibc.read(file, buffer.baseAddress!, count))
        }
        return bytes.isEmpty ? nil : bytes
    }
}
