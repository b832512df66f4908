import Sessions

extension UnsavedWork {
    /// Looks through a session's folder; nil if git cannot tell (in time).
    ///
    /// - Parameter isBlank: whether the session is a blank project, whose first, empty commit is nobody's work.
    static func look(into folder: String, git: GitProgram, isBlank: Bool) async -> UnsavedWork? {
        let limit = Duration.seconds(20)
        // Answers that are not text may be as long as they like: whether there is one is all that matters.
        guard
            let status = try? await git.run(
                ["status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=all"], in: folder,
                timeout: limit), status.isSuccess
        else { return nil }
        // HEAD too, for commits on no branch; a repository without any commit has none.
        var count = try? await git.run(
            ["rev-list", "--count", "HEAD", "--branches", "--not", "--remotes"], in: folder, timeout: limit)
        if count?.isSuccess == false {
            count = try? await git.run(
                ["rev-list", "--count", "--branches", "--not", "--remotes"], in: folder, timeout: limit)
        }
        guard let count, count.isSuccess, let commits = Int(count.output.filter(\.isNumber)) else { return nil }
        return UnsavedWork(
            hasUncommittedChanges: !status.output.isEmpty, unpushedCommits: isBlank ? max(0, commits - 1) : commits)
    }
}
