import CBrotli
import CZlib
import Testing

@testable import Assets

/// What zlib's own reader makes of a gzip stream; nil when it is none, or when something follows it.
func gunzip(_ bytes: [UInt8], room: Int) -> [UInt8]? {
    var stream = z_stream()
    guard inflateInit2_(&stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
    defer { inflateEnd(&stream) }
    var input = bytes
    var output = [UInt8](repeating: 0, count: room + 1)
    let status = input.withUnsafeMutableBufferPointer { input in
        output.withUnsafeMutableBufferPointer { output in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(output.count)
            return inflate(&stream, Z_FINISH)
        }
    }
    guard status == Z_STREAM_END, stream.avail_in == 0 else { return nil }
    return Array(output.prefix(Int(stream.total_out)))
}

/// What brotli's own reader makes of a stream; nil when it is none.
func unbrotli(_ bytes: [UInt8], room: Int) -> [UInt8]? {
    var output = [UInt8](repeating: 0, count: room + 1)
    var size = output.count
    guard BrotliDecoderDecompress(bytes.count, bytes, &size, &output) == BROTLI_DECODER_RESULT_SUCCESS else {
        return nil
    }
    return Array(output.prefix(size))
}

@Suite("Compression")
struct CompressionTests {
    static let samples: [[UInt8]] = [
        [], [0], Array("a".utf8), prose(3), prose(5000), [UInt8](repeating: 0, count: 1 << 20),
        (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* $0 &* 2_654_435_761 >> 7) },
    ]

    @Test("The usual readers get the same bytes back", arguments: samples)
    func roundTrip(sample: [UInt8]) {
        for level in [1, 6, 9, 100] {
            #expect(gunzip(Compression.gzip(sample, level: level), room: sample.count) == sample)
        }
        for quality in [0, 5, 9] {
            #expect(unbrotli(Compression.brotli(sample, quality: quality), room: sample.count) == sample)
        }
    }

    @Test("Equal input gives equal output, so replicas agree on entity tags")
    func deterministic() {
        #expect(Compression.gzip(prose(50)) == Compression.gzip(prose(50)))
        #expect(Compression.brotli(prose(50)) == Compression.brotli(prose(50)))
    }
}
