internal import FoundationEssentials
package import HTTPClient
internal import KubernetesAPI
internal import Synchronization

/// Asks Cloudflare's API v4 about one zone and one tunnel.
///
/// Repeats what may pass (429, 5xx, no answer) as `RetryPolicy` says; when the API asks to slow down, all requests wait.
/// The token goes into one field of each request and nowhere else.
package final class CloudflareClient: Sendable {
    /// Which zone and tunnel, and by what right.
    package struct Access: Sendable {
        /// The API's base, such as `https://api.cloudflare.com/client/v4`.
        package var api: HTTPURL
        package var token: String
        package var zone: String
        package var tunnel: String

        package init(api: HTTPURL, token: String, zone: String, tunnel: String) {
            self.api = api
            self.token = token
            self.zone = zone
            self.tunnel = tunnel
        }
    }

    private let http: HTTPClient
    private let access: Access
    private let base: String
    /// Told of every answer: what was asked for, and the status or `error`.
    private let count: @Sendable (_ operation: String, _ status: String) -> Void
    private let account = Mutex<String?>(nil)
    /// No request is sent before.
    private let resumption = Mutex<ContinuousClock.Instant?>(nil)

    private static let recordsPerPage = 1000
    private static let answerLimit = 32 << 20

    package init(
        _ http: HTTPClient, access: Access, count: @escaping @Sendable (_ operation: String, _ status: String) -> Void
    ) {
        self.http = http
        self.access = access
        self.count = count
        let path = access.api.path
        base = path.hasSuffix("/") ? String(path.dropLast()) : String(path)
    }

    // MARK: DNS

    private struct Records: Decodable {
        struct Info: Decodable {
            var page: Int?
            var total_pages: Int?
        }
        var result: [DNSRecord]?
        var result_info: Info?
    }

    private var recordsPath: String { "/zones/\(access.zone)/dns_records" }

    /// All CNAME records with our mark.
    package func ownRecords() async throws(CloudflareError) -> [DNSRecord] {
        let query = "type=CNAME&comment.exact=\(KubernetesRequest.escaped(DNSRecord.mark))&order=name"
        var found: [DNSRecord] = []
        var page = 1
        while true {
            let path = "\(recordsPath)?\(query)&per_page=\(Self.recordsPerPage)&page=\(page)"
            let answer = try await read(Records.self, "dns.list", .get, path)
            found += answer.result ?? []
            // The server decides how long a page is.
            guard let pages = answer.result_info?.total_pages, page < pages else { break }
            guard page < 10_000 else { throw CloudflareError(.get, path, .malformed("the list has no end")) }
            page += 1
        }
        // A record that moved between two pages comes twice.
        var ids: Set<String> = []
        return found.filter { $0.comment == DNSRecord.mark && ids.insert($0.id).inserted }
    }

    /// The records of any type with this name.
    func records(named name: String) async throws(CloudflareError) -> [DNSRecord] {
        try await read(Records.self, "dns.list", .get, "\(recordsPath)?name=\(KubernetesRequest.escaped(name))").result
            ?? []
    }

    /// Makes a proxied CNAME with our mark; a record of ours that is there already is as good.
    func createRecord(_ name: String, to content: String) async throws(CloudflareError) {
        let body =
            "{\"type\":\"CNAME\",\"name\":\(RawJSON.quoted(name)),\"content\":\(RawJSON.quoted(content)),"
            + "\"proxied\":true,\"ttl\":1,\"comment\":\(RawJSON.quoted(DNSRecord.mark))}"
        do throws(CloudflareError) {
            _ = try await send("dns.create", .post, recordsPath, body)
        } catch {
            // Perhaps by an attempt of our own whose answer was lost.
            guard error.saysRecordExists, let present = try? await records(named: name),
                present.contains(where: { $0.comment == DNSRecord.mark && $0.content == content })
            else { throw error }
        }
    }

    /// Points a record of ours at the tunnel again.
    func correctRecord(_ record: DNSRecord, to content: String) async throws(CloudflareError) {
        _ = try await send(
            "dns.update", .patch, "\(recordsPath)/\(record.id)",
            "{\"content\":\(RawJSON.quoted(content)),\"proxied\":true}")
    }

    /// Deletes a record; one that is gone already is as good.
    func deleteRecord(_ record: DNSRecord) async throws(CloudflareError) {
        do throws(CloudflareError) {
            _ = try await send("dns.delete", .delete, "\(recordsPath)/\(record.id)")
        } catch {
            guard error.saysRecordIsGone else { throw error }
        }
    }

    // MARK: Tunnel

    /// The tunnel's configuration as it is now.
    package func tunnelDocument() async throws(CloudflareError) -> TunnelDocument {
        let path = try await tunnelPath()
        return try Self.document(try await send("tunnel.read", .get, path), .get, path)
    }

    /// Replaces the tunnel's configuration; returns its new version.
    ///
    /// Never repeated by itself: between two attempts somebody else may have written.
    func replaceTunnel(_ body: String) async throws(CloudflareError) -> Int? {
        let path = try await tunnelPath()
        return try await send("tunnel.write", .put, path, body, repeats: false)["result"]?["version"]?.integer
    }

    private static func document(
        _ answer: RawJSON, _ method: ClientMethod, _ path: String
    ) throws(CloudflareError) -> TunnelDocument {
        guard let result = answer["result"] else {
            throw CloudflareError(method, path, .malformed("the answer has no result"))
        }
        do throws(TunnelDocument.Problem) { return try TunnelDocument(result: result) } catch {
            let what = if case .unexpected(let member) = error { "\(member) has an unknown shape" } else { "no JSON" }
            throw CloudflareError(
                method, path, .malformed("the tunnel's configuration is not understood, and so is left alone: \(what)"))
        }
    }

    private func tunnelPath() async throws(CloudflareError) -> String {
        "/accounts/\(try await accountID())/cfd_tunnel/\(access.tunnel)/configurations"
    }

    /// The account that the zone belongs to; asked once.
    private func accountID() async throws(CloudflareError) -> String {
        if let known = account.withLock({ $0 }) { return known }
        let path = "/zones/\(access.zone)"
        let answer = try await send("zone.read", .get, path)
        guard let id = answer["result"]?["account"]?["id"]?.string,
            !id.isEmpty, id.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) })
        else { throw CloudflareError(.get, path, .malformed("the zone names no account")) }
        account.withLock { $0 = id }
        return id
    }

    // MARK: Requests

    private func read<Answer: Decodable>(
        _ type: Answer.Type, _ operation: String, _ method: ClientMethod, _ path: String
    ) async throws(CloudflareError) -> Answer {
        let answer = try await send(operation, method, path)
        do {
            return try JSONDecoder().decode(type, from: Data(answer.bytes))
        } catch {
            throw CloudflareError(method, path, .malformed("the answer has another shape than expected"))
        }
    }

    /// Sends a request until it has an answer that stays, and returns the whole envelope of a success.
    private func send(
        _ operation: String, _ method: ClientMethod, _ path: String, _ body: String? = nil, repeats: Bool = true
    ) async throws(CloudflareError) -> RawJSON {
        var attempts = 0
        while true {
            try await waitForResumption(method, path)
            attempts += 1
            do throws(CloudflareError) {
                let answer = try await once(method, path, body)
                count(operation, "200")
                return answer
            } catch {
                guard let pause = pause(after: error, operation, attempts: attempts), repeats else { throw error }
                do { try await Task.sleep(for: pause) } catch { throw CloudflareError(method, path, .cancelled) }
            }
        }
    }

    /// How long to wait before the same request is sent again; nil if that would not help.
    ///
    /// Not inlined: the optimiser of Swift 6.3.1 crashes on it inside the loop (ownership of the caught error).
    @inline(never)
    private func pause(after error: CloudflareError, _ operation: String, attempts: Int) -> Duration? {
        count(operation, error.status.map(String.init) ?? "error")
        let pause = RetryPolicy.pause(
            after: attempts, retryAfter: error.retryAfter, jitter: Double.random(in: 0...1))
        // Whoever is told to slow down does so with all requests.
        if error.status == 429 {
            suspend(for: min(error.retryAfter ?? pause ?? .zero, RetryPolicy.longestPause))
        }
        return error.isPassing ? pause : nil
    }

    private func suspend(for pause: Duration) {
        let end = ContinuousClock.now + pause
        resumption.withLock { $0 = max($0 ?? end, end) }
    }

    private func waitForResumption(_ method: ClientMethod, _ path: String) async throws(CloudflareError) {
        while let end = resumption.withLock({ $0 }), end > .now {
            do { try await Task.sleep(until: end) } catch { throw CloudflareError(method, path, .cancelled) }
        }
    }

    private struct Envelope: Decodable {
        var success: Bool?
        var errors: [CloudflareError.Detail]?
    }

    private func once(
        _ method: ClientMethod, _ path: String, _ body: String?
    ) async throws(CloudflareError) -> RawJSON {
        let answer: CollectedResponse
        do throws(HTTPClientError) {
            answer = try await http.collect(try request(method, path, body), limit: Self.answerLimit)
        } catch {
            if case .cancelled = error.cause { throw CloudflareError(method, path, .cancelled) }
            throw CloudflareError(method, path, .unreachable("\(error.cause)"))
        }
        let envelope = try? JSONDecoder().decode(Envelope.self, from: Data(answer.body))
        guard (200..<300).contains(answer.status), envelope?.success != false else {
            let retry = answer.head["Retry-After"].flatMap { Int($0) }.map { Duration.seconds(max(0, $0)) }
            let status = (200..<300).contains(answer.status) ? 400 : answer.status
            throw CloudflareError(
                method, path, .refused(status: status, envelope?.errors ?? []), retryAfter: retry)
        }
        do throws(RawJSON.Problem) { return try RawJSON(answer.body) } catch {
            throw CloudflareError(method, path, .malformed("the answer is no JSON"))
        }
    }

    private func request(
        _ method: ClientMethod, _ path: String, _ body: String?
    ) throws(HTTPClientError) -> ClientRequest {
        guard let url = try? HTTPURL(origin: access.api.origin, target: base + path) else {
            throw HTTPClientError(method, access.api, .invalidField(name: "target"))
        }
        var fields = [
            ClientField("Authorization", "Bearer \(access.token)"), ClientField("Accept", "application/json"),
        ]
        if body != nil { fields.append(ClientField("Content-Type", "application/json")) }
        var request = ClientRequest(method, url, fields: fields, body: body.map { Array($0.utf8) })
        request.timeouts = ClientTimeouts(
            connect: .seconds(5), head: .seconds(30), idle: .seconds(30), total: .seconds(60))
        // A second record is refused, and a second deletion finds nothing; a second write of the tunnel's configuration
        // could replace what somebody else wrote after the first.
        request.isRepeatable = method != .put
        return request
    }
}
