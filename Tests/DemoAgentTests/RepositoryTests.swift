import Glibc
import Testing

@testable import DemoAgent

@Suite("The repository's folder")
struct RepositoryTests {
    private func withRepository(_ body: (Repository, Folder) throws -> Void) rethrows {
        let outside = Folder()
        let folder = Folder()
        defer {
            folder.remove()
            outside.remove()
        }
        outside.write("secret", "secret")
        folder.write("README.md", "hello")
        folder.write("src/deep/a.txt", "a")
        folder.write(".git/HEAD", "ref: refs/heads/feature/x\n")
        folder.write(".hidden", "h")
        folder.link("file-link", to: "\(outside.path)/secret")
        folder.link("folder-link", to: outside.path)
        folder.link("inner-link", to: "README.md")
        mkfifo("\(folder.path)/pipe", 0o600)
        try body(Repository(root: folder.path), folder)
    }

    @Test("A folder's entries come with their kinds, without git's own folder")
    func entries() throws {
        try withRepository { repository, _ in
            let entries = try repository.entries(of: "")
            #expect(
                entries.map { "\($0.name) \($0.kind)" } == [
                    ".hidden file", "README.md file", "file-link symlink", "folder-link symlink",
                    "inner-link symlink", "pipe other", "src directory",
                ])
            #expect(try repository.entries(of: "src/").map(\.path) == ["src/deep"])
            #expect(try repository.entries(of: "src/deep").map(\.path) == ["src/deep/a.txt"])
        }
    }

    @Test(
        "Nothing outside is read, and no link is followed",
        arguments: [
            ("..", .malformed), ("../secret", .malformed), ("src/../../x", .malformed), ("/etc/passwd", .malformed),
            ("src//deep", .malformed), ("./README.md", .malformed), ("src/.", .malformed), ("a\0b", .malformed),
            ("file-link", .notPlain), ("inner-link", .notPlain), ("folder-link/secret", .missing),
            ("missing", .missing), ("README.md/x", .missing), ("pipe", .notPlain), ("src", .notPlain),
        ] as [(String, Repository.Refusal)])
    func refusals(path: String, expected: Repository.Refusal) {
        withRepository { repository, _ in
            #expect(throws: expected) { try repository.contents(of: path, limit: 100) }
        }
    }

    @Test("A folder link is no folder")
    func folderLink() {
        withRepository { repository, _ in
            #expect(throws: Repository.Refusal.missing) { try repository.entries(of: "folder-link") }
        }
    }

    @Test(
        "Contents are cut at the limit and say so",
        arguments: [(4, "hell", false), (5, "hello", true), (6, "hello", true)])
    func limit(limit: Int, text: String, isWhole: Bool) throws {
        try withRepository { repository, _ in
            let contents = try repository.contents(of: "README.md", limit: limit)
            #expect(String(decoding: contents.bytes, as: UTF8.self) == text)
            #expect(contents.isWhole == isWhole)
        }
    }

    @Test("The branch is what git's HEAD names")
    func branch() {
        withRepository { repository, folder in
            #expect(repository.branch == "feature/x")
            folder.write(".git/HEAD", "0123456789abcdef\n")
            #expect(repository.branch == nil)
        }
    }

    @Test(
        "The name is the last part of the origin's address",
        arguments: [
            ("https://git.example/team/tool.git", "tool"), ("git@git.example:tool", "tool"),
            ("https://user:secret@git.example/team/tool/", "tool"),
        ])
    func name(url: String, expected: String) {
        withRepository { repository, folder in
            #expect(repository.name == folder.path.dropFirst(5))
            folder.write(".git/config", "[core]\n\turl = no\n[remote \"origin\"]\n\turl = \(url)\n")
            #expect(repository.name == expected)
        }
    }
}
