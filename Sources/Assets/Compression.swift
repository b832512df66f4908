import CBrotli
import CZlib

/// Whole byte strings compressed for `Content-Encoding`; for files once at start, and for answers of the API.
package enum Compression {
    /// The bytes as gzip (RFC 1952), level 1 to 9, without name or time, so that equal input gives equal output.
    package static func gzip(_ bytes: [UInt8], level: Int = 6) -> [UInt8] {
        var stream = z_stream()
        // 31: the largest window, with a gzip header instead of zlib's.
        let status = deflateInit2_(
            &stream, CInt(max(1, min(9, level))), Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            CInt(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "zlib could not start: out of memory or a foreign version")
        defer { deflateEnd(&stream) }
        precondition(bytes.count <= UInt32.max, "zlib counts in 32 bits")
        let bound = Int(deflateBound(&stream, UInt(bytes.count)))
        var input = bytes
        return [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            input.withUnsafeMutableBufferPointer { input in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                let end = deflate(&stream, Z_FINISH)
                precondition(end == Z_STREAM_END, "deflateBound was too small")
            }
            count = bound - Int(stream.avail_out)
        }
    }

    /// The bytes as brotli (RFC 7932), quality 0 to 11.
    package static func brotli(_ bytes: [UInt8], quality: Int = 5) -> [UInt8] {
        let bound = max(16, BrotliEncoderMaxCompressedSize(bytes.count))
        return [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            var size = bound
            let done = BrotliEncoderCompress(
                CInt(max(0, min(11, quality))), BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, bytes.count, bytes, &size,
                output.baseAddress)
            precondition(done == BROTLI_TRUE, "brotli could not compress: out of memory")
            count = size
        }
    }
}
