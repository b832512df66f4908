/// Whether a page may send this request; `refused` becomes a 403 (415 for `jsonRequired`).
public enum OriginDecision: Equatable, Sendable {
    case admitted
    case refused(OriginRefusal)
}

/// Why a request is taken for one that another site's page made; the raw value is the stable code.
public enum OriginRefusal: String, Error, Equatable, Sendable, CaseIterable {
    /// A field that the decision rests on appears twice.
    case ambiguous = "origin_ambiguous"
    /// `Origin` is another origin, or `null`.
    case foreignOrigin = "origin_foreign"
    /// A browser's cookies without a word about the page they come from.
    case missingOrigin = "origin_missing"
    /// `Sec-Fetch-Site` says another site, and this is no plain navigation.
    case crossSite = "fetch_cross_site"
    /// A script for a service worker, which would outlive its session.
    case serviceWorker = "service_worker_refused"
    /// A change of the API whose body is not announced as JSON.
    case jsonRequired = "json_required"

    /// The code again, under the name that answers give it.
    public var code: String { rawValue }

    /// What happened and what to do, for a person.
    public var sentence: String {
        switch self {
        case .ambiguous: "The request names its origin twice: send each Origin and Sec-Fetch field once."
        case .foreignOrigin, .crossSite:
            "This request was made by a page of another origin and was not carried out: open the page itself."
        case .missingOrigin:
            "The request carries cookies but no Origin: send Origin, or leave the cookies out."
        case .serviceWorker: "Service workers are not available here: they would outlive the session."
        case .jsonRequired: "The request's body must be JSON: send it with Content-Type: application/json."
        }
    }
}
