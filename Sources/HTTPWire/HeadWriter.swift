/// Writes heads from their parsed form; nothing of a received head is passed through that the parser did not see.
public enum HeadWriter {
    /// Fields that are kept, gathered while they lie side by side in the one shape `name: value` with CRLF, so that
    /// most of a head is written with a few copies.
    struct Run {
        private var start = 0
        private var end = 0

        /// Writes one field as it was spelt, now or with the next `flush`.
        @inline(__always)
        mutating func add(
            _ field: Field, from buffer: UnsafeRawBufferPointer, _ bytes: RawSpan, into writer: inout ByteWriter
        ) {
            let nameStart = Int(field.name.start)
            let nameEnd = nameStart &+ Int(field.name.count)
            let valueEnd = Int(field.value.start) &+ Int(field.value.count)
            // Exactly one space after the colon, and the line's CR right behind the value.
            if Int(field.value.start) == nameEnd &+ 2, bytes.byte(nameEnd &+ 1) == ASCII.space,
                bytes.byte(valueEnd) == ASCII.carriageReturn
            {
                if nameStart != end {
                    flush(from: buffer, into: &writer)
                    start = nameStart
                }
                end = valueEnd &+ 2
                return
            }
            flush(from: buffer, into: &writer)
            writer.append(field.name.bytes(in: buffer))
            writer.append(": ")
            writer.append(field.value.bytes(in: buffer))
            writer.append("\r\n")
        }

        /// Writes what was gathered; to be called before anything else is written.
        @inline(__always)
        mutating func flush(from buffer: UnsafeRawBufferPointer, into writer: inout ByteWriter) {
            if start < end { writer.append(UnsafeRawBufferPointer(rebasing: buffer[start..<end])) }
            start = 0
            end = 0
        }
    }

    /// Whether the bytes of a field's name are `name` in any case.
    static func isNamed(_ field: Field, _ name: [UInt8], in buffer: UnsafeRawBufferPointer) -> Bool {
        guard Int(field.name.count) == name.count else { return false }
        return name.withUnsafeBytes { field.name.bytes(in: buffer).equalsIgnoringCase($0) }
    }
}

extension Field {
    /// Whether the name is `name`, letters in any case.
    public func isNamed(_ name: [UInt8], in buffer: UnsafeRawBufferPointer) -> Bool {
        HeadWriter.isNamed(self, name, in: buffer)
    }

    /// Whether software that folds `_`, `.` and `-` into one (CGI, WSGI, Traefik's warning) reads the name as `name`.
    ///
    /// True for the name itself, too.
    public func resembles(_ wanted: [UInt8], in buffer: UnsafeRawBufferPointer) -> Bool {
        guard Int(name.count) == wanted.count else { return false }
        let bytes = buffer.bytes
        for index in wanted.indices
        where Self.folded(bytes.byte(Int(name.start) + index)) != Self.folded(wanted[index]) {
            return false
        }
        return true
    }

    private static func folded(_ byte: UInt8) -> UInt8 {
        byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") ? UInt8(ascii: "-") : asciiLowercased(byte)
    }
}
