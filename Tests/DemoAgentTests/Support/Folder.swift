import FoundationEssentials
import Glibc

/// A folder of its own for one test; `remove` deletes it with what is in it.
struct Folder {
    let path: String

    init() {
        var template = Array("/tmp/demo-agent-test-XXXXXX".utf8CString)
        _ = mkdtemp(&template)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func write(_ name: String, _ text: String) {
        let file = "\(path)/\(name)"
        let folder = file[..<(file.lastIndex(of: "/") ?? file.endIndex)]
        try? FileManager.default.createDirectory(atPath: String(folder), withIntermediateDirectories: true)
        try? Data(text.utf8).write(to: URL(filePath: file))
    }

    func link(_ name: String, to target: String) { _ = symlink(target, "\(path)/\(name)") }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
