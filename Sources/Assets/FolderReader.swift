import Glibc
import LinuxIO

/// Reads a folder of files once, as it is at that moment: regular files only, nothing reached through a link.
///
/// Every step opens one name below an open folder with `O_NOFOLLOW`, so nothing outside can be reached, whatever happens to
/// the folder meanwhile. Names that begin with a dot are left out.
struct FolderReader {
    /// The bounds of a site.
    struct Limits {
        var bytes = 64 << 20
        var files = 4096
        var depth = 16
    }

    /// One file: its path below the folder, with a leading slash, and its bytes.
    struct File {
        let path: String
        let bytes: [UInt8]
    }

    private let root: String
    private let limits: Limits
    private var files: [File] = []
    private var total = 0

    /// All files of the folder, in the order of their paths.
    static func files(in folder: String, limits: Limits = Limits()) throws(AssetError) -> [File] {
        var reader = FolderReader(root: folder, limits: limits)
        // The folder itself may be a link: where it leads is the operator's decision.
        let number = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw unreadable(folder) }
        try reader.walk(Descriptor(adopting: number), path: "", depth: 0)
        // Bytewise, not by Unicode's rules: the catalogue searches with the same order.
        return reader.files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    /// The bytes of one file; links are followed.
    static func file(_ path: String, limit: Int) throws(AssetError) -> [UInt8] {
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else { throw unreadable(path) }
        let descriptor = Descriptor(adopting: number)
        return try read(descriptor, path: path, limit: limit)
    }

    private init(root: String, limits: Limits) {
        self.root = root
        self.limits = limits
    }

    private mutating func walk(_ folder: consuming Descriptor, path: String, depth: Int) throws(AssetError) {
        guard depth <= limits.depth else { throw .tooDeep(path: root + path) }
        let number = folder.release()
        guard let stream = fdopendir(number) else {
            let error = Self.unreadable(root + path)
            _ = close(number)
            throw error
        }
        defer { closedir(stream) }
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw Self.unreadable(root + path) }
                return
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                Array(bytes.prefix { $0 != 0 })
            }
            guard name.first != 0x2e else { continue }
            // A name that is not text has no spelling in a URL that two readers would agree on.
            guard let text = String(validating: name, as: UTF8.self), name.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
            else { continue }
            try visit(text, in: number, path: path + "/" + text, depth: depth)
        }
    }

    private mutating func visit(_ name: String, in folder: CInt, path: String, depth: Int) throws(AssetError) {
        // Without O_NONBLOCK, opening a named pipe would wait for its writer.
        let number = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else {
            // ELOOP: a link. ENXIO: a socket. Neither is a file of the site.
            if errno == ELOOP || errno == ENXIO { return }
            throw Self.unreadable(root + path)
        }
        let descriptor = Descriptor(adopting: number)
        var facts = stat()
        guard fstat(descriptor.number, &facts) == 0 else { throw Self.unreadable(root + path) }
        switch facts.st_mode & S_IFMT {
        case S_IFDIR:
            try walk(descriptor, path: path, depth: depth + 1)
        case S_IFREG:
            guard files.count < limits.files else { throw .tooManyFiles(folder: root, limit: limits.files) }
            guard limits.bytes - total >= 0 else { throw .tooLarge(path: root + path, limit: limits.bytes) }
            let bytes: [UInt8]
            do {
                bytes = try Self.read(descriptor, path: root + path, limit: limits.bytes - total)
            } catch .tooLarge {
                throw .tooLarge(path: root + path, limit: limits.bytes)
            }
            total += bytes.count
            files.append(File(path: path, bytes: bytes))
        default:
            return
        }
    }

    private static func read(
        _ descriptor: borrowing Descriptor, path: String, limit: Int
    ) throws(AssetError) -> [UInt8] {
        var facts = stat()
        guard fstat(descriptor.number, &facts) == 0 else { throw unreadable(path) }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw .unreadable(path: path, reason: "not a regular file") }
        let size = Int(facts.st_size)
        guard size <= limit else { throw .tooLarge(path: path, limit: limit) }
        var bytes = [UInt8](repeating: 0, count: size)
        var done = 0
        while done < size {
            let count = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor.number, buffer.baseAddress! + done, size - done)
            }
            if count > 0 {
                done += count
            } else if count == 0 {
                throw .changedWhileRead(path: path)
            } else if errno != EINTR {
                throw unreadable(path)
            }
        }
        return bytes
    }

    private static func unreadable(_ path: String) -> AssetError {
        .unreadable(path: path, reason: String(cString: strerror(errno)))
    }
}
