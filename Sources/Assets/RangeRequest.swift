/// What a Range field asks of a body of a known size (RFC 9110 §14).
enum RangeRequest: Equatable {
    /// No range that is served: another unit, several ranges, or not a range at all. The answer is the whole body.
    case whole
    /// These bytes: 206.
    case part(Range<Int>)
    /// A well-formed range that lies outside: 416.
    case unsatisfiable

    init(_ value: UnsafeRawBufferPointer, size: Int) {
        self = .whole
        guard value.count > 6, Bytes.equal(UnsafeRawBufferPointer(rebasing: value[..<6]), "bytes=") else { return }
        var cursor = 6
        let first = Self.number(value, &cursor)
        guard cursor < value.count, value[cursor] == 0x2d else { return }
        cursor += 1
        let last = Self.number(value, &cursor)
        guard cursor == value.count else { return }
        switch (first, last) {
        case (nil, nil):
            return
        case (nil, let suffix?):
            guard suffix > 0, size > 0 else {
                self = .unsatisfiable
                return
            }
            self = .part(max(0, size - suffix)..<size)
        case (let first?, let last):
            if let last, last < first { return }
            guard first < size else {
                self = .unsatisfiable
                return
            }
            self = .part(first..<min(size, (last ?? size - 1) &+ 1))
        }
    }

    /// Decimal digits; nil when there are none, and no more than a size can be when there are too many.
    private static func number(_ value: UnsafeRawBufferPointer, _ cursor: inout Int) -> Int? {
        let start = cursor
        var number = 0
        while cursor < value.count, value[cursor] &- 0x30 < 10 {
            number = min(number * 10 + Int(value[cursor] &- 0x30), 1 << 50)
            cursor += 1
        }
        return cursor > start ? number : nil
    }
}
