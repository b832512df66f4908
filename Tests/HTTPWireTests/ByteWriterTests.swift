import HTTPWire
import Testing

@Suite struct ByteWriterTests {
    @Test("Numbers are written as digits", arguments: [0, 9, 10, 255, 4096, UInt64.max])
    func numbers(value: UInt64) {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { memory in
            var writer = ByteWriter(memory)
            writer.append(decimal: value)
            writer.append(byte: UInt8(ascii: " "))
            writer.append(hexadecimal: value)
            #expect(text(writer.written) == "\(value) \(String(value, radix: 16))")
        }
    }

    @Test("What does not fit is not written, nor anything after it")
    func overflow() {
        withUnsafeTemporaryAllocation(byteCount: 4, alignment: 1) { memory in
            var writer = ByteWriter(memory)
            writer.append("abc")
            writer.append("de")
            #expect(writer.overflowed == true)
            writer.append("f")
            #expect(text(writer.written) == "abc")
        }
        var writer = ByteWriter(UnsafeMutableRawBufferPointer(start: nil, count: 0))
        writer.append("")
        #expect(writer.overflowed == false)
        writer.append("a")
        #expect(writer.overflowed == true)
    }
}
