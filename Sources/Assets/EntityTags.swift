/// Entity tags in conditional requests (RFC 9110 §8.8.3, §13.1).
enum EntityTags {
    /// Whether the value of If-None-Match is `*` or lists the tag, which is a strong one; weak comparison, as that field
    /// asks for. If-Match asks for a strong one: a tag marked as weak then matches nothing.
    ///
    /// A value that is no list of tags matches nothing, so that the answer is a full one.
    static func lists(
        _ value: UnsafeRawBufferPointer, _ tag: UnsafeRawBufferPointer, strongly: Bool = false
    ) -> Bool {
        if value.count == 1, value[0] == 0x2a { return true }
        var cursor = 0
        while cursor < value.count {
            let byte = value[cursor]
            if byte == 0x20 || byte == 0x09 || byte == 0x2c {
                cursor += 1
                continue
            }
            let isWeak = byte == 0x57 && cursor + 1 < value.count && value[cursor + 1] == 0x2f
            if isWeak { cursor += 2 }
            guard cursor < value.count, value[cursor] == 0x22 else { return false }
            var end = cursor + 1
            while end < value.count, value[end] != 0x22 { end += 1 }
            guard end < value.count else { return false }
            let isSame = Bytes.compare(UnsafeRawBufferPointer(rebasing: value[cursor...end]), tag) == 0
            if isSame, !isWeak || !strongly { return true }
            cursor = end + 1
        }
        return false
    }

    /// Whether the value of If-Range is this strong tag. A date never matches, because no file is sent with one.
    static func isExactly(_ value: UnsafeRawBufferPointer, _ tag: UnsafeRawBufferPointer) -> Bool {
        Bytes.compare(value, tag) == 0
    }
}
