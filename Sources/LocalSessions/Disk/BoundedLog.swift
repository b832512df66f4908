import Glibc
import Synchronization

/// A log file that is appended to and never takes more than twice its limit: the file and its predecessor.
///
/// What cannot be written (a full disk) is dropped: a log must not stop what it tells about.
final class BoundedLog: Sendable {
    private struct State {
        var file: CInt = -1
        var size = 0
    }
    private let path: String
    private let limit: Int
    private let state = Mutex(State())

    /// Opens the log for appending; the file that is full becomes `.1`.
    init(_ path: String, limit: Int) {
        self.path = path
        self.limit = limit
        state.withLock { reopen(&$0) }
    }

    deinit {
        state.withLock { if $0.file >= 0 { close($0.file) } }
    }

    /// Appends these bytes as they are.
    func append(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { state in
            if state.size + bytes.count > limit, state.size > 0 {
                if state.file >= 0 { close(state.file) }
                rename(path, path + ".1")
                reopen(&state)
            }
            var rest = bytes[...]
            while state.file >= 0, !rest.isEmpty {
                let count = write(state.file, UnsafeRawBufferPointer(rebasing: rest).baseAddress!, rest.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                state.size += count
                rest = rest.dropFirst(count)
            }
        }
    }

    /// Appends one line.
    func append(line: String) {
        var line = line + "\n"
        line.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    private func reopen(_ state: inout State) {
        state.file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        var status = stat()
        state.size = state.file >= 0 && fstat(state.file, &status) == 0 ? Int(status.st_size) : 0
    }
}

/// The end of a log, for people.
enum LogTail {
    /// The last bytes of the log and its predecessor, from a line's beginning, at most `limit` bytes.
    static func read(_ path: String, limit: Int) -> String {
        guard limit > 0 else { return "" }
        var bytes = lastBytes(of: path, limit)
        if bytes.count < limit { bytes = lastBytes(of: path + ".1", limit - bytes.count) + bytes }
        return text(bytes, cut: bytes.count == limit)
    }

    /// The last lines of a text that was collected in memory, for a failure's `log`.
    static func lines(_ count: Int, of text: String) -> String? {
        let lines = asOnTerminal(Array(text.utf8)[...]).split(separator: "\n").suffix(count)
        return lines.isEmpty ? nil : lines.joined(separator: "\n")
    }

    /// Bytes as text, from the first whole line if they were cut.
    private static func text(_ bytes: [UInt8], cut: Bool) -> String {
        var bytes = bytes[...]
        if cut, let newline = bytes.firstIndex(of: 0x0A), newline + 1 < bytes.endIndex {
            bytes = bytes[(newline + 1)...]
        }
        return asOnTerminal(bytes)
    }

    /// Of a line that overwrote itself (git's progress does, with carriage returns), what a terminal shows in the end.
    private static func asOnTerminal(_ bytes: ArraySlice<UInt8>) -> String {
        let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
            line.split(separator: 0x0D).last ?? []
        }
        return String(decoding: Array(lines.joined(separator: [0x0A])), as: UTF8.self)
    }

    private static func lastBytes(of path: String, _ limit: Int) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { return [] }
        let start = max(0, Int(status.st_size) - limit)
        let wanted = Int(status.st_size) - start
        return [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
            while count < wanted {
                let got = pread(file, buffer.baseAddress! + count, wanted - count, off_t(start + count))
                if got < 0 && errno == EINTR { continue }
                guard got > 0 else { return }
                count += got
            }
        }
    }
}
