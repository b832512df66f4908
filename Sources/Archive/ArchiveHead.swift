import FoundationEssentials
import Sessions

/// The first line of an archive: what was kept, and when.
struct ArchiveHead: Codable {
    struct Facts: Codable {
        var hash: String
        var email: String
        var repoUrl: String?
        var branch: String
        var sourceBranch: String
        var createdAt: String
        var archivedAt: String
        var title: String?
        var initialMessage: String?
    }
    var version = 1
    var session: Facts

    init(_ session: Session, at time: Timestamp) {
        self.session = Facts(
            hash: session.id.description, email: session.owner, repoUrl: session.key.repositoryURL,
            branch: session.key.branch, sourceBranch: session.sourceBranch, createdAt: session.createdAt.description,
            archivedAt: time.description, title: session.title, initialMessage: session.initialMessage)
    }

    /// Reads the first line of a document; nil if it is none of ours.
    init?(document: [UInt8]) {
        guard let end = document.firstIndex(of: UInt8(ascii: "\n")), document[..<end].last == UInt8(ascii: ",") else {
            return nil
        }
        let text = document[..<(end - 1)] + [UInt8(ascii: "}")]
        guard let head = try? JSONDecoder().decode(ArchiveHead.self, from: Data(text)) else { return nil }
        self = head
    }

    /// The line: the document's object, open for further members.
    var line: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let text = try? encoder.encode(self) else { preconditionFailure("plain values always encode") }
        return Array(text.dropLast()) + Array(",\n".utf8)
    }
}
