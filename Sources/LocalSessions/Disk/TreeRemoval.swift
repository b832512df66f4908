import Glibc

/// What a deletion could not remove.
struct TreeRemains: Hashable, Sendable {
    /// How many entries are left.
    var count = 0
    /// The first of them, and why.
    var first: DiskError?

    mutating func add(_ error: DiskError) {
        count += 1
        first = first ?? error
    }
}

/// Deletes a folder and everything in it, and follows no symbolic link on the way.
///
/// Names are always taken relative to an open folder, so that nobody can put a link in the way in the meantime.
enum TreeRemoval {
    /// Levels that are descended at once; deeper ones are first moved up, so that descriptors and stack stay bounded.
    private static let deepest = 64

    /// Deletes the tree; returns what stayed. A tree that is not there is deleted already.
    static func remove(_ path: String) -> TreeRemains {
        var remains = TreeRemains()
        let root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard root >= 0 else {
            if errno == ENOTDIR || errno == ELOOP {
                if unlink(path) != 0 { remains.add(DiskError("remove \(path)")) }
            } else if errno != ENOENT {
                remains.add(DiskError("open \(path)"))
            }
            return remains
        }
        defer { close(root) }
        var moved = 0
        repeat {
            remains = TreeRemains()
            let before = moved
            empty(root, path, depth: 0, root: root, moved: &moved, remains: &remains)
            if moved == before { break }
        } while true
        if remains.count == 0, rmdir(path) != 0, errno != ENOENT { remains.add(DiskError("remove \(path)")) }
        return remains
    }

    private static func empty(
        _ folder: CInt, _ path: String, depth: Int, root: CInt, moved: inout Int, remains: inout TreeRemains
    ) {
        // Build tools leave folders without write permission (Go's module cache does); they are still ours.
        fchmod(folder, 0o700)
        let copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { return remains.add(DiskError("open \(path)")) }
        guard let listing = fdopendir(copy) else {
            close(copy)
            return remains.add(DiskError("list \(path)"))
        }
        for name in FolderListing.names(reading: listing) {
            let code = unlinkat(folder, name, 0) == 0 ? 0 : errno
            if code == 0 || code == ENOENT { continue }
            let text = name.withUnsafeBufferPointer { "\(path)/\(String(cString: $0.baseAddress!))" }
            let failure = DiskError("remove \(text)", code)
            guard code == EISDIR || code == EPERM else {
                remains.add(failure)
                continue
            }
            var child = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            if child < 0, errno == EACCES {
                fchmodat(folder, name, 0o700, 0)
                child = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            }
            guard child >= 0 else {
                remains.add(failure)
                continue
            }
            defer { close(child) }
            if depth >= deepest {
                moved += 1
                if renameat(folder, name, root, ".deep-\(moved)") == 0 { continue }
                moved -= 1
            }
            empty(child, text, depth: depth + 1, root: root, moved: &moved, remains: &remains)
            if unlinkat(folder, name, AT_REMOVEDIR) != 0, errno != ENOENT, remains.count == 0 {
                remains.add(DiskError("remove \(text)"))
            }
        }
    }
}
