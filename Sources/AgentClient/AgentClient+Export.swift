import FoundationEssentials
import HTTPClient
package import Sessions

extension AgentClient: ExportableAgent {
    private struct Listed: Decodable { var id: String }
    private struct Page: Decodable {
        struct Cursor: Decodable { var next: String? }
        var data: [Listed]?
        var cursor: Cursor?
    }

    /// More conversations than this are not looked at; the document says so.
    private static let conversationLimit = 1000
    /// The newer API's messages come in pages, and a message may carry files.
    private static let messagesPerPage = 20
    private static let pageLimit = 16 << 20

    /// The members are `"api"`, `"conversations"` and `"complete"`. A conversation of the older API is
    /// `{"info", "messages"}`, as `opencode export` writes and `opencode import` reads it; of the newer one
    /// `{"info", "pages"}`, the answers as they came.
    package func export(
        at endpoint: SessionEndpoint, until deadline: ContinuousClock.Instant,
        to sink: @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        let generation = try await generation(at: endpoint)
        let path = try await conversations(at: endpoint).path
        let (ids, isComplete) = try await ids(path, generation, at: endpoint, until: deadline)
        try await sink(Array("\"api\":\"\(generation.rawValue)\",\"conversations\":[".utf8))
        for (number, id) in ids.enumerated() {
            try await sink(Array((number == 0 ? "\n" : ",\n").utf8))
            let info = try await whole("\(path)/\(id)", at: endpoint, until: deadline)
            try await sink(Array("{\"info\":".utf8) + info)
            switch generation {
            case .v1:
                try await sink(Array(",\"messages\":".utf8))
                try await relay("\(path)/\(id)/message", at: endpoint, until: deadline, to: sink)
            case .v2:
                try await sink(Array(",\"pages\":[".utf8))
                try await relayPages("\(path)/\(id)/message", at: endpoint, until: deadline, to: sink)
                try await sink(Array("]".utf8))
            }
            try await sink(Array("}".utf8))
        }
        try await sink(Array("],\"complete\":\(isComplete)".utf8))
    }

    /// The ids of all conversations, and whether those are all.
    private func ids(
        _ path: String, _ generation: AgentGeneration, at endpoint: SessionEndpoint,
        until deadline: ContinuousClock.Instant
    ) async throws -> (ids: [String], isComplete: Bool) {
        guard generation == .v2 else {
            let target = "\(path)?limit=\(Self.conversationLimit)"
            let list = try await call(.get, target, as: AgentList<Listed>.self, at: endpoint).elements
            let ids = try list.prefix(Self.conversationLimit).map { try checked($0.id) }
            return (ids, list.count < Self.conversationLimit)
        }
        var ids: [String] = []
        var target = "\(path)?limit=100"
        while ids.count < Self.conversationLimit {
            let page = try await decoded(whole(target, at: endpoint, until: deadline))
            ids += try (page.data ?? []).map { try checked($0.id) }
            guard let next = page.cursor?.next, page.data?.isEmpty == false else { return (ids, true) }
            target = "\(path)?limit=100&cursor=\(try checked(cursor: next))"
        }
        return (Array(ids.prefix(Self.conversationLimit)), false)
    }

    private func relayPages(
        _ path: String, at endpoint: SessionEndpoint, until deadline: ContinuousClock.Instant,
        to sink: @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        var target = "\(path)?limit=\(Self.messagesPerPage)&order=asc"
        while true {
            let bytes = try await whole(target, at: endpoint, until: deadline)
            try await sink(bytes)
            let page = try decoded(bytes)
            guard let next = page.cursor?.next, page.data?.isEmpty == false else { return }
            try await sink(Array(",\n".utf8))
            target = "\(path)?limit=\(Self.messagesPerPage)&cursor=\(try checked(cursor: next))"
        }
    }

    private func decoded(_ bytes: [UInt8]) throws(AgentFailure) -> Page {
        do { return try JSONDecoder().decode(Page.self, from: Data(bytes)) } catch {
            throw AgentFailure("a page of another shape")
        }
    }

    /// It goes into a query as it is.
    private func checked(cursor: String) throws(AgentFailure) -> String {
        guard isWord(cursor, of: 1...4096, and: "-._~") else { throw AgentFailure("a cursor that is none") }
        return cursor
    }

    /// A small answer.
    private func whole(
        _ target: String, at endpoint: SessionEndpoint, until deadline: ContinuousClock.Instant
    ) async throws -> [UInt8] {
        let body = try await open(target, at: endpoint, until: deadline)
        let bytes = try await told(target) { () async throws(HTTPClientError) in
            try await body.collect(limit: Self.pageLimit)
        }
        var nesting = JSONNesting()
        do {
            try nesting.read(bytes)
            try nesting.finish()
        } catch { throw AgentFailure("GET \(target): an answer that is no JSON") }
        return bytes
    }

    /// An answer of any size, piece by piece.
    private func relay(
        _ target: String, at endpoint: SessionEndpoint, until deadline: ContinuousClock.Instant,
        to sink: @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        let body = try await open(target, at: endpoint, until: deadline)
        var nesting = JSONNesting()
        while let piece = try await told(target, { () async throws(HTTPClientError) in try await body.next() }) {
            do { try nesting.read(piece) } catch { throw AgentFailure("GET \(target): an answer that is no JSON") }
            try await sink(piece)
        }
        do { try nesting.finish() } catch { throw AgentFailure("GET \(target): an answer that ends too soon") }
    }

    private func open(
        _ target: String, at endpoint: SessionEndpoint, until deadline: ContinuousClock.Instant
    ) async throws -> ClientBody {
        var request = try request(.get, target, at: endpoint)
        let rest = ContinuousClock.now.duration(to: deadline)
        guard rest > .zero else { throw AgentFailure("GET \(target): out of time") }
        request.timeouts.total = rest
        let answer = try await told(target) { [request] () async throws(HTTPClientError) in try await http.send(request)
        }
        guard answer.status == 200 else { throw AgentFailure("GET \(target): status \(answer.status)") }
        return answer.body
    }

    private func told<R>(
        _ target: String, _ body: () async throws(HTTPClientError) -> R
    ) async throws(AgentFailure) -> R {
        do throws(HTTPClientError) { return try await body() } catch { throw AgentFailure("\(error)") }
    }
}
