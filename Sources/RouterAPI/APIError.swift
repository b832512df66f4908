import HTTPTypes
import Sessions

/// A refusal or failure as the caller sees it: `{"error": sentence, "code": name}` with its status.
struct APIError: Error, Sendable {
    var status: HTTPResponse.Status
    /// Stable snake_case name.
    var code: String
    /// A sentence for a person.
    var message: String
    /// What to do next, where there is more to say.
    var hint: String?
    /// The words of what failed below us.
    var log: String?
    var headers: HTTPFields = [:]

    init(
        _ status: HTTPResponse.Status, _ code: String, _ message: String, hint: String? = nil,
        headers: HTTPFields = [:]
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.headers = headers
    }

    static let signInRequired = Self(.unauthorized, "sign_in_required", "Sign in to use the API.")
    static let notFound = Self(.notFound, "not_found", "There is nothing at this address of the API.")
    /// The same for a session that does not exist and one that is somebody else's.
    static let sessionNotFound = Self(.notFound, "session_not_found", "There is no such session.")
    static let adminOnly = Self(.forbidden, "admin_only", "Only administrators may do this.")
    static let noAdminKey = Self(
        .notImplemented, "admin_key_not_set",
        "This installation has no key for administrators (ADMIN_SECRET), and you are not one of ADMIN_EMAILS.")
    static let notReady = Self(
        .serviceUnavailable, "directory_not_ready", "The list of sessions is still being read. Try again in a moment.",
        headers: [.retryAfter: "2"])
    static let preconditionFailed = Self(
        .preconditionFailed, "precondition_failed",
        "Nothing was done: the API's entity tags are weak, so that If-Match is met by \"*\" alone.")
    static let tooManyRequests = Self(
        .tooManyRequests, "too_many_requests", "You ask faster than this installation allows. Wait a second.",
        headers: [.retryAfter: "1"])

    static func badRequest(_ code: String, _ message: String) -> Self { Self(.badRequest, code, message) }

    static func notSupported(_ what: String) -> Self {
        Self(.notImplemented, "not_supported", "This installation does not offer \(what).")
    }

    static func wrongMethod(allowed: [HTTPRequest.Method]) -> Self {
        let names = allowed.map(\.rawValue).joined(separator: ", ")
        return Self(
            .methodNotAllowed, "method_not_allowed", "This address of the API takes \(names).",
            headers: [.allow: names])
    }

    init(_ error: SessionRuntimeError) {
        switch error {
        case .notFound: self = .sessionNotFound
        case .conflict(let message): self = Self(.conflict, "conflict", message)
        case .unavailable(let message):
            self = Self(.serviceUnavailable, "runtime_unavailable", message, headers: [.retryAfter: "5"])
        case .failed(let failure):
            // Room is the cluster's to give; nothing of ours is broken.
            let status: HTTPResponse.Status =
                failure.code == "quota_exceeded" ? .serviceUnavailable : .internalServerError
            self = Self(status, failure.code, failure.message, hint: failure.hint)
            log = failure.log
        }
    }

    var response: APIResponse {
        var members: [(String, JSON)] = [("error", .string(message)), ("code", .string(code))]
        if let hint { members.append(("hint", .string(hint))) }
        if let log { members.append(("log", .string(log))) }
        var response = APIResponse.json(.object(members), status: status)
        for field in headers { response.headers.append(field) }
        return response
    }
}
