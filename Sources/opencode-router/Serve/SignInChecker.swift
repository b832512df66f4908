internal import DataPlane
internal import HTTPClient
internal import Identity
internal import LinuxIO
internal import Logging
internal import Observability

/// Asks oauth2-proxy whether sign-ins still hold (AUTH_RECHECK_URL).
///
/// Its `/oauth2/auth` answers 202 with the address for a cookie that holds, 401 or 403 for one that does not; everything
/// else is no answer. Requests for one sign-in at one time are one question.
actor SignInChecker {
    private let url: HTTPURL
    private let client: HTTPClient
    private let registry: MetricRegistry
    private let logger = Logger(label: "sign-in")
    private var running: [SignInDigest: Task<SignInVerdict, Never>] = [:]
    /// When the log last told that nobody could be asked.
    private var complained: ContinuousClock.Instant?

    /// Throws what is wrong with the address, as a sentence.
    init(_ text: String, registry: MetricRegistry) async throws(StartFailure) {
        do throws(URLProblem) {
            url = try HTTPURL(text)
        } catch {
            throw StartFailure("AUTH_RECHECK_URL=\(text) cannot be asked: \(error)")
        }
        do throws(IOError) {
            // A loop of its own: what sessions do to the other one does not slow sign-ins down.
            client = await HTTPClient(loop: try Loop(name: "sign-in"))
        } catch {
            throw StartFailure("no event loop could be made: \(error)")
        }
        self.registry = registry
    }

    func ask(_ signIn: SignIn) async -> SignInVerdict {
        if let task = running[signIn.digest] { return await task.value }
        let task = Task { await self.send(signIn) }
        running[signIn.digest] = task
        let verdict = await task.value
        running[signIn.digest] = nil
        registry.add(to: "opencode_router_sign_in_checks", [("result", "\(verdict)")])
        return verdict
    }

    private func send(_ signIn: SignIn) async -> SignInVerdict {
        var request = ClientRequest(.get, url)
        request.fields = [ClientField("Cookie", String(decoding: signIn.cookies, as: UTF8.self))]
        request.timeouts = ClientTimeouts(
            connect: .seconds(2), head: .seconds(3), idle: .seconds(3), total: .seconds(5))
        let answer: ClientResponseHead
        do throws(HTTPClientError) {
            answer = try await client.collect(request, limit: 64 << 10).head
        } catch {
            complain("\(error)")
            return .unknown
        }
        switch answer.status {
        case 401, 403: return .ended
        case 202:
            guard let email = answer["X-Auth-Request-Email"] else {
                complain("202 without X-Auth-Request-Email: oauth2-proxy needs --set-xauthrequest")
                return .unknown
            }
            return Self.normalised(email) == signIn.email ? .holds : .ended
        default:
            complain("status \(answer.status)")
            return .unknown
        }
    }

    private static func normalised(_ email: String) -> String {
        String(email.lowercased().drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    private func complain(_ reason: String) {
        let now = ContinuousClock.now
        if let complained, now - complained < .seconds(10) { return }
        complained = now
        logger.warning("sign-ins cannot be checked", metadata: ["url": "\(url)", "reason": "\(reason)"])
    }
}
