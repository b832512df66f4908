/// Media types by file name extension, as `Resources/mime.types` lists them.
package struct MIMETypes: Sendable {
    /// One media type.
    package struct Entry: Equatable, Sendable {
        /// The value of Content-Type, parameters included.
        package let type: String
        /// Whether the format is compressed already, so that compressing it again gains nothing.
        package let isCompressed: Bool
    }

    /// What a file of unknown kind is: bytes, to be saved and not shown.
    package static let unknown = Entry(type: "application/octet-stream", isCompressed: false)

    private let entries: [String: Entry]

    /// Reads the table: a type and its extensions per line, `#` comments, types below `[compressed]` not worth compressing.
    ///
    /// Throws for a line with a type but no extension, an extension twice, or a byte that no field value may have.
    package init(_ text: String) throws(AssetError) {
        var entries: [String: Entry] = [:]
        var isCompressed = false
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let type = words.first else { continue }
            if type == "[compressed]" {
                isCompressed = true
                continue
            }
            guard words.count > 1, type.contains("/"), type.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
                throw .malformedMIMETable(line: index + 1)
            }
            for name in words.dropFirst() {
                let entry = Entry(type: type, isCompressed: isCompressed)
                guard entries.updateValue(entry, forKey: name.lowercased()) == nil else {
                    throw .malformedMIMETable(line: index + 1)
                }
            }
        }
        self.entries = entries
    }

    /// Reads the table from a file.
    package init(file path: String) throws(AssetError) {
        try self.init(String(decoding: FolderReader.file(path, limit: 1 << 20), as: UTF8.self))
    }

    /// The type of a file by the extension of its name.
    package func entry(forFile name: String) -> Entry {
        guard let dot = name.lastIndex(of: ".") else { return Self.unknown }
        return entries[name[name.index(after: dot)...].lowercased()] ?? Self.unknown
    }
}
