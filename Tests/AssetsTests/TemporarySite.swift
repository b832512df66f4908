import Glibc
import HTTPWire
import Identity
import Testing

@testable import Assets

/// A folder of its own below the system's temporary folder, removed at the end of the test.
final class TemporarySite {
    let path: String

    init(_ files: [String: [UInt8]] = [:]) throws {
        var template = Array("/tmp/assets-test-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
        for (name, bytes) in files { try write(name, bytes) }
    }

    deinit { Self.remove(path) }

    /// Removes a file, a link or a folder with everything in it.
    private static func remove(_ path: String) {
        guard Glibc.remove(path) != 0, let folder = opendir(path) else { return }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { remove("\(path)/\(name)") }
        }
        closedir(folder)
        rmdir(path)
    }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        var folder = path
        for part in name.split(separator: "/").dropLast() {
            folder += "/\(part)"
            mkdir(folder, 0o755)
        }
        let file = try #require(fopen("\(path)/\(name)", "w"))
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }

    func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }

    func link(_ name: String, to target: String) { symlink(target, "\(path)/\(name)") }

    func catalogue(_ fields: SecurityFields = .picker) throws -> AssetCatalogue {
        try AssetCatalogue(
            folder: path, mimeTypes: try repositoryTypes(), securityFields: fields, digest: { Digest.sha256($0) })
    }
}

/// The repository's folder.
func repository() -> String {
    "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
}

/// The table that ships.
func repositoryTypes() throws -> MIMETypes { try MIMETypes(file: repository() + "/Resources/mime.types") }

/// An answer taken apart.
struct Answer {
    let status: Int
    let statusLine: String
    /// Lower-case names to values; a name that comes twice fails the test.
    let fields: [String: String]
    let body: [UInt8]
}

extension AssetCatalogue {
    /// Asks through the real parser.
    func ask(_ target: String, _ fields: [String] = [], method: String = "GET") throws -> Answer {
        let lines = ["\(method) \(target) HTTP/1.1", "Host: example.com"] + fields
        let bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        var head = RequestHead()
        return try bytes.withUnsafeBytes { (buffer) throws -> Answer in
            try HeadParser.parse(buffer, into: &head)
            return try Answer(response(to: head, in: buffer))
        }
    }
}

extension Answer {
    init(_ response: AssetResponse) throws {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: response.headCount, alignment: 1)
        defer { room.deallocate() }
        #expect(response.copyHead(into: room) == response.headCount)
        let text = String(decoding: room, as: UTF8.self)
        #expect(text.hasSuffix("\r\n") && !text.hasSuffix("\r\n\r\n"))
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).dropLast().map(String.init)
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let colon = try #require(line.firstIndex(of: ":"))
            let name = line[..<colon].lowercased()
            #expect(fields[name] == nil, "\(name) comes twice")
            fields[name] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        status = response.status
        statusLine = lines[0]
        self.fields = fields
        body = Array(response.body)
        #expect(statusLine.hasPrefix("HTTP/1.1 \(status) "))
    }
}

/// A text that compresses well.
func prose(_ count: Int) -> [UInt8] {
    Array((0..<count).map { "line \($0): the quick brown fox\n" }.joined().utf8)
}
