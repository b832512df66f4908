internal import CLinuxIO
internal import Glibc

/// A kernel pipe through which bytes travel between two sockets without entering this process.
public final class Pipe {
    let readEnd: Descriptor
    let writeEnd: Descriptor
    /// Bytes the pipe can hold.
    public let capacity: Int
    /// Bytes in the pipe now.
    public private(set) var buffered = 0

    /// Makes a pipe of up to `capacity` bytes; nil if the kernel gives none, or one so small that copying is better.
    init?(capacity wanted: Int) {
        var ends: [CInt] = [-1, -1]
        guard clinuxio_pipe(&ends) >= 0 else { return nil }
        readEnd = Descriptor(adopting: ends[0])
        writeEnd = Descriptor(adopting: ends[1])
        // EPERM: the user's pipe pages are used up; the pipe may then be as small as two pages.
        let size = clinuxio_set_pipe_size(ends[0], CInt(wanted))
        capacity = size > 0 ? Int(size) : 0
        guard capacity >= 64 << 10 else { return nil }
    }

    /// Puts a few bytes behind those in the pipe: framing between runs of payload. Returns how many fitted.
    public func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = Glibc.write(writeEnd.number, bytes.baseAddress, bytes.count)
        guard count > 0 else { return 0 }
        buffered += count
        return count
    }

    /// Takes bytes back into memory, in order, where the kernel will not splice them on. Returns how many there were.
    public func read(into room: UnsafeMutableRawBufferPointer) -> Int {
        let count = Glibc.read(readEnd.number, room.baseAddress, min(room.count, buffered))
        guard count > 0 else { return 0 }
        buffered -= count
        return count
    }

    func filled(_ count: Int) { buffered += count }
    func drained(_ count: Int) { buffered -= count }
}

/// The pipes of one loop, made when first needed and lent to one transfer at a time.
public final class PipePool {
    /// 1 MiB: on loopback a 64 KiB pipe gains nothing over copying (measured; docs/performance.md).
    public static let pipeSize = 1 << 20

    private var free: [Pipe] = []
    private var made = 0
    /// Pipes this loop may own. A user that is not root may own 64 pipes of this size in all (pipe-user-pages-soft).
    public var limit = 16
    /// The kernel refused: do not ask again before this turn of the clock.
    private var refusedUntil = Deadline(milliseconds: 0)

    init() {}

    /// Pipes on loan, for metrics and leak tests.
    public var lent: Int { made - free.count }
    /// Pipes that wait to be lent.
    public var waiting: Int { free.count }
    /// Transfers that asked for a pipe and had to copy.
    public private(set) var shortages: UInt64 = 0

    /// Lends an empty pipe, or nil: then the transfer copies.
    public func take(now: Deadline) -> Pipe? {
        guard now >= refusedUntil else { return nil }
        if let pipe = free.popLast() { return pipe }
        guard made < limit else {
            shortages += 1
            return nil
        }
        guard let pipe = Pipe(capacity: Self.pipeSize) else {
            refuse(now: now)
            return nil
        }
        made += 1
        return pipe
    }

    /// Lends nothing for a second: the kernel will not make pipes, or not splice.
    public func refuse(now: Deadline) {
        shortages += 1
        refusedUntil = now.advanced(seconds: 1)
    }

    /// Takes a pipe back; one that still holds bytes is closed, for they belong to nobody else.
    public func giveBack(_ pipe: Pipe) {
        if pipe.buffered == 0 { free.append(pipe) } else { made -= 1 }
    }
}
