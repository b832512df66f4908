internal import Glibc
internal import LinuxIO

/// `/demo/…`: large bodies and a mirror, to try out what lies between a browser and its session.
extension Server {
    private var scratch: String {
        if let scratch = configuration.scratch { return scratch }
        var status = stat()
        let git = repository.root + "/.git"
        let isFolder = lstat(git, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        return isFolder ? git + "/demo-agent" : repository.root + "/.demo-agent"
    }

    /// Writes the body to disk as it comes, 64 KiB in memory at most.
    ///
    /// Writing blocks the loop; a demo for one person may do that, the product's byte path never does.
    func upload(_ name: String, _ connection: Connection) async throws(ConnectionFailure) -> Response {
        guard Self.isPlain(name) else { return Self.badName }
        let folder = scratch
        _ = mkdir(folder, 0o700)
        let path = "\(folder)/\(name)"
        let partial = "\(folder)/.\(Identifier.make("part", now: wallClock()))"
        let number = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard number >= 0 else { return Self.diskFailure(errno) }
        let file = Descriptor(adopting: number)
        var isKept = false
        defer { if !isKept { unlink(partial) } }

        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { room.deallocate() }
        var total = 0
        while true {
            let count = try await connection.readBody(into: room)
            if count == 0 { break }
            var rest = UnsafeRawBufferPointer(rebasing: room[..<count])
            while !rest.isEmpty {
                let written = write(file.number, rest.baseAddress, rest.count)
                guard written > 0 else { return Self.diskFailure(errno) }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
            total += count
            await Task.yield()
        }
        guard rename(partial, path) == 0 else { return Self.diskFailure(errno) }
        isKept = true
        return .json(["name": .string(name), "bytes": .integer(total)], status: 201)
    }

    func download(_ name: String) -> Response {
        guard Self.isPlain(name) else { return Self.badName }
        let number = open("\(scratch)/\(name)", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard number >= 0 else { return .notFound(name) }
        let file = Descriptor(adopting: number)
        var status = stat()
        guard fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return .notFound(name) }
        return Response(
            status: 200, fields: [("Content-Type", "application/octet-stream"), ("Cache-Control", "no-store")],
            body: .file(OpenFile(file, size: UInt64(status.st_size))))
    }

    func deleteUpload(_ name: String) -> Response {
        guard Self.isPlain(name) else { return Self.badName }
        return unlink("\(scratch)/\(name)") == 0 ? .noContent : .notFound(name)
    }

    /// So many bytes of `Pattern`.
    func pattern(_ request: Request) -> Response {
        guard let count = request.query["count"].flatMap({ UInt64($0) }), count <= 1 << 40 else {
            return .badRequest("The query must have a count of at most 1099511627776.")
        }
        return Response(
            status: 200, fields: [("Content-Type", "application/octet-stream"), ("Cache-Control", "no-store")],
            body: .pattern(count))
    }

    /// Says how the request arrived, its secrets left out.
    func describe(_ request: Request) -> Response {
        let secret: Set = ["authorization", "proxy-authorization"]
        return .json([
            "method": .string(request.methodText), "target": .string(request.target),
            "fields": .array(
                request.fields.map {
                    [.string($0.name), .string(secret.contains($0.name) ? "(not shown)" : $0.value)]
                }),
        ])
    }

    private static var badName: Response {
        .badRequest("The name must be 1 to 100 letters, digits, “-”, “_” or “.”, and not begin with “.”.")
    }

    /// Whether the name is a file's own name and nothing else.
    private static func isPlain(_ name: String) -> Bool {
        let allowed = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        return allowed && (1...100).contains(name.utf8.count) && !name.hasPrefix(".")
    }

    private static func diskFailure(_ code: CInt) -> Response {
        .failure(507, "StorageError", "The upload could not be written: \(Errno(code: code)).")
    }
}
