/// The branches of a remote repository.
package struct RemoteBranches: Equatable, Sendable {
    /// Names without `refs/heads/`, in the order the server told them (git sorts them).
    package var names: [String]
    /// The branch that HEAD names, whether or not it has a commit yet; nil if HEAD is detached or unknown.
    package var defaultBranch: String?

    package init(names: [String], defaultBranch: String?) {
        self.names = names
        self.defaultBranch = defaultBranch
    }

    /// Whether the repository has no branch yet.
    package var isEmpty: Bool { names.isEmpty }
}

/// Collects the branches out of references, one at a time.
struct BranchCollector: Sendable {
    private(set) var names: [String] = []
    /// Whether a reference came that sorts behind every branch.
    private(set) var isPastBranches = false
    private var seen: Set<String> = []
    private var symbolicHead: String?
    private var headCommit: [UInt8]?
    private var commits: [String: [UInt8]] = [:]
    private let maximumCount: Int

    init(maximumCount: Int) { self.maximumCount = maximumCount }

    /// Takes `<object> <name>`; names that git itself would refuse are skipped, for nobody could use them.
    mutating func add(object: some Collection<UInt8>, name: some Collection<UInt8>) throws(AdvertisementProblem) {
        if name.elementsEqual("HEAD".utf8) {
            headCommit = Array(object)
            return
        }
        guard let branch = Self.branch(name) else {
            if name.starts(with: "refs/".utf8), "refs/heads/".utf8.lexicographicallyPrecedes(name) {
                isPastBranches = !name.starts(with: "refs/heads/".utf8) || isPastBranches
            }
            return
        }
        guard seen.insert(branch).inserted else { return }
        guard names.count < maximumCount else { throw .tooManyReferences }
        names.append(branch)
        commits[branch] = Array(object)
    }

    /// Takes HEAD's target, a full reference name.
    mutating func setHead(target: some Collection<UInt8>) {
        symbolicHead = Self.branch(target)
    }

    /// What was collected. Old servers do not say where HEAD points; then it is the branch with HEAD's commit, `main`
    /// and `master` first (git guesses the same way).
    var branches: RemoteBranches {
        var head = symbolicHead
        if head == nil, let headCommit {
            let candidates = names.filter { commits[$0] == headCommit }
            head = candidates.first { $0 == "main" } ?? candidates.first { $0 == "master" } ?? candidates.first
        }
        return RemoteBranches(names: names, defaultBranch: head)
    }

    private static func branch(_ name: some Collection<UInt8>) -> String? {
        guard name.starts(with: "refs/heads/".utf8),
            let text = String(validating: name.dropFirst("refs/heads/".utf8.count), as: UTF8.self),
            BranchName.isValid(text)
        else { return nil }
        return text
    }
}

/// The rules of `git check-ref-format --branch`.
package enum BranchName {
    /// Whether git accepts this as the name of a branch.
    package static func isValid(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        let forbidden = Array(" ~^:?*[\\".utf8)
        guard !bytes.isEmpty, bytes.count <= 1024, name != "HEAD", name != "@", bytes[0] != UInt8(ascii: "-"),
            bytes.last != UInt8(ascii: "."), bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7F && !forbidden.contains($0) }),
            !name.contains(".."), !name.contains("@{")
        else { return false }
        return name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && !$0.hasPrefix(".") && !$0.hasSuffix(".lock")
        }
    }
}
