import HTTPClient

/// Why a remote did not tell its branches: which remote, and what happened.
package struct GitRemoteError: Error, Equatable, Sendable {
    /// The repository or API that was asked, without credentials; empty if the text was no address.
    package var remote: String
    package var reason: Reason

    package init(_ remote: String, _ reason: Reason) {
        self.remote = remote
        self.reason = reason
    }

    /// One decision each.
    package enum Reason: Error, Equatable, Sendable {
        case invalidAddress(GitURLProblem)
        case schemeNotAllowed(String)
        case hostNotAllowed(String)
        /// The host's address is private, a loopback, a metadata service or the like.
        case addressNotAllowed(host: String)
        case insecureRedirect
        case tooManyRedirects
        /// The redirect leads to nothing that could be a repository.
        case refusedRedirect
        case notFound
        /// There is no such repository, or it is private: servers do not tell which.
        case authenticationRequired
        case forbidden
        case rateLimited
        /// Another status than the protocol knows.
        case unexpectedStatus(Int)
        /// Something answers there, but not git.
        case notARepository
        /// What the server itself says is wrong.
        case remoteMessage(String)
        case unreachable(cause: String)
        case timedOut
        case tooLarge
        case cancelled
    }

    /// What happened, and what to do about it, in a sentence or two for a person.
    package var sentence: String {
        let remote = remote.isEmpty ? "the remote" : remote
        return switch reason {
        case .invalidAddress(let problem): "This is not the address of a repository: \(problem.words)."
        case .schemeNotAllowed(let scheme): "Repository addresses that begin with \(scheme):// are not allowed here."
        case .hostNotAllowed(let host): "Repositories on \(host) are not allowed here."
        case .addressNotAllowed(let host):
            "\(host) is an address inside a private network, and those are not asked. Use a public repository address."
        case .insecureRedirect: "\(remote) redirects from https to http, which would give the connection away."
        case .tooManyRedirects: "\(remote) redirects again and again."
        case .refusedRedirect: "\(remote) redirects to something that is not a repository. Use the final address."
        case .notFound: "There is no repository at \(remote), or it is private. Check the address."
        case .authenticationRequired:
            "\(remote) asks for credentials: it is private, or it does not exist. Check the address and your access."
        case .forbidden: "\(remote) refuses access. Check what your account may read there."
        case .rateLimited: "\(remote) is asked too often at the moment. Try again in a few minutes."
        case .unexpectedStatus(let status): "\(remote) failed with status \(status). Try again later."
        case .notARepository: "\(remote) answers, but it is not a git repository. Check the address."
        case .remoteMessage(let text): "\(remote) says: \(text)"
        case .unreachable(let cause): "\(remote) cannot be reached: \(cause)."
        case .timedOut: "\(remote) took too long to answer. Try again later."
        case .tooLarge: "\(remote) has more references than we can list."
        case .cancelled: "The question to \(remote) was cancelled."
        }
    }

    /// The stable name of the reason for programs.
    package var code: String {
        switch reason {
        case .invalidAddress: "repository_address_invalid"
        case .schemeNotAllowed, .hostNotAllowed, .addressNotAllowed: "repository_not_allowed"
        case .insecureRedirect, .tooManyRedirects, .refusedRedirect: "repository_redirect_refused"
        case .notFound: "repository_not_found"
        case .authenticationRequired: "repository_authentication_required"
        case .forbidden: "repository_forbidden"
        case .rateLimited: "repository_rate_limited"
        case .notARepository: "not_a_repository"
        case .unexpectedStatus, .remoteMessage: "repository_failed"
        case .unreachable, .cancelled: "repository_unreachable"
        case .timedOut: "repository_timeout"
        case .tooLarge: "repository_too_large"
        }
    }

    /// The HTTP status with which an API that asked on somebody's behalf should tell them.
    package var status: Int {
        switch reason {
        case .invalidAddress, .schemeNotAllowed, .hostNotAllowed, .addressNotAllowed, .notARepository: 400
        case .authenticationRequired: 401
        case .forbidden: 403
        case .notFound: 404
        case .rateLimited: 429
        case .timedOut: 504
        default: 502
        }
    }
}

extension GitRemoteError: CustomStringConvertible {
    package var description: String { sentence }
}

extension GitRemoteError.Reason {
    /// What a failed exchange means to someone who asked for branches.
    init(_ error: HTTPClientError, host: HTTPHost) {
        self =
            switch error.cause {
            case .refusedAddress: .addressNotAllowed(host: "\(host)")
            case .timedOut: .timedOut
            case .tooLarge: .tooLarge
            case .cancelled: .cancelled
            case .tooManyRedirects: .tooManyRedirects
            case .refusedRedirect: .refusedRedirect
            default: .unreachable(cause: "\(error.cause)")
            }
    }

    /// What a malformed advertisement means to them.
    init(_ problem: AdvertisementProblem) {
        self =
            switch problem {
            case .packet, .unexpected, .truncated: .notARepository
            case .remote(let text): .remoteMessage(text)
            case .tooManyReferences: .tooLarge
            }
    }

    /// What a final status other than 200 means to them.
    init(status: Int) {
        self =
            switch status {
            case 401: .authenticationRequired
            case 403: .forbidden
            case 404, 410: .notFound
            case 429: .rateLimited
            default: .unexpectedStatus(status)
            }
    }
}

extension GitURLProblem {
    /// The problem in a few words.
    var words: String {
        switch self {
        case .query: "it has a query"
        case .noPath: "it names no repository, only a host"
        case .deceptivePath: "its path has dots or control characters that hide where it leads"
        case .url(.tooLong): "it is too long"
        case .url(.forbiddenByte): "it has characters that addresses do not have"
        case .url(.missingScheme): "it does not begin with https://"
        case .url(.unsupportedScheme(let scheme)): "\(scheme.prefix(20)) is not a scheme that can be asked"
        case .url(.userInformation): "it contains a user name or a password, which would end up in logs"
        case .url(.malformedHost): "its host is malformed"
        case .url(.malformedPort): "its port is malformed"
        case .url(.malformedEscape): "it has a malformed % escape"
        }
    }
}
