internal import Glibc
internal import LinuxIO

/// The repository's files, read only.
extension Server {
    private static let previewLimit = 512 << 10

    func listFiles(_ request: Request) -> Response {
        let path = request.query["path"] ?? ""
        do {
            let entries = try repository.entries(of: path == "." ? "" : path)
            return .json(
                .array(
                    entries.map {
                        [
                            "name": .string($0.name), "path": .string($0.path),
                            "absolute": .string(repository.root + "/" + $0.path), "type": .string($0.kind.rawValue),
                            "ignored": false,
                        ]
                    }))
        } catch {
            return Self.refusal(error, path)
        }
    }

    func fileContent(_ request: Request) -> Response {
        let path = request.query["path"] ?? ""
        guard !path.isEmpty else { return .badRequest("The query must name a path.") }
        do {
            let (bytes, isWhole) = try repository.contents(of: path, limit: Self.previewLimit)
            // A character may be cut at the limit, which does not make the file binary.
            let complete = isWhole ? bytes : Array(bytes.dropLast(TextStream.incompleteTail(of: bytes)))
            guard !complete.contains(0), let text = String(validating: complete, as: UTF8.self) else {
                return .json(["type": "binary", "content": "", "truncated": .bool(!isWhole)])
            }
            return .json(["type": "text", "content": .string(text), "truncated": .bool(!isWhole)])
        } catch {
            return Self.refusal(error, path)
        }
    }

    private static func refusal(_ refusal: Repository.Refusal, _ path: String) -> Response {
        switch refusal {
        case .malformed: .badRequest("“\(path)” is not a path inside the repository.")
        case .missing: .notFound(path)
        case .notPlain: .failure(403, "ForbiddenError", "“\(path)” is a link or no plain file; it is not followed.")
        case .unreadable: .failure(403, "ForbiddenError", "“\(path)” cannot be read.")
        }
    }
}
