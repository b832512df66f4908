internal import Glibc

/// Bytes received and not yet used: a window [start, end) in storage borrowed from a loop's pool.
public final class IOBuffer {
    /// Pages of its own, which the kernel has back as soon as they are not wanted. In the heap they would lie between the
    /// small objects that outlive them, and the memory of a burst would stay with the process for good.
    public private(set) var storage: UnsafeMutableRawBufferPointer
    public var start = 0
    public var end = 0

    init(capacity: Int) { storage = Self.map(capacity) }

    deinit { munmap(storage.baseAddress, storage.count) }

    private static func map(_ size: Int) -> UnsafeMutableRawBufferPointer {
        let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let address, Int(bitPattern: address) != -1 else { fatalError("no memory for a buffer of \(size) bytes") }
        return UnsafeMutableRawBufferPointer(start: address, count: size)
    }

    @inlinable @inline(__always)
    public var count: Int { end - start }

    @inlinable @inline(__always)
    public var isEmpty: Bool { start == end }

    /// The bytes not yet used.
    @inlinable @inline(__always)
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage[start..<end]) }

    /// The room behind them.
    @inlinable @inline(__always)
    public var room: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: storage[end...]) }

    /// Marks bytes at the front as used.
    @inlinable
    public func consume(_ count: Int) {
        precondition(count >= 0 && count <= end - start)
        start += count
        if start == end {
            start = 0
            end = 0
        }
    }

    /// Marks bytes written into `room` as received.
    @inlinable
    public func produced(_ count: Int) {
        precondition(count >= 0 && end + count <= storage.count)
        end += count
    }

    /// Moves the bytes to the front of the storage, so that `room` is as large as it can be.
    public func compact() {
        guard start > 0 else { return }
        storage.baseAddress!.copyMemory(from: storage.baseAddress! + start, byteCount: count)
        end -= start
        start = 0
    }

    /// Brings back the first `count` bytes of the storage, which were used once; nothing may have been written since.
    public func rewind(to count: Int) {
        precondition(count <= storage.count)
        start = 0
        end = count
    }

    /// Doubles the storage, up to `limit` bytes; false if it is that large already.
    public func grow(limit: Int) -> Bool {
        guard storage.count < limit else { return false }
        let larger = Self.map(min(storage.count * 2, limit))
        larger.baseAddress!.copyMemory(from: storage.baseAddress! + start, byteCount: count)
        end -= start
        start = 0
        munmap(storage.baseAddress, storage.count)
        storage = larger
        return true
    }

    /// Appends bytes; false, and nothing appended, if they do not fit.
    public func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if bytes.count > room.count { compact() }
        guard bytes.count <= room.count else { return false }
        if let source = bytes.baseAddress { room.baseAddress!.copyMemory(from: source, byteCount: bytes.count) }
        end += bytes.count
        return true
    }
}

/// The buffers of one loop; a connection borrows one only while bytes are in flight.
public final class BufferPool {
    /// Bytes of a pooled buffer: a browser's request head with split cookies, or an answer head with its first bytes.
    public static let standardSize = 16 << 10
    /// Free buffers kept at most: 16 MiB a loop.
    private static let kept = 1024
    /// Free buffers kept however little goes on: 256 KiB a loop.
    private static let spared = 16

    private var free: [IOBuffer] = []
    /// So many buffers were free all the time since the last `trim`.
    private var unneeded = 0
    /// Buffers on loan, for leak tests.
    public private(set) var lent = 0

    init() {}

    /// Lends an empty buffer.
    public func take() -> IOBuffer {
        lent += 1
        guard let buffer = free.popLast() else { return IOBuffer(capacity: Self.standardSize) }
        if free.count < unneeded { unneeded = free.count }
        return buffer
    }

    /// Takes a buffer back; one that grew is freed.
    public func giveBack(_ buffer: consuming IOBuffer) {
        lent -= 1
        guard buffer.storage.count == Self.standardSize, free.count < Self.kept else { return }
        buffer.start = 0
        buffer.end = 0
        free.append(buffer)
    }

    /// Takes a buffer back that has nothing in it, if there is one.
    public func giveBackIfEmpty(_ buffer: inout IOBuffer?) {
        guard let lent = buffer, lent.isEmpty else { return }
        buffer = nil
        giveBack(lent)
    }

    /// Frees what nobody has needed since the last call; to be called about once a second.
    public func trim() {
        let surplus = min(unneeded, free.count - Self.spared)
        if surplus > 0 { free.removeFirst(surplus) }
        unneeded = free.count
    }
}
