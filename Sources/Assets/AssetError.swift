/// Why the site's files or the table of their types cannot be served; the text names the path and says what to do.
package enum AssetError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A folder or file cannot be opened or read; `reason` is the system's.
    case unreadable(path: String, reason: String)
    /// The folder has no `index.html`.
    case missingIndex(folder: String)
    case tooManyFiles(folder: String, limit: Int)
    case tooLarge(path: String, limit: Int)
    case tooDeep(path: String)
    /// A file changed its size while it was read.
    case changedWhileRead(path: String)
    case malformedMIMETable(line: Int)
    /// A field that every answer should carry is none.
    case malformedField(name: String)

    package var description: String {
        switch self {
        case .unreadable(let path, let reason):
            "\(path) cannot be read: \(reason). PUBLIC_DIR and RESOURCES_DIR say where these files are."
        case .missingIndex(let folder):
            "\(folder) has no index.html: PUBLIC_DIR must name the folder with the site's files."
        case .tooManyFiles(let folder, let limit):
            "\(folder) has more than \(limit) files: is PUBLIC_DIR the right folder?"
        case .tooLarge(let path, let limit):
            "With \(path) the site is larger than \(limit >> 20) MiB, all of which would be kept in memory."
        case .tooDeep(let path):
            "\(path) is nested too deeply: is PUBLIC_DIR the right folder?"
        case .changedWhileRead(let path):
            "\(path) was changed while it was read: start again when the files are in place."
        case .malformedMIMETable(let line):
            "Line \(line) of mime.types is not a media type followed by its extensions, each named once."
        case .malformedField(let name):
            "The header field \"\(name)\" cannot be sent: its name or value has bytes that no field has."
        }
    }
}
