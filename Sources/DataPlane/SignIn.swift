package import Identity

/// A sign-in as a request shows it, for whoever can say whether it still holds.
///
/// A class, so that whatever lasts holds one word where sign-ins are not asked about again.
package final class SignIn: Sendable {
    /// The sign-in cookies and no others, as the value of a Cookie field.
    package let cookies: [UInt8]
    /// The normalised address that the ingress named.
    package let email: String
    package let digest: SignInDigest

    package init(cookies: [UInt8], email: String) {
        self.cookies = cookies
        self.email = email
        digest = SignInDigest(cookies: cookies, email: email)
    }
}

/// What became of a question about a sign-in.
package enum SignInVerdict: Sendable {
    case holds
    /// It has ended, or is somebody else's.
    case ended
    /// Nobody could be asked.
    case unknown
}

/// How often sign-ins are asked about again; times in seconds.
package struct SignInRecheck: Sendable {
    /// So long an answer counts.
    package var fresh: Int
    /// So often a stream, a tunnel or anything else that lasts is asked about.
    package var stream: Int
    /// So long after it was last confirmed a sign-in counts while nobody can be asked.
    package var tolerance = 600

    package init(fresh: Int = 30, stream: Int = 300) {
        self.fresh = fresh
        self.stream = stream
    }
}
