internal import CLinuxIO
internal import Glibc

/// A program on a pseudo-terminal of its own, under a loop's epoll; owns the terminal's master side.
///
/// Like `Stream`, but a terminal is no socket: it is read and written with read(2) and write(2), a short read does not
/// mean that it is empty, and EIO is its end. Belongs to one loop and is touched on that loop's thread only.
public final class PseudoTerminal: EventSource {
    private let executor: LoopExecutor
    private var descriptor: CInt
    /// The program's process, which leads a session and a process group of its own.
    public let process: Int32

    /// Whom to wake.
    public unowned(unsafe) var waiter: Waiter?

    /// Starts `path` in `directory`; `environment` is complete, as `NAME=value`.
    ///
    /// Throws only when the terminal or the process cannot be made; a path that cannot be run ends it with status 127.
    public init(
        path: String, arguments: [String], environment: [String], directory: String, rows: UInt16, columns: UInt16,
        on executor: LoopExecutor
    ) throws(IOError) {
        self.executor = executor
        var master: CInt = -1
        let result = Self.withCStrings(arguments) { arguments in
            Self.withCStrings(environment) { environment in
                clinuxio_spawn_terminal(path, arguments, environment, directory, rows, columns, &master)
            }
        }
        process = try check("forkpty", result)
        descriptor = master
        super.init()
        let events = EPOLLET.rawValue | EPOLLIN.rawValue | EPOLLOUT.rawValue
        do throws(IOError) {
            try executor.register(self, descriptor: master, events: events)
        } catch {
            _ = Glibc.close(master)
            descriptor = -1
            throw error
        }
    }

    deinit { close() }

    public var isOpen: Bool { descriptor >= 0 }

    /// Hangs up: the kernel sends SIGHUP to the session's foreground process group.
    public func close() {
        guard descriptor >= 0 else { return }
        executor.unregister(self)
        _ = Glibc.close(descriptor)
        descriptor = -1
    }

    override func report(_ events: UInt32) { waiter?.resume(.event) }

    /// Reads output that is there; `endOfStream` once no process has the terminal open any more.
    public func read(into room: UnsafeMutableRawBufferPointer) -> IOOutcome {
        outcome(of: Glibc.read(descriptor, room.baseAddress, room.count))
    }

    /// Writes input as far as the terminal takes it.
    public func write(_ bytes: UnsafeRawBufferPointer) -> IOOutcome {
        outcome(of: Glibc.write(descriptor, bytes.baseAddress, bytes.count))
    }

    private func outcome(of result: Int) -> IOOutcome {
        if result > 0 { return .moved(result) }
        if result == 0 { return .endOfStream }
        switch errno {
        case EAGAIN, EINTR: return .wouldBlock
        case EIO: return .endOfStream
        case EBADF: preconditionFailure("use of a closed descriptor")
        default: return .failed(Errno(code: errno))
        }
    }

    /// Changes the size of the window; the foreground process group gets SIGWINCH.
    public func resize(rows: UInt16, columns: UInt16) {
        guard descriptor >= 0 else { return }
        _ = clinuxio_resize_terminal(descriptor, rows, columns)
    }

    /// Lends the strings as a NULL-terminated vector.
    private static func withCStrings<R>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
    ) -> R {
        var vector: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
        vector.append(nil)
        defer { for string in vector { free(string) } }
        return vector.withUnsafeBufferPointer { body($0.baseAddress!) }
    }
}
