import Glibc

/// Runs `body` on a copy of the bytes that ends at a page nobody may touch, then on one that begins behind such a page.
///
/// A parser that reads one byte too far, or too early, dies here.
func onGuardPages<R>(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    let page = 4096
    let pages = bytes.count / page + 1
    let size = (pages + 2) * page
    let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    precondition(memory != MAP_FAILED)
    defer { munmap(memory, size) }
    let inside = UnsafeMutableRawBufferPointer(start: memory + page, count: pages * page)
    let atStart = UnsafeMutableRawBufferPointer(rebasing: inside[..<bytes.count])
    let atEnd = UnsafeMutableRawBufferPointer(rebasing: inside[(inside.count - bytes.count)...])
    precondition(mprotect(memory, page, PROT_NONE) == 0)
    precondition(mprotect(memory + (pages + 1) * page, page, PROT_NONE) == 0)
    atStart.copyBytes(from: bytes)
    _ = try? body(UnsafeRawBufferPointer(atStart))
    atEnd.copyBytes(from: bytes)
    return try body(UnsafeRawBufferPointer(atEnd))
}
