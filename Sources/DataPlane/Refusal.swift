internal import HTTPWire
internal import Telemetry

/// A fixed answer instead of what was asked for.
///
/// A class, because every async function that may be given one would keep room for its strings while it waits for
/// something else: kilobytes for each request in flight.
final class Refusal: Error {
    let status: Int
    /// Stable snake_case name.
    let code: String
    /// A sentence for a person.
    let sentence: String
    /// Whether the connection ends with it: what follows could not be trusted, or is not wanted.
    let closes: Bool
    let retryAfterSeconds: Int?
    /// Methods for a 405.
    let allow: String?
    /// What a 401 asks for (RFC 9110 §11.6.1); JSON then, for tools ask.
    let challenge: String?
    /// Whether only people can meet it: text then.
    let isText: Bool

    init(
        status: Int, code: String, sentence: String, closes: Bool = false, retryAfterSeconds: Int? = nil,
        allow: String? = nil, challenge: String? = nil, isText: Bool = false
    ) {
        self.status = status
        self.code = code
        self.sentence = sentence
        self.closes = closes
        self.retryAfterSeconds = retryAfterSeconds
        self.allow = allow
        self.challenge = challenge
        self.isText = isText
    }

    /// The same as the connection's last answer.
    var closing: Refusal {
        closes
            ? self
            : Refusal(
                status: status, code: code, sentence: sentence, closes: true, retryAfterSeconds: retryAfterSeconds,
                allow: allow, challenge: challenge, isText: isText)
    }

    /// The word under which it is counted; nil for what is a session's fault and is counted as that.
    var reason: RefusalReason? {
        switch status {
        case 400, 417: .malformed
        case 401: .unauthenticated
        case 403: .forbiddenOrigin
        case 404: .unknownSession
        case 405, 501, 505: .unsupported
        case 408: .headTimeout
        case 413: .bodyTooLarge
        case 414, 431: .headTooLarge
        case 421: .misdirected
        case 429: code == Self.tooManyStreams.code ? .tooManyStreams : .rateLimited
        case 502, 504: nil
        default: code == "session_not_ready" ? .notReady : .exhausted
        }
    }

    static let unknownSession = Refusal(
        status: 404, code: "session_not_found",
        sentence: "There is no such session, or it is not yours. Open the session picker to see your sessions.")
    static let noEditor = Refusal(
        status: 404, code: "no_editor",
        sentence: "This session has no editor. Sessions have one if they run on Kubernetes, the operator has set "
            + "EDITOR_IMAGE, and they were started since.", isText: true)
    static let misdirected = Refusal(
        status: 421, code: "misdirected_request", sentence: "This host is not served here.")
    /// Also for a session that does not exist: nobody learns which ones do.
    static let wrongAttachPassword = Refusal(
        status: 401, code: "attach_password_invalid", sentence: "Invalid or missing attach password",
        challenge: #"Basic realm="opencode", charset="UTF-8""#)
    /// Too many wrong passwords from one place.
    static func attachBlocked(seconds: Int) -> Refusal {
        Refusal(
            status: 429, code: "attach_password_blocked",
            sentence: "Too many wrong passwords for this session came from your address. Wait, then try again.",
            retryAfterSeconds: seconds)
    }
    static let badGateway = Refusal(
        status: 502, code: "session_unreachable",
        sentence: "The session did not answer. It may have just stopped; try again in a moment.")
    static let gatewayTimeout = Refusal(
        status: 504, code: "session_timeout", sentence: "The session could not be reached in time. Try again.")
    static let invalidAnswer = Refusal(
        status: 502, code: "session_answer_invalid",
        sentence: "The session sent an answer that is not valid HTTP, so it was dropped.")
    static let exhausted = Refusal(
        status: 503, code: "gateway_exhausted", sentence: "The gateway is out of resources. Try again in a moment.",
        retryAfterSeconds: 1)
    static let starting = Refusal(
        status: 503, code: "starting", sentence: "The gateway has just started and does not know the sessions yet.",
        retryAfterSeconds: 1)
    static let tooFast = Refusal(
        status: 429, code: "too_many_requests",
        sentence: "You ask faster than this installation allows. Wait a second.",
        retryAfterSeconds: 1)
    static let tooManyStreams = Refusal(
        status: 429, code: "too_many_streams",
        sentence: "You have too many event streams open. Close a tab and try again.", retryAfterSeconds: 5)
    static let signInEnded = Refusal(
        status: 401, code: "sign_in_ended", sentence: "Your sign-in has ended: sign in again.")
    static let signInUnconfirmed = Refusal(
        status: 503, code: "sign_in_unconfirmed",
        sentence: "Whether you are signed in could not be checked just now. Try again in a moment.",
        retryAfterSeconds: 2)
    /// For what is nobody's method; one that is only not served here is a 405 (RFC 9110 §9.1).
    static let unknownMethod = Refusal(
        status: 501, code: "method_not_implemented", sentence: "The gateway knows no such method.")
    static let tooLarge = Refusal(
        status: 413, code: "body_too_large", sentence: "The request's body is larger than the API accepts.",
        closes: true)
    /// RFC 9112 §8: the client has ended its side too early, and may still read.
    static let incompleteBody = Refusal(
        status: 400, code: "incomplete_body",
        sentence: "The request ended before its body did. Send it again, as a whole.", closes: true)
    static let timedOut = Refusal(
        status: 408, code: "request_timeout", sentence: "The request did not arrive in time.", closes: true)

    /// What a session that is not running answers to everything but a person's navigation.
    static func notReady(_ state: StaticString) -> Refusal {
        Refusal(
            status: 503, code: "session_not_ready", sentence: "The session is \(state), not ready.",
            retryAfterSeconds: 2)
    }

    static let servedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

    /// Every one ends the connection, for two readers could see the rest of the bytes differently.
    static func malformed(_ error: WireError) -> Refusal {
        let status = error.status
        let (code, sentence): (String, String) =
            switch status {
            case 405: ("method_not_allowed", "The gateway does not serve CONNECT or TRACE.")
            case 414: ("request_line_too_long", "The request's first line is longer than the gateway accepts.")
            case 417: ("expectation_failed", "The gateway knows no expectation but 100-continue.")
            case 431: ("request_head_too_large", "The request's fields are more or larger than the gateway accepts.")
            case 501: ("transfer_coding_not_supported", "The gateway accepts the chunked transfer coding only.")
            case 505: ("http_version_not_supported", "The gateway speaks HTTP/1.1 and HTTP/1.0 here.")
            default: ("bad_request", "The request is not valid HTTP/1.1 (\(error)).")
            }
        return Refusal(
            status: status, code: code, sentence: sentence, closes: true,
            allow: status == 405 ? servedMethods : nil)
    }
}
