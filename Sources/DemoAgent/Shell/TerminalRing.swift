/// The last part of a terminal's output, so that a page that connects again sees what it missed.
///
/// Positions count UTF-16 code units since the terminal started, because clients count the `length` of the strings
/// they receive. Only whole characters go in and come out.
package struct TerminalRing: Sendable {
    private struct Chunk {
        var start: UInt64
        var units: UInt64
        var bytes: [UInt8]
    }

    private static let chunkSize = 4096
    private let capacity: Int
    private var chunks: [Chunk] = []
    /// Chunks at the front that are given up; they are removed together now and then.
    private var first = 0
    private var byteCount = 0

    /// The position behind the last character.
    package private(set) var end: UInt64 = 0

    /// Keeps about `capacity` bytes.
    package init(capacity: Int) { self.capacity = capacity }

    /// The position of the oldest character still here.
    package var start: UInt64 { first < chunks.count ? chunks[first].start : end }

    /// Appends valid UTF-8, giving up the oldest output if need be.
    package mutating func append(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Self.wholeCharacters(of: rest, upTo: Self.chunkSize)
            let units = Self.units(of: piece)
            if let last = chunks.indices.last, last >= first,
                chunks[last].bytes.count + piece.count <= Self.chunkSize
            {
                chunks[last].bytes.append(contentsOf: piece)
                chunks[last].units += units
            } else {
                chunks.append(Chunk(start: end, units: units, bytes: Array(piece)))
            }
            end += units
            byteCount += piece.count
            rest = rest[piece.endIndex...]
        }
        while byteCount > capacity, first < chunks.count {
            byteCount -= chunks[first].bytes.count
            chunks[first].bytes = []
            first += 1
        }
        if first > 64 && first * 2 > chunks.count {
            chunks.removeFirst(first)
            first = 0
        }
    }

    /// The output from `position` on, at most `limit` bytes, and the position behind it.
    ///
    /// A position that is no longer here (or not yet, after a restart) is moved to what is.
    package func slice(from position: UInt64, limit: Int) -> (bytes: [UInt8], from: UInt64, to: UInt64) {
        let from = min(max(position, start), end)
        var bytes: [UInt8] = []
        var at = from
        var index = first + chunks[first...].count { $0.start + $0.units <= from }
        while index < chunks.count, bytes.count < limit {
            let chunk = chunks[index]
            var rest = chunk.bytes[...]
            rest = rest[Self.index(ofUnit: at - chunk.start, in: rest)...]
            let piece = Self.wholeCharacters(of: rest, upTo: limit - bytes.count)
            if piece.isEmpty { break }
            bytes.append(contentsOf: piece)
            at += Self.units(of: piece)
            index += 1
            if piece.count < rest.count { break }
        }
        return (bytes, from, at)
    }

    /// The longest beginning of at most `limit` bytes that ends between two characters.
    private static func wholeCharacters(of bytes: ArraySlice<UInt8>, upTo limit: Int) -> ArraySlice<UInt8> {
        guard bytes.count > limit else { return bytes }
        var end = bytes.startIndex + limit
        while end > bytes.startIndex, bytes[end] & 0xc0 == 0x80 { end -= 1 }
        return bytes[..<end]
    }

    /// UTF-16 code units: one for each character, two for one of four bytes.
    private static func units(of bytes: ArraySlice<UInt8>) -> UInt64 {
        var units: UInt64 = 0
        for byte in bytes where byte & 0xc0 != 0x80 { units += byte >= 0xf0 ? 2 : 1 }
        return units
    }

    private static func index(ofUnit unit: UInt64, in bytes: ArraySlice<UInt8>) -> Int {
        var units: UInt64 = 0
        for index in bytes.indices where bytes[index] & 0xc0 != 0x80 {
            if units >= unit { return index }
            units += bytes[index] >= 0xf0 ? 2 : 1
        }
        return bytes.endIndex
    }
}
