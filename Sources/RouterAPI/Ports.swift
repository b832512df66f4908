package import Sessions

/// Asks a remote repository for its branches; filled by git's smart HTTP, connected by the executable.
package protocol BranchSource: Sendable {
    /// The branches of an address that ``RepositoryURLPolicy`` accepted.
    ///
    /// The token belongs to one host; whoever fills this sends it nowhere else.
    func branches(of url: String, token: String?) async throws(RemoteFailure) -> RemoteBranchList
}

/// The branches of a repository.
package struct RemoteBranchList: Hashable, Sendable {
    package var names: [String]
    /// Where the remote's HEAD points, with or without a commit.
    package var defaultBranch: String?

    package init(names: [String], defaultBranch: String?) {
        self.names = names
        self.defaultBranch = defaultBranch
    }
}

/// Why a remote gave no answer that helps.
package enum RemoteFailure: Error, Hashable, Sendable {
    /// Not reached, refused, or not a repository: git's own reason, a sentence without secrets.
    case unreachable(String)
    /// The address may not be asked (a private network, a redirect to another host).
    case refused(String)
    /// The host's API answered with this status.
    case status(Int, String)
}

/// Lists the caller's own repositories; filled by GitHub's API, connected by the executable.
package protocol RepositoryCatalogue: Sendable {
    func repositories(token: String) async throws(RemoteFailure) -> [CatalogueRepository]
    /// The branches of `owner/name`.
    func branches(of repository: String, token: String) async throws(RemoteFailure) -> [String]
}

/// One repository of a catalogue.
package struct CatalogueRepository: Hashable, Sendable {
    package var name: String
    package var fullName: String
    package var url: String
    package var isPrivate: Bool
    package var defaultBranch: String

    package init(name: String, fullName: String, url: String, isPrivate: Bool, defaultBranch: String) {
        self.name = name
        self.fullName = fullName
        self.url = url
        self.isPrivate = isPrivate
        self.defaultBranch = defaultBranch
    }
}

/// Keeps each user's environment variables for their sessions; values go in and never come out here.
package protocol UserSecretStore: Sendable {
    /// The names, sorted.
    func names(of email: String) async throws -> [String]
    /// Puts these in place of all.
    func replaceAll(of email: String, with secrets: [String: String]) async throws
    /// Adds or replaces one.
    func put(_ value: String, as name: String, of email: String) async throws
    /// Removes one; nothing happens if there is none.
    func remove(_ name: String, of email: String) async throws
}

/// Brings images to the cluster's nodes before sessions need them.
package protocol ImagePuller: Sendable {
    /// Returns once the image was there and ran; within minutes.
    func pull(_ image: String) async throws(SessionFailure)
    /// The image that new sessions run, whatever is pulled.
    var sessionImage: String { get }
}
