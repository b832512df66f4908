import Glibc

/// The names in a folder.
enum FolderListing {
    /// Without `.` and `..`; empty if the folder cannot be read. Names that are no UTF-8 are repaired.
    static func names(of path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        return names(reading: folder).map { name in name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) } }
    }

    /// Reads and closes an open folder; the names as they are, each with its final zero.
    ///
    /// A name is bytes, not text: whoever wants to open or remove what it names needs exactly these.
    static func names(reading folder: OpaquePointer) -> [[CChar]] {
        defer { closedir(folder) }
        var names: [[CChar]] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { bytes in
                    Array(UnsafeBufferPointer(start: bytes, count: strlen(bytes) + 1))
                }
            }
            if name != [0x2E, 0] && name != [0x2E, 0x2E, 0] { names.append(name) }
        }
        return names
    }
}

/// Folders that only their owner may enter.
enum Folder {
    /// Makes the folder and those above it that are missing, mode 0700; one that exists is left as it is.
    static func make(_ path: String) throws(DiskError) {
        if mkdir(path, 0o700) == 0 { return }
        switch errno {
        case EEXIST:
            // A link to a folder will do; the operator may have put the state on another disk that way.
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                throw DiskError("create \(path)", ENOTDIR)
            }
        case ENOENT:
            guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
                throw DiskError("create \(path)")
            }
            try make(String(path[..<slash]))
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw DiskError("create \(path)") }
        default:
            throw DiskError("create \(path)")
        }
    }

    /// The path without links and dots, from the root; nil if there is nothing there.
    static func canonicalPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Whether there is a folder (not a link to one) with this path.
    static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
