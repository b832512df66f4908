import Glibc
import LinuxIO
import Sessions

/// A file that is being written: it has its name only once all of it is on the disk.
///
/// It lives on the archive's own thread, for disks block.
actor ArchiveDraft {
    /// No archive is larger; a session that holds more is not kept.
    static let limit = 256 << 20
    /// The disk is given so much at once.
    private static let block = 64 << 10

    private let loop: Loop
    private let temporary: String
    private let path: String
    private var file: CInt
    private var buffer: [UInt8] = []
    private(set) var count = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.unownedExecutor }

    /// Begins the file that `path` will name.
    init(_ path: String, on loop: Loop) async throws(ArchiveFailure) {
        self.loop = loop
        self.path = path
        temporary = path + ".part"
        file = -1
        try begin()
    }

    deinit {
        guard file >= 0 else { return }
        close(file)
        unlink(temporary)
    }

    private func begin() throws(ArchiveFailure) {
        file = Glibc.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .failed("create \(temporary)") }
    }

    func append(_ bytes: [UInt8]) throws(ArchiveFailure) {
        count += bytes.count
        guard count <= Self.limit else {
            throw .agent("The session holds more than \(Self.limit >> 20) MiB of conversations.")
        }
        buffer += bytes
        if buffer.count >= Self.block { try write() }
    }

    /// Gives the file its name, durably.
    func commit() throws(ArchiveFailure) {
        try write()
        guard fsync(file) == 0 else { throw .failed("flush \(temporary)") }
        let closed = close(file)
        file = -1
        guard closed == 0, rename(temporary, path) == 0 else {
            let failure = ArchiveFailure.failed("name \(path)")
            unlink(temporary)
            throw failure
        }
        try ArchiveFolder.flush(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
    }

    private func write() throws(ArchiveFailure) {
        defer { buffer.removeAll(keepingCapacity: true) }
        var offset = 0
        while offset < buffer.count {
            let moved = buffer.withUnsafeBytes {
                Glibc.write(file, $0.baseAddress! + offset, $0.count - offset)
            }
            if moved < 0, errno == EINTR { continue }
            guard moved > 0 else { throw .failed("write \(temporary)") }
            offset += moved
        }
    }
}

extension ArchiveFailure {
    /// What the system said just now about an operation.
    static func failed(_ operation: String) -> Self {
        .disk("cannot \(operation): \(String(cString: strerror(errno)))")
    }
}
