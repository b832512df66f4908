/// A place in an arena.
struct Region: Sendable {
    let start: Int
    let count: Int

    static let empty = Region(start: 0, count: 0)
}

/// All bytes of the catalogue in one allocation that never changes.
///
/// `@unchecked Sendable` because it holds a pointer: nothing is written after `init`, and the memory is freed with the last
/// reference. The catalogue lives as long as the process, so what it hands out stays valid.
final class Arena: @unchecked Sendable {
    private let memory: UnsafeRawBufferPointer

    init(_ bytes: [UInt8]) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 64)
        copy.copyBytes(from: bytes)
        memory = UnsafeRawBufferPointer(copy)
    }

    deinit { memory.deallocate() }

    @inline(__always)
    subscript(region: Region) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: memory[region.start..<(region.start + region.count)])
    }
}

/// Collects the bytes of an arena.
struct ArenaBuilder {
    private var bytes: [UInt8] = []

    mutating func add(_ new: [UInt8]) -> Region {
        let region = Region(start: bytes.count, count: new.count)
        bytes += new
        return region
    }

    mutating func add(_ text: String) -> Region { add(Array(text.utf8)) }

    func build() -> Arena { Arena(bytes) }
}
