import Foundation
import Testing

@testable import Sessions

@Suite("Branch names")
struct BranchNameTests {
    static let accepted = [
        "main", "feature/login", "a", "release-1.2", "v1.0.0", "user@host", "a@b", "ünï/cödé", "x.lock.y", "#12", "a+b",
        "a=b", "a,b", "a;b", "a$(b)", "a'b", "a\"b", "a|b", "a&b", "a%b", "refs/heads/x", "a}", "{a", "foo.lockx",
        "FOO",
        "a-", "日本語", "a!b", "@a", "a/@", "a..b".replacing("..", with: "."), "HEAD2", "head",
    ]
    static let refused: [(String, BranchNameProblem)] = [
        ("", .empty), ("-x", .leadingDash), ("--upload-pack=x", .leadingDash), ("a..b", .doubleDot),
        ("a b", .forbiddenCharacter(0x20)), ("a\tb", .forbiddenCharacter(9)), ("a\u{7f}", .forbiddenCharacter(0x7f)),
        ("a\nb", .forbiddenCharacter(10)), ("a~1", .forbiddenCharacter(0x7e)), ("a^", .forbiddenCharacter(0x5e)),
        ("a:b", .forbiddenCharacter(0x3a)), ("a?", .forbiddenCharacter(0x3f)), ("a*", .forbiddenCharacter(0x2a)),
        ("a[b", .forbiddenCharacter(0x5b)), ("a\\b", .forbiddenCharacter(0x5c)), ("/a", .emptyComponent),
        ("a/", .emptyComponent), ("a//b", .emptyComponent), (".a", .componentStartsWithDot),
        ("a/.b", .componentStartsWithDot), ("a.lock", .componentEndsWithLock), ("a.lock/b", .componentEndsWithLock),
        ("a.", .trailingDot), ("a@{b", .reflog), ("@{-1}", .reflog), ("@", .reserved), ("HEAD", .reserved),
        (".", .trailingDot), ("..", .doubleDot), ("/", .emptyComponent), (".lock", .componentStartsWithDot),
    ]

    @Test("What git accepts is accepted", arguments: accepted)
    func acceptance(name: String) throws {
        #expect(try BranchName(name).text == name)
        #expect(try gitAccepts(name))
    }

    @Test("What git refuses is refused, with the reason", arguments: refused)
    func refusal(name: String, problem: BranchNameProblem) throws {
        #expect(throws: problem) { try BranchName(name) }
        // In an empty repository "@" and "@{-1}" have nothing to stand for; git refuses or expands them elsewhere.
        if name != "@" { #expect(try !gitAccepts(name)) }
    }

    @Test("Names that cannot be a file beside its lock are refused")
    func length() throws {
        #expect(try BranchName(String(repeating: "a", count: BranchName.limit)).text.utf8.count == BranchName.limit)
        #expect(throws: BranchNameProblem.tooLong) {
            try BranchName(String(repeating: "a", count: BranchName.limit + 1))
        }
    }

    private func gitAccepts(_ name: String) throws -> Bool {
        let git = Process()
        git.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        git.arguments = ["git", "check-ref-format", "--branch", name]
        git.currentDirectoryURL = URL(fileURLWithPath: "/")
        git.standardOutput = FileHandle.nullDevice
        git.standardError = FileHandle.nullDevice
        try git.run()
        git.waitUntilExit()
        return git.terminationStatus == 0
    }
}
