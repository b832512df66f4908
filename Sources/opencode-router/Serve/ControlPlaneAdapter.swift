internal import Assets
internal import DataPlane
internal import HTTPTypes
internal import Logging
internal import RouterAPI
internal import Sessions
internal import Synchronization

/// Connects the byte path to the API: turns its values into the API's and back, and wakes sessions.
final class ControlPlaneAdapter: ControlPlane {
    private let api = Mutex<RouterAPI?>(nil)
    private let admins: Set<String>
    private let audit: Logger
    private let signIns: SignInChecker?
    private let known = Mutex(KnownIdentities())

    init(admins: [String], audit: Logger, signIns: SignInChecker?) {
        self.signIns = signIns
        self.admins = Set(admins.map { $0.lowercased() })
        self.audit = audit
    }

    /// From here on requests are answered; before, the API is "not ready".
    func connect(api: RouterAPI) {
        self.api.withLock { $0 = api }
    }

    func respond(to request: ControlRequest) async -> ControlResponse {
        guard let api = api.withLock({ $0 }), let method = HTTPRequest.Method(request.method) else {
            return ControlResponse(
                status: 503, fields: [("Content-Type", "application/json"), ("Retry-After", "1")],
                body: .bytes(Array(#"{"error":"The router is starting.","code":"starting"}"#.utf8)))
        }
        let headers = Self.headers(request.fields)
        var call = APIRequest(
            method: method, path: request.path, query: request.query, headers: headers, body: request.body,
            caller: nil, peer: request.peer, requestID: request.requestID)
        let response: APIResponse
        switch request.caller {
        case .user(let email):
            call.caller = APICaller(email: email, isAdmin: admins.contains(email))
            call.gitToken = Self.gitToken(headers)
            response = await api.respond(to: call)
        case .unnamed: response = await api.respond(to: call)
        case .pod: response = await api.respond(toPod: call)
        }
        return Self.encode(response, for: headers[.acceptEncoding])
    }

    private static func headers(_ fields: [(name: String, value: String)]) -> HTTPFields {
        var headers = HTTPFields()
        for field in fields {
            if let name = HTTPField.Name(field.name) { headers.append(HTTPField(name: name, value: field.value)) }
        }
        return headers
    }

    /// The caller's token for the repository's host, as the ingress forwards it (contract B4.1, in this order).
    private static func gitToken(_ headers: HTTPFields) -> String? {
        for name in ["X-Auth-Request-Access-Token", "X-Auth-Request-Token", "X-Forwarded-Access-Token"] {
            // Two fields of a name are joined by a space, and so are no token.
            if let name = HTTPField.Name(name), let token = headers[name], TokenHosts.isToken(token) { return token }
        }
        return nil
    }

    /// Below this, compressing saves no packet.
    private static let compressionThreshold = 1 << 10

    private static func encode(_ response: APIResponse, for accepted: String?) -> ControlResponse {
        var fields = response.headers.map { (name: $0.name.rawName, value: $0.value) }
        // A 304, too, which has no body: it tells what the answer that it stands for would (RFC 9110 §15.4.5).
        if response.compressible { fields.append(("Vary", "Accept-Encoding")) }
        var body: ControlResponse.Body
        switch response.body {
        case .empty: body = .bytes([])
        case .stream(let stream): body = .stream(stream)
        case .bytes(let bytes):
            body = .bytes(bytes)
            guard response.compressible, bytes.count > compressionThreshold, let accepted else { break }
            let coding = AcceptEncoding(accepted).choose(gzip: true, brotli: true)
            switch coding {
            case .brotli: body = .bytes(Compression.brotli(bytes, quality: 4))
            case .gzip: body = .bytes(Compression.gzip(bytes, level: 5))
            default: break
            }
            if let name = coding?.name { fields.append(("Content-Encoding", name)) }
        }
        return ControlResponse(status: response.status.code, fields: fields, body: body)
    }

    func confirm(_ signIn: SignIn) async -> SignInVerdict { await signIns?.ask(signIn) ?? .unknown }

    func wake(session id: UInt64, for email: String, by sign: StaticString, requestID: String) {
        guard let api = api.withLock({ $0 }) else { return }
        Task.detached { await api.wake(SessionID(rawValue: id), for: email, by: "\(sign)", requestID: requestID) }
    }

    func used(session id: UInt64, by email: String, fields: [(name: String, value: String)], requestID: String) {
        guard let api = api.withLock({ $0 }), let token = Self.gitToken(Self.headers(fields)) else { return }
        Task.detached { api.renew(token, of: email, for: SessionID(rawValue: id), requestID: requestID) }
    }

    func met(email: String, peer: String, requestID: String) {
        guard known.withLock({ $0.add(email) }) else { return }
        audit.notice(
            "identity first seen", metadata: ["email": "\(email)", "peer": "\(peer)", "request": "\(requestID)"])
    }

    func denied(_ denial: Denial) {
        audit.info(
            "access denied",
            metadata: [
                "why": "\(denial.code)", "email": "\(denial.email ?? "-")", "peer": "\(denial.peer)",
                "session": "\(denial.session.map { SessionID(rawValue: $0).description } ?? "-")",
                "request": "\(denial.requestID)",
            ])
    }
}

/// Who was met since the process began, for one audit line each; so many are remembered that repeated lines are rare.
private struct KnownIdentities {
    private static let limit = 65536

    private var emails: Set<String> = []

    /// Whether the address is new; once the set is full it begins anew, and lines repeat.
    mutating func add(_ email: String) -> Bool {
        if emails.count >= Self.limit { emails.removeAll() }
        return emails.insert(email).inserted
    }
}
