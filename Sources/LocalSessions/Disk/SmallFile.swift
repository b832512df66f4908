import Glibc

/// What the operating system said when a file could not be read or written.
struct DiskError: Error, Hashable, Sendable {
    /// What was being done, to which path: "write /x/y".
    var operation: String
    /// The number from errno.
    var code: CInt

    init(_ operation: String, _ code: CInt = errno) {
        self.operation = operation
        self.code = code
    }

    /// "cannot write /x/y: No space left on device".
    var sentence: String { "cannot \(operation): \(String(cString: strerror(code)))" }

    /// Whether room ran out, rather than something being broken.
    var isFull: Bool { code == ENOSPC || code == EDQUOT }
}

/// Whole small files, read and durably written.
enum SmallFile {
    /// The file's bytes, at most `limit`; nil if it cannot be read.
    static func read(_ path: String, limit: Int = 65_536) -> [UInt8]? {
        try? contents(of: path, limit: limit)
    }

    /// The file's bytes; throws for every reason, a missing file (`ENOENT`) too, and `EFBIG` beyond `limit`.
    static func contents(of path: String, limit: Int) throws(DiskError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw DiskError("open \(path)") }
        defer { close(file) }
        var bytes: [UInt8] = []
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 16_384, alignment: 1)
        defer { chunk.deallocate() }
        while true {
            let count = Glibc.read(file, chunk.baseAddress!, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw DiskError("read \(path)") }
            if count == 0 { return bytes }
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[..<count]))
            guard bytes.count <= limit else { throw DiskError("read \(path)", EFBIG) }
        }
    }

    /// Replaces the file so that after a crash either the old or the new content is there, whole.
    static func replace(_ path: String, with bytes: [UInt8], mode: mode_t = 0o600) throws(DiskError) {
        let temporary = path + ".new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard file >= 0 else { throw DiskError("create \(temporary)") }
        var failure: DiskError?
        bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = write(file, UnsafeRawBufferPointer(rebasing: rest).baseAddress!, rest.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else {
                    failure = DiskError("write \(temporary)")
                    return
                }
                rest = rest.dropFirst(count)
            }
        }
        if failure == nil, fsync(file) != 0 { failure = DiskError("flush \(temporary)") }
        if close(file) != 0, failure == nil { failure = DiskError("close \(temporary)") }
        if failure == nil, rename(temporary, path) != 0 { failure = DiskError("replace \(path)") }
        if let failure {
            unlink(temporary)
            throw failure
        }
        try synchroniseFolder(of: path)
    }

    /// Removes the file; one that is not there is removed already.
    static func remove(_ path: String) {
        unlink(path)
    }

    /// Makes a rename or a deletion in the folder of this path durable.
    static func synchroniseFolder(of path: String) throws(DiskError) {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw DiskError("open \(folder)") }
        defer { close(file) }
        guard fsync(file) == 0 || errno == EINVAL else { throw DiskError("flush \(folder)") }
    }
}
