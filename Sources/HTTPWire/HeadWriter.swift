/// Writes heads from their parsed form; nothing of a received head is passed through that the parser did not see.
package enum HeadWriter {
    /// Writes one field as it was spelt, in the one shape `name: value`.
    @inline(__always)
    static func copy(_ field: Field, from buffer: UnsafeRawBufferPointer, into writer: inout ByteWriter) {
        writer.append(field.name.bytes(in: buffer))
        writer.append(": ")
        writer.append(field.value.bytes(in: buffer))
        writer.append("\r\n")
    }

    /// Whether the bytes of a field's name are `name` in any case.
    static func isNamed(_ field: Field, _ name: [UInt8], in buffer: UnsafeRawBufferPointer) -> Bool {
        guard Int(field.name.count) == name.count else { return false }
        let bytes = buffer.bytes
        for index in name.indices
        where asciiLowercased(bytes.byte(Int(field.name.start) + index)) != asciiLowercased(name[index]) {
            return false
        }
        return true
    }
}

extension Field {
    /// Whether the name is `name`, letters in any case.
    package func isNamed(_ name: [UInt8], in buffer: UnsafeRawBufferPointer) -> Bool {
        HeadWriter.isNamed(self, name, in: buffer)
    }

    /// Whether software that folds `_`, `.` and `-` into one (CGI, WSGI, Traefik's warning) reads the name as `name`.
    ///
    /// True for the name itself, too.
    package func resembles(_ wanted: [UInt8], in buffer: UnsafeRawBufferPointer) -> Bool {
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
