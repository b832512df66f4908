import GitRemote
import Testing

private let one = String(repeating: "1", count: 40)
private let two = String(repeating: "2", count: 40)
private let zero = String(repeating: "0", count: 40)
private let flush = Array("0000".utf8)

/// A stream of packets: `nil` is a flush.
private func stream(_ lines: [String?]) -> [UInt8] {
    lines.flatMap { $0.map(PacketLines.line) ?? flush }
}

private func advertisement(_ lines: [String?], maximum: Int = 1000) throws -> RefAdvertisement {
    var advertisement = RefAdvertisement(maximumReferences: maximum)
    for packet in try packets([stream(lines)]) { try advertisement.consume(packet) }
    return advertisement
}

@Suite("An advertisement of references")
struct RefAdvertisementTests {
    private static let service = "# service=git-upload-pack\n"

    private static let oldVersions: [([String?], RemoteBranches)] = [
        // A usual one: HEAD, branches, tags, peeled tags.
        (
            [
                service, nil, "\(one) HEAD\0multi_ack symref=HEAD:refs/heads/main object-format=sha1 agent=git/2.39\n",
                "\(one) refs/heads/main\n", "\(two) refs/heads/topic/a\n", "\(one) refs/tags/v1\n",
                "\(two) refs/tags/v1^{}\n",
                nil,
            ], RemoteBranches(names: ["main", "topic/a"], defaultBranch: "main")
        ),
        // Version 1 says so first.
        (
            [service, nil, "version 1\n", "\(one) refs/heads/x\0symref=HEAD:refs/heads/x\n", nil],
            RemoteBranches(names: ["x"], defaultBranch: "x")
        ),
        // No line ends, no capabilities, no service line.
        (["\(one) refs/heads/x", "\(two) refs/heads/y", nil], RemoteBranches(names: ["x", "y"], defaultBranch: nil)),
        // Without a symref, HEAD's commit tells; main wins over others with the same.
        (
            ["\(one) HEAD\0multi_ack\n", "\(one) refs/heads/aaa\n", "\(one) refs/heads/main\n", nil],
            RemoteBranches(names: ["aaa", "main"], defaultBranch: "main")
        ),
        (
            ["\(two) HEAD\0multi_ack\n", "\(one) refs/heads/aaa\n", "\(two) refs/heads/bbb\n", nil],
            RemoteBranches(names: ["aaa", "bbb"], defaultBranch: "bbb")
        ),
        // Detached HEAD of no branch.
        (["\(two) HEAD\0x\n", "\(one) refs/heads/aaa\n", nil], RemoteBranches(names: ["aaa"], defaultBranch: nil)),
        // Empty repositories, in the three ways servers tell them.
        ([service, nil, nil], RemoteBranches(names: [], defaultBranch: nil)),
        ([nil], RemoteBranches(names: [], defaultBranch: nil)),
        (
            [service, nil, "\(zero) capabilities^{}\0symref=HEAD:refs/heads/main object-format=sha1\n", nil],
            RemoteBranches(names: [], defaultBranch: "main")
        ),
        // SHA-256, shallow lines, other namespaces, duplicates.
        (
            [
                "\(String(repeating: "a", count: 64)) refs/heads/s\0object-format=sha256\n", "shallow \(one)\n",
                "\(one) refs/heads/s\n", nil,
            ], RemoteBranches(names: ["s"], defaultBranch: nil)
        ),
        // Names that git itself refuses are not offered.
        (
            [
                "\(one) refs/heads/-x\0\n", "\(one) refs/heads/a..b\n", "\(one) refs/heads/a b\n",
                "\(one) refs/heads/\u{1}\n",
                "\(one) refs/heads/ok\n", "\(one) refs/heads/x.lock\n", "\(one) refs/heads/\n", nil,
            ], RemoteBranches(names: ["ok"], defaultBranch: nil)
        ),
    ]

    @Test("Versions 0 and 1 list the branches at once", arguments: oldVersions)
    func old(lines: [String?], expected: RemoteBranches) throws {
        let advertisement = try advertisement(lines)
        #expect(advertisement.isComplete && advertisement.capabilities == nil)
        #expect(advertisement.branches == expected)
        #expect(advertisement.branches.isEmpty == expected.names.isEmpty)
    }

    @Test("Version 2 tells capabilities, with or without a service line in front", arguments: [[], [service, nil]])
    func version2(prefix: [String?]) throws {
        let advertisement = try advertisement(
            prefix + [
                "version 2\n", "agent=git/2.39\n", "ls-refs=unborn\n", "fetch=shallow wait-for-done\n",
                "server-option\n",
                "object-format=sha256\n", nil,
            ])
        var expected = ServerCapabilities()
        expected.hasAgent = true
        expected.hasListReferences = true
        expected.listsUnborn = true
        expected.objectFormat = "sha256"
        #expect(advertisement.capabilities == expected)
    }

    @Test("Only what the server offers is asked for")
    func request() throws {
        var capabilities = ServerCapabilities()
        capabilities.hasListReferences = true
        #expect(
            String(decoding: ReferenceList.request(capabilities), as: UTF8.self)
                == "0014command=ls-refs\n0001000csymrefs\n0014ref-prefix HEAD\n001bref-prefix refs/heads/\n0000")
        capabilities.listsUnborn = true
        capabilities.hasAgent = true
        capabilities.objectFormat = "sha1"
        #expect(
            String(decoding: ReferenceList.request(capabilities), as: UTF8.self)
                == "0014command=ls-refs\n001bagent=opencode-router/10016object-format=sha10001"
                + "000csymrefs\n000bunborn\n0014ref-prefix HEAD\n001bref-prefix refs/heads/\n0000")
    }

    @Test(
        "What is no advertisement is refused",
        arguments: [
            ["# service=git-receive-pack\n", nil, nil], [service, service, nil],
            [service, "\(one) refs/heads/x\n", nil],
            ["hello\n", nil], ["\(one)\n", nil], ["\(one) \n", nil], ["xyz refs/heads/x\n", nil],
            ["\(one.dropLast()) refs/heads/x\n", nil], ["\(String(repeating: "A", count: 40)) refs/heads/x\n", nil],
            ["version 3\n", nil], ["version 2\n", "object-format=md5\n", nil], ["version 1\n", "version 1\n", nil],
            [nil, nil], ["version 2\n", nil, "agent=x\n"], ["\(one) refs/heads/x\n", nil, "\(one) refs/heads/y\n"],
            ["\(one) refs/heads/x\n", "no-space\n", nil],
        ] as [[String?]])
    func refused(lines: [String?]) {
        #expect(throws: AdvertisementProblem.unexpected) { try advertisement(lines) }
    }

    @Test("An ERR line is the server's own message, made fit for a sentence")
    func error() {
        for lines in [
            ["ERR access denied\n"], [Self.service, nil, "ERR access denied\n"], ["version 2\n", "ERR access denied"],
        ]
            as [[String?]]
        {
            #expect(throws: AdvertisementProblem.remote("access denied")) { try advertisement(lines) }
        }
        #expect(throws: AdvertisementProblem.remote("a  [31mb c")) {
            try advertisement(["ERR a\r\u{1b}[31mb\u{202e}c\n"])
        }
    }

    @Test("More branches than wanted are refused, other references do not count")
    func bounds() throws {
        let branches = (0..<20).map { "\(one) refs/heads/b\($0)\n" as String? }
        let tags = (0..<50).map { "\(one) refs/tags/t\($0)\n" as String? }
        #expect(try advertisement(branches + tags + [nil], maximum: 20).branches.names.count == 20)
        #expect(throws: AdvertisementProblem.tooManyReferences) { try advertisement(branches + [nil], maximum: 19) }
    }

    @Test("It is known when no branch can follow")
    func pastBranches() throws {
        let before: [String?] = ["\(one) HEAD\0\n", "\(one) refs/changes/1\n", "\(one) refs/heads/z\n"]
        #expect(try !advertisement(before).isPastBranches)
        #expect(try advertisement(before + ["\(one) refs/pull/1/head\n"]).isPastBranches)
    }
}

@Suite("A list of references")
struct ReferenceListTests {
    private func list(_ lines: [String?]) throws -> ReferenceList {
        var list = ReferenceList(maximumReferences: 100)
        for packet in try packets([stream(lines)]) { try list.consume(packet) }
        return list
    }

    private static let lists: [([String?], RemoteBranches)] = [
        (
            [
                "\(one) HEAD symref-target:refs/heads/main\n", "\(one) refs/heads/main\n",
                "\(two) refs/heads/topic peeled:\(one)\n", nil,
            ], RemoteBranches(names: ["main", "topic"], defaultBranch: "main")
        ),
        (["unborn HEAD symref-target:refs/heads/main\n", nil], RemoteBranches(names: [], defaultBranch: "main")),
        ([nil], RemoteBranches(names: [], defaultBranch: nil)),
        // ref-prefix is a hint only: more may come.
        (
            ["\(one) HEAD\n", "\(one) refs/heads/a\n", "\(one) refs/tags/v1\n", "\(one) refs/headsx/b\n", nil],
            RemoteBranches(names: ["a"], defaultBranch: "a")
        ),
    ]

    @Test("Branches and HEAD are told", arguments: lists)
    func reads(lines: [String?], expected: RemoteBranches) throws {
        let list = try list(lines)
        #expect(list.isComplete && list.branches == expected)
    }

    @Test(
        "What is no list is refused",
        arguments: [
            ["x\n", nil], ["\(one) \n", nil], ["zz refs/heads/x\n", nil], [nil, nil], [nil, "\(one) refs/heads/x\n"],
        ] as [[String?]])
    func refused(lines: [String?]) {
        #expect(throws: AdvertisementProblem.unexpected) { try list(lines) }
    }
}

@Suite("Branch names")
struct BranchNameTests {
    @Test(
        "git's own rules decide",
        arguments: [
            ("main", true), ("feature/x-1", true), ("a.b", true), ("ümlaut", true), ("@x", true), ("x@", true),
            ("", false), ("-x", false), ("/x", false), ("x/", false), ("a//b", false), (".a", false), ("a/.b", false),
            ("a.lock", false), ("a.lock/b", false), ("a..b", false), ("a b", false), ("a~1", false), ("a^", false),
            ("a:b", false), ("a?", false), ("a*", false), ("a[", false), ("a\\b", false), ("a@{b", false), ("@", false),
            ("a.", false), ("a\u{7f}", false), ("a\n", false), ("HEAD", false),
        ])
    func rules(name: String, isValid: Bool) {
        #expect(BranchName.isValid(name) == isValid)
    }
}
