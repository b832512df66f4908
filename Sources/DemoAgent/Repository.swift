internal import Glibc
internal import LinuxIO

/// Reads the repository's folder and nothing outside it.
///
/// Every path is walked from the folder one name at a time, and no symbolic link is ever followed; so neither `..` nor a
/// link that someone commits, or makes between check and use, leads anywhere else.
struct Repository: Sendable {
    /// One name in a folder.
    struct Entry: Equatable, Sendable {
        enum Kind: String, Sendable { case file, directory, symlink, other }

        let name: String
        let path: String
        let kind: Kind
    }

    /// Why a path is not read.
    enum Refusal: Error, Equatable {
        /// Absolute, empty where a name is due, or with `.`, `..` or a NUL in it.
        case malformed
        case missing
        /// A symbolic link, a device or a socket.
        case notPlain
        case unreadable
    }

    /// The folder, as an absolute path.
    let root: String

    private static let entryLimit = 5000

    /// The names of the path, for `""`, `"a/b"` and `"a/b/"`.
    static func names(of path: String) throws(Refusal) -> [String] {
        guard !path.utf8.contains(0), !path.hasPrefix("/") else { throw .malformed }
        var parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if parts.last == "" { parts.removeLast() }
        guard !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else { throw .malformed }
        return parts
    }

    /// Opens a folder or file; `flags` say which.
    private func open(_ path: String, _ flags: CInt) throws(Refusal) -> Descriptor {
        let names = try Self.names(of: path)
        var number = Glibc.open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw .unreadable }
        var current = Descriptor(adopting: number)
        for (index, name) in names.enumerated() {
            let kind = index == names.count - 1 ? flags : O_DIRECTORY
            // O_NONBLOCK: opening a FIFO must not wait for its writer.
            number = openat(current.number, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | kind)
            guard number >= 0 else {
                switch errno {
                case ENOENT, ENOTDIR: throw .missing
                case ELOOP, ENXIO: throw .notPlain
                default: throw .unreadable
                }
            }
            current = Descriptor(adopting: number)
        }
        return current
    }

    /// The entries of a folder by name, without `.git`.
    func entries(of path: String) throws(Refusal) -> [Entry] {
        let folder = try open(path, O_DIRECTORY)
        guard let stream = fdopendir(dup(folder.number)) else { throw .unreadable }
        defer { closedir(stream) }
        let prefix = path.isEmpty ? "" : path.hasSuffix("/") ? path : path + "/"
        var entries: [Entry] = []
        while entries.count < Self.entryLimit, let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name == "." || name == ".." || (name == ".git" && path.isEmpty) { continue }
            entries.append(Entry(name: name, path: prefix + name, kind: Self.kind(of: entry, in: folder)))
        }
        return entries.sorted { $0.name < $1.name }
    }

    private static func kind(of entry: UnsafeMutablePointer<dirent>, in folder: borrowing Descriptor) -> Entry.Kind {
        var type = Int(entry.pointee.d_type)
        if type == DT_UNKNOWN {
            // Some file systems leave the type out.
            var status = stat()
            let result = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                    fstatat(folder.number, $0, &status, AT_SYMLINK_NOFOLLOW)
                }
            }
            if result == 0 { type = Int((status.st_mode & S_IFMT) >> 12) }
        }
        switch type {
        case DT_REG: return .file
        case DT_DIR: return .directory
        case DT_LNK: return .symlink
        default: return .other
        }
    }

    /// The first `limit` bytes of a plain file, and whether there are more.
    func contents(of path: String, limit: Int) throws(Refusal) -> (bytes: [UInt8], isWhole: Bool) {
        let file = try open(path, 0)
        var status = stat()
        guard fstat(file.number, &status) == 0 else { throw .unreadable }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notPlain }
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: limit + 1) { room, count in
            while count <= limit {
                let result = read(file.number, room.baseAddress! + count, limit + 1 - count)
                if result == 0 { break }
                guard result > 0 else {
                    failed = true
                    break
                }
                count += result
            }
        }
        if failed { throw .unreadable }
        return (Array(bytes.prefix(limit)), bytes.count <= limit)
    }

    /// The branch that is checked out, from `.git/HEAD`; nil if there is none.
    var branch: String? {
        guard let head = try? contents(of: ".git/HEAD", limit: 1024) else { return nil }
        let text = String(decoding: head.bytes, as: UTF8.self)
        guard text.hasPrefix("ref: refs/heads/") else { return nil }
        return String(text.dropFirst("ref: refs/heads/".count).prefix { $0 != "\n" })
    }

    /// What to call the repository: the last part of its origin's address, from `.git/config`, else the folder's name.
    var name: String {
        let config = (try? contents(of: ".git/config", limit: 64 << 10)).map {
            String(decoding: $0.bytes, as: UTF8.self)
        }
        var isOrigin = false
        for line in (config ?? "").split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            if line.hasPrefix("[") {
                isOrigin = line.hasPrefix("[remote \"origin\"]")
            } else if isOrigin, words.count >= 3, words[0] == "url", words[1] == "=" {
                var name = words[2].split(whereSeparator: { $0 == "/" || $0 == ":" }).last ?? ""
                if name.hasSuffix(".git") { name = name.dropLast(4) }
                if !name.isEmpty { return String(name) }
            }
        }
        return root.split(separator: "/").last.map(String.init) ?? "/"
    }
}
