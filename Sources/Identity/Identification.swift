public import HTTPWire

/// Who is asking, as far as one request head tells.
public enum Identification: Equatable, Sendable {
    /// A proven, well-formed address at this place of the buffer; case as sent.
    case header(ByteRange)
    /// Nobody is named, and in development that is the developer.
    case development
    /// Nobody was asked for: something else than an identity admits the request, and no field of it names anybody.
    case unnamed
    case refused(IdentityRefusal)
}

/// Why a request has no identity; the raw value is the stable code for answers, logs and metrics.
public enum IdentityRefusal: String, Error, Equatable, Sendable, CaseIterable {
    case missing = "identity_missing"
    case duplicate = "identity_duplicate"
    case malformed = "identity_malformed"
    /// A field is spelt almost like an identity field: somebody hopes that another reader takes it for one.
    case lookAlike = "identity_look_alike"
    case untrustedPeer = "untrusted_peer"
    case missingSecret = "gateway_key_missing"
    case duplicateSecret = "gateway_key_duplicate"
    case wrongSecret = "gateway_key_wrong"
    /// Development without TRUSTED_PROXIES, AUTH_SECRET or AUTH_TRUST_ANY_PEER believes no header.
    case noProof = "identity_unproven"

    /// The code again, under the name that answers give it.
    public var code: String { rawValue }

    /// What happened and what to do, for a person; says nothing that helps an attacker.
    public var sentence: String {
        switch self {
        case .missing: "You are not signed in: open this page through the sign-in page of your installation."
        case .duplicate, .malformed, .lookAlike:
            "The sign-in information of this request cannot be used: sign in again, or tell your administrator."
        case .untrustedPeer, .missingSecret, .duplicateSecret, .wrongSecret, .noProof:
            "This request did not come through the sign-in proxy: use the public address of your installation."
        }
    }
}
