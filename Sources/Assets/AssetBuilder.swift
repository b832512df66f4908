/// Turns files into assets: compresses them, names their states, writes their heads.
struct AssetBuilder {
    var arena = ArenaBuilder()
    let security: String
    let digest: ([UInt8]) -> [UInt8]

    /// A file with its answers.
    mutating func asset(path: String, bytes: [UInt8], type: MIMETypes.Entry, status: Int = 200) -> Asset {
        let cache = Self.cacheControl(path: path, status: status)
        let identity = variant(bytes, of: type.type, coding: .identity, cache: cache, status: status)
        var gzip: Asset.Variant?
        var brotli: Asset.Variant?
        if !type.isCompressed, bytes.count >= 128 {
            let zipped = Compression.gzip(bytes, level: 9)
            // The highest quality takes a second per megabyte; large files get the next best thing.
            // Quality 11 saves a tenth more, once a visitor, and makes every start of the router 0.3 s longer.
            let small = Compression.brotli(bytes, quality: 5)
            if Self.isWorthwhile(zipped, bytes) {
                gzip = variant(zipped, of: type.type, coding: .gzip, cache: cache, status: status)
            }
            if Self.isWorthwhile(small, bytes), gzip == nil || small.count < zipped.count {
                brotli = variant(small, of: type.type, coding: .brotli, cache: cache, status: status)
            }
        }
        return Asset(path: arena.add(path), status: status, identity: identity, gzip: gzip, brotli: brotli)
    }

    /// A plain sentence as an answer of its own.
    mutating func notice(status: Int, _ sentence: String, fields: String = "") -> Notice {
        let body = Array(sentence.utf8)
        let head = """
            HTTP/1.1 \(Self.statusLine(status))\r
            Content-Type: text/plain;charset=utf-8\r
            Content-Length: \(body.count)\r
            Cache-Control: no-store\r
            \(fields)\(security)
            """
        return Notice(status: status, head: arena.add(head), body: arena.add(body))
    }

    private mutating func variant(
        _ bytes: [UInt8], of type: String, coding: ContentCoding, cache: String, status: Int
    ) -> Asset.Variant {
        // A tag per coding: a strong tag promises the same bytes on the wire (RFC 9110 §8.8.3.3).
        let tag = "\"" + digest(bytes).prefix(16).map { Self.hex($0) }.joined() + "\""
        let isFound = status == 200
        // An error's body is no state of the file that was asked for, so it gets no tag and no parts.
        let validator = isFound ? "ETag: \(tag)\r\n" : ""
        let ranges = isFound ? "Accept-Ranges: bytes\r\n" : ""
        let encoding = coding.name.map { "Content-Encoding: \($0)\r\n" } ?? ""
        let common = "\(validator)Vary: Accept-Encoding\r\nCache-Control: \(cache)\r\n"
        let content = "Content-Type: \(type)\r\n\(encoding)\(common)\(ranges)\(security)"
        func head(_ status: Int, _ rest: String) -> Region {
            arena.add("HTTP/1.1 \(Self.statusLine(status))\r\n\(rest)")
        }
        return Asset.Variant(
            body: arena.add(bytes),
            tag: arena.add(tag),
            full: head(status, "Content-Length: \(bytes.count)\r\n\(content)"),
            partial: head(206, content),
            notModified: head(304, common + security),
            unsatisfiable: head(
                416, "Content-Length: 0\r\nContent-Range: bytes */\(bytes.count)\r\n\(common)\(security)"))
    }

    /// Files are asked for again each time, which costs a 304: a page never mixes files of two releases.
    ///
    /// A name that carries a digest of its content (`app.3f9c01ab.js`) never changes and is kept for a year.
    static func cacheControl(path: String, status: Int) -> String {
        guard status == 200 else { return "no-store" }
        let parts = path.split(separator: "/").last?.split(separator: ".") ?? []
        let isFingerprinted =
            parts.count >= 3
            && parts[1..<(parts.count - 1)].contains { part in
                (8...64).contains(part.utf8.count) && part.utf8.contains { $0 &- 0x30 < 10 }
                    && part.utf8.allSatisfy { $0 &- 0x30 < 10 || $0 &- 0x61 < 6 }
            }
        return isFingerprinted ? "public, max-age=31536000, immutable" : "no-cache"
    }

    /// Whether the smaller form saves enough to be worth the browser's work: a twentieth and 64 bytes.
    private static func isWorthwhile(_ small: [UInt8], _ whole: [UInt8]) -> Bool {
        small.count + max(64, whole.count / 20) <= whole.count
    }

    private static func hex(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return byte < 16 ? "0" + digits : digits
    }

    private static func statusLine(_ status: Int) -> String {
        switch status {
        case 200: "200 OK"
        case 206: "206 Partial Content"
        case 304: "304 Not Modified"
        case 404: "404 Not Found"
        case 405: "405 Method Not Allowed"
        case 406: "406 Not Acceptable"
        case 412: "412 Precondition Failed"
        case 416: "416 Range Not Satisfiable"
        default: preconditionFailure("no reason phrase for this status")
        }
    }
}

/// A short fixed answer.
struct Notice: Sendable {
    let status: Int
    let head: Region
    let body: Region
}
