internal import Glibc

/// The files of the agent's page, read once at start.
struct Page: Sendable {
    /// A file as it is served.
    struct File: Sendable {
        let type: String
        let bytes: [UInt8]
    }

    private let files: [String: File]

    private static let types = [
        "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml",
        "js": "text/javascript; charset=utf-8",
    ]

    /// No inline script or style, nothing from elsewhere, no framing by other sites; in the manner of opencode's own.
    static let contentSecurityPolicy =
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

    /// Reads the files of the folder; without it there is a plain page only.
    init(folder: String?) {
        var files: [String: File] = [:]
        if let folder {
            let repository = Repository(root: folder)
            for entry in (try? repository.entries(of: "")) ?? [] where entry.kind == .file {
                guard let suffix = entry.name.split(separator: ".").last, let type = Self.types[String(suffix)],
                    let (bytes, isWhole) = try? repository.contents(of: entry.name, limit: 1 << 20), isWhole
                else { continue }
                files[entry.name] = File(type: type, bytes: bytes)
            }
        }
        self.files = files
    }

    /// The page itself.
    var index: File { files["index.html"] ?? Self.plain }

    /// A file of the page.
    func file(_ name: String) -> File? { files[name] }

    private static let plain = File(
        type: "text/html; charset=utf-8",
        bytes: Array(
            """
            <!DOCTYPE html>
            <html lang="en"><meta charset="utf-8"><title>Demo agent</title>
            <h1>Demo agent</h1>
            <p>This stand-in for opencode is running, but the files of its page were not found.
            Its addresses (/session, /pty, /event) work.</p>
            </html>

            """.utf8))
}
