/// Bytes received and not yet used: a window [start, end) in storage borrowed from a loop's pool.
package final class IOBuffer {
    package private(set) var storage: UnsafeMutableRawBufferPointer
    package var start = 0
    package var end = 0

    init(capacity: Int) {
        storage = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit { storage.deallocate() }

    @inlinable @inline(__always)
    package var count: Int { end - start }

    @inlinable @inline(__always)
    package var isEmpty: Bool { start == end }

    /// The bytes not yet used.
    @inlinable @inline(__always)
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage[start..<end]) }

    /// The room behind them.
    @inlinable @inline(__always)
    package var room: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: storage[end...]) }

    /// Marks bytes at the front as used.
    @inlinable
    package func consume(_ count: Int) {
        precondition(count >= 0 && count <= end - start)
        start += count
        if start == end {
            start = 0
            end = 0
        }
    }

    /// Marks bytes written into `room` as received.
    @inlinable
    package func produced(_ count: Int) {
        precondition(count >= 0 && end + count <= storage.count)
        end += count
    }

    /// Moves the bytes to the front of the storage, so that `room` is as large as it can be.
    package func compact() {
        guard start > 0 else { return }
        storage.baseAddress!.copyMemory(from: storage.baseAddress! + start, byteCount: count)
        end -= start
        start = 0
    }

    /// Brings back the first `count` bytes of the storage, which were used once; nothing may have been written since.
    package func rewind(to count: Int) {
        precondition(count <= storage.count)
        start = 0
        end = count
    }

    /// Doubles the storage, up to `limit` bytes; false if it is that large already.
    package func grow(limit: Int) -> Bool {
        guard storage.count < limit else { return false }
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: min(storage.count * 2, limit), alignment: 64)
        larger.baseAddress!.copyMemory(from: storage.baseAddress! + start, byteCount: count)
        end -= start
        start = 0
        storage.deallocate()
        storage = larger
        return true
    }

    /// Appends bytes; false, and nothing appended, if they do not fit.
    package func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if bytes.count > room.count { compact() }
        guard bytes.count <= room.count else { return false }
        if let source = bytes.baseAddress { room.baseAddress!.copyMemory(from: source, byteCount: bytes.count) }
        end += bytes.count
        return true
    }
}

/// The buffers of one loop; a connection borrows one only while bytes are in flight.
package final class BufferPool {
    /// Bytes of a pooled buffer: a browser's request head with split cookies, or an answer head with its first bytes.
    package static let standardSize = 16 << 10
    /// Free buffers kept at most: 4 MiB a loop.
    private static let kept = 256

    private var free: [IOBuffer] = []
    /// Buffers on loan, for leak tests.
    package private(set) var lent = 0

    init() {}

    /// Lends an empty buffer.
    package func take() -> IOBuffer {
        lent += 1
        return free.popLast() ?? IOBuffer(capacity: Self.standardSize)
    }

    /// Takes a buffer back; one that grew is freed.
    package func giveBack(_ buffer: consuming IOBuffer) {
        lent -= 1
        guard buffer.storage.count == Self.standardSize, free.count < Self.kept else { return }
        buffer.start = 0
        buffer.end = 0
        free.append(buffer)
    }
}
