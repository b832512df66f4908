import Glibc
import Sessions

/// The folder that a session's agent works in: made once, then left alone.
struct Workspace: Sendable {
    let folder: SessionFolder
    let session: SessionRecord
    let settings: LocalSessionSettings
    let git: GitProgram

    /// Where a clone stands until it is complete; what is found there later was never finished.
    private var unfinished: String { folder.path + "/repo.new" }

    /// Makes the folder if it is not there yet; one that is stays as it is, whatever was changed in it.
    func prepare() async throws(SessionFailure) {
        if Folder.exists(folder.repository) {
            git.log?.append(line: "The folder of this session is there; it stays as it is.")
            return
        }
        do throws(DiskError) {
            if let first = TreeRemoval.remove(unfinished).first { throw first }
            try Folder.make(folder.home)
            try Folder.make(unfinished)
        } catch {
            throw Self.failure(error)
        }
        do throws(SessionFailure) {
            if let address = session.repositoryURL {
                try await fetch(address)
            } else {
                try await makeBlankProject()
            }
        } catch {
            // A clone that failed is of no use to anybody, and a full disk needs the room at once.
            _ = TreeRemoval.remove(unfinished)
            throw error
        }
        do throws(DiskError) {
            guard rename(unfinished, folder.repository) == 0 else { throw DiskError("create \(folder.repository)") }
            try SmallFile.synchroniseFolder(of: folder.repository)
        } catch {
            throw Self.failure(error)
        }
    }

    private func fetch(_ address: String) async throws(SessionFailure) {
        let branch = try Self.check(session.branch, "branch")
        let source = try Self.check(session.sourceBranch, "source branch")
        git.log?.append(line: "Asking \(address) for its branches.")
        let remote = try await RemoteListing.ask(address, settings: settings, git: git, folder: folder)
        let start = [branch, source].first { remote.branches.contains($0) }
        guard start != nil || remote.isEmpty else {
            throw SessionFailure(
                code: "branch_missing", message: "\(address) has no branch \"\(source)\" to start from.",
                hint: "Choose one of its branches\(Self.examples(remote.branches)).")
        }
        git.log?.append(line: "Cloning \(remote.url.text).")
        try await git.require(
            ["clone", "--progress", "--no-checkout", "--no-recurse-submodules", "--origin", "origin"]
                + identity.flatMap { ["--config", "\($0)=\($1)"] } + ["--", remote.url.text, unfinished],
            settings: remote.pin, in: folder.path, timeout: settings.cloneTimeout)
        guard let start else {
            git.log?.append(line: "The repository is empty; the session begins on branch \(branch).")
            return try await git.require(
                ["symbolic-ref", "HEAD", "refs/heads/\(branch)"], in: unfinished, timeout: settings.remoteTimeout)
        }
        git.log?.append(
            line: start == branch ? "Checking out branch \(branch)." : "Making branch \(branch) from \(start).")
        // A name that was checked never begins with "-"; the last "--" keeps git from looking for files of that name.
        try await git.require(
            ["checkout", "--quiet", start == branch ? "--track" : "--no-track", "-B", branch]
                + ["refs/remotes/origin/\(start)", "--"],
            in: unfinished, timeout: settings.cloneTimeout)
    }

    private func makeBlankProject() async throws(SessionFailure) {
        let branch = session.branch.isEmpty ? "main" : try Self.check(session.branch, "branch")
        git.log?.append(line: "Making an empty project on branch \(branch).")
        try await git.require(
            ["init", "--quiet", "--initial-branch=\(branch)"], in: unfinished, timeout: settings.remoteTimeout)
        for (name, value) in identity {
            try await git.require(
                ["config", "--local", name, value], in: unfinished, timeout: settings.remoteTimeout)
        }
        try await git.require(
            ["commit", "--quiet", "--allow-empty", "--no-verify", "--no-gpg-sign", "--message=Empty project"],
            in: unfinished, timeout: settings.remoteTimeout)
    }

    /// In whose name commits are made here: the owner's.
    private var identity: [(name: String, value: String)] {
        let email = session.email
        let name = String(email.prefix { $0 != "@" })
        guard let first = email.utf8.first, first != UInt8(ascii: "-"), !name.isEmpty else {
            return [("user.name", "opencode"), ("user.email", "opencode@localhost")]
        }
        return [("user.name", name), ("user.email", email)]
    }

    /// The branch's name, once more by git's rules.
    static func check(_ name: String, _ field: String) throws(SessionFailure) -> String {
        do throws(BranchNameProblem) {
            return try BranchName(name).text
        } catch {
            throw SessionFailure(
                code: "branch_invalid", message: "The \(field) \"\(name.prefix(100))\" \(error.message).",
                hint: "Choose another name.")
        }
    }

    private static func examples(_ branches: Set<String>) -> String {
        guard !branches.isEmpty else { return "" }
        let names = branches.sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }.prefix(5)
        return ", such as " + names.map { "\"\($0)\"" }.joined(separator: ", ")
    }

    /// A disk error as the cause of a session's failure.
    static func failure(_ error: DiskError) -> SessionFailure {
        error.isFull
            ? SessionFailure(
                code: "disk_full", message: "There is no room on the disk for this session.",
                hint: "Delete sessions that are no longer needed, or ask the operator for more room.",
                log: error.sentence)
            : SessionFailure(
                code: "disk_failed", message: "The session's folder is not usable: \(error.sentence).",
                hint: "Ask the operator to look at STATE_DIR.")
    }
}
